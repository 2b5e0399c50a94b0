//! The proof: what became of everything that was appended, from one consistent cut of the log.
//!
//! Reads the ledger, the journal and the topics up to one cut, in pages, and believes none of
//! them alone: the journal seals each ledger record and names each outcome a second time; dead
//! letters and returned events must be where the ledger says. It asks no running node; what one
//! says only tells what is in flight from what is unread.
//!
//! Where retention took the beginning of the ledger or the journal, the account begins with what
//! was appended since the oldest record that both still have (`horizon`).

mod book;
mod dead_letters;
mod journal;
mod ledger;
mod topics;
mod horizon;

use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_delivery::Order;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Ends, Log};
use evenkeel_model::{Position, Shard};

use book::Books;

/// A subscription to be audited.
#[derive(Clone, Debug)]
pub struct Audited {
    /// Its name.
    pub name: Arc<str>,
    /// The topic that it reads.
    pub topic: Arc<str>,
    /// Which events wait for which.
    pub order: Order,
    /// Where the events go that its handler returns.
    pub effects: Option<Arc<str>>,
    /// What the running node has read and not ended, and whether each waits parked, if it is asked.
    pub live: Option<Vec<(Position, bool)>>,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// True when every sum adds up and there is no problem anywhere.
    pub ok: bool,
    /// One for each subscription, in the order that was asked for.
    pub subscriptions: Vec<SubscriptionAudit>,
}

/// The books of one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionAudit {
    /// Its name.
    pub name: Arc<str>,
    /// Records in its topic since it began.
    pub appended: u64,
    /// Ended as completed.
    pub completed: u64,
    /// Ended as duplicate.
    pub duplicate: u64,
    /// Ended as stale.
    pub stale: u64,
    /// Ended as filtered.
    pub filtered: u64,
    /// Ended as dead.
    pub dead: u64,
    /// Ended as dropped.
    pub dropped: u64,
    /// Ended as expired.
    pub expired: u64,
    /// Without outcome, read by the running node.
    pub in_flight: u64,
    /// Without outcome, waiting durably (or behind such an event).
    pub parked: u64,
    /// Without outcome, not yet read.
    pub unread: u64,
    /// Ended as not an event.
    pub not_an_event: u64,
    /// Pairs of events of one key that ended in the wrong order.
    pub order_violations: u64,
    /// What does not add up, in words; at most 50, then how many more.
    pub problems: Vec<String>,
}

/// Audits `subscriptions` on a cut of `log` that is taken now. Blocks while it reads.
pub fn audit(log: &Log, subscriptions: &[Audited]) -> Result<Audit, PortError> {
    let cut = Cut { log, ends: log.cut().into_iter().collect() };
    let mut all: Vec<Books> = subscriptions.iter().map(|audited| Books::open(audited, &cut)).collect();
    journal::read(&cut, &mut all)?;
    horizon::begin(&cut, &mut all)?;
    ledger::read(&cut, &mut all)?;
    dead_letters::read(&cut, &mut all)?;
    topics::read(&cut, &mut all)?;
    let subscriptions: Vec<SubscriptionAudit> = all.into_iter().map(Books::close).collect();
    let ok = subscriptions.iter().all(|s| s.problems.is_empty());
    Ok(Audit { ok, subscriptions })
}

/// The log up to one moment between two groups.
struct Cut<'a> {
    log: &'a Log,
    ends: HashMap<Shard, Ends>,
}

impl Cut<'_> {
    fn ends(&self, shard: &Shard) -> Ends {
        self.ends.get(shard).copied().unwrap_or_default()
    }

    /// The partitions of a topic, in their order.
    fn shards(&self, topic: &str) -> Vec<Shard> {
        let mut shards: Vec<Shard> = self.ends.keys().filter(|s| *s.topic == *topic).cloned().collect();
        shards.sort();
        shards
    }
}

#[cfg(test)]
mod tests;
