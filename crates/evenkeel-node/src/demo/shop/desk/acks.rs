//! An acknowledgment, as the producer was given it: a line of its book.

use serde::{Deserialize, Serialize};

use crate::demo::shop::book::Line;

/// What the node answered for one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ack {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) customer: Option<String>,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) duplicate: bool,
    /// True when the event was sent a second time on purpose, after its acknowledgment.
    pub(crate) again: bool,
    /// How often it was sent until this answer came.
    pub(crate) tries: u32,
    pub(crate) units: i64,
    pub(crate) pence: i64,
}

impl Line for Ack {
    fn key(&self) -> String {
        format!("{}{}", self.id, if self.again { "#again" } else { "" })
    }
}
