//! Words to receivers, as each of them reads them: Alertmanager, PagerDuty, Slack. A webhook gets
//! the event itself.
//!
//! One file for each; every rendering is a pure function of the word, the time and the node's URL.
//! Delivery is that of any subscription: attempts, order and dead letters are not decided here.
//! Invariant: a secret is in no URL that is shown, and in no message.

mod alertmanager;
mod pagerduty;
mod slack;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_cloudevents::filter::Filter;
use evenkeel_delivery::{Policy, RetrySchedule};
use evenkeel_model::{Event, Timestamp, names};
use evenkeel_transport::Reach;
use evenkeel_transport::http::{HttpSettings, Pace, Rendering, literal};
use serde_json::Value;

use crate::config::plan::{From, Push, SubscriptionPlan};
use crate::config::receivers::{By, Receiver};
use crate::error::{Error, codes};
use crate::forms::notice::{self, NoticeForm};

/// Slack takes about one message a second of each webhook.
const SLACK_PACE: Pace = Pace { per_second: 1.0, burst: 3 };

/// The subscription that tells a receiver.
pub(crate) fn subscription(receiver: &Receiver) -> SubscriptionPlan {
    let name = format!("{}.{}", names::NOTICES_TOPIC, receiver.name);
    let url = match &receiver.by {
        By::Webhook { url, .. } | By::Alertmanager { url } | By::PagerDuty { url, .. } => url.clone(),
        // The real one is a secret, and read when the subscription starts.
        By::Slack { .. } => "https://hooks.slack.com/".to_owned(),
    };
    let mut push = Push::to(url);
    match &receiver.by {
        By::Webhook { secrets, .. } => push.secrets.clone_from(secrets),
        By::Slack { .. } => push.pace = Some(SLACK_PACE),
        By::Alertmanager { .. } | By::PagerDuty { .. } => {}
    }
    push.receiver = Some(Box::new(receiver.clone()));
    // An outage of the receiver spends nothing; what it refuses again and again for a day is a dead letter.
    let retry = RetrySchedule {
        attempts: 1_000,
        initial: Duration::from_secs(1),
        max: Duration::from_secs(60),
        ..RetrySchedule::default()
    };
    SubscriptionPlan {
        uid: name.clone(),
        name: Arc::from(name),
        topic: Arc::from(names::NOTICES_TOPIC),
        home: None,
        bridge: None,
        mirror: false,
        filter: Some(Filter::Exact(notice::RECEIVER.to_owned(), receiver.name.to_string())),
        filter_written: Some(serde_json::json!({ notice::RECEIVER: &*receiver.name })),
        identity: None,
        sequence: None,
        push,
        from: From::Default,
        effects_topic: None,
        fallback: None,
        policy: Policy { retry, ..Policy::default() },
    }
}

/// How its handler tells: secrets are read here.
pub(crate) fn settings(receiver: &Receiver, settings: HttpSettings, own_url: &str) -> Result<HttpSettings, Error> {
    let link = own_url.to_owned();
    let rendering = match &receiver.by {
        By::Webhook { .. } => return Ok(settings),
        By::Alertmanager { .. } => {
            let expires = receiver.routes.repeat.max(receiver.heartbeat.unwrap_or_default()) * 4;
            rendering(move |form, now| alertmanager::body(form, now, expires, &link))
        }
        By::PagerDuty { routing_key, .. } => {
            let key = key_of(receiver, "pagerduty.routing_key");
            let secret = routing_key.look_up(&key)?.trim().to_owned();
            if secret.len() != 32 || !secret.chars().all(|c| c.is_ascii_alphanumeric()) {
                let said =
                    format!("`{key}`: what stands in {} is no key of 32 letters and digits", routing_key.shown());
                return Err(Error::new(codes::CONFIG_VALUE, said));
            }
            rendering(move |form, _| pagerduty::body(form, &secret, &link))
        }
        By::Slack { url } => {
            let key = key_of(receiver, "slack.url");
            let (origin, path) = secret_url(&key, url.look_up(&key)?.trim(), &url.shown(), &settings.reach)?;
            let rendering = rendering(move |form, _| slack::body(form, &link)).at_secret_path(path);
            return Ok(HttpSettings { urls: vec![origin], rendering: Some(rendering), ..settings });
        }
    };
    Ok(HttpSettings { rendering: Some(rendering), ..settings })
}

fn key_of(receiver: &Receiver, key: &str) -> String {
    format!("alerts.receivers.{}.{key}", receiver.name)
}

fn rendering(body: impl Fn(&NoticeForm, Timestamp) -> Value + Send + Sync + 'static) -> Rendering {
    Rendering::new(move |event: &Event, now| {
        let form = notice::read(event).ok_or("it is no notice")?;
        Ok(Bytes::from(body(&form, now).to_string()))
    })
}

/// A URL of which nobody may see more than its host.
fn secret_url(key: &str, text: &str, place: &str, reach: &Reach) -> Result<(String, http::uri::PathAndQuery), Error> {
    let wrong = |why: &str| Error::new(codes::CONFIG_URL, format!("`{key}`: what stands in {place} {why}"));
    let uri: http::Uri = text.parse().map_err(|_| wrong("is not a URL"))?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong("is not an http URL with a host"));
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if authority.as_str().contains('@') {
        return Err(wrong("holds credentials before its host"));
    }
    if let Some(why) = literal(host).and_then(|ip| reach.refuses(host, ip)) {
        return Err(wrong(&format!("may not be called: {why}")));
    }
    let path = uri.path_and_query().cloned().unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
    Ok((format!("{scheme}://{authority}/"), path))
}

#[cfg(test)]
mod tests;
