//! What one partition has come to.

use std::collections::BTreeMap;

use bytes::Buf;

use super::aborts::{Abort, Aborts};
use crate::batch::Head;
use crate::{Aborted, Ends};

/// Where a batch has its leader epoch.
const LEADER_EPOCH: usize = 12;

/// One partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    /// The first offset that is kept.
    pub(crate) start: u64,
    /// The next offset.
    pub(crate) next: u64,
    /// What its batches carry; raised when it was cut.
    pub(crate) leader_epoch: u32,
    /// The first offsets of the open transactions here, and whose they are.
    pub(super) open: BTreeMap<u64, i64>,
    pub(crate) aborts: Aborts,
}

impl Partition {
    /// Has these ends and this leader epoch, as a checkpoint says.
    pub(crate) fn restore(&mut self, ends: Ends, leader_epoch: u32) {
        (self.start, self.next, self.leader_epoch) = (ends.start, ends.high_watermark, leader_epoch);
    }

    /// Takes a batch at its end.
    pub(super) fn extend(&mut self, head: &Head) -> Result<(), String> {
        if head.base != self.next {
            let (base, next) = (head.base, self.next);
            return Err(format!("a batch begins at offset {base}, and the partition goes on at {next}"));
        }
        if !head.is_dense() {
            return Err(format!("the batch at offset {} lacks records", head.base));
        }
        self.next = head.end();
        Ok(())
    }

    /// Goes on behind a batch that it has already, and has the leader epoch that the batch carries.
    pub(super) fn go_on(&mut self, head: &Head, mut batch: &[u8]) {
        self.next = self.next.max(head.end());
        batch.advance(LEADER_EPOCH.min(batch.len()));
        let epoch = batch.try_get_i32().ok().and_then(|epoch| u32::try_from(epoch).ok());
        self.leader_epoch = self.leader_epoch.max(epoch.unwrap_or(0));
    }

    /// The transaction of `producer` that began at `first` is over, with the marker at `last`.
    pub(super) fn decide(&mut self, producer: i64, first: u64, last: u64, commit: bool) {
        self.open.remove(&first);
        if !commit {
            let stable = self.open.keys().next().copied().unwrap_or(last + 1);
            self.aborts.push(Abort { range: Aborted { producer, first, last }, stable });
        }
    }

    /// Begins at `offset`, if that is later than it does.
    pub(super) fn begin(&mut self, offset: u64) -> Result<(), String> {
        if offset > self.next {
            return Err(format!("a partition is to begin at {offset}, and it ends at {}", self.next));
        }
        self.start = self.start.max(offset);
        self.aborts.forget_before(self.start);
        Ok(())
    }

    /// Has that leader epoch from now on.
    pub(super) fn raise(&mut self, epoch: u32, from: u64) -> Result<(), String> {
        if epoch <= self.leader_epoch || from != self.next || i32::try_from(epoch).is_err() {
            let (old, next) = (self.leader_epoch, self.next);
            return Err(format!("leader epoch {epoch} from offset {from} follows epoch {old}, which ends at {next}"));
        }
        self.leader_epoch = epoch;
        Ok(())
    }

    /// Where it begins and ends.
    pub(crate) fn ends(&self) -> Ends {
        let undecided = self.open.keys().next().map_or(self.next, |first| (*first).max(self.start));
        Ends { start: self.start, high_watermark: self.next, last_stable: undecided }
    }
}
