//! What a partition of the journal comes to is put aside: identities into a sealed series on disk,
//! all else into a snapshot. So a start reads what follows the snapshot, and the process keeps in
//! memory the identities of what follows it.
//!
//! A snapshot is made from the journal itself, by reading it, never from the state of whoever
//! wrote it. Invariants: identities are sealed before the snapshot that leaves them out is
//! written; what the newest snapshot needs is owed, so that retention keeps it; one at a time
//! works on a partition.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_delivery::{Remembered, decode_journal, encode_remembered};
use evenkeel_log::Log;
use evenkeel_log::seen::{Damaged, Series, Sighting};
use evenkeel_model::{Clock, Shard, Stored, names};

use super::Envelope;
use super::recall::Recall;
use super::snapshot::{Kept, Snapshot};
use crate::happenings::{IdentitiesDamaged, IdentitiesRead};
use crate::pages::{Pages, unreadable};

/// So many identities are gathered in memory at most before they are sealed.
const MARKS_MAX: usize = 1 << 21;

/// Puts aside what one partition of the journal comes to.
#[derive(Clone)]
pub(super) struct Sealer {
    pub(super) log: Log,
    pub(super) clock: Arc<dyn Clock>,
    /// The partition of the journal.
    pub(super) shard: Shard,
    pub(super) series: Arc<Series>,
    /// How long identities are remembered.
    pub(super) inbox: Duration,
}

/// One record of the journal.
pub(super) struct Read {
    pub(super) envelope: Envelope,
    pub(super) remembered: Vec<Remembered>,
}

/// Reads a journal record.
pub(super) fn read(stored: &Stored) -> Result<Read, PortError> {
    let shard = &stored.at.shard;
    let damaged = |what: &dyn std::fmt::Display| {
        PortError(format!("{}/{} offset {}: {what}", shard.topic, shard.partition, stored.at.offset))
    };
    let envelope = Envelope::decode(stored.record.value.as_deref().unwrap_or_default())
        .ok_or_else(|| damaged(&"not a journal record that this version can read"))?;
    let remembered = decode_journal(&envelope.facts).map_err(|e| damaged(&e))?;
    Ok(Read { envelope, remembered })
}

impl Sealer {
    /// Opens what is sealed of the partition, less what was made of offsets that are not there (an
    /// operator forced the log to end before them).
    pub(super) fn open(log: Log, clock: Arc<dyn Clock>, shard: Shard, inbox: Duration) -> Result<Sealer, PortError> {
        let name = format!("{}-{}", shard.topic, shard.partition);
        let series = log.seen(&name, 0).map_err(|e| PortError(format!("opening `seen/{name}`: {e}")))?;
        // In turn, since whoever is at it may seal beyond the end that is seen here.
        let turn = series.work_in_turn();
        let ends = log.ends(&shard).map_err(|e| unreadable(&shard, &e))?;
        series.drop_range(&(ends.high_watermark..u64::MAX));
        log.owe(names::SNAPSHOTS_TOPIC, &[(shard.clone(), ends.start)]);
        drop(turn);
        series.keep_for(inbox);
        Ok(Sealer { log, clock, shard, series, inbox })
    }

    /// The newest snapshot, or the one that tells nothing; what it needs is owed from now on.
    pub(super) fn snapshot(&self) -> Result<Snapshot, PortError> {
        let start = self.log.ends(&self.shard).map_err(|e| unreadable(&self.shard, &e))?.start;
        let newest = Snapshot::read(&self.log, &self.shard)?;
        let snapshot = newest.unwrap_or_else(|| Snapshot { upto: start, ..Snapshot::default() });
        self.owe(&snapshot);
        Ok(snapshot)
    }

    fn owe(&self, snapshot: &Snapshot) {
        self.log.owe(names::SNAPSHOTS_TOPIC, &[(self.shard.clone(), snapshot.upto)]);
    }

    /// Puts aside all that is durable now, unless somebody is at it. Gives the snapshot's size.
    pub(super) fn seal(&self) -> Result<Option<usize>, PortError> {
        let Some(_turn) = self.series.work() else { return Ok(None) };
        let mut snapshot = self.snapshot()?;
        let mut size = 0;
        let end = self.log.ends(&self.shard).map_err(|e| unreadable(&self.shard, &e))?.high_watermark;
        while snapshot.upto < end {
            let (next, marks) = self.fold(&snapshot, end)?;
            self.put(snapshot.upto..next.upto, marks)?;
            size = next.write(&self.log, &self.shard, self.clock.now())?;
            self.owe(&next);
            snapshot = next;
        }
        let keep = self.series.keep_for(self.inbox);
        self.series.tidy(self.clock.now() - keep).map_err(|e| self.failed(&e))?;
        Ok(Some(size))
    }

