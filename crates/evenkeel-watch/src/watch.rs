//! The watch itself: ledger records in, alert events out.
//!
//! Does: route each entry to the indicators of its subscription and to the slices of its
//! objectives, at the entry's own time. Does not: order records or fetch missing ones; it counts
//! gaps. Invariants: a record counts once, by its sequence; an event that was overdue for a
//! latency objective is bad at that time and not counted for it again when it ends.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{Ended, LedgerEntry, LedgerRecord, Overdue};
use evenkeel_model::{Shard, Timestamp};

use crate::alert::{Alert, AlertEvent, Tier};
use crate::budget::{self, Budget, Counted, Point};
use crate::distance::{Pace, Sample, Track};
use crate::exclusion::{Exclusion, Hidden};
use crate::indicators::Indicators;
use crate::objective::{Indicator, Objective, Part, Problem, Scope};
use crate::producers::Producers;
use crate::topics::Topic;
use crate::tracked::{BadEvent, Fact, Tracked};
use agreed::Agreed;

pub use agreed::Monthly;

mod agreed;
mod chained;
mod producing;
#[cfg(test)]
mod tests;

/// Unfinished overdue events that a partition remembers. Beyond it the flag of the ended event
/// is trusted, which is exact as long as the subscription has one threshold.
const OVERDUE_MAX: usize = 1 << 20;

/// Folds the ledger, and says when an objective is in danger.
#[derive(Clone, Debug)]
pub struct Watch {
    objectives: Vec<Tracked>,
    subscriptions: BTreeMap<Arc<str>, Watched>,
    topics: BTreeMap<Arc<str>, Topic>,
    exclusions: Vec<Exclusion>,
    agreements: Vec<Agreed>,
    producers: Producers,
    /// When the first record was made.
    first_at: Option<Timestamp>,
}

/// What became of a record that was ingested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingested {
    /// Counted.
    Counted,
    /// It was counted before; nothing changed.
    Repeated,
    /// Counted, but records before it were never seen.
    CountedAfterGap {
        /// How many are missing.
        missing: u64,
    },
}

#[derive(Clone, Debug, Default)]
struct Watched {
    indicators: Indicators,
    /// The objectives of this subscription and the part that it has in them, by index.
    objectives: Vec<(usize, usize)>,
    /// The agreements about this subscription, by index.
    agreements: Vec<usize>,
    partitions: HashMap<(Arc<str>, u32), Partition>,
}

#[derive(Clone, Debug, Default)]
struct Partition {
    next_sequence: Option<u64>,
    /// Unfinished events and the largest threshold that they passed, in microseconds.
    overdue: HashMap<u64, u64>,
    /// Events that died, were counted, and are open again.
    redriven: HashSet<u64>,
    /// The furthest event that ended, and when it was created.
    furthest: Option<(u64, Timestamp)>,
    track: Track,
}

