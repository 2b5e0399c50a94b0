//! Which partition gets the next pass, and who remembers what between two steps.
//!
//! One pass at a time, the dirtiest partition first. What is remembered is lost with the process:
//! a pass that was cut off begins again, and tombstones whose horizon has come are looked for when
//! the next pass over their partition is due.

use std::collections::BTreeMap;
use std::time::Duration;

use evenkeel_model::{Shard, Timestamp};

use super::pass::{Failed, Pass, Plan, Step};
use super::plan::{Bounds, Dirt, dirt};
use super::rewrite::Line;
use crate::engine::Shared;
use crate::retention::lowest;
use crate::state::{CONTROL, Place, State};
use crate::ticket::held;
use crate::wal::is_full;
use crate::{Cleaned, Cleanup, Topic};

/// How the control topic is compacted. Nothing is read back from it once a checkpoint has its
/// facts, and it has no tombstones.
const OF_CONTROL: Compact = Compact { dirty_percent: 50, delete_retention: Duration::ZERO, min_lag: Duration::ZERO };

/// What is remembered between two steps.
#[derive(Default)]
pub(crate) struct Cleaner {
    pass: Option<Pass>,
    /// In milliseconds, when a pass could take tombstones away.
    due: BTreeMap<Place, i64>,
    /// Partitions with a segment that cannot be read, and why; left alone until the log is opened
    /// again.
    refused: BTreeMap<Place, String>,
}

/// A topic's settings for compaction.
#[derive(Clone, Copy)]
struct Compact {
    dirty_percent: u8,
    delete_retention: Duration,
    min_lag: Duration,
}

/// A partition that is worth a pass.
struct Candidate {
    plan: Plan,
    dirt: Dirt,
}

/// Compacts for about `budget` bytes of reading and writing.
pub(crate) fn clean(shared: &Shared, budget: u64) -> Cleaned {
    let mut cleaner = held(&shared.cleaner);
    let mut cleaned = Cleaned::default();
    while cleaned.moved < budget && shared.stopped().is_none() && cleaner.begin(shared) {
        let done = cleaner.step(shared, &mut cleaned);
        if let Err(why) = done {
            cleaned.problems.push(why);
            break;
        }
    }
    cleaned.more = cleaner.pass.is_some();
    shared.stats.cleaned(&cleaned);
    if cleaned.segments > 0 {
        shared.bell.ring(|wanted| wanted.flush = true);
    }
    cleaned
}

impl Cleaner {
    /// Makes sure that there is a pass to go on with; false when nothing is worth one.
    fn begin(&mut self, shared: &Shared) -> bool {
        if self.pass.is_some() {
            return true;
        }
        let Some(Candidate { plan, dirt }) = self.choose(shared) else { return false };
        // A record with a key takes 8 bytes at least, and most take more.
        let enough = usize::try_from(dirt.dirty.saturating_mul(2)).unwrap_or(usize::MAX).max(1 << 10);
        let secret = [shared.disk.entropy(), shared.disk.entropy()];
        self.pass = Some(Pass::new(plan, enough.min(shared.options.compaction_bytes), secret));
        true
    }

    fn choose(&self, shared: &Shared) -> Option<Candidate> {
        let now = shared.clock.now();
        let state = shared.state();
        let floors = lowest(&state.owed);
        let candidate = |(place, compact, topic): (Place, Compact, &Topic)| {
            let floor = floors.get(&Shard::new(topic.name.clone(), place.partition)).copied();
            let candidate = candidate(&state, place, compact, floor.unwrap_or(u64::MAX), now)?;
            let due = self.due.get(&place).is_some_and(|due| *due <= now.millis());
            (due || candidate.dirt.reaches(compact.dirty_percent)).then_some(candidate)
        };
        let compacted = state.places().filter_map(|(place, topic, ..)| Some((place, compact(place, topic)?, topic)));
        let candidates = compacted.filter(|(place, ..)| !self.refused.contains_key(place)).filter_map(candidate);
        candidates.max_by_key(|c| u128::from(c.dirt.dirty) * 1_000_000 / u128::from(c.dirt.clean + c.dirt.dirty).max(1))
    }

    /// One step; `Err` says why nothing more can be done now.
    fn step(&mut self, shared: &Shared, cleaned: &mut Cleaned) -> Result<(), String> {
        let Some(pass) = &mut self.pass else { return Ok(()) };
        let place = pass.plan.place;
        match pass.step(shared) {
            Ok(Step { moved, freed, replaced, done }) => {
                cleaned.moved += moved;
                cleaned.freed += freed;
                cleaned.segments += replaced;
                if let Some(due) = done {
                    self.pass = None;
                    cleaned.passes += 1;
                    self.due.remove(&place);
                    self.due.extend(due.map(|due| (place, due)));
                }
                Ok(())
            }
            Err(failed) => {
                self.pass = None;
                self.fail(shared, place, failed, cleaned)
            }
        }
    }

    fn fail(&mut self, shared: &Shared, place: Place, failed: Failed, cleaned: &mut Cleaned) -> Result<(), String> {
        match failed {
            Failed::Gone => Ok(()),
            Failed::Unreadable(path, what) => {
                let why = format!("`{path}` cannot be compacted: {what}");
                cleaned.problems.push(why.clone());
                self.refused.insert(place, why);
                Ok(())
            }
            Failed::Write(e) if is_full(&e) => Err("the disk is full, compaction waits".to_owned()),
            Failed::Write(e) => Err(shared.stop(&format!("writing a compacted segment failed: {e}"))),
        }
    }
}

fn compact(place: Place, topic: &Topic) -> Option<Compact> {
    match topic.settings.cleanup {
        _ if place == CONTROL => Some(OF_CONTROL),
        Cleanup::Delete => None,
        Cleanup::Compact { dirty_percent, delete_retention, min_lag } => {
            Some(Compact { dirty_percent, delete_retention, min_lag })
        }
    }
}

fn candidate(state: &State, place: Place, compact: Compact, owed: u64, now: Timestamp) -> Option<Candidate> {
    let partition = state.at(place)?;
    let floor = state.ends(place).last_stable.min(owed);
    let bounds = Bounds { cleaned: partition.cleaned, floor, settled: now - compact.min_lag };
    let dirt = dirt(&partition.segments, bounds);
    let plan = Plan {
        place,
        folder: state.folder(place),
        cleaned: partition.cleaned,
        until: dirt.end,
        delete_retention_ms: i64::try_from(compact.delete_retention.as_millis()).unwrap_or(i64::MAX),
        aborted: state.machine.at(place)?.aborts.clone(),
        space: if place == CONTROL { kind } else { |_| 0 },
    };
    Some(Candidate { plan, dirt })
}

/// Facts of different kinds about one thing are kept apart.
fn kind(line: &Line<'_>) -> u8 {
    line.value.and_then(|value| value.first().copied()).unwrap_or(0)
}