    /// The next snapshot after this one, at `end` or earlier, and the identities in between.
    fn fold(&self, from: &Snapshot, end: u64) -> Result<(Snapshot, Vec<Sighting>), PortError> {
        let mut all = Fold::from(from)?;
        let mut pages = Pages::new(&self.log, self.shard.clone(), from.upto, end);
        let mut upto = from.upto;
        while all.marks.len() < MARKS_MAX {
            let page = pages.next()?;
            let Some(last) = page.last() else {
                upto = end;
                break;
            };
            upto = last.at.offset + 1;
            page.iter().try_for_each(|stored| all.take(stored))?;
        }
        Ok(all.finish(upto))
    }

    fn put(&self, range: Range<u64>, marks: Vec<Sighting>) -> Result<(), PortError> {
        self.series.seal(range, marks).map_err(|e| self.failed(&e))
    }

    fn failed(&self, e: &std::io::Error) -> PortError {
        PortError(format!("sealing the identities of {}/{}: {e}", self.shard.topic, self.shard.partition))
    }

    /// Makes what is not sealed of the inbox's window, below this offset, from the journal.
    pub(super) fn fill(&self, upto: u64) -> Result<(), PortError> {
        let _turn = self.series.work_in_turn();
        let ends = self.log.ends(&self.shard).map_err(|e| unreadable(&self.shard, &e))?;
        let keep = self.series.keep_for(self.inbox);
        let since = self.log.offset_at(&self.shard, self.clock.now() - keep);
        let since = since.map_err(|e| unreadable(&self.shard, &e))?.unwrap_or(ends.high_watermark);
        for gap in self.series.gaps(since.max(ends.start)..upto) {
            let (topic, partition) = (self.shard.topic.to_string(), self.shard.partition);
            IdentitiesRead { topic, partition, from: gap.start, to: gap.end }.tell();
            self.remake(gap)?;
        }
        Ok(())
    }

    /// A page of what is sealed is damaged: all that it stood beside is made again.
    pub(super) fn mend(&self, damaged: &Damaged) -> Result<(), PortError> {
        IdentitiesDamaged { damaged: damaged.to_string() }.tell();
        let _turn = self.series.work_in_turn();
        self.series.drop_range(&damaged.range);
        self.remake(damaged.range.clone())
    }

    fn remake(&self, mut gap: Range<u64>) -> Result<(), PortError> {
        while gap.start < gap.end {
            let mut pages = Pages::new(&self.log, self.shard.clone(), gap.start, gap.end);
            let (mut marks, mut next) = (Vec::new(), gap.start);
            while marks.len() < MARKS_MAX {
                let page = pages.next()?;
                let Some(last) = page.last() else {
                    next = gap.end;
                    break;
                };
                next = last.at.offset + 1;
                for stored in &page {
                    marks.extend(read(stored)?.remembered.iter().filter_map(sighting));
                }
            }
            self.put(gap.start..next, marks)?;
            gap.start = next;
        }
        Ok(())
    }
}

/// The identity that an outcome says is done.
fn sighting(remembered: &Remembered) -> Option<Sighting> {
    match remembered {
        Remembered::Done { mark: Some(mark), when, .. } => Some(Sighting::new(mark.0, *when)),
        _ => None,
    }
}

/// All subscriptions of a partition, as they are read.
struct Fold {
    all: BTreeMap<String, (Recall, BTreeMap<Shard, u64>)>,
    marks: Vec<Sighting>,
}

impl Fold {
    fn from(snapshot: &Snapshot) -> Result<Fold, PortError> {
        let mut fold = Fold { all: BTreeMap::new(), marks: Vec::new() };
        for (name, kept) in &snapshot.subscriptions {
            let mut recall = Recall::without_identities();
            recall.take(kept.remembered()?);
            fold.all.insert(name.clone(), (recall, kept.sequences.clone()));
        }
        Ok(fold)
    }

    fn take(&mut self, stored: &Stored) -> Result<(), PortError> {
        let Some(name) = stored.record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else {
            return Ok(());
        };
        let Read { envelope, remembered } = read(stored)?;
        self.marks.extend(remembered.iter().filter_map(sighting));
        if !self.all.contains_key(name) {
            self.all.insert(name.to_owned(), (Recall::without_identities(), BTreeMap::new()));
        }
        if let Some((recall, sequences)) = self.all.get_mut(name) {
            sequences.extend(envelope.seals.into_iter().map(|seal| (seal.shard, seal.sequence + 1)));
            recall.take(remembered);
        }
        Ok(())
    }

    fn finish(self, upto: u64) -> (Snapshot, Vec<Sighting>) {
        let kept = |(name, (recall, sequences)): (String, (Recall, BTreeMap<Shard, u64>))| {
            (name, Kept { sequences, facts: encode_remembered(&recall.finish()) })
        };
        (Snapshot { upto, subscriptions: self.all.into_iter().map(kept).collect() }, self.marks)
    }
}

impl Kept {
    /// What it remembers.
    pub(super) fn remembered(&self) -> Result<Vec<Remembered>, PortError> {
        decode_journal(&self.facts).map_err(|e| PortError(format!("a snapshot of the journal: {e}")))
    }
}

#[cfg(test)]
mod tests;
