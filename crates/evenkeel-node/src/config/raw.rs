//! What may be written in `evenkeel.yaml`: every key optional, units in text.
//!
//! Says nothing of what values mean; `checked` does. Invariant: unknown keys are refused.

pub mod pick;
pub mod push;
pub mod alerts;
pub mod brokers;
pub mod telemetry;
pub mod chains;
pub mod intake;
mod gate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use alerts::{Alerts, Producers, Webhook};
pub use gate::{Concurrency, DeadLetterBudget, Fallback, Parking, RetryBudget};

/// The whole file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The data folder.
    pub data: Option<String>,
    /// Where HTTP is served.
    pub http: Option<Listen>,
    /// Where Kafka's protocol will be served.
    pub kafka: Option<Listen>,
    /// Logging.
    pub log: Option<Logging>,
    /// What is kept of what became of events.
    pub ledger: Option<Ledger>,
    /// Limits of what is taken in.
    pub limits: Option<Limits>,
    /// Publish-side duplicates.
    pub publish: Option<Publish>,
    /// Brokers that subscriptions and bridges reach, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub brokers: BTreeMap<String, brokers::Broker>,
    /// Topics by name.
    pub topics: BTreeMap<String, Option<Topic>>,
    /// Which topics clients may create by naming them.
    pub auto_create: Option<AutoCreate>,
    /// Subscriptions by name.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Dependencies by name.
    pub dependencies: BTreeMap<String, Option<Dependency>>,
    /// A pattern of OpenSLO files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objectives: Option<String>,
    /// A pattern of files, each a service level agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slas: Option<String>,
    /// Where alerts go.
    pub alerts: Option<Alerts>,
    /// Chains of events by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub chains: BTreeMap<String, chains::Chain>,
    /// What is sent of what the node does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<telemetry::Telemetry>,
    /// What heals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub playbooks: Option<Playbooks>,
    /// What of brokers comes in, by topic.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub intakes: BTreeMap<String, intake::Intake>,
    /// What all handlers have in common.
    pub handlers: Option<Handlers>,
}

/// What all handlers have in common.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handlers {
    /// Which addresses may be called: ranges like `10.0.0.0/8`, hosts like `*.internal`.
    pub allow: Vec<String>,
    /// The node's own URL, as handlers reach it with callbacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback: Option<String>,
}

/// An address.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Host and port.
    pub listen: Option<String>,
}

/// Logging.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// `text` or `json`.
    pub format: Option<String>,
    /// `error`, `warn`, `info`, `debug` or a filter of tracing's.
    pub level: Option<String>,
    /// Lines of one kind that are written within a minute; 0: all.
    pub per_minute: Option<u32>,
}

/// Limits of what is taken in.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// A request's body.
    pub body: Option<String>,
    /// The headers of a request together.
    pub headers: Option<String>,
    /// Events in one batch.
    pub batch_events: Option<u32>,
    /// Requests that are being answered at once.
    pub requests: Option<u32>,
}

/// What is kept of what became of events.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// How long the ledger and the journal are kept.
    pub retention: Option<String>,
}

/// Publish-side duplicates.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Publish {
    /// How long a repeat is recognised.
    pub dedup: Option<String>,
}

/// A topic.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Topic {
    /// How many partitions.
    pub partitions: Option<u32>,
    /// How long and how much is kept.
    pub retention: Option<Retention>,
    /// What identifies its events in place of their `id`, for subscriptions that say nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<pick::Pick>,
    /// Which version of its key an event is, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<pick::Sequence>,
    /// `delete` or `compact`.
    pub cleanup: Option<String>,
    /// How it is compacted, with `cleanup: compact`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compact: Option<Compact>,
}

/// How long and how much is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// At least as long as this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
    /// About as much as this, per partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Never more than this, per partition, whatever is still owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What happens there: `refuse` or `expire`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_limit: Option<String>,
}

/// How a topic is compacted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compact {
    /// The share of bytes that were not compacted yet, from which on it is worth while.
    pub dirty_ratio: Option<f64>,
    /// How long the mark of a deleted key is kept.
    pub delete_retention: Option<String>,
    /// How long a record is left alone.
    pub min_lag: Option<String>,
}

/// Which topics clients may create by naming them.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoCreate {
    /// Patterns with `*`.
    pub allow: Vec<String>,
    /// How many partitions such a topic has.
    pub partitions: Option<u32>,
}

/// A subscription.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Subscription {
    /// What it reads.
    pub topic: Option<String>,
    /// What it keeps through renames; its name unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// What it wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<serde_json::Value>,
    /// Who handles it.
    pub handler: Option<Handler>,
    /// `key`, `partition` or `none`.
    pub order: Option<String>,
    /// When to try again.
    pub retry: Option<Retry>,
    /// Names of dependencies.
    pub depends_on: Vec<String>,
    /// The breaker of the handler itself.
    pub breaker: Option<Breaker>,
    /// `skip`, `park_key` or `pause`.
    pub when_exhausted: Option<String>,
    /// `earliest`, `latest`, a time, an offset, or offsets by partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<serde_json::Value>,
    /// What is promised of effects.
    pub effects: Option<Effects>,
    /// What identifies an event in place of its `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<pick::Pick>,
    /// Which version of its key an event is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<pick::Sequence>,
    /// How many at once.
    pub concurrency: Option<Concurrency>,
    /// How long identities are remembered.
    pub inbox: Option<String>,
    /// When dead letters pause it.
    pub dead_letter_budget: Option<DeadLetterBudget>,
    /// Limits of parking.
    pub parking: Option<Parking>,
    /// How many events per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// How many at once after a pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How many of them retries.
    pub retry_budget: Option<RetryBudget>,
    /// Who takes what meets an open breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// `fifo` or `lifo_when_backlogged`.
    pub freshness: Option<String>,
    /// While the most urgent event that waits is older than this, less urgent ones are shed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<String>,
}

/// Who handles events.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handler {
    /// By HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<push::HttpHandler>,
    /// A bridge: each event is published there, a topic or the address of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
    /// Records are copied as they are, each to its partition, and offsets are translated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<bool>,
    /// The handler's version, unless its answers tell another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// When to try again.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// How many attempts, the first one included.
    pub attempts: Option<u32>,
    /// The bound of the first delay.
    pub initial: Option<String>,
    /// What it grows by.
    pub factor: Option<f64>,
    /// The bound of the bound.
    pub max: Option<String>,
    /// How long an event is tried at all.
    pub age: Option<String>,
    /// Delays below this hold the lane in memory.
    pub inline: Option<String>,
}

/// What is promised of effects.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Effects {
    /// `none`, `fenced` or `log`.
    pub mode: Option<String>,
    /// Where returned events go, with `log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// A dependency that subscriptions share.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dependency {
    /// Its breaker.
    pub breaker: Option<Breaker>,
}

/// When a breaker opens.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// The sliding window.
    pub window: Option<String>,
    /// The ratio counts from so many calls on.
    pub min_calls: Option<u32>,
    /// Opens at this share of failures.
    pub failure_ratio: Option<f64>,
    /// Opens after so many failures in a row.
    pub consecutive: Option<u32>,
    /// How long it stays open before a probe.
    pub open: Option<String>,
    /// What that grows to while probes fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_max: Option<String>,
    /// A call that takes this long is a slow one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_call: Option<String>,
    /// Opens at this share of slow calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_ratio: Option<f64>,
}

/// What heals: a pattern of files, or the playbooks themselves.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Playbooks {
    /// A pattern of files.
    Files(String),
    /// Written here.
    Inline(Vec<serde_json::Value>),
}
