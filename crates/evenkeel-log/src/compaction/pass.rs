//! One pass over one partition: note the keys of its dirty part, then write its segments again,
//! oldest first. In steps, each about one segment of reading and at most one of writing.
//!
//! Oldest first is what makes every moment in between a true log: a record goes only while the
//! newer one of its key is there, and a tombstone gets its horizon only when what it deleted can
//! be read no more. Nothing counts before a checkpoint names the new revision; a pass that is cut
//! off leaves files that nothing refers to, and begins again.

use std::io;
use std::ops::Range;

use super::latest::Latest;
use super::output::Output;
use super::plan;
use super::rewrite::Rewritten;
use super::rules::{Met, Rules, Space, note};
use crate::ReadError;
use crate::batch::Malformed;
use crate::engine::Shared;
use crate::machine::Aborts;
use crate::read::Reading;
use crate::segment::walk::Found;
use crate::segment::{Segment, index_path, log_path};
use crate::state::Place;
use crate::tail::Held;

/// What a walk reads at once.
const READ: usize = 1 << 20;

/// What a pass may do, and how far.
pub(super) struct Plan {
    pub(super) place: Place,
    pub(super) folder: String,
    /// Where the dirty part begins.
    pub(super) cleaned: u64,
    /// Where the pass ends, if its keys fit into memory.
    pub(super) until: u64,
    pub(super) delete_retention_ms: i64,
    pub(super) aborted: Aborts,
    pub(super) space: Space,
}

/// A pass that has begun.
pub(super) struct Pass {
    pub(super) plan: Plan,
    latest: Latest,
    met: Met,
    phase: Phase,
}

enum Phase {
    /// Keys were noted up to this offset.
    Noting(u64),
    /// Segments were cleaned up to this offset.
    Cleaning(u64),
}

/// What one step did.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// Bytes that were read and written.
    pub(super) moved: u64,
    /// Bytes of segments that the disk gets back.
    pub(super) freed: u64,
    /// Segments that were replaced.
    pub(super) replaced: u64,
    /// The pass is over; in milliseconds, when another one could take tombstones away.
    pub(super) done: Option<Option<i64>>,
}

/// Why a pass was given up.
#[derive(Debug)]
pub(super) enum Failed {
    /// The partition is gone.
    Gone,
    /// A segment cannot be read: its path, and why.
    Unreadable(String, String),
    /// The new revision cannot be written.
    Write(io::Error),
}

impl Pass {
    pub(super) fn new(plan: Plan, table_bytes: usize, secret: [u64; 2]) -> Pass {
        let phase = Phase::Noting(plan.cleaned);
        Pass { plan, latest: Latest::new(table_bytes, secret), met: Met::default(), phase }
    }

    /// Goes on a little.
    pub(super) fn step(&mut self, shared: &Shared) -> Result<Step, Failed> {
        let segments = self.sealed(shared)?;
        match self.phase {
            Phase::Noting(from) => match segments.iter().find(|s| s.end > from && s.base < self.plan.until) {
                Some(segment) => self.note(shared, segment, from),
                None => {
                    self.phase = Phase::Cleaning(0);
                    Ok(Step::default())
                }
            },
            Phase::Cleaning(from) => {
                let first = segments.partition_point(|s| s.base < from);
                let left = &segments[first..];
                match plan::groups(left, self.plan.until, shared.options.segment_bytes).first() {
                    Some(group) => self.clean(shared, &left[group.clone()]),
                    None => self.finish(shared),
                }
            }
        }
    }

    /// The partition's sealed segments as they are now.
    fn sealed(&self, shared: &Shared) -> Result<Vec<Segment>, Failed> {
        let state = shared.state();
        let segments = &state.at(self.plan.place).ok_or(Failed::Gone)?.segments;
        Ok(segments[..segments.len().saturating_sub(1)].to_vec())
    }

