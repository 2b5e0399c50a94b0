//! Where each partition is read on from, and whose turn it is.
//!
//! It plans reads and takes note of what came of them; it fetches nothing itself. Invariants: at
//! most one read is under way; together its asks never exceed the credit; a partition at its end
//! is not asked again before the source changed, and a change during a read is not forgotten.
//! Partitions that were added later are read only when the earlier ones were read up to that
//! moment: a key may have moved, and its newer events must not overtake its older ones.

use std::collections::BTreeSet;
use std::sync::Arc;

use evenkeel_delivery::ports::{Delivered, Journal, PortError, Source};
use evenkeel_delivery::{Arrival, Mark, Screen};
use evenkeel_model::{Shard, Timestamp};

use super::give_way::give_way;
use super::happening::{Batch, ReadOver};
use tokio::sync::mpsc::UnboundedSender;

/// The most events that are asked of one partition at a time, so that none is starved by another
/// and decisions come in batches that fit the caches.
const BATCH_MAX: usize = 512;

pub(super) struct Reading {
    cursors: Vec<Cursor>,
    turn: usize,
    under_way: bool,
    held: Option<Held>,
}

/// Partitions that came later.
struct Held {
    shards: Vec<(Shard, u64)>,
    since: Timestamp,
    /// Earlier ones that were not read up to then.
    behind: BTreeSet<usize>,
    /// The read under way was planned before.
    stale: bool,
}

struct Cursor {
    shard: Shard,
    next: u64,
    more: bool,
}

/// One partition to be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) index: usize,
    pub(super) shard: Shard,
    pub(super) from: u64,
    pub(super) max: usize,
}

impl Reading {
    pub(super) fn new(starts: Vec<(Shard, u64)>) -> Reading {
        let mut reading = Reading { cursors: Vec::new(), turn: 0, under_way: false, held: None };
        reading.add(starts);
        reading
    }

    pub(super) fn knows(&self, shard: &Shard) -> bool {
        let held = self.held.iter().flat_map(|held| &held.shards).map(|(shard, _)| shard);
        self.cursors.iter().map(|cursor| &cursor.shard).chain(held).any(|known| known == shard)
    }

    /// Partitions that were added by `now`.
    pub(super) fn hold(&mut self, mut shards: Vec<(Shard, u64)>, now: Timestamp) {
        shards.extend(self.held.take().into_iter().flat_map(|held| held.shards));
        let behind = (0..self.cursors.len()).collect();
        self.held = Some(Held { shards, since: now, behind, stale: self.under_way });
        self.wake();
    }

    /// Partitions that were held and are read from here on.
    pub(super) fn freed(&mut self) -> Vec<(Shard, u64)> {
        let Some(held) = self.held.take_if(|held| held.behind.is_empty()) else { return Vec::new() };
        self.add(held.shards.clone());
        held.shards
    }

    /// More partitions; the numbers of the others stay.
    fn add(&mut self, starts: Vec<(Shard, u64)>) {
        self.cursors.extend(starts.into_iter().map(|(shard, next)| Cursor { shard, next, more: true }));
    }

    /// The source changed: every partition may have more.
    pub(super) fn wake(&mut self) {
        for cursor in &mut self.cursors {
            cursor.more = true;
        }
    }

    /// Whom to ask for how much within `credit`, of those that are wanted: `wanted` says from
    /// where on, or `None`. Nothing while a read is under way.
    pub(super) fn plan(&mut self, credit: usize, wanted: impl Fn(&Shard, u64) -> Option<u64>) -> Option<Vec<Ask>> {
        if self.under_way || credit == 0 {
            return None;
        }
        let wanted = |cursor: &Cursor| if cursor.more { wanted(&cursor.shard, cursor.next) } else { None };
        let froms: Vec<Option<u64>> = self.cursors.iter().map(wanted).collect();
        let willing = froms.iter().flatten().count();
        if willing == 0 {
            return None;
        }
        let max = (credit / willing).clamp(1, BATCH_MAX);
        let count = self.cursors.len();
        let order = (0..count).map(|i| (self.turn + i) % count);
        let chosen: Vec<usize> = order.filter(|i| froms[*i].is_some()).take(credit.min(willing)).collect();
        self.turn = chosen.first().map_or(0, |first| first + 1);
        self.under_way = true;
        Some(chosen.into_iter().map(|index| self.ask(index, froms[index], max)).collect())
    }

    /// Takes note of what a read brought.
    pub(super) fn took(&mut self, batch: &Batch) {
        let cursor = &mut self.cursors[batch.shard];
        if let Some(held) = self.held.as_mut().filter(|held| !held.stale) {
            let passed = batch.events.last().map_or(batch.next <= cursor.next, |last| last.appended > held.since);
            if passed {
                held.behind.remove(&batch.shard);
            }
        }
        cursor.more |= batch.next > cursor.next;
        cursor.next = batch.next;
    }

    /// True while a read is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// The read is over; `failed` names the partition that could not be read, which is asked
    /// again together with those that were not reached.
    pub(super) fn over(&mut self, failed: Option<usize>) {
        self.under_way = false;
        self.held.iter_mut().for_each(|held| held.stale = false);
        if failed.is_some() {
            self.wake();
        }
    }

    fn ask(&mut self, index: usize, from: Option<u64>, max: usize) -> Ask {
        let cursor = &mut self.cursors[index];
        cursor.more = false;
        Ask { index, shard: cursor.shard.clone(), from: from.unwrap_or(cursor.next), max }
    }
}

/// Reads what was planned, up to the first failure, and looks up what of it was seen before. What
/// one partition gave is sent on before the next is asked, so that it is worked on meanwhile.
pub(super) async fn fetch(
    source: Arc<dyn Source>,
    journal: Arc<dyn Journal>,
    asks: Vec<Ask>,
    fetched: UnboundedSender<Batch>,
) -> ReadOver {
    for ask in asks {
        match fetch_one(&*source, &*journal, &ask).await {
            // Nobody listens any more only when the subscription has ended.
            Ok(batch) => drop(fetched.send(batch)),
            Err(problem) => return ReadOver { failed: Some((ask.index, problem)) },
        }
        // Whoever was woken by it may be in this thread's line.
        give_way().await;
    }
    ReadOver { failed: None }
}

async fn fetch_one(source: &dyn Source, journal: &dyn Journal, ask: &Ask) -> Result<Batch, PortError> {
    let (events, next) = source.fetch(&ask.shard, ask.from, ask.max).await?;
    let seen = seen(journal, &events).await?;
    Ok(Batch { shard: ask.index, events, seen, next })
}

async fn seen(journal: &dyn Journal, events: &[Arc<Delivered>]) -> Result<Vec<Option<Timestamp>>, PortError> {
    let marks: Vec<Mark> = events.iter().map(|event| event.arrival.mark).collect();
    if marks.is_empty() { Ok(Vec::new()) } else { journal.seen(&marks).await }
}

impl Batch {
    /// What the core is told of it.
    pub(super) fn arrivals(&self) -> Vec<Arrival> {
        let seen = self.seen.iter().copied().chain(std::iter::repeat(None));
        let arrival = |(event, seen): (&Arc<Delivered>, Option<Timestamp>)| {
            let mut arrival = event.arrival.clone();
            if let (Screen::Wanted, Some(when)) = (&arrival.screen, seen) {
                arrival.screen = Screen::Seen(when);
            }
            arrival
        };
        self.events.iter().zip(seen).map(arrival).collect()
    }
}

#[cfg(test)]
mod tests;
