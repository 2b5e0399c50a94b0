//! Who is told of alerts: checked, written back, said in words.
//!
//! There is no tree of routes: a receiver says itself which alerts it wants, and an objective
//! whose alerts name a receiver is told to that one and no other (docs/why/receivers.md). Secrets
//! are named here, never held: they are read when the receiver's subscription starts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_transport::Reach;
use evenkeel_watch::{Alert, GroupBy, Matches, Routes, Severity};

use super::checked::{choice, duration, parse, positive, value};
use super::push::SecretFrom;
use super::raw::alerts as raw;
use super::units::show_duration;
use super::{addresses, push, units};
use crate::error::Error;

/// Where PagerDuty takes events, unless the file says otherwise.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
/// How often an Alertmanager hears of an alert that fires: well before it takes it for over.
const RESEND: Duration = Duration::from_secs(60);

/// Who is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// What it is called.
    pub name: Arc<str>,
    /// How it is told.
    pub by: By,
    /// Which alerts, any of these; `None`: all.
    pub matches: Option<Vec<Matches>>,
    /// Together with which others, and when again.
    pub routes: Routes,
    /// How often it hears that the node is alive.
    pub heartbeat: Option<Duration>,
}

/// How a receiver is told.
#[derive(Clone, Debug, PartialEq)]
pub enum By {
    /// By CloudEvents.
    Webhook {
        /// Where.
        url: String,
        /// Where the secrets that sign stand.
        secrets: Vec<SecretFrom>,
    },
    /// By Alertmanager's API, version 2.
    Alertmanager {
        /// Where it takes alerts.
        url: String,
    },
    /// By PagerDuty's Events API, version 2.
    PagerDuty {
        /// Where it takes events.
        url: String,
        /// Where the integration's key stands.
        routing_key: SecretFrom,
    },
    /// By an incoming webhook of Slack.
    Slack {
        /// Where its URL stands.
        url: SecretFrom,
    },
}

impl Receiver {
    /// True when it wants to hear of this alert.
    pub fn wants(&self, alert: &Alert) -> bool {
        self.matches.as_ref().is_none_or(|any| any.iter().any(|matches| matches.holds(alert)))
    }
}

/// Those who are told of an alert: whom its objective names, else all who want to hear of it.
pub fn told<'r>(receivers: &'r [Receiver], alert: &'r Alert) -> impl Iterator<Item = &'r Receiver> {
    let named = |receiver: &Receiver| alert.targets.contains(&receiver.name);
    let is_named = receivers.iter().any(named);
    receivers.iter().filter(move |receiver| if is_named { named(receiver) } else { receiver.wants(alert) })
}

pub(super) fn read(raw: Vec<raw::Receiver>, reach: &Reach, folder: &Path) -> Result<Vec<Receiver>, Error> {
    let mut receivers: Vec<Receiver> = Vec::new();
    for (i, raw) in raw.into_iter().enumerate() {
        let at = format!("alerts.receivers[{i}]");
        let receiver = one(&at, raw, reach, folder)?;
        if receivers.iter().any(|r| r.name == receiver.name) {
            return Err(value(&format!("{at}.name"), format!("`{}` is there twice", receiver.name)));
        }
        receivers.push(receiver);
    }
    Ok(receivers)
}

fn one(at: &str, raw: raw::Receiver, reach: &Reach, folder: &Path) -> Result<Receiver, Error> {
    let key = |name: &str| format!("{at}.{name}");
    let name = raw.name.as_deref().ok_or_else(|| value(&key("name"), "is missing"))?;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(value(&key("name"), format!("`{name}`: a name is of a-z, A-Z, 0-9 and `-`")));
    }
    let by = by(at, &raw, reach, folder)?;
    let usual = usual(&by);
    let each = |text: &Option<String>, name: &str, usual: Duration| duration(&key(name), text, usual);
    let routes = Routes {
        group_by: raw.group_by.as_ref().map_or(Ok(usual.group_by.clone()), |names| grouped(&key("group_by"), names))?,
        wait: each(&raw.wait, "wait", usual.wait)?,
        interval: each(&raw.interval, "interval", usual.interval)?,
        repeat: positive(&key("repeat"), each(&raw.repeat, "repeat", usual.repeat)?)?,
        inhibits: raw.inhibit.unwrap_or(usual.inhibits),
    };
    let heartbeat = raw.heartbeat.as_ref().map(|text| parse(&key("heartbeat"), text, units::duration)).transpose()?;
    if let (Some(_), By::PagerDuty { .. } | By::Slack { .. }) = (heartbeat, &by) {
        return Err(value(&key("heartbeat"), "would page, or be posted, each time")
            .hint("give it to a webhook or an Alertmanager, which alerts when it stays away"));
    }
    if heartbeat.is_some_and(|every| every < Duration::from_secs(1)) {
        return Err(value(&key("heartbeat"), "is less than 1s"));
    }
    let matches = raw.matches.map(|all| {
        let read = |(i, one): (usize, raw::Match)| matching(&key(&format!("matches[{i}]")), &one);
        all.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()
    });
    Ok(Receiver { name: Arc::from(name), by, matches: matches.transpose()?, routes, heartbeat })
}

