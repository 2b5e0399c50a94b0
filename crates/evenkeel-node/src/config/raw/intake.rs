//! What of brokers comes into topics.

use serde::{Deserialize, Serialize};

/// What comes into a topic.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intake {
    /// From which of `brokers`.
    pub broker: Option<String>,
    /// A queue of RabbitMQ or SQS; of SQS its URL as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// A topic of Kafka.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The group of Kafka whose offsets say what is done with; `evenkeel.` and the node's topic unless it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// A stream of NATS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The stream's durable consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// Only messages of these subjects of the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Where a consumer begins that is made now: `earliest` or `latest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `verify`: what is missing is an error; `declare`: it is made.
    pub topology: Option<String>,
    /// What orders messages that name no key: `subject`, `routing-key` or `none`; of SQS `group` or `event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How many deliveries the queue allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_limit: Option<u32>,
    /// SQS gives a message again that was neither deleted nor renewed for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<String>,
    /// The wrapping of SNS: `unwrap` or `keep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope: Option<String>,
    /// How many messages are held without an outcome.
    pub prefetch: Option<u16>,
}
