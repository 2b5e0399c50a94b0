//! Delivery's ports for Apache Kafka, Redpanda and the Kafka endpoint of Event Hubs.
//!
//! A subscription over Kafka is owned partition by partition: the group ([`Member`]) says which
//! partitions this node has, and each of them has a [`Partition`]: a source, and a journal that lies
//! in topics beside the source and is written in the Kafka transaction that commits offsets, returned
//! events and dead letters. Its two transactional ids are of (subscription, partition), so
//! whoever opens a partition fences whoever had it before, and only then reads what was committed.
//!
//! What it does not do: it decides nothing about retries, order or breakers, and starts no task.
//!
//! Invariants: nothing is journaled by an owner who lost its partition; nothing is dispatched before
//! the journal was read to its end behind that fence; an event is passed over only below the progress
//! that the journal holds. No clock has a part in ownership.

pub mod happenings;
mod broker;
mod client;
mod group;
mod committing;
mod topics;
mod examining;
mod record;
mod reading;
mod source;
mod journal;
mod partition;
mod fitting;
mod queue;
mod sink;
mod letters;
mod audit;
mod look;
mod stories;
mod tail;

use evenkeel_delivery::ports::{Capabilities, GivenOrder, NativeLimits};

pub use audit::{PartitionAudit, audit};
pub use broker::{Broker, BrokerSettings, Flavour, Mechanism, Secret, Security};
pub use examining::Finding;
pub use fitting::Fits;
pub use group::{GroupProtocol, Member, MemberSettings};
pub use letters::letters;
pub use partition::{Outcomes, Partition, PartitionSettings};
pub use queue::{KafkaQueue, QueueSettings};
pub use sink::KafkaSink;
pub use stories::{Stretch, Unseen, pending, stories};
pub use tail::{Page, Place, page, places};
pub use topics::{Found, Names, Wanted};

/// What Kafka can do, of one partition. A payload is limited by the topic (`max.message.bytes`),
/// 1 MB where nobody says otherwise.
pub const KAFKA: Capabilities = Capabilities {
    fences: true,
    limits: NativeLimits { payload_bytes_max: Some(1_048_576), deliveries_max: None, unsettled_max: None },
    ..Capabilities::LOG
};

/// What a topic can do behind an intake: its records are events of a topic of the node, whose journal is the node's.
pub const KAFKA_INTAKE: Capabilities = Capabilities {
    order: GivenOrder::Partition,
    limits: NativeLimits { payload_bytes_max: Some(1_048_576), deliveries_max: None, unsettled_max: None },
    ..Capabilities::QUEUE
};

#[cfg(test)]
mod tests {
    use evenkeel_transport::contract::intaken::behind_an_intake;
    use evenkeel_transport::contract::table::{Declared, Repeats};

    #[test]
    fn what_is_declared_is_what_the_documents_say() {
        Declared { name: "Kafka", source: Some(super::KAFKA), sink: Some(Repeats::MayRepeat) }.hold();
        Declared { name: "Kafka, by an intake", source: Some(behind_an_intake(super::KAFKA_INTAKE)), sink: None }
            .hold();
    }
}
