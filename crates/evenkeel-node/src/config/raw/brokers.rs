//! What may be written of a broker that the node works over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::push::{Secret, Tls};

/// A broker.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    /// Which, and where: `kafka://host:9092`, several hosts behind commas; `aws://REGION`.
    pub url: Option<String>,
    /// TLS, when it stands there: the system's roots, or a file of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Who we are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the password stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Where the token stands: with `sasl: oauthbearer` a file; of NATS a variable or a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Where the contents of a `.creds` file of NATS stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Secret>,
    /// Where the seed of an nkey of NATS stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey: Option<Secret>,
    /// RabbitMQ's virtual host; `/` unless it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vhost: Option<String>,
    /// `plain`, `scram-sha-256`, `scram-sha-512` or `oauthbearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl: Option<String>,
    /// What answers instead of AWS: `http://host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// A profile of AWS's shared files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `kafka` or `event_hubs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavour: Option<String>,
    /// `classic` or `consumer` (KIP-848).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
    /// Who is not heard of for so long is taken for dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How long handlers may finish when a partition is asked back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<String>,
    /// Whether topics beside the source are made where they are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_topics: Option<bool>,
    /// Properties of the client library, which win.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}
