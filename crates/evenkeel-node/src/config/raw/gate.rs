//! What may be written of how many events go out at once, how fast, and where else they go.

use serde::{Deserialize, Serialize};

use super::Handler;

/// How many at once.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Concurrency {
    /// Never fewer.
    pub min: Option<u32>,
    /// Never more.
    pub max: Option<u32>,
    /// Bytes at the handler together.
    pub bytes: Option<String>,
}

/// How many retries may go out beside first tries.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBudget {
    /// So many for each first try.
    pub share: Option<f64>,
    /// And so many per second besides.
    pub min: Option<String>,
}

/// How many dead letters one handler version may make before the subscription is paused.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterBudget {
    /// So many in a row.
    pub run: Option<u32>,
    /// This share of what ended within the window.
    pub share: Option<f64>,
    /// The share counts from so many events on.
    pub min: Option<u32>,
    /// How far back the share looks.
    pub window: Option<String>,
}

/// Limits of parking.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parking {
    /// Parked keys.
    pub keys: Option<u32>,
    /// Events behind one of them.
    pub per_key: Option<u32>,
    /// Bytes of parked events kept beyond retention.
    pub held: Option<String>,
    /// A key is put aside when its first event is at the handler for so long.
    pub slow_after: Option<String>,
}

/// Who takes what meets an open breaker: a handler or a topic.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fallback {
    /// Another handler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handler: Option<Handler>,
    /// A topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// When the breaker has been open for so long.
    pub after: Option<String>,
}
