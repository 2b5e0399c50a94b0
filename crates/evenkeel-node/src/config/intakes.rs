//! Intakes: what of a broker's queues and streams comes into a topic.
//!
//! Checked, written back, said in words. Invariant: an intake names a broker and a topic that are
//! declared, and only keys that its broker knows.

pub mod sqs;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::brokers::{BrokerKind, BrokerPlan};
use super::checked::{choice, unknown, value};
use super::raw::intake as raw;
use crate::error::Error;

/// What an intake holds without an outcome, unless it says so.
const PREFETCH: u16 = 1000;

/// What comes into a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakePlan {
    /// The topic.
    pub topic: Arc<str>,
    /// The broker.
    pub broker: Arc<BrokerPlan>,
    /// What of it.
    pub from: Origin,
    /// What is missing is made.
    pub declare: bool,
    /// How many messages are held without an outcome.
    pub prefetch: u16,
}

/// What of a broker comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A stream, through a durable consumer.
    Stream {
        /// The stream.
        stream: String,
        /// The consumer.
        consumer: String,
        /// Only these subjects.
        subject: Option<String>,
        /// A consumer that is made begins behind the newest message.
        latest: bool,
        /// The subject orders messages that name no key; by itself, where nothing is said.
        key_from_subject: Option<bool>,
    },
    /// A queue.
    Queue {
        /// Its name.
        queue: String,
        /// The routing key orders messages that name no key.
        key_from_routing: bool,
        /// How many deliveries it allows.
        delivery_limit: Option<u32>,
    },
    /// A queue of SQS.
    Sqs(sqs::Sqs),
    /// A topic of Kafka, read as a member of a group.
    Topic {
        /// Its name there.
        topic: String,
        /// The group.
        group: String,
        /// A group without offsets begins behind the newest record.
        latest: bool,
    },
}

impl Origin {
    /// The queue's name, or the stream's, or the topic's.
    pub fn name(&self) -> &str {
        match self {
            Origin::Stream { stream, .. } => stream,
            Origin::Queue { queue, .. } => queue,
            Origin::Topic { topic, .. } => topic,
            Origin::Sqs(sqs) => sqs.queue.rsplit('/').next().unwrap_or_default(),
        }
    }
}

/// The intakes of the file.
pub(super) fn all(
    raw: BTreeMap<String, raw::Intake>,
    brokers: &[Arc<BrokerPlan>],
    topics: &[super::plan::TopicPlan],
) -> Result<Vec<IntakePlan>, Error> {
    raw.into_iter().map(|(topic, intake)| read(&topic, intake, brokers, topics)).collect()
}

fn read(
    topic: &str,
    raw: raw::Intake,
    brokers: &[Arc<BrokerPlan>],
    topics: &[super::plan::TopicPlan],
) -> Result<IntakePlan, Error> {
    let at = format!("intakes.{topic}");
    if !topics.iter().any(|known| &*known.name == topic) {
        let known: Vec<&str> = topics.iter().map(|topic| &*topic.name).collect();
        return Err(unknown(&at, "topic", topic, &known));
    }
    let named = raw.broker.clone().ok_or_else(|| value(&format!("{at}.broker"), "is missing"))?;
    let known: Vec<&str> = brokers.iter().map(|broker| &*broker.name).collect();
    let broker = brokers.iter().find(|broker| *broker.name == *named);
    let broker = broker.ok_or_else(|| unknown(&format!("{at}.broker"), "broker", &named, &known))?;
    // Of Kafka nothing is made: what does not exist is an error.
    let declare = match raw.topology.as_deref().unwrap_or("declare") {
        "declare" => true,
        "verify" => false,
        other => return Err(choice(&format!("{at}.topology"), other, &["declare", "verify"])),
    };
    let prefetch = raw.prefetch.unwrap_or(PREFETCH);
    if prefetch == 0 {
        return Err(value(&format!("{at}.prefetch"), "0 would take nothing"));
    }
    let declare = declare && broker.kind != BrokerKind::Kafka;
    let from = match broker.kind {
        BrokerKind::Nats => stream(&at, raw)?,
        BrokerKind::RabbitMq => queue(&at, raw)?,
        BrokerKind::Aws => Origin::Sqs(sqs::read(&at, raw)?),
        BrokerKind::Kafka => kafka_topic(&at, topic, raw)?,
    };
    Ok(IntakePlan { topic: Arc::from(topic), broker: broker.clone(), from, declare, prefetch })
}

/// Refuses keys that this kind of broker does not know.
fn strange<const N: usize>(at: &str, kind: BrokerKind, keys: [(&str, bool); N]) -> Result<(), Error> {
    match keys.iter().find(|(_, there)| *there) {
        Some((name, _)) => Err(value(&format!("{at}.{name}"), format!("{} has no such thing", kind.name()))),
        None => Ok(()),
    }
}

