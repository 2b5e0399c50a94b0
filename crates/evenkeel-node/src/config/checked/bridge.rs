//! Where a bridge publishes, and what a mirror may be.

use std::sync::Arc;

use super::{unknown, value};
use crate::config::brokers::{self, BrokerKind};
use crate::config::plan::{Bridge, Plan};
use crate::error::Error;

/// Where a bridge publishes: a declared topic, or one at a broker.
pub(super) fn to(at: &str, to: &str, from: &str, plan: &Plan) -> Result<Bridge, Error> {
    if to == from {
        return Err(value(at, "is the topic that is read: events would go round in a circle"));
    }
    if let Some(home) = brokers::home(at, to, &plan.brokers)? {
        return Ok(Bridge::Broker(home));
    }
    let known: Vec<&str> = plan.topics.iter().map(|t| &*t.name).collect();
    if known.contains(&to) { Ok(Bridge::Topic(Arc::from(to))) } else { Err(unknown(at, "topic", to, &known)) }
}

/// Whether it is a mirror, which copies into a log, partition by partition.
pub(super) fn mirrors(at: &str, wanted: Option<bool>, bridge: Option<&Bridge>) -> Result<bool, Error> {
    match bridge.filter(|_| wanted == Some(true)) {
        None if wanted == Some(true) => {
            Err(value(at, "is for a bridge").hint("write `handler: { publish: TOPIC, mirror: true }`"))
        }
        Some(Bridge::Broker(home)) if home.broker.kind != BrokerKind::Kafka => {
            let kind = home.broker.kind.name();
            Err(value(at, format!("a {kind} has no partitions and offsets that could be those of a copy"))
                .hint("mirror into a Kafka or into a topic of this node, or leave `mirror` out"))
        }
        found => Ok(found.is_some()),
    }
}
