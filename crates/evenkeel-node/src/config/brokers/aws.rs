//! What of a broker is AWS's alone: a region, an endpoint, a profile; and addresses of queues and topics
//! there: `aws://cloud/sqs/orders`, `aws://cloud/sns/arn:aws:sns:…`.
//!
//! What is not written the AWS SDK finds, as in any program of AWS's: environment, shared files, web
//! identity, container, instance.

use super::super::checked::{choice, value};
use super::super::raw::brokers as raw;
use super::{BrokerKind, BrokerPlan, Sasl};
use crate::error::Error;

/// What of a broker is AWS's alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// What answers instead of AWS.
    pub endpoint: Option<String>,
    /// A profile of the shared files.
    pub profile: Option<String>,
}

/// Refuses what means nothing there, and what would mean two things.
pub(super) fn read(name: &str, kind: BrokerKind, raw: &raw::Broker) -> Result<Place, Error> {
    let key = |what: &str| format!("brokers.{name}.{what}");
    if kind != BrokerKind::Aws {
        let keys = [("endpoint", raw.endpoint.is_some()), ("profile", raw.profile.is_some())];
        return match keys.iter().find(|(_, there)| *there) {
            Some((what, _)) => Err(value(&key(what), format!("is for AWS, and this is {}", kind.name()))),
            None => Ok(Place::default()),
        };
    }
    if raw.tls.is_some() {
        return Err(value(&key("tls"), "AWS is always spoken to over TLS, with the system's roots")
            .hint("leave it out; an `endpoint` says `http://` or `https://` itself"));
    }
    if raw.profile.is_some() && raw.user.is_some() {
        return Err(value(&key("profile"), "stands beside an access key").hint("leave out one of them"));
    }
    if let Some(endpoint) = raw.endpoint.as_deref().filter(|url| !is_url(url)) {
        return Err(
            value(&key("endpoint"), format!("`{endpoint}` is no URL")).hint("write it like `http://127.0.0.1:9324`")
        );
    }
    Ok(Place { endpoint: raw.endpoint.clone(), profile: raw.profile.clone() })
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', ' ']))
}

/// The region of a URL; empty: the SDK finds it.
pub(super) fn region(key: &str, address: &str) -> Result<String, Error> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match address.chars().all(legal) {
        true => Ok(address.to_owned()),
        false => Err(value(key, format!("`{address}` is no region"))
            .hint("write it like `aws://eu-central-1`, or `aws://` for what the environment says; another host is an `endpoint`")),
    }
}

/// A service and what of it.
pub(super) fn target(key: &str, topic: &str, name: &str) -> Result<(), Error> {
    match name.split_once('/') {
        Some(("sqs" | "sns", what)) if !what.is_empty() => Ok(()),
        Some((service, what)) if !what.is_empty() => Err(choice(key, service, &["sqs", "sns"])),
        _ => Err(value(key, format!("`{topic}` names no service"))
            .hint("write it like `aws://cloud/sqs/QUEUE` or `aws://cloud/sns/TOPIC`")),
    }
}

pub(super) fn explain(plan: &BrokerPlan) -> String {
    let region = match plan.address.as_str() {
        "" => "the region that the AWS SDK finds".to_owned(),
        region => format!("region {region}"),
    };
    let place = plan.aws.endpoint.as_ref().map_or(region.clone(), |url| format!("{url} ({region})"));
    let who = match (&plan.sasl, &plan.aws.profile) {
        (Some(Sasl::Password { user, .. }), _) => format!("the access key `{user}`"),
        (_, Some(profile)) => format!("the profile `{profile}`"),
        _ => "the credentials that the AWS SDK finds".to_owned(),
    };
    let mut said = format!("Broker {}: AWS at {place}, with {who}.", plan.name);
    if plan.aws.endpoint.as_ref().is_some_and(|url| url.starts_with("http://")) {
        said.push_str("\n  Its line can be read by anybody: `https://` unless it is yours.");
    }
    said
}