impl Watch {
    /// Watches these objectives, and every subscription that the ledger names.
    pub fn new(objectives: Vec<Objective>) -> Result<Watch, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut subscriptions: BTreeMap<Arc<str>, Watched> = BTreeMap::new();
        for (index, objective) in objectives.iter().enumerate() {
            problems.extend(objective.check().err().unwrap_or_default());
            if objectives[..index].iter().any(|other| other.name == objective.name) {
                problems.push(Problem {
                    field: "name".to_owned(),
                    value: format!("`{}`", objective.name),
                    rule: "an objective's name is unique".to_owned(),
                });
            }
            for (part, counted) in objective.parts.iter().enumerate() {
                let watched = subscriptions.entry(Arc::clone(&counted.scope.subscription)).or_default();
                watched.objectives.push((index, part));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let objectives = objectives.into_iter().map(Tracked::new).collect();
        let (topics, exclusions, agreements) = (BTreeMap::new(), Vec::new(), Vec::new());
        let producers = Producers::default();
        Ok(Watch { objectives, subscriptions, topics, exclusions, agreements, producers, first_at: None })
    }

    /// Counts a record of the ledger.
    pub fn ingest(&mut self, record: &LedgerRecord) -> Ingested {
        let watched = match self.subscriptions.get_mut(&record.subscription) {
            Some(watched) => watched,
            None => self.subscriptions.entry(Arc::clone(&record.subscription)).or_default(),
        };
        let partition = watched.partitions.entry((Arc::clone(&record.topic), record.partition)).or_default();
        let missing = match partition.next_sequence {
            Some(next) if record.sequence < next => return Ingested::Repeated,
            Some(next) => record.sequence - next,
            None => 0,
        };
        partition.next_sequence = Some(record.sequence.saturating_add(1));
        self.first_at = Some(self.first_at.map_or(record.at, |first| first.min(record.at)));
        watched.indicators.gaps += missing;
        let shard = Shard { topic: Arc::clone(&record.topic), partition: record.partition };
        let mut topic = self.topics.get_mut(&record.topic);
        let counts_producers = self.producers.are_told_by(&record.subscription, &record.topic);
        let mut facts = Vec::with_capacity(record.entries.len());
        for entry in &record.entries {
            match entry {
                LedgerEntry::Redriven(redriven) => drop(partition.redriven.insert(redriven.offset)),
                LedgerEntry::Ended(ended) => {
                    // It was counted when it died.
                    if !partition.redriven.is_empty() && partition.redriven.remove(&ended.offset) {
                        continue;
                    }
                    facts.push(Fact::Ended(ended, partition.settle(ended)));
                    partition.reach(ended);
                    if counts_producers {
                        self.producers.ended(&record.topic, ended);
                    }
                    if let Some(topic) = &mut topic {
                        topic.ended(&record.subscription, record.partition, ended.offset, ended.outcome);
                    }
                    watched.indicators.ended(&shard, ended);
                }
                LedgerEntry::Attempt(attempt) => watched.indicators.attempt(attempt),
                LedgerEntry::Overdue(overdue) => {
                    let before = partition.mark_overdue(overdue);
                    watched.indicators.overdue += u64::from(before == 0);
                    facts.push(Fact::Overdue(overdue, before));
                }
            }
        }
        for &(index, part) in &watched.objectives {
            self.objectives[index].count_all(part, &shard, &facts);
        }
        for &index in &watched.agreements {
            self.agreements[index].tracked.count_all(0, &shard, &facts);
        }
        if missing > 0 { Ingested::CountedAfterGap { missing } } else { Ingested::Counted }
    }

    /// Tells when the oldest event of a subscription without an outcome was created.
    pub fn set_oldest(&mut self, subscription: &str, oldest: Option<Timestamp>) {
        match self.subscriptions.get_mut(subscription) {
            Some(watched) => watched.indicators.oldest = oldest,
            None => self.subscriptions.entry(Arc::from(subscription)).or_default().indicators.oldest = oldest,
        }
    }

    /// Tells where a partition of a topic ends: one beyond its newest event.
    pub fn set_end(&mut self, topic: &str, partition: u32, end: u64, now: Timestamp) {
        self.topic(topic).set_end(partition, end, now);
    }

    /// Tells which subscriptions a topic has.
    pub fn set_subscribers(&mut self, topic: &str, subscriptions: Vec<Arc<str>>) {
        self.topic(topic).set_subscribers(subscriptions);
    }

    fn topic(&mut self, name: &str) -> &mut Topic {
        if !self.topics.contains_key(name) {
            self.topics.insert(Arc::from(name), Topic::default());
        }
        self.topics.entry(Arc::from(name)).or_default()
    }

    /// Takes over alerts that fired before a restart, so that they don't fire a second time.
    pub fn adopt(&mut self, firing: &[Alert]) {
        for alert in firing {
            for tracked in self.objectives.iter_mut().filter(|tracked| tracked.objective.name == alert.objective) {
                tracked.tiers.iter_mut().for_each(|tier| tier.adopt(alert));
            }
        }
    }

    /// Counts a stretch of time for nobody, past or future; one of the same name is replaced.
    pub fn exclude(&mut self, exclusion: Exclusion) {
        self.exclusions.retain(|other| other.id != exclusion.id);
        self.exclusions.push(exclusion);
        self.hide();
    }

    /// Takes an exclusion back; false when there is none of this name.
    pub fn include(&mut self, id: &str) -> bool {
        let before = self.exclusions.len();
        self.exclusions.retain(|exclusion| &*exclusion.id != id);
        self.hide();
        self.exclusions.len() < before
    }

    /// What is excluded, in the order in which it was said.
    pub fn exclusions(&self) -> &[Exclusion] {
        &self.exclusions
    }

    fn hide(&mut self) {
        for tracked in &mut self.objectives {
            let of = self.exclusions.iter().filter(|exclusion| exclusion.holds(&tracked.objective));
            tracked.hidden = Hidden::of(of);
        }
    }

    /// Evaluates all alerts. Meant to be called about every second.
    pub fn tick(&mut self, now: Timestamp) -> Vec<AlertEvent> {
        for watched in self.subscriptions.values_mut() {
            watched.measure(now, &self.topics);
            watched.indicators.sample(now);
        }
        for agreed in &mut self.agreements {
            agreed.tracked.slices.iter_mut().for_each(|slices| slices.forget(now));
        }
        let mut events = Vec::new();
        for tracked in &mut self.objectives {
            tracked.slices.iter_mut().for_each(|slices| slices.forget(now));
            let lags = |part: &Part| {
                let lag = self.subscriptions.get(&part.scope.subscription).map(|w| w.indicators.lag(now));
                match part.indicator {
                    Indicator::Latency { threshold } => lag.is_some_and(|lag| lag > threshold),
                    Indicator::Handler { .. } | Indicator::Success => false,
                }
            };
            let lagging = tracked.objective.parts.iter().any(lags);
            let counted = Counted { objective: &tracked.objective, slices: &tracked.slices, hidden: &tracked.hidden };
            for tier in &mut tracked.tiers {
                events.extend(tier.step(now, counted, lagging));
            }
        }
        events
    }

    /// The alerts that fire.
    pub fn alerts(&self) -> Vec<&Alert> {
        self.objectives.iter().flat_map(|tracked| tracked.tiers.iter().filter_map(Tier::firing)).collect()
    }

    /// The alerts that hold but not for long enough: objective, alert, since when.
    pub fn pending(&self) -> Vec<(&Arc<str>, &Arc<str>, Timestamp)> {
        let each = self.objectives.iter().flat_map(|tracked| {
            let pending = tracked.tiers.iter().filter_map(Tier::pending);
            pending.map(|(name, since)| (&tracked.objective.name, name, since))
        });
        each.collect()
    }

    /// The objectives, in the order in which they were given.
    pub fn objectives(&self) -> impl Iterator<Item = &Objective> {
        self.objectives.iter().map(|tracked| &tracked.objective)
    }

    /// The budget of an objective.
    pub fn budget(&self, objective: &str, now: Timestamp) -> Option<Budget> {
        self.tracked(objective).map(|tracked| budget::budget(tracked.counted(), now))
    }

    /// All budgets, in the order of the objectives.
    pub fn budgets(&self, now: Timestamp) -> Vec<Budget> {
        self.objectives.iter().map(|tracked| budget::budget(tracked.counted(), now)).collect()
    }

    /// An objective's window in `points` stretches, oldest first: the line of its budget.
    pub fn history(&self, objective: &str, now: Timestamp, points: u32) -> Option<Vec<Point>> {
        self.tracked(objective).map(|tracked| budget::history(tracked.counted(), now, points))
    }

    /// The burn rate of an objective over a window; none without events, or without the objective.
    pub fn burn(&self, objective: &str, now: Timestamp, window: Duration) -> Option<f64> {
        let tracked = self.tracked(objective)?;
        tracked.counted().burn(now, now - window, now)
    }

    /// The last few events that broke an objective, oldest first.
    pub fn bad_events(&self, objective: &str) -> Vec<BadEvent> {
        self.tracked(objective).map(|tracked| tracked.bad.iter().cloned().collect()).unwrap_or_default()
    }

    /// What is known of a subscription.
    pub fn indicators(&self, subscription: &str) -> Option<&Indicators> {
        self.subscriptions.get(subscription).map(|watched| &watched.indicators)
    }

    /// All subscriptions that the ledger, an objective or a lag has named; chains are none.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&Arc<str>, &Indicators)> {
        let named = self.subscriptions.iter().filter(|(name, _)| Scope::chain(name).is_none());
        named.map(|(name, watched)| (name, &watched.indicators))
    }

