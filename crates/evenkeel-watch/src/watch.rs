//! The watch itself: ledger records in, alert events out.
//!
//! Does: route each entry to the indicators of its subscription and to the slices of its
//! objectives, at the entry's own time. Does not: order records or fetch missing ones; it counts
//! gaps. Invariants: a record counts once, by its sequence; an event that was overdue for a
//! latency objective is bad at that time and not counted for it again when it ends.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{Ended, LedgerEntry, LedgerRecord, Overdue};
use evenkeel_model::{Outcome, Position, Shard, Timestamp};

use crate::alert::{Alert, AlertEvent, Tier};
use crate::budget::{self, Budget, Counted, Point};
use crate::distance::{Pace, Sample, Track};
use crate::indicators::Indicators;
use crate::objective::{Indicator, Objective, Part, Problem};
use crate::slices::Slices;
use crate::topics::Topic;

#[cfg(test)]
mod tests;

/// Bad events that an objective remembers by position.
const BAD_KEPT: usize = 16;
/// Unfinished overdue events that a partition remembers. Beyond it the flag of the ended event
/// is trusted, which is exact as long as the subscription has one threshold.
const OVERDUE_MAX: usize = 1 << 20;

/// By how much a calendar's window may be longer than its unit usually is: four quarters have a
/// leap year's 366 days, a month 31.
const CALENDAR_SLACK: Duration = Duration::from_secs(6 * 86_400);

/// Folds the ledger, and says when an objective is in danger.
#[derive(Clone, Debug)]
pub struct Watch {
    objectives: Vec<Tracked>,
    subscriptions: BTreeMap<Arc<str>, Watched>,
    topics: BTreeMap<Arc<str>, Topic>,
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

/// One event that broke an objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEvent {
    /// Where it is.
    pub at: Position,
    /// When it counted.
    pub when: Timestamp,
    /// Its outcome; none while it is overdue.
    pub outcome: Option<Outcome>,
}

#[derive(Clone, Debug)]
struct Tracked {
    objective: Objective,
    /// One for each part.
    slices: Vec<Slices>,
    tiers: Vec<Tier>,
    bad: VecDeque<BadEvent>,
}

#[derive(Clone, Debug, Default)]
struct Watched {
    indicators: Indicators,
    /// The objectives of this subscription and the part that it has in them, by index.
    objectives: Vec<(usize, usize)>,
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
        Ok(Watch { objectives, subscriptions, topics: BTreeMap::new() })
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
        watched.indicators.gaps += missing;
        let shard = Shard { topic: Arc::clone(&record.topic), partition: record.partition };
        let mut topic = self.topics.get_mut(&record.topic);
        for entry in &record.entries {
            match entry {
                LedgerEntry::Redriven(redriven) => drop(partition.redriven.insert(redriven.offset)),
                // It was counted when it died.
                LedgerEntry::Ended(ended) if partition.redriven.remove(&ended.offset) => {}
                LedgerEntry::Ended(ended) => {
                    let overdue_for = partition.settle(ended);
                    partition.reach(ended);
                    if let Some(topic) = &mut topic {
                        topic.ended(&record.subscription, record.partition, ended.offset, ended.outcome);
                    }
                    watched.indicators.ended(&record.topic, ended);
                    for &(index, part) in &watched.objectives {
                        self.objectives[index].ended(part, &shard, ended, overdue_for);
                    }
                }
                LedgerEntry::Attempt(attempt) => watched.indicators.attempt(attempt),
                LedgerEntry::Overdue(overdue) => {
                    let before = partition.mark_overdue(overdue);
                    watched.indicators.overdue += u64::from(before == 0);
                    for &(index, part) in &watched.objectives {
                        self.objectives[index].overdue(part, &shard, overdue, before);
                    }
                }
            }
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

    /// Evaluates all alerts. Meant to be called about every second.
    pub fn tick(&mut self, now: Timestamp) -> Vec<AlertEvent> {
        for watched in self.subscriptions.values_mut() {
            watched.measure(now, &self.topics);
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
            let counted = Counted { objective: &tracked.objective, slices: &tracked.slices };
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

    /// All subscriptions that the ledger, an objective or a lag has named.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&Arc<str>, &Indicators)> {
        self.subscriptions.iter().map(|(name, watched)| (name, &watched.indicators))
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
                seen.distance_in_time = seen.distance_in_time.max(newest_at.since(created));
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
        match self.overdue.remove(&ended.offset) {
            Some(passed) => passed,
            // Its overdue entries lie before what was read: they counted for every threshold passed.
            None if ended.overdue => u64::MAX,
            None => 0,
        }
    }
}

impl Tracked {
    fn new(objective: Objective) -> Tracked {
        // A calendar's window is at times longer than its unit usually is: 366 days, or an hour more.
        let keep =
            objective.window.length() + if objective.window.is_calendar() { CALENDAR_SLACK } else { Duration::ZERO };
        Tracked {
            slices: objective.parts.iter().map(|_| Slices::new(keep)).collect(),
            tiers: objective.alerts.iter().cloned().map(Tier::new).collect(),
            bad: VecDeque::new(),
            objective,
        }
    }

    fn counted(&self) -> Counted<'_> {
        Counted { objective: &self.objective, slices: &self.slices }
    }

    fn overdue(&mut self, part: usize, shard: &Shard, overdue: &Overdue, before_us: u64) {
        let newly = |threshold: u64| before_us < threshold && threshold <= overdue.threshold_us;
        if self.objective.parts[part].overdue_us().is_some_and(newly) {
            self.count(part, shard, overdue.offset, overdue.at, false, None);
        }
    }

    fn ended(&mut self, part: usize, shard: &Shard, ended: &Ended, overdue_for_us: u64) {
        let counted = &self.objective.parts[part];
        if !counted.scope.holds(ended) || counted.overdue_us().is_some_and(|threshold| threshold <= overdue_for_us) {
            return;
        }
        let took_us = match counted.indicator {
            Indicator::Latency { .. } => ended.created_to_ended_us,
            Indicator::Handler { .. } => ended.handler_us,
            Indicator::Success => 0,
        };
        let in_time = counted.indicator.threshold().is_none_or(|most| u128::from(took_us) <= most.as_micros());
        match ended.outcome {
            Outcome::Completed => self.count(part, shard, ended.offset, ended.at, in_time, Some(ended.outcome)),
            Outcome::Dead | Outcome::Expired => {
                self.count(part, shard, ended.offset, ended.at, false, Some(ended.outcome));
            }
            Outcome::Duplicate | Outcome::Stale | Outcome::Filtered | Outcome::Dropped | Outcome::NotAnEvent => {}
        }
    }

    fn count(
        &mut self,
        part: usize,
        shard: &Shard,
        offset: u64,
        when: Timestamp,
        good: bool,
        outcome: Option<Outcome>,
    ) {
        self.slices[part].add(when, good);
        if good {
            return;
        }
        if self.bad.len() == BAD_KEPT {
            self.bad.pop_front();
        }
        let at = Position { shard: shard.clone(), offset };
        self.bad.push_back(BadEvent { at, when, outcome });
    }
}
