//! The books of one subscription while they are audited: one [`Book`] per partition.
//!
//! Memory: 13 bytes for each offset since the subscription began, 8 more for each outcome that
//! the journal names, and one entry for each dead letter, returned event and waiting event.

use std::collections::{BTreeMap, HashMap, HashSet};

use evenkeel_delivery::Order;
use evenkeel_model::{Outcome, Position, Shard, Timestamp};

use super::{Audited, Cut, SubscriptionAudit};

/// So many problems are told in words.
const PROBLEMS_MAX: usize = 50;
/// The rank of an event that has not ended: behind all that have.
pub(super) const NOT_ENDED: u32 = u32::MAX;

/// One subscription.
pub(super) struct Books<'a> {
    pub(super) audited: &'a Audited,
    pub(super) partitions: Vec<Book>,
    pub(super) problems: Problems,
    pub(super) order_violations: u64,
    /// By position: true when it waits durably, or behind one that does.
    live: Option<HashMap<Position, bool>>,
}

/// One partition, as one subscription sees it.
pub(super) struct Book {
    pub(super) shard: Shard,
    /// Where the subscription began, or the account of it.
    pub(super) began: u64,
    /// What lies before `began` is not accounted for: retention took what was said of it.
    pub(super) cut_off: bool,
    /// The end of the cut.
    pub(super) end: u64,
    pub(super) journal: Journaled,
    /// How many ledger records, and how many outcomes in them, were seen; those left out that are
    /// older than all seals.
    pub(super) ledger_records: usize,
    /// The number of the first of them.
    pub(super) first_record: Option<u64>,
    pub(super) ended: usize,
    /// Outcomes that the journal named before those that the ledger still has.
    pub(super) done_before: usize,
    /// How many outcomes were seen in all.
    pub(super) ranked: usize,
    /// By offset less `began`: the outcome, and when among all it ended.
    pub(super) outcomes: Vec<Option<Outcome>>,
    pub(super) ranks: Vec<u32>,
    /// Of each offset that died, how many of its dead letters were not found yet.
    pub(super) dead: HashMap<u64, u32>,
    /// Returned events that the ledger names and that were not found yet.
    pub(super) emitted: HashMap<u64, i64>,
    /// Offsets that wait behind one that waits durably.
    pub(super) behind: HashSet<u64>,
}

/// What the journal says of a partition.
#[derive(Default)]
pub(super) struct Journaled {
    pub(super) first_progress: Option<u64>,
    pub(super) below: u64,
    /// Offsets in the order in which they ended.
    pub(super) done: Vec<u64>,
    /// Each ledger record, in order.
    pub(super) seals: Vec<Sealed>,
    /// Offsets that wait.
    pub(super) waiting: HashSet<u64>,
    /// How often an offset was redriven, and the offsets of which that was the last that happened.
    pub(super) redriven: HashMap<u64, u32>,
    pub(super) open_again: HashSet<u64>,
}

/// What the journal says of a ledger record.
#[derive(Clone, Copy)]
pub(super) struct Sealed {
    pub(super) sequence: u64,
    pub(super) hash: u64,
    /// How many outcomes were named before those of its set.
    pub(super) done_before: usize,
    /// When its set was appended.
    pub(super) at: Timestamp,
}

/// What does not add up: the first ones in words, the rest as a number.
#[derive(Default)]
pub(super) struct Problems {
    told: Vec<String>,
    more: usize,
}

impl Problems {
    pub(super) fn add(&mut self, problem: String) {
        if self.told.len() < PROBLEMS_MAX {
            self.told.push(problem);
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.told.push(format!("… and {} more", self.more));
        }
        self.told
    }
}

impl<'a> Books<'a> {
    pub(super) fn open(audited: &'a Audited, cut: &Cut<'_>) -> Books<'a> {
        let shards = cut.shards(&audited.topic);
        let mut problems = Problems::default();
        if shards.is_empty() {
            problems.add(format!("topic `{}` does not exist", audited.topic));
        }
        let partitions = shards.into_iter().map(|shard| Book::open(cut.ends(&shard).high_watermark, shard)).collect();
        let live = audited.live.as_ref().map(|pending| pending.iter().cloned().collect());
        Books { audited, partitions, problems, order_violations: 0, live }
    }

    pub(super) fn book(&mut self, shard: &Shard) -> Option<(&mut Book, &mut Problems)> {
        let at = usize::try_from(shard.partition).ok()?;
        let book = self.partitions.get_mut(at).filter(|b| b.shard == *shard)?;
        Some((book, &mut self.problems))
    }

    /// Whether a lane that waits durably holds up what comes behind it.
    pub(super) fn infers_parked(&self) -> bool {
        self.live.is_none() && self.audited.order != Order::None
    }

    pub(super) fn close(mut self) -> SubscriptionAudit {
        let mut sums = SubscriptionAudit { name: self.audited.name.clone(), ..SubscriptionAudit::default() };
        for book in &self.partitions {
            book.close(&mut sums, self.live.as_ref(), &mut self.problems);
        }
        let counted = sums.completed
            + sums.duplicate
            + sums.stale
            + sums.filtered
            + sums.dead
            + sums.dropped
            + sums.expired
            + sums.not_an_event
            + sums.in_flight
            + sums.parked
            + sums.unread;
        if counted != sums.appended {
            self.problems.add(format!("{} records were appended, and {counted} are accounted for", sums.appended));
        }
        sums.order_violations = self.order_violations;
        sums.problems = self.problems.finish();
        sums
    }
}

