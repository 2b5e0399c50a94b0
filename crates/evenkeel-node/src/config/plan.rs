//! What a configuration means, checked: units are types, choices are enums, names resolve.
//!
//! Holds no text of YAML. Invariants: every subscription's topic is declared here, is a
//! dead-letter topic of another subscription, or belongs to the node; no two things share a name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_cloudevents::filter::Filter;
use evenkeel_delivery::{BreakerPolicy, Policy};
use evenkeel_log::TopicSettings;
use evenkeel_model::Timestamp;
use evenkeel_transport::{Pick, Reach};

pub use super::brokers::{BrokerPlan, Home};
pub use super::chains::Chain;
pub use super::intakes::IntakePlan;
pub use super::objectives::Objective;
pub use super::playbooks::Playbook;
pub use super::push::Push;
pub use super::receivers::Receiver;
pub use super::telemetry::Otlp;
pub use evenkeel_watch::sla::Agreement;

/// All that a node is told.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The data folder.
    pub data: PathBuf,
    /// Where HTTP is served; loopback.
    pub http: SocketAddr,
    /// Where Kafka's protocol will be served; bound to nothing in this version.
    pub kafka: SocketAddr,
    /// Logging.
    pub log: Logging,
    /// Limits of what is taken in.
    pub limits: Limits,
    /// How long the ledger and the journal are kept.
    pub ledger_retention: Duration,
    /// How long a repeat of a published event is recognised.
    pub publish_dedup: Duration,
    /// Brokers, sorted by name.
    pub brokers: Vec<Arc<BrokerPlan>>,
    /// What of them comes in, sorted by topic.
    pub intakes: Vec<IntakePlan>,
    /// Declared topics, sorted by name.
    pub topics: Vec<TopicPlan>,
    /// Patterns of topics that clients may create by naming them.
    pub auto_create: AutoCreate,
    /// Subscriptions, sorted by name.
    pub subscriptions: Vec<SubscriptionPlan>,
    /// Dependencies, sorted by name.
    pub dependencies: Vec<(Arc<str>, BreakerPolicy)>,
    /// The pattern that objectives were read from, as it was written.
    pub objectives_from: Option<String>,
    /// Objectives.
    pub objectives: Vec<Objective>,
    /// The pattern that agreements were read from, as it was written.
    pub slas_from: Option<String>,
    /// Service level agreements.
    pub agreements: Vec<Agreement>,
    /// What is wrong with objectives that can't be executed.
    pub refused: Vec<evenkeel_watch::openslo::Finding>,
    /// Who gets every change of every alert.
    pub webhooks: Vec<Webhook>,
    /// Who is told of alerts.
    pub receivers: Vec<Receiver>,
    /// Chains of events that are followed, sorted by name.
    pub chains: Vec<Chain>,
    /// The collector that telemetry is sent to.
    pub telemetry: Option<Otlp>,
    /// Of which sources somebody is told.
    pub producers: ProducerAlerts,
    /// The pattern that playbooks were read from, as it was written.
    pub playbooks_from: Option<String>,
    /// What heals.
    pub playbooks: Vec<Playbook>,
    /// Which addresses may be called.
    pub reach: Reach,
    /// `handlers.allow`, as it was written.
    pub allow: Vec<String>,
    /// The node's own URL, as handlers reach it; `None`: the address that HTTP is served on.
    pub callback: Option<String>,
}

/// How badly somebody is told of sources that don't send as usual; `None`: not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerAlerts {
    /// Of one that falls silent.
    pub silent: Option<evenkeel_watch::Severity>,
    /// Of one that sends at least twice as much as usual.
    pub surging: Option<evenkeel_watch::Severity>,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// In which form.
    pub format: LogFormat,
    /// A filter of tracing's: `info`, `debug`, `evenkeel_node=debug`.
    pub level: String,
    /// `log.per_minute`: lines of one kind that are written within a minute; 0: all.
    pub per_minute: u32,
}

