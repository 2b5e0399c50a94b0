//! A dead letter: the record as it was, with headers that say who, why, when and how often.

use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_model::ledger::Ended;
use evenkeel_model::{Position, Record, names};

/// The record for `<subscription>.dead`. Without the original (retention took it before its end)
/// the dead letter still tells where and why, and that the rest is gone.
pub fn record(subscription: &str, at: &Position, original: Option<&Record>, entry: &Ended) -> Record {
    let mut record = original.cloned().unwrap_or_else(|| Record { created: entry.at, ..Record::default() });
    // What an earlier death said gives way to this one.
    record.headers.retain(|h| !h.name.starts_with(names::dead::PREFIX));
    let mut put = |name: &str, value: String| record.push_header(name, value);
    put(names::dead::ORIGIN, place(at));
    put(names::dead::SUBSCRIPTION, subscription.to_owned());
    put(names::dead::ATTEMPTS, entry.attempts.to_string());
    put(names::dead::HANDLER_VERSION, entry.handler_version.to_string());
    if original.is_none() {
        put(names::dead::RECORD_GONE, "true".to_owned());
    }
    if let Some(failure) = &entry.failure {
        put(names::dead::REASON, failure.reason.clone());
        put(names::dead::CLASS, failure.class.name().to_owned());
        put(names::dead::MESSAGE, failure.message.clone());
        put(names::dead::FINGERPRINT, failure.fingerprint.clone());
        put(names::dead::FIRST_FAILED_AT, format_rfc3339(failure.first_failed_at));
        put(names::dead::LAST_FAILED_AT, format_rfc3339(failure.last_failed_at));
    }
    record
}

/// `topic;partition;offset`.
pub(crate) fn place(at: &Position) -> String {
    format!("{};{};{}", at.shard.topic, at.shard.partition, at.offset)
}
