//! What comes in from a queue of SQS.

use std::time::Duration;

use super::super::checked::{choice, duration, value};
use super::super::raw::intake as raw;
use super::super::units::show_duration;
use super::{BrokerKind, strange};
use crate::error::Error;

/// A queue of SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sqs {
    /// Its name or URL.
    pub queue: String,
    /// What was neither deleted nor renewed for so long is given again.
    pub visibility: Duration,
    /// The group orders, whatever key an event has; by itself, the group of a FIFO queue.
    pub key_from_group: Option<bool>,
    /// SNS's wrapping is taken off.
    pub unwrap: bool,
}

/// AWS lends a message for 12 hours at most.
const VISIBILITY_MAX: Duration = Duration::from_secs(12 * 3600);
/// A node looks once a second what must be renewed.
const VISIBILITY_MIN: Duration = Duration::from_secs(10);

pub(super) fn read(at: &str, raw: raw::Intake) -> Result<Sqs, Error> {
    let strangers = [
        ("stream", raw.stream.is_some()),
        ("topic", raw.topic.is_some()),
        ("group", raw.group.is_some()),
        ("consumer", raw.consumer.is_some()),
        ("subject", raw.subject.is_some()),
        ("from", raw.from.is_some()),
        ("delivery_limit", raw.delivery_limit.is_some()),
    ];
    strange(at, BrokerKind::Aws, strangers)?;
    let key = format!("{at}.visibility");
    let visibility = duration(&key, &raw.visibility, Duration::from_secs(60))?;
    if !(VISIBILITY_MIN..=VISIBILITY_MAX).contains(&visibility) || visibility.subsec_nanos() != 0 {
        let written = show_duration(visibility);
        return Err(value(&key, format!("`{written}` is not whole seconds from 10s to 12h"))
            .hint("write `60s`: a node that died is missed for so long, and one that lives renews"));
    }
    let key_from_group = match raw.key.as_deref() {
        None => None,
        Some("group") => Some(true),
        Some("event") => Some(false),
        Some(other) => return Err(choice(&format!("{at}.key"), other, &["group", "event"])),
    };
    let unwrap = match raw.envelope.as_deref().unwrap_or("unwrap") {
        "unwrap" => true,
        "keep" => false,
        other => return Err(choice(&format!("{at}.envelope"), other, &["unwrap", "keep"])),
    };
    let queue = raw.queue.ok_or_else(|| value(&format!("{at}.queue"), "is missing"))?;
    Ok(Sqs { queue, visibility, key_from_group, unwrap })
}

pub(super) fn written(origin: Sqs, common: raw::Intake) -> raw::Intake {
    raw::Intake {
        queue: Some(origin.queue),
        visibility: Some(show_duration(origin.visibility)),
        key: origin.key_from_group.map(|group| if group { "group" } else { "event" }.to_owned()),
        envelope: Some(if origin.unwrap { "unwrap" } else { "keep" }.to_owned()),
        ..common
    }
}