    /// All topics whose ends or subscriptions were told.
    pub fn topics(&self) -> impl Iterator<Item = (&Arc<str>, &Topic)> {
        self.topics.iter()
    }

    fn tracked(&self, objective: &str) -> Option<&Tracked> {
        self.objectives.iter().find(|tracked| tracked.objective.name.as_ref() == objective)
    }
}

impl Watched {
    /// How far behind it is now. Of a partition of which nothing ended yet nobody knows where it
    /// begins; the age of the oldest event says enough.
    fn measure(&mut self, now: Timestamp, topics: &BTreeMap<Arc<str>, Topic>) {
        let seen = &mut self.indicators;
        (seen.distance, seen.distance_in_time, seen.pace) = (0, Duration::ZERO, Pace::Good);
        for ((topic, number), partition) in &mut self.partitions {
            let end = topics.get(topic).and_then(|topic| topic.end(*number));
            let (Some((end, newest_at)), Some((furthest, created))) = (end, partition.furthest) else { continue };
            // Nothing is unfinished: what lies between are records that are nobody's.
            let position = if seen.oldest.is_none() { end } else { (furthest + 1).min(end) };
            partition.track.sample(Sample { at: now, end, position, activity: seen.activity });
            seen.pace = seen.pace.max(partition.track.pace());
            if position < end {
                seen.distance += end - position;
                // What is in process lies behind the furthest that ended, and is unfinished: an idle hour between the two
                // is nobody's lag.
                let in_process = seen.oldest.map_or(created, |oldest| oldest.max(created));
                seen.distance_in_time = seen.distance_in_time.max(newest_at.since(in_process));
            }
        }
    }
}