fn stream(at: &str, raw: raw::Intake) -> Result<Origin, Error> {
    let strangers = [
        ("queue", raw.queue.is_some()),
        ("topic", raw.topic.is_some()),
        ("group", raw.group.is_some()),
        ("delivery_limit", raw.delivery_limit.is_some()),
        ("visibility", raw.visibility.is_some()),
        ("envelope", raw.envelope.is_some()),
    ];
    strange(at, BrokerKind::Nats, strangers)?;
    let latest = latest(at, raw.from.as_deref())?;
    let key_from_subject = match raw.key.as_deref() {
        None => None,
        Some("subject") => Some(true),
        Some("none") => Some(false),
        Some(other) => return Err(choice(&format!("{at}.key"), other, &["subject", "none"])),
    };
    Ok(Origin::Stream {
        stream: raw.stream.ok_or_else(|| value(&format!("{at}.stream"), "is missing"))?,
        consumer: raw.consumer.unwrap_or_else(|| "evenkeel".to_owned()),
        subject: raw.subject,
        latest,
        key_from_subject,
    })
}

fn latest(at: &str, from: Option<&str>) -> Result<bool, Error> {
    match from.unwrap_or("earliest") {
        "earliest" => Ok(false),
        "latest" => Ok(true),
        other => Err(choice(&format!("{at}.from"), other, &["earliest", "latest"])),
    }
}

fn kafka_topic(at: &str, own: &str, raw: raw::Intake) -> Result<Origin, Error> {
    let strangers = [
        ("queue", raw.queue.is_some()),
        ("stream", raw.stream.is_some()),
        ("consumer", raw.consumer.is_some()),
        ("subject", raw.subject.is_some()),
        ("key", raw.key.is_some()),
        ("delivery_limit", raw.delivery_limit.is_some()),
        ("visibility", raw.visibility.is_some()),
        ("envelope", raw.envelope.is_some()),
    ];
    strange(at, BrokerKind::Kafka, strangers)?;
    Ok(Origin::Topic {
        topic: raw.topic.ok_or_else(|| value(&format!("{at}.topic"), "is missing"))?,
        group: raw.group.unwrap_or_else(|| format!("evenkeel.{own}")),
        latest: latest(at, raw.from.as_deref())?,
    })
}

fn queue(at: &str, raw: raw::Intake) -> Result<Origin, Error> {
    let strangers = [
        ("stream", raw.stream.is_some()),
        ("topic", raw.topic.is_some()),
        ("group", raw.group.is_some()),
        ("consumer", raw.consumer.is_some()),
        ("subject", raw.subject.is_some()),
        ("from", raw.from.is_some()),
        ("visibility", raw.visibility.is_some()),
        ("envelope", raw.envelope.is_some()),
    ];
    strange(at, BrokerKind::RabbitMq, strangers)?;
    let key_from_routing = match raw.key.as_deref().unwrap_or("none") {
        "routing-key" => true,
        "none" => false,
        other => return Err(choice(&format!("{at}.key"), other, &["routing-key", "none"])),
    };
    let queue = raw.queue.ok_or_else(|| value(&format!("{at}.queue"), "is missing"))?;
    Ok(Origin::Queue { queue, key_from_routing, delivery_limit: raw.delivery_limit })
}

/// An intake as it is written.
pub(super) fn written(plan: &IntakePlan) -> raw::Intake {
    let common = raw::Intake {
        broker: Some(plan.broker.name.to_string()),
        topology: Some(if plan.declare { "declare" } else { "verify" }.to_owned()),
        prefetch: Some(plan.prefetch),
        ..raw::Intake::default()
    };
    match plan.from.clone() {
        Origin::Stream { stream, consumer, subject, latest, key_from_subject } => raw::Intake {
            stream: Some(stream),
            consumer: Some(consumer),
            subject,
            from: Some(if latest { "latest" } else { "earliest" }.to_owned()),
            key: key_from_subject.map(|subject| if subject { "subject" } else { "none" }.to_owned()),
            ..common
        },
        Origin::Queue { queue, key_from_routing, delivery_limit } => raw::Intake {
            queue: Some(queue),
            key: Some(if key_from_routing { "routing-key" } else { "none" }.to_owned()),
            delivery_limit,
            ..common
        },
        Origin::Topic { topic, group, latest } => raw::Intake {
            topic: Some(topic),
            group: Some(group),
            from: Some(if latest { "latest" } else { "earliest" }.to_owned()),
            ..common
        },
        Origin::Sqs(origin) => sqs::written(origin, common),
    }
}

/// What an intake does, in words.
pub(super) fn explain(plan: &IntakePlan) -> String {
    let from = match &plan.from {
        Origin::Stream { stream, consumer, .. } => format!("stream `{stream}` through the consumer `{consumer}`"),
        Origin::Topic { topic, group, .. } => format!("topic `{topic}` as the group `{group}`"),
        Origin::Queue { queue, .. } | Origin::Sqs(sqs::Sqs { queue, .. }) => format!("queue `{queue}`"),
    };
    let missing = if plan.declare { "is made if it is missing" } else { "must be there" };
    let (topic, broker, prefetch) = (&plan.topic, &plan.broker.name, plan.prefetch);
    format!(
        "{topic}: takes in {from} of broker {broker}, which {missing}; at most {prefetch} messages are held at a time, \
         and the broker keeps each until its outcome is journaled, or that it waits"
    )
}

#[cfg(test)]
mod tests;