/// In which form logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Limits of what is taken in over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `limits.body`: bytes of a request's body.
    pub body_bytes_max: usize,
    /// `limits.headers`: bytes of a request's headers together.
    pub headers_bytes_max: usize,
    /// `limits.batch_events`: events of one batch.
    pub batch_events_max: usize,
    /// `limits.requests`: requests answered at once.
    pub requests_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { body_bytes_max: 4 << 20, headers_bytes_max: 64 << 10, batch_events_max: 10_000, requests_max: 1_024 }
    }
}

/// A declared topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Its name.
    pub name: Arc<str>,
    /// What it is created with.
    pub settings: TopicSettings,
    /// What identifies its events in place of their `id`, for subscriptions that say nothing of it.
    pub identity: Option<Pick>,
    /// Which version of its key an event is, likewise, and of how many keys that is remembered.
    pub sequence: Option<(Pick, usize)>,
}

/// Which topics clients may create by naming them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoCreate {
    /// Patterns with `*`.
    pub allow: Vec<String>,
    /// How many partitions such a topic has.
    pub partitions: u32,
}

/// A subscription.
#[derive(Clone, Debug)]
pub struct SubscriptionPlan {
    /// Its name.
    pub name: Arc<str>,
    /// What it keeps through renames.
    pub uid: String,
    /// What it reads: a topic, or the address of one at a broker.
    pub topic: Arc<str>,
    /// Where that is, when it is at a broker.
    pub home: Option<Home>,
    /// Where its events are published, when it is a bridge: no handler is called then.
    pub bridge: Option<Bridge>,
    /// It is a bridge that copies records as they are, and translates offsets.
    pub mirror: bool,
    /// What it wants; `None`: everything.
    pub filter: Option<Filter>,
    /// The filter as it was written.
    pub filter_written: Option<serde_json::Value>,
    /// What identifies an event in place of its `id`.
    pub identity: Option<Pick>,
    /// Which version of its key an event is.
    pub sequence: Option<Pick>,
    /// How its handler is called.
    pub push: Push,
    /// Where it begins when it has no progress yet.
    pub from: From,
    /// Where returned events go; there exactly when the effects are `log`.
    pub effects_topic: Option<Arc<str>>,
    /// Who takes what meets an open breaker; there exactly when the policy says that somebody does.
    pub fallback: Option<FallbackPlan>,
    /// How it delivers.
    pub policy: Policy,
}

impl SubscriptionPlan {
    /// The topic that takes what meets an open breaker.
    pub fn falls_to(&self) -> Option<&str> {
        match &self.fallback {
            Some(FallbackPlan::Topic(topic)) => Some(topic),
            _ => None,
        }
    }
}

/// Where a bridge publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bridge {
    /// In a topic of the node's own log.
    Topic(Arc<str>),
    /// In a topic at a broker.
    Broker(Home),
}

/// Who takes what meets an open breaker.
#[derive(Clone, Debug, PartialEq)]
pub enum FallbackPlan {
    /// Another handler.
    Handler(Box<Push>),
    /// A topic.
    Topic(Arc<str>),
}

/// Where a subscription begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// At the end; at the beginning of a topic that is new or empty.
    Default,
    /// At the oldest event.
    Earliest,
    /// After the newest event.
    Latest,
    /// At the first event that was appended then or later.
    Time(Timestamp),
    /// At this offset of every partition.
    Offset(u64),
    /// At these offsets; at the oldest event of partitions that are not named.
    Offsets(BTreeMap<u32, u64>),
}

/// A receiver of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called.
    pub name: String,
    /// Where.
    pub url: String,
}

impl Plan {
    /// How many partitions the topic has by this plan: declared, or as its subscription's source.
    pub fn partitions_of(&self, topic: &str) -> Option<u32> {
        if let Some(declared) = self.topics.iter().find(|t| &*t.name == topic) {
            return Some(declared.settings.partitions);
        }
        let owner = topic.strip_suffix(evenkeel_model::names::DEAD_SUFFIX)?;
        let source = self.subscriptions.iter().find(|s| &*s.name == owner)?;
        self.partitions_of(&source.topic)
    }
}
