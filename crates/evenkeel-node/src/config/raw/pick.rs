//! Where a value of an event is, as it is written.

use serde::{Deserialize, Serialize};

/// Where a value of an event is: one of these.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pick {
    /// A CloudEvents attribute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// A header of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A JSON pointer into the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// Where an event's version is, and how much is remembered of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sequence {
    /// A CloudEvents attribute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// A header of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A JSON pointer into the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The versions of so many keys are remembered.
    pub keys: Option<u32>,
}
