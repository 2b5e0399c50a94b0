//! What may be written of a handler that is reached by HTTP.

use serde::{Deserialize, Serialize};

/// A handler that is reached by HTTP.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpHandler {
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where, if there are several endpoints.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// When an attempt is given up.
    pub timeout: Option<String>,
    /// `binary` or `structured`.
    pub format: Option<String>,
    /// Several events in one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// Where the secrets stand that sign each request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sign: Vec<Secret>,
    /// How many requests per second each endpoint gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// How many at once after a pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// When one of several endpoints is left out.
    pub ejection: Option<Ejection>,
    /// How endpoints are asked whether they are well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What a 202 means: `ack`, `fail` or `pending`.
    pub accepted: Option<String>,
    /// How long a callback is waited for, with `accepted: pending`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<String>,
    /// `auto`, `1` or `2`.
    pub version: Option<String>,
    /// Whom TLS trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How endpoints are asked before they are sent events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// The largest answer that is read.
    pub answer: Option<String>,
}

/// Whom TLS trusts.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// A file of root certificates, in PEM: these, and no others.
    pub roots: Option<String>,
}

/// How endpoints are asked before they are sent events.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handshake {
    /// Who asks: the name of a host.
    pub origin: Option<String>,
    /// How many requests a minute are wished for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
}

/// How endpoints are asked whether they are well.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// The path that is asked, with GET.
    pub path: Option<String>,
    /// How often.
    pub every: Option<String>,
    /// What takes longer is not well.
    pub timeout: Option<String>,
}

/// Several events in one request.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// At most so many.
    pub max: Option<u32>,
    /// How long the first may wait for others.
    pub linger: Option<String>,
    /// At most so much data.
    pub bytes: Option<String>,
}

/// Where a secret stands: one of the two.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secret {
    /// In this variable of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// In this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// When one of several endpoints is left out.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ejection {
    /// So many failures in a row put it out.
    pub failures: Option<u32>,
    /// For how long, the first time.
    pub open: Option<String>,
    /// Never for longer.
    pub max: Option<String>,
    /// Within this time its share grows back.
    pub slow_start: Option<String>,
}
