//! What an adapter declares of its broker: the promises that not every one can make, and the limits
//! that are the broker's own. An adapter has them as a constant; the contract suite holds it to
//! them, and docs/semantics.md says them per transport.

use std::time::Duration;

/// What a transport declares of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// In which order events are given.
    pub order: GivenOrder,
    /// What brings an event back that was given and has no outcome.
    pub redelivery: Redelivery,
    /// Who waits until a later try is due. Delivery always can; it asks a broker only for this.
    pub delay: Delay,
    /// Outcome, progress, state and returned events are one atomic fact; else an event's outcome is
    /// journaled first and settled at the broker afterwards.
    pub transactions: bool,
    /// It has partitions, and a record with a key goes to that of its key.
    pub partitions: bool,
    /// What is settled may still be read, until its retention takes it.
    pub keeps_settled: bool,
    /// Whoever opens it again takes it from the one before, who can't write any more.
    pub fences: bool,
    /// The broker's own limits.
    pub limits: NativeLimits,
}

/// In which order a source gives events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GivenOrder {
    /// As they were published, as far as the broker can; one that comes back may come later.
    Best,
    /// Those of a key as they were published.
    Key,
    /// Those of a partition as they were published, so those of a key too.
    Partition,
}

/// What brings an event back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// It is read again at its offset, whenever somebody wants.
    Offset,
    /// Its lease ends: this long after it was given or renewed.
    Lease(Duration),
    /// The connection of whoever holds it ends.
    Connection,
}

/// Who waits for the time of a later try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Delivery's own journal: the event is owed, and its source keeps it.
    Own,
    /// As `Own`, and the event is copied to the journal and settled, since the source can't keep it.
    Copied,
}

/// What a broker limits by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NativeLimits {
    /// The largest payload in bytes, where that is known.
    pub payload_bytes_max: Option<u64>,
    /// After so many deliveries the broker takes an event away by itself, unless it is told not to.
    pub deliveries_max: Option<u32>,
    /// So many events may be given and not yet settled.
    pub unsettled_max: Option<u32>,
}

impl Capabilities {
    /// What it promises in words, as the cells of its row in docs/semantics.md: order, what brings an event
    /// back, who waits for a later try, one fact, whether who lost his right can still write, limits.
    pub fn in_words(&self) -> [String; 6] {
        let order = match self.order {
            GivenOrder::Best => "as the broker gives it",
            GivenOrder::Key => "by key",
            GivenOrder::Partition => "by partition, so by key",
        };
        let back = match self.redelivery {
            Redelivery::Offset => "read again at its offset".to_owned(),
            Redelivery::Lease(lease) => {
                format!("its lease ends ({} s, renewed while it is worked on)", lease.as_secs())
            }
            Redelivery::Connection => "its holder's connection ends".to_owned(),
        };
        let waits = match self.delay {
            Delay::Own => "the journal; the source keeps it",
            Delay::Copied => "the journal, with a copy",
        };
        let fact = match self.transactions {
            true => "outcome, progress, returned events and dead letters together",
            false => "the outcome is journaled, then settled at the broker",
        };
        let fenced = if self.fences { "no: it is fenced" } else { "one process has it at a time" };
        let mut limits = Vec::new();
        limits.extend(self.limits.payload_bytes_max.map(|max| format!("{} KiB an event", max / 1024)));
        limits.extend(self.limits.deliveries_max.map(|max| format!("{max} deliveries")));
        limits.extend(self.limits.unsettled_max.map(|max| format!("{max} unsettled")));
        let limits = if limits.is_empty() { "none known".to_owned() } else { limits.join(", ") };
        [order.to_owned(), back, waits.to_owned(), fact.to_owned(), fenced.to_owned(), limits]
    }

    /// That row.
    pub fn row(&self, transport: &str) -> String {
        format!("| {transport} | {} |", self.in_words().join(" | "))
    }

    /// A log with partitions, read by offset, whose journal is one fact with it.
    pub const LOG: Capabilities = Capabilities {
        order: GivenOrder::Partition,
        redelivery: Redelivery::Offset,
        delay: Delay::Own,
        transactions: true,
        partitions: true,
        keeps_settled: true,
        fences: false,
        limits: NativeLimits { payload_bytes_max: None, deliveries_max: None, unsettled_max: None },
    };

    /// A queue: what is settled is gone, and what is held comes back when the holder goes.
    pub const QUEUE: Capabilities = Capabilities {
        order: GivenOrder::Best,
        redelivery: Redelivery::Connection,
        delay: Delay::Copied,
        transactions: false,
        partitions: false,
        keeps_settled: false,
        fences: false,
        limits: NativeLimits { payload_bytes_max: None, deliveries_max: None, unsettled_max: None },
    };
}