    fn open<'a>(&self, shared: &'a Shared, segment: &Segment, from: u64) -> Result<Reading<'a>, Failed> {
        let Plan { place, folder, .. } = &self.plan;
        Reading::open(shared, *place, folder.clone(), *segment, from, READ).map_err(unreadable)
    }

    fn note(&mut self, shared: &Shared, segment: &Segment, from: u64) -> Result<Step, Failed> {
        let path = log_path(&self.plan.folder, segment.base, segment.revision);
        let mut reading = self.open(shared, segment, from.max(segment.base))?;
        while let Some(found) = reading.next().map_err(unreadable)? {
            let is_aborted = |producer, offset| self.plan.aborted.covers(producer, offset);
            let full = note(&mut self.latest, &found.bytes, &is_aborted, self.plan.space);
            if let Some(offset) = full.map_err(|e| malformed(&path, &found, &e))? {
                self.plan.until = offset;
                break;
            }
        }
        self.phase = Phase::Noting(segment.end);
        Ok(Step { moved: segment.log_bytes, ..Step::default() })
    }

    /// Writes a group of neighbours again, as one segment, if that makes any difference.
    fn clean(&mut self, shared: &Shared, group: &[Segment]) -> Result<Step, Failed> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(Step::default()) };
        self.phase = Phase::Cleaning(last.end);
        let before: u64 = group.iter().map(|s| s.log_bytes).sum();
        let met = self.met.clone();
        if group.len() == 1 && !self.changes(shared, first)? {
            return Ok(Step { moved: before, ..Step::default() });
        }
        self.met = met;
        let new = self.write(shared, group).inspect_err(|_| self.forget(shared, group))?;
        let after = new.as_ref().map_or(0, |s| s.log_bytes);
        if !self.swap(shared, group, new) {
            self.forget(shared, group);
        }
        let (replaced, freed) = (group.len() as u64, before.saturating_sub(after));
        Ok(Step { moved: before + after, freed, replaced, done: None })
    }

    /// True when a rewriting would change the segment.
    fn changes(&mut self, shared: &Shared, segment: &Segment) -> Result<bool, Failed> {
        let mut changed = false;
        self.each(shared, segment, |_, rewritten| {
            changed |= rewritten != Rewritten::Same;
            Ok(!changed)
        })?;
        Ok(changed)
    }

    /// Writes the new revision and makes it durable; `None` when nothing is left of the group.
    fn write(&mut self, shared: &Shared, group: &[Segment]) -> Result<Option<Segment>, Failed> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(None) };
        let begun = Segment { revision: revision(group), ..Segment::at(first.base) };
        let mut output = Output::new(self.plan.folder.clone(), begun);
        for segment in group {
            self.each(shared, segment, |found, rewritten| {
                let bytes = match rewritten {
                    Rewritten::Same => found.bytes,
                    Rewritten::New(bytes) => bytes.into(),
                    Rewritten::Gone => return Ok(true),
                };
                let count = u32::try_from(found.end - found.base).unwrap_or(u32::MAX);
                let held = Held { base: found.base, count, appended: found.appended, lsn: 0, bytes };
                output.push(shared.site(), held).map_err(Failed::Write)?;
                Ok(true)
            })?;
        }
        let written = output.finish(shared.site()).map_err(Failed::Write)?;
        let (end, first_at, last_at) = (last.end, first.first_at, last.last_at);
        Ok(written.map(|segment| Segment { end, first_at, last_at, ..segment }))
    }

    /// Calls `take` with each batch of a segment and what the rules make of it, while it says true.
    fn each(
        &mut self,
        shared: &Shared,
        segment: &Segment,
        mut take: impl FnMut(Found, Rewritten) -> Result<bool, Failed>,
    ) -> Result<(), Failed> {
        let path = log_path(&self.plan.folder, segment.base, segment.revision);
        let mut reading = self.open(shared, segment, segment.base)?;
        let aborted = |producer, offset| self.plan.aborted.covers(producer, offset);
        let rules = Rules {
            latest: &self.latest,
            until: self.plan.until,
            now_ms: shared.clock.now().millis(),
            delete_retention_ms: self.plan.delete_retention_ms,
            aborted: &aborted,
            space: self.plan.space,
        };
        while let Some(found) = reading.next().map_err(unreadable)? {
            let rewritten = rules.apply(&mut self.met, &found.bytes).map_err(|e| malformed(&path, &found, &e))?;
            if !take(found, rewritten)? {
                break;
            }
        }
        Ok(())
    }

    /// Puts the new revision in the place of the group, unless retention took a part of it.
    fn swap(&self, shared: &Shared, group: &[Segment], new: Option<Segment>) -> bool {
        let place = self.plan.place;
        let mut state = shared.state_mut();
        let Some(range) = state.at(place).and_then(|partition| find(&partition.segments, group)) else { return false };
        state.replace(place, range, new);
        true
    }

    /// Takes away what was written of a new revision that does not count. What cannot be removed
    /// goes at the next start.
    fn forget(&self, shared: &Shared, group: &[Segment]) {
        let Some(first) = group.first() else { return };
        for path in [log_path, index_path] {
            drop(shared.disk.remove(&path(&self.plan.folder, first.base, revision(group))));
        }
    }

    fn finish(&mut self, shared: &Shared) -> Result<Step, Failed> {
        let mut state = shared.state_mut();
        let partition = state.at_mut(self.plan.place).ok_or(Failed::Gone)?;
        partition.cleaned = partition.cleaned.max(self.plan.until);
        Ok(Step { done: Some(self.met.due_ms), ..Step::default() })
    }
}

/// The revision that a rewriting of these segments gets.
fn revision(group: &[Segment]) -> u64 {
    group.iter().map(|s| s.revision).max().unwrap_or(0) + 1
}

/// Where exactly this group stands.
fn find(segments: &[Segment], group: &[Segment]) -> Option<Range<usize>> {
    let at = segments.iter().position(|s| Some(s.base) == group.first().map(|g| g.base))?;
    let range = at..at + group.len();
    (segments.get(range.clone())? == group).then_some(range)
}

fn unreadable(e: ReadError) -> Failed {
    match e {
        ReadError::Io { doing, why } => Failed::Unreadable(doing, why),
        ReadError::Corrupt { place, what } => Failed::Unreadable(place, what),
        other => Failed::Unreadable(String::new(), other.to_string()),
    }
}

fn malformed(path: &str, found: &Found, e: &Malformed) -> Failed {
    Failed::Unreadable(format!("{path} offset {}", found.base), e.to_string())
}