fn by(at: &str, raw: &raw::Receiver, reach: &Reach, folder: &Path) -> Result<By, Error> {
    const KINDS: &str = "`webhook`, `alertmanager`, `pagerduty` or `slack`";
    let url = |key: &str, url: &Option<String>| {
        let url = url.as_ref().ok_or_else(|| value(key, "is missing"))?;
        addresses::callee(key, url, reach)
    };
    let secret = |key: &str, from: &Option<super::raw::push::Secret>| {
        let from = from.as_ref().ok_or_else(|| value(key, "is missing"))?;
        SecretFrom::read_from(key, from, folder)
    };
    match (&raw.webhook, &raw.alertmanager, &raw.pagerduty, &raw.slack) {
        (Some(to), None, None, None) => Ok(By::Webhook {
            url: url(&format!("{at}.webhook.url"), &to.url)?,
            secrets: push::secrets(&format!("{at}.webhook.sign"), &to.sign, folder)?,
        }),
        (None, Some(to), None, None) => {
            let base = url(&format!("{at}.alertmanager.url"), &to.url)?;
            Ok(By::Alertmanager { url: format!("{}/api/v2/alerts", base.trim_end_matches('/')) })
        }
        (None, None, Some(to), None) => {
            let key = format!("{at}.pagerduty.url");
            let to_url = Some(to.url.clone().unwrap_or_else(|| PAGERDUTY.to_owned()));
            let routing_key = secret(&format!("{at}.pagerduty.routing_key"), &to.routing_key)?;
            Ok(By::PagerDuty { url: url(&key, &to_url)?, routing_key })
        }
        (None, None, None, Some(to)) => Ok(By::Slack { url: secret(&format!("{at}.slack.url"), &to.url)? }),
        (None, None, None, None) => Err(value(at, format!("says nobody: write {KINDS}"))),
        _ => Err(value(at, "names more than one way").hint(format!("write one of {KINDS}, and a receiver for each"))),
    }
}

/// What holds unless the file says otherwise. An Alertmanager groups, waits and inhibits itself;
/// it has to hear again and again of what fires.
fn usual(by: &By) -> Routes {
    match by {
        By::Alertmanager { .. } => Routes {
            group_by: vec![GroupBy::Objective, GroupBy::Alert],
            wait: Duration::ZERO,
            interval: Duration::ZERO,
            repeat: RESEND,
            inhibits: false,
        },
        _ => Routes::default(),
    }
}

fn grouped(key: &str, names: &[String]) -> Result<Vec<GroupBy>, Error> {
    let of = |name: &String| {
        let all = GroupBy::ALL.map(GroupBy::name);
        GroupBy::ALL.into_iter().find(|by| by.name() == name).ok_or_else(|| choice(key, name, &all))
    };
    names.iter().map(of).collect()
}

/// Which alerts are meant. `key` is where it is written.
pub(crate) fn matching(key: &str, raw: &raw::Match) -> Result<Matches, Error> {
    let name = |text: &Option<String>| text.as_deref().map(Arc::from);
    let severity = match raw.severity.as_deref() {
        None => None,
        Some("page") => Some(Severity::Page),
        Some("ticket") => Some(Severity::Ticket),
        Some(other) => return Err(choice(&format!("{key}.severity"), other, &["page", "ticket"])),
    };
    Ok(Matches {
        service: name(&raw.service),
        subscription: name(&raw.subscription),
        objective: name(&raw.objective),
        alert: name(&raw.alert),
        severity,
    })
}