impl Book {
    fn open(end: u64, shard: Shard) -> Book {
        Book {
            shard,
            began: 0,
            cut_off: false,
            end,
            journal: Journaled::default(),
            ledger_records: 0,
            first_record: None,
            ended: 0,
            done_before: 0,
            ranked: 0,
            outcomes: Vec::new(),
            ranks: Vec::new(),
            dead: HashMap::new(),
            emitted: HashMap::new(),
            behind: HashSet::new(),
        }
    }

    /// `topic/partition offset n`.
    pub(super) fn place(&self, offset: u64) -> String {
        format!("{}/{} offset {offset}", self.shard.topic, self.shard.partition)
    }

    /// Begins the account; nothing before `since` is a part of it.
    pub(super) fn begin(&mut self, problems: &mut Problems, since: u64) {
        let first = self.journal.first_progress.unwrap_or(0);
        // A first round may hold outcomes beside a progress that counts them already.
        self.began = first.min(self.journal.done.iter().min().copied().unwrap_or(first));
        if since > 0 {
            (self.began, self.cut_off) = (since, true);
        }
        if self.journal.below > self.end {
            let place = self.place(self.journal.below);
            problems.add(format!("progress stands at {place}, beyond the end of the partition ({})", self.end));
        }
        let length = usize::try_from(self.end.saturating_sub(self.began)).unwrap_or(usize::MAX);
        self.outcomes = vec![None; length];
        self.ranks = vec![NOT_ENDED; length];
    }

    /// The index of an offset that counts.
    pub(super) fn index(&self, offset: u64) -> Option<usize> {
        usize::try_from(offset.checked_sub(self.began)?).ok().filter(|i| *i < self.outcomes.len())
    }

    fn close(&self, sums: &mut SubscriptionAudit, live: Option<&HashMap<Position, bool>>, problems: &mut Problems) {
        sums.appended += self.end.saturating_sub(self.began);
        for (offset, outcome) in (self.began..).zip(&self.outcomes) {
            match outcome {
                Some(outcome) => *sum_of(sums, *outcome) += 1,
                None => *self.without_outcome(sums, offset, live, problems) += 1,
            }
        }
        self.compare_with_journal(problems);
        let missing: BTreeMap<_, _> = self.dead.iter().filter(|(_, missing)| **missing > 0).collect();
        for offset in missing.into_keys().copied() {
            problems.add(format!("{} ended as dead, and its dead letter is missing", self.place(offset)));
        }
        let emitted: BTreeMap<_, _> = self.emitted.iter().filter(|(_, missing)| **missing != 0).collect();
        for (offset, missing) in emitted {
            let what = if *missing > 0 { "are missing" } else { "are too many" };
            let place = self.place(*offset);
            problems.add(format!("of the events that the handler returned for {place}, {} {what}", missing.abs()));
        }
    }

    fn without_outcome<'s>(
        &self,
        sums: &'s mut SubscriptionAudit,
        offset: u64,
        live: Option<&HashMap<Position, bool>>,
        problems: &mut Problems,
    ) -> &'s mut u64 {
        let open_again = self.journal.open_again.contains(&offset);
        if offset < self.journal.below && !open_again {
            let place = self.place(offset);
            problems.add(format!("{place} is lost: it has no outcome, and progress stands at {}", self.journal.below));
        }
        let here = live.and_then(|live| live.get(&Position { shard: self.shard.clone(), offset }));
        match here {
            Some(true) => &mut sums.parked,
            _ if self.journal.waiting.contains(&offset) || self.behind.contains(&offset) => &mut sums.parked,
            // Progress passed it when it died: it was read.
            None if open_again => &mut sums.in_flight,
            Some(false) => &mut sums.in_flight,
            None => &mut sums.unread,
        }
    }

    /// Outcomes that the journal names and of which the ledger has no record left.
    fn skipped(&self) -> usize {
        if self.cut_off { self.journal.done.len() } else { 0 }
    }

    fn compare_with_journal(&self, problems: &mut Problems) {
        let first = self.first_record;
        let in_ledger = |s: &&Sealed| first.is_some_and(|first| s.sequence >= first) || !self.cut_off;
        let seals = || self.journal.seals.iter().filter(in_ledger);
        let (shard, sealed) = (&self.shard, seals().count());
        if self.ledger_records != sealed {
            problems.add(format!(
                "{}/{}: the journal sealed {sealed} ledger records, and the ledger has {}",
                shard.topic, shard.partition, self.ledger_records
            ));
        }
        let counts = |offset: u64| !self.cut_off || offset >= self.began;
        let left: u32 = self.journal.redriven.iter().filter(|(offset, _)| counts(**offset)).map(|(_, n)| n).sum();
        if left > 0 {
            problems.add(format!(
                "{}/{}: the journal names {left} redriven events that the ledger does not",
                shard.topic, shard.partition
            ));
        }
        let done = self.journal.done.len() - seals().next().map_or(self.skipped(), |s| s.done_before);
        if self.ended != done {
            problems.add(format!(
                "{}/{}: the journal names {done} outcomes, and the ledger {}",
                shard.topic, shard.partition, self.ended
            ));
        }
    }
}

fn sum_of(sums: &mut SubscriptionAudit, outcome: Outcome) -> &mut u64 {
    match outcome {
        Outcome::Completed => &mut sums.completed,
        Outcome::Duplicate => &mut sums.duplicate,
        Outcome::Stale => &mut sums.stale,
        Outcome::Filtered => &mut sums.filtered,
        Outcome::Dead => &mut sums.dead,
        Outcome::Dropped => &mut sums.dropped,
        Outcome::Expired => &mut sums.expired,
        Outcome::NotAnEvent => &mut sums.not_an_event,
    }
}
