//! A topic: from what is written, in the file or in a request, to the log's settings.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_log::{AtLimit, Cleanup, Retention, TopicSettings};
use evenkeel_model::names;

use super::super::plan::TopicPlan;
use super::super::{raw, reading, units};
use super::{choice, duration, parse, pick, value};
use crate::error::Error;

const PARTITIONS: u32 = 4;
const DIRTY_RATIO: f64 = 0.5;
const DELETE_RETENTION: Duration = Duration::from_secs(86_400);

/// A topic of the file.
pub(super) fn declared(name: &str, raw: raw::Topic) -> Result<TopicPlan, Error> {
    let at = format!("topics.{name}");
    if name.starts_with(names::OWN_PREFIX) {
        return Err(value(&at, format!("names that begin with `{}` belong to the node", names::OWN_PREFIX)));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 249 || name.chars().all(|c| c == '.') || !name.chars().all(legal) {
        return Err(value(&at, "a topic's name is 1 to 249 of a-z, A-Z, 0-9, `.`, `_`, `-`"));
    }
    let identity =
        raw.identity.clone().map(|written| pick::identity(&format!("{at}.identity"), written)).transpose()?;
    let (sequence, keys) = pick::sequence(&format!("{at}.sequence"), raw.sequence.clone())?;
    let sequence = sequence.map(|sequence| (sequence, keys));
    Ok(TopicPlan { name: Arc::from(name), settings: settings(&at, raw)?, identity, sequence })
}

/// A topic of a request. The keys are those of the file; `partitions` stays as it is where it is
/// not given.
pub(crate) fn read(name: &str, written: serde_json::Value, partitions: Option<u32>) -> Result<TopicPlan, Error> {
    let mut raw: raw::Topic = reading::from_value("", written)?;
    raw.partitions = raw.partitions.or(partitions);
    for (key, is_there) in [("identity", raw.identity.is_some()), ("sequence", raw.sequence.is_some())] {
        if is_there {
            let why = "is taken of topics in the file only";
            return Err(value(key, why).hint("write it in each subscription of the topic"));
        }
    }
    let plan = declared(name, raw)?;
    Ok(plan)
}

fn settings(at: &str, raw: raw::Topic) -> Result<TopicSettings, Error> {
    let partitions = raw.partitions.unwrap_or(PARTITIONS);
    if !(1..=10_000).contains(&partitions) {
        return Err(value(&format!("{at}.partitions"), format!("{partitions} is not between 1 and 10000")));
    }
    let retention = retention(&format!("{at}.retention"), raw.retention.unwrap_or_default())?;
    let cleanup = cleanup(at, raw.cleanup.as_deref(), raw.compact)?;
    Ok(TopicSettings { partitions, retention, cleanup })
}

fn retention(at: &str, raw: raw::Retention) -> Result<Retention, Error> {
    let size = |key: &str, text: Option<String>| -> Result<Option<u64>, Error> {
        let key = format!("{at}.{key}");
        match text.map(|t| parse(&key, &t, units::size)).transpose()? {
            Some(0) => Err(value(&key, "must be more than 0")),
            size => Ok(size),
        }
    };
    let age = raw.age.map(|t| parse(&format!("{at}.age"), &t, units::duration)).transpose()?;
    let (bytes, limit) = (size("size", raw.size)?, size("limit", raw.limit)?);
    if let (Some(bytes), Some(limit)) = (bytes, limit)
        && limit < bytes
    {
        let (size, limit) = (units::show_size(bytes), units::show_size(limit));
        return Err(value(&format!("{at}.limit"), format!("{limit} is less than `size`, {size}")));
    }
    let key = format!("{at}.at_limit");
    let at_limit = match (raw.at_limit.as_deref(), limit) {
        (None, _) => AtLimit::default(),
        (Some(_), None) => return Err(value(&key, "says what happens at `limit`, and there is no `limit`")),
        (Some("refuse"), _) => AtLimit::Refuse,
        (Some("expire"), _) => AtLimit::Expire,
        (Some(other), _) => return Err(choice(&key, other, &["refuse", "expire"])),
    };
    Ok(Retention { age, bytes, limit, at_limit })
}

fn cleanup(at: &str, word: Option<&str>, raw: Option<raw::Compact>) -> Result<Cleanup, Error> {
    let key = format!("{at}.compact");
    match word.unwrap_or("delete") {
        "delete" if raw.is_some() => Err(value(&key, "says how to compact: it goes with `cleanup: compact`")),
        "delete" => Ok(Cleanup::Delete),
        "compact" => compact(&key, &raw.unwrap_or_default()),
        other => Err(choice(&format!("{at}.cleanup"), other, &["delete", "compact"])),
    }
}

fn compact(at: &str, raw: &raw::Compact) -> Result<Cleanup, Error> {
    let ratio = raw.dirty_ratio.unwrap_or(DIRTY_RATIO);
    if !(0.01..=1.0).contains(&ratio) {
        return Err(value(&format!("{at}.dirty_ratio"), format!("{ratio} is not between 0.01 and 1")));
    }
    let time = |key: &str, text: &Option<String>, default| duration(&format!("{at}.{key}"), text, default);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie between 0.01 and 1")]
    let dirty_percent = (ratio * 100.0).round() as u8;
    Ok(Cleanup::Compact {
        dirty_percent,
        delete_retention: time("delete_retention", &raw.delete_retention, DELETE_RETENTION)?,
        min_lag: time("min_lag", &raw.min_lag, Duration::ZERO)?,
    })
}
