//! Names of OpenTelemetry's semantic conventions for messaging and CloudEvents, version 1.44.0, and of ours
//! where they have none. All of messaging is still "Development" there: the version is in the schema's URL.

/// The version that these names are of.
pub(super) const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";
/// What stands in `messaging.system`.
pub(super) const SYSTEM: &str = "evenkeel";

pub(super) const MESSAGING_SYSTEM: &str = "messaging.system";
pub(super) const OPERATION_NAME: &str = "messaging.operation.name";
pub(super) const OPERATION_TYPE: &str = "messaging.operation.type";
pub(super) const DESTINATION: &str = "messaging.destination.name";
pub(super) const PARTITION: &str = "messaging.destination.partition.id";
pub(super) const CONSUMER_GROUP: &str = "messaging.consumer.group.name";
pub(super) const BATCH_COUNT: &str = "messaging.batch.message_count";
pub(super) const MESSAGE_ID: &str = "messaging.message.id";
pub(super) const CONVERSATION_ID: &str = "messaging.message.conversation_id";
pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const EVENT_ID: &str = "cloudevents.event_id";
pub(super) const EVENT_SOURCE: &str = "cloudevents.event_source";
pub(super) const EVENT_TYPE: &str = "cloudevents.event_type";
pub(super) const EVENT_SUBJECT: &str = "cloudevents.event_subject";
pub(super) const EVENT_SPEC_VERSION: &str = "cloudevents.event_spec_version";

/// Where in its partition an event is: what `messaging.kafka.offset` is for Kafka.
pub(super) const OFFSET: &str = "evenkeel.offset";
/// The number of an attempt among those that count, from 1.
pub(super) const ATTEMPT: &str = "evenkeel.attempt";
/// How often the event was handed out, this time included.
pub(super) const DELIVERY: &str = "evenkeel.delivery";
/// What the handler said.
pub(super) const VERDICT: &str = "evenkeel.verdict";
/// How an event ended.
pub(super) const OUTCOME: &str = "evenkeel.outcome";
/// The handler's version.
pub(super) const HANDLER_VERSION: &str = "evenkeel.handler.version";

/// A span's kind, by its number in OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// A metric: its name, unit and what it says.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
}

pub(super) const OPERATION_DURATION: Metric = Metric {
    name: "messaging.client.operation.duration",
    unit: "s",
    help: "How long storing events, and committing what became of them, took",
};
pub(super) const SENT_MESSAGES: Metric =
    Metric { name: "messaging.client.sent.messages", unit: "{message}", help: "Events that were taken in" };
pub(super) const CONSUMED_MESSAGES: Metric = Metric {
    name: "messaging.client.consumed.messages",
    unit: "{message}",
    help: "Events that were handed to handlers, once for each delivery",
};
pub(super) const PROCESS_DURATION: Metric =
    Metric { name: "messaging.process.duration", unit: "s", help: "How long handlers took" };

/// The buckets that the conventions ask for, in seconds.
pub(super) const BOUNDS_S: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