/// The form that is written, with every default filled in.
pub(super) fn written(receiver: &Receiver) -> raw::Receiver {
    let routes = &receiver.routes;
    let mut raw = raw::Receiver {
        name: Some(receiver.name.to_string()),
        matches: receiver.matches.as_ref().map(|all| all.iter().map(named).collect()),
        group_by: Some(routes.group_by.iter().map(|by| by.name().to_owned()).collect()),
        wait: Some(show_duration(routes.wait)),
        interval: Some(show_duration(routes.interval)),
        repeat: Some(show_duration(routes.repeat)),
        inhibit: Some(routes.inhibits),
        heartbeat: receiver.heartbeat.map(show_duration),
        ..raw::Receiver::default()
    };
    match &receiver.by {
        By::Webhook { url, secrets } => {
            let sign = secrets.iter().map(SecretFrom::written).collect();
            raw.webhook = Some(raw::ByWebhook { url: Some(url.clone()), sign });
        }
        By::Alertmanager { url } => {
            let url = url.strip_suffix("/api/v2/alerts").unwrap_or(url).to_owned();
            raw.alertmanager = Some(raw::ByAlertmanager { url: Some(url) });
        }
        By::PagerDuty { url, routing_key } => {
            raw.pagerduty = Some(raw::ByPagerDuty { routing_key: Some(routing_key.written()), url: Some(url.clone()) });
        }
        By::Slack { url } => raw.slack = Some(raw::BySlack { url: Some(url.written()) }),
    }
    raw
}

/// Which alerts, as it is written.
pub(crate) fn named(matches: &Matches) -> raw::Match {
    let text = |name: &Option<Arc<str>>| name.as_ref().map(ToString::to_string);
    raw::Match {
        service: text(&matches.service),
        subscription: text(&matches.subscription),
        objective: text(&matches.objective),
        alert: text(&matches.alert),
        severity: matches.severity.map(|severity| severity.name().to_owned()),
    }
}

/// A receiver in words.
pub(super) fn explain(receiver: &Receiver) -> String {
    let how = match &receiver.by {
        By::Webhook { url, .. } => format!("by CloudEvents to {url}"),
        By::Alertmanager { url } => format!("through the Alertmanager at {url}"),
        By::PagerDuty { routing_key, .. } => format!("by PagerDuty, with the key in {}", routing_key.shown()),
        By::Slack { url } => format!("by Slack, at the URL in {}", url.shown()),
    };
    let of = match receiver.matches.as_deref() {
        None => "alerts".to_owned(),
        Some([]) => "no alerts but those that name it".to_owned(),
        Some(any) => format!("alerts with {}", any.iter().map(said).collect::<Vec<_>>().join(", or with ")),
    };
    let routes = &receiver.routes;
    let together = match routes.group_by.as_slice() {
        [] => "all in one word".to_owned(),
        by => format!("one word for each {}", by.iter().map(|by| by.name()).collect::<Vec<_>>().join(" and ")),
    };
    let mut lines = vec![format!(
        "{} is told of {of} {how}: {together}, after {}, of changes every {} at most, and again after {}.",
        receiver.name,
        show_duration(routes.wait),
        show_duration(routes.interval),
        show_duration(routes.repeat),
    )];
    if routes.inhibits {
        lines.push("While a page of an objective fires, its tickets are not told.".to_owned());
    }
    if let Some(every) = receiver.heartbeat {
        lines.push(format!("It hears every {} that the node is alive.", show_duration(every)));
    }
    lines.join("\n  ")
}

fn said(matches: &Matches) -> String {
    let raw = named(matches);
    let parts = [
        ("service", raw.service),
        ("subscription", raw.subscription),
        ("objective", raw.objective),
        ("name", raw.alert),
        ("severity", raw.severity),
    ];
    let said: Vec<String> = parts.into_iter().filter_map(|(n, v)| Some(format!("{n} `{}`", v?))).collect();
    if said.is_empty() { "any name".to_owned() } else { said.join(" and ") }
}

#[cfg(test)]
mod tests;
