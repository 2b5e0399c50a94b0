//! Wire forms of the nouns that the model keeps without serde: alerts and incident entries, in
//! the events of the node's own topics and in the API.
//!
//! Invariant: what is written to a topic of the node's own reads back to the same value.

pub(crate) mod alert;
pub(crate) mod exclusion;
pub(crate) mod notice;
pub(crate) mod silence;
pub(crate) mod sla;
pub(crate) mod producer;
pub(crate) mod entry;
pub(crate) mod action;
pub(crate) mod damage;

use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_model::Timestamp;

/// A time as every JSON document of the node has it.
pub(crate) fn time(at: Timestamp) -> String {
    format_rfc3339(at)
}

/// Key bytes as text; what is not UTF-8 is shown with replacement characters.
pub(crate) fn key(key: Option<&bytes::Bytes>) -> Option<String> {
    key.map(|k| String::from_utf8_lossy(k).into_owned())
}
