//! Delivery's ports for Apache Kafka, Redpanda and the Kafka endpoint of Event Hubs.
//!
//! A subscription over Kafka is owned partition by partition: the group ([`Member`]) says which
//! partitions this node has, and each of them has a [`Partition`]: a source, and a journal that lies
//! in topics beside the source and is written in the Kafka transaction that commits offsets, returned
//! events and dead letters. The transactional id is (subscription, partition), so whoever opens a
//! partition fences whoever had it before, and only then reads what was committed.
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
mod topics;
mod examining;
mod record;
mod reading;
mod source;
mod journal;
mod partition;
mod fitting;
mod sink;
mod letters;
mod audit;

use evenkeel_delivery::ports::{Capabilities, NativeLimits};

pub use audit::{PartitionAudit, audit};
pub use broker::{Broker, BrokerSettings, Flavour, Mechanism, Secret, Security};
pub use examining::Finding;
pub use fitting::Fits;
pub use group::{GroupProtocol, Member, MemberSettings};
pub use letters::letters;
pub use partition::{Outcomes, Partition, PartitionSettings};
pub use sink::KafkaSink;
pub use topics::{Found, Names, Wanted};

/// What Kafka can do, of one partition. A payload is limited by the topic (`max.message.bytes`),
/// 1 MB where nobody says otherwise.
pub const KAFKA: Capabilities = Capabilities {
    fences: true,
    limits: NativeLimits { payload_bytes_max: Some(1_048_576), deliveries_max: None, unsettled_max: None },
    ..Capabilities::LOG
};

#[cfg(test)]
mod tests {
    use super::KAFKA;

    #[test]
    fn what_is_declared_is_what_the_documents_say() {
        let page = include_str!("../../../docs/semantics.md");
        let row = KAFKA.row("Kafka");
        assert!(page.contains(&row), "docs/semantics.md lacks the row\n{row}");
    }
}
