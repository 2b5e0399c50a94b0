//! Which records of a batch stay: Kafka's rules.
//!
//! Of each key the newest record stays. A newest record without a value, a tombstone, stays until
//! the horizon that its batch got when all older records of its key had gone. Records of an
//! aborted transaction go at once; a marker goes like a tombstone, when no record of its
//! transaction was met. Records without a key stay, since nothing can make them outdated, and so
//! does everything at or beyond the end of the range. Pure: no clock, no disk.

use std::collections::HashSet;

use super::latest::Latest;
use super::rewrite::{Frame, Line, Rewritten, lines, rewrite};
use crate::batch::Malformed;

/// Says whether the records of that producer at that offset were aborted.
pub(crate) type IsAborted<'a> = &'a dyn Fn(i64, u64) -> bool;

/// In which space a key lives: the control topic has one for each kind of record.
pub(crate) type Space = fn(batch: &Line<'_>) -> u8;

/// What holds for one pass over a partition.
pub(crate) struct Rules<'a> {
    pub(crate) latest: &'a Latest,
    /// Everything from here on stays.
    pub(crate) until: u64,
    pub(crate) now_ms: i64,
    /// How long tombstones stay behind what they deleted.
    pub(crate) delete_retention_ms: i64,
    pub(crate) aborted: IsAborted<'a>,
    pub(crate) space: Space,
}

/// What a pass remembers from batch to batch, which it must see in the order of their offsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Met {
    /// Producers whose transactional records were met, and no marker after them.
    open: HashSet<i64>,
    /// The earliest horizon that is still to come.
    pub(crate) due_ms: Option<i64>,
}

/// Notes the keys of a batch of the dirty part. Gives back the offset of the first record that
/// found no room.
pub(crate) fn note(
    latest: &mut Latest,
    batch: &[u8],
    aborted: IsAborted<'_>,
    space: Space,
) -> Result<Option<u64>, Malformed> {
    let frame = Frame::of(batch)?;
    if frame.control() || frame.compressed() || is_aborted(&frame, aborted) {
        return Ok(None);
    }
    for line in lines(&frame, batch)? {
        if let Some(key) = line.key
            && !latest.note(space(&line), key, line.offset)
        {
            return Ok(Some(line.offset));
        }
    }
    Ok(None)
}

impl Rules<'_> {
    /// What is left of a batch.
    pub(crate) fn apply(&self, met: &mut Met, batch: &[u8]) -> Result<Rewritten, Malformed> {
        let frame = Frame::of(batch)?;
        if frame.compressed() || frame.base >= self.until {
            return Ok(Rewritten::Same);
        }
        if frame.control() {
            return self.marker(met, &frame, batch);
        }
        if frame.transactional() {
            met.open.insert(frame.producer);
        }
        if is_aborted(&frame, self.aborted) {
            return Ok(Rewritten::Gone);
        }
        let mut kept = lines(&frame, batch)?;
        kept.retain(|line| self.stays(&frame, line));
        // Only a batch that lies wholly in the range: all its tombstones get one horizon.
        let deletes = frame.end <= self.until && kept.iter().any(Line::is_tombstone);
        let horizon = if deletes { self.horizon(met, &frame) } else { None };
        Ok(rewrite(&frame, batch, &kept, horizon))
    }

    fn stays(&self, frame: &Frame, line: &Line<'_>) -> bool {
        let Some(key) = line.key else { return true };
        if line.offset >= self.until {
            return true;
        }
        let outdated = self.latest.of((self.space)(line), key).is_some_and(|newest| newest > line.offset);
        let over = line.is_tombstone() && frame.horizon().is_some_and(|at| at <= self.now_ms);
        !outdated && !over
    }

    fn marker(&self, met: &mut Met, frame: &Frame, batch: &[u8]) -> Result<Rewritten, Malformed> {
        if met.open.remove(&frame.producer) {
            return Ok(Rewritten::Same);
        }
        if frame.horizon().is_some_and(|at| at <= self.now_ms) {
            return Ok(Rewritten::Gone);
        }
        let kept = lines(frame, batch)?;
        Ok(rewrite(frame, batch, &kept, self.horizon(met, frame)))
    }

    /// The horizon that the batch is to get, if it has none.
    fn horizon(&self, met: &mut Met, frame: &Frame) -> Option<i64> {
        let at = frame.horizon().unwrap_or(self.now_ms.saturating_add(self.delete_retention_ms));
        met.due_ms = Some(met.due_ms.map_or(at, |due| due.min(at)));
        if frame.horizon().is_some() { None } else { Some(at) }
    }
}

fn is_aborted(frame: &Frame, aborted: IsAborted<'_>) -> bool {
    frame.transactional() && aborted(frame.producer, frame.base)
}
