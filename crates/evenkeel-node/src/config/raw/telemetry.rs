//! What may be written of telemetry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::push::Secret;

/// What is sent of what the node does.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// To an OpenTelemetry Collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
}

/// An OpenTelemetry Collector.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Otlp {
    /// Where it takes OTLP, without a path.
    pub endpoint: Option<String>,
    /// `http` or `grpc`.
    pub protocol: Option<String>,
    /// Headers that go along, each with the place where its value stands.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// Of `traces`, `metrics` and `logs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signals: Option<Vec<String>>,
    /// The share of traces that are kept, as `1%`.
    pub sample: Option<String>,
    /// Whether traces that are kept elsewhere are kept here.
    pub follow: Option<bool>,
    /// How often metrics are sent.
    pub interval: Option<String>,
    /// Spans, and log lines, that may wait.
    pub queue: Option<u32>,
    /// How long a request may take.
    pub timeout: Option<String>,
    /// What the node is called there.
    pub service: Option<String>,
}