/// An event that ended so far before the furthest one means that the subscription went back.
const REWIND_MIN: u64 = 1 << 16;

impl Partition {
    fn reach(&mut self, ended: &Ended) {
        let back = |(furthest, _): (u64, Timestamp)| ended.offset + REWIND_MIN < furthest;
        if self.furthest.is_none_or(|(furthest, _)| furthest <= ended.offset) || self.furthest.is_some_and(back) {
            let created = ended.at - Duration::from_micros(ended.created_to_ended_us);
            self.furthest = Some((ended.offset, created));
        }
    }

    /// The largest threshold that the event had passed before, in microseconds; 0 for none.
    fn mark_overdue(&mut self, overdue: &Overdue) -> u64 {
        if self.overdue.len() >= OVERDUE_MAX && !self.overdue.contains_key(&overdue.offset) {
            return 0;
        }
        let passed = self.overdue.entry(overdue.offset).or_default();
        let before = *passed;
        *passed = before.max(overdue.threshold_us);
        before
    }

    /// The largest threshold for which the ended event was counted as overdue, in microseconds.
    fn settle(&mut self, ended: &Ended) -> u64 {
        // Nearly always nothing is overdue, and there is nothing to look for.
        let passed = if self.overdue.is_empty() { None } else { self.overdue.remove(&ended.offset) };
        match passed {
            Some(passed) => passed,
            // Its overdue entries lie before what was read: they counted for every threshold passed.
            None if ended.overdue => u64::MAX,
            None => 0,
        }
    }
}
