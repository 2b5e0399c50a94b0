//! What is remembered, as facts again: what a snapshot of a journal is written from.
//!
//! Invariant: reading back what [`encode_remembered`] wrote gives what it was given, outcomes first.

use bytes::Bytes;
use evenkeel_model::ledger::{Ended, Overdue};
use evenkeel_model::{Outcome, Timestamp};

use super::bytes::encode_journal;
use super::{Fact, Remembered};

/// The bytes of a journal record that says all this.
pub fn encode_remembered(all: &[Remembered]) -> Bytes {
    let facts: Vec<Fact> = all.iter().map(fact).collect();
    encode_journal(&facts)
}

/// A fact of which a journal remembers just this.
fn fact(remembered: &Remembered) -> Fact {
    match remembered {
        Remembered::Done { at, mark, when } => {
            Fact::Ended { shard: at.shard.clone(), mark: *mark, entry: outline(at.offset, *when) }
        }
        Remembered::Pending(pending) => Fact::Pending(pending.clone()),
        Remembered::Overdue { at, threshold } => {
            let threshold_us = u64::try_from(threshold.as_micros()).unwrap_or(u64::MAX);
            let entry = Overdue { offset: at.offset, at: Timestamp::EPOCH, threshold_us };
            Fact::Overdue { shard: at.shard.clone(), entry }
        }
        Remembered::Progress { shard, below } => Fact::Progress { shard: shard.clone(), below: *below },
        Remembered::Breaker(mark) => Fact::Breaker(mark.clone()),
        Remembered::Paused(why) => Fact::Paused(why.clone()),
        Remembered::Redriven(redriven) => Fact::Redriven(redriven.clone()),
        Remembered::Redrive(job) => Fact::Redrive(job.clone()),
        Remembered::LettersClosed(closed) => Fact::LettersClosed(closed.clone()),
        Remembered::Open(open) => Fact::Open(open.clone()),
        Remembered::Version(mark) => Fact::Version(*mark),
    }
}

/// Of an outcome a journal keeps the place and the time; what else there is of it is the ledger's.
fn outline(offset: u64, at: Timestamp) -> Ended {
    Ended { created_believed: true, ..Ended::unhandled(offset, Outcome::Completed, at) }
}
