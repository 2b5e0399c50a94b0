//! When an event was created, as far as its claim can be believed.

use std::time::Duration;

use evenkeel_model::{Created, Event, Timestamp};

use crate::time::parse_rfc3339;

/// The creation time that counts for latency: the extension `recordedtime`, else `time`, else
/// the record's CreateTime, else append time. A claim that lies after the append, or more than
/// `believe` before it, is not believed: append time counts instead.
pub fn created(event: &Event, record_created: Timestamp, appended: Timestamp, believe: Duration) -> Created {
    let claim = event
        .extension("recordedtime")
        .and_then(|text| parse_rfc3339(&text))
        .or_else(|| event.time.as_deref().and_then(parse_rfc3339))
        .or_else(|| (record_created > Timestamp::EPOCH).then_some(record_created));
    match claim {
        None => Created { at: appended, believed: true },
        Some(at) if at > appended || appended.since(at) > believe => Created { at: appended, believed: false },
        Some(at) => Created { at, believed: true },
    }
}

#[cfg(test)]
mod tests;
