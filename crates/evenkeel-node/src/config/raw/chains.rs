//! What may be written of a chain of events.

use serde::{Deserialize, Serialize};

/// A chain of events that belong together by their `correlationid`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chain {
    /// The topics that its events are in.
    pub topics: Vec<String>,
    /// The types of its events, from the one that begins it to the one that ends it.
    pub steps: Vec<String>,
    /// How long it may take.
    pub within: Option<String>,
    /// How many are followed at once.
    pub open: Option<u32>,
}
