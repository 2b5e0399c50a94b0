//! What is known of one subscription: counts by outcome, latencies, failures, lag.
//!
//! Does: fold ledger entries into integers and histograms, whole and by (topic, type, source,
//! handler version). Does not: judge; objectives do. Invariants: the outcomes' sum is the number of ended
//! events; groups are bounded, and what does not fit is counted under one name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{AttemptFailed, Ended};
use evenkeel_model::{FailureClass, Outcome, Shard, Timestamp};

use crate::distance::Pace;
use crate::exemplar::Exemplars;
use crate::histogram::Histogram;
use crate::trend::{Trend, TrendPoint};

/// Groups of one subscription; more than these share [`OTHER`].
const GROUPS_MAX: usize = 200;
/// The type of the group that holds what does not fit.
const OTHER: &str = "(other)";
const RECENT_SLICE: Duration = Duration::from_secs(10);
const RECENT_SLICES: usize = 31;

/// How many events ended in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes([u64; Outcome::ALL.len()]);

impl Outcomes {
    /// How many ended so.
    pub fn get(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// How many ended.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// All outcomes, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::ALL.into_iter().zip(self.0)
    }

    fn count(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }
}

/// What a group has in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The topic.
    pub topic: Arc<str>,
    /// The CloudEvents type; `(other)` for all that came after the first 200 groups.
    pub kind: Arc<str>,
    /// The CloudEvents source; `(other)` as well.
    pub source: Arc<str>,
    /// The handler's version.
    pub handler_version: Arc<str>,
}

/// What became of the events of one group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// By outcome.
    pub outcomes: Outcomes,
    /// From creation to completion.
    pub latency: Histogram,
}

/// The last five minutes of a subscription, in slices of ten seconds.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    slices: BTreeMap<i64, RecentSlice>,
}

#[derive(Clone, Debug, Default)]
struct RecentSlice {
    ended: u64,
    failed_attempts: u64,
    latency: Histogram,
}

/// What is known of one subscription.
#[derive(Clone, Debug, Default)]
pub struct Indicators {
    /// Ended events by outcome.
    pub outcomes: Outcomes,
    /// Attempts that did not end their event, by the number of their class in [`FailureClass::ALL`].
    failures: [u64; FailureClass::ALL.len()],
    /// Dead events, by the number of the class of what killed them.
    dead: [u64; FailureClass::ALL.len()],
    /// Of those attempts, ones whose result nobody knows: the handler had the event, and no answer came.
    pub unknown: u64,
    /// Attempts that count, of ended events.
    pub attempts: u64,
    /// Times that ended events were handed out, or given by their broker before they came here.
    pub deliveries: u64,
    /// Times that ended events were put off at no cost.
    pub deferrals: u64,
    /// Crashes while an event ran alone.
    pub crashes: u64,
    /// Events that handlers returned.
    pub emitted: u64,
    /// Events that passed an objective's threshold before they had an outcome.
    pub overdue: u64,
    /// Events whose own creation time was not believed.
    pub not_believed: u64,
    /// From creation to completion, of completed events.
    pub latency: Histogram,
    /// The last attempt of events that a handler was asked about.
    pub handler: Histogram,
    pub(crate) latency_exemplars: Exemplars,
    pub(crate) handler_exemplars: Exemplars,
    /// By topic, type, source and handler version.
    groups: Vec<(GroupKey, Group)>,
    /// The index of each group; those that did not fit have the one of `(other)`.
    group_index: HashMap<GroupKey, usize>,
    /// The group of the last event: of one record nearly all are of one.
    last_group: Option<(GroupKey, usize)>,
    /// Events that were counted under `(other)`, since there were 200 groups already.
    pub folded: u64,
    /// The last five minutes.
    pub recent: Recent,
    /// How it got on over the last hour.
    pub trend: Trend,
    /// When the oldest event without an outcome was created, as delivery tells it.
    pub oldest: Option<Timestamp>,
    /// Everything that was done: grows with each ended event and each attempt.
    pub(crate) activity: u64,
    /// How many events lie between the newest one and the one in process, over all partitions.
    pub distance: u64,
    /// The time between those two, of the partition where it is longest.
    pub distance_in_time: Duration,
    /// Whether it gets on: the worst of its partitions.
    pub pace: Pace,
    /// When an event ended last.
    pub last_ended_at: Option<Timestamp>,
    /// Gaps in the ledger's sequences: records that were never seen.
    pub gaps: u64,
}

impl Indicators {
    /// The age of the oldest event that is not complete; zero when there is none.
    pub fn lag(&self, now: Timestamp) -> Duration {
        self.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest))
    }

    /// Attempts that failed so without ending their event.
    pub fn failures(&self, class: FailureClass) -> u64 {
        self.failures[class as usize]
    }

    /// Events that died of this.
    pub fn dead(&self, class: FailureClass) -> u64 {
        self.dead[class as usize]
    }

    pub(crate) fn ended(&mut self, shard: &Shard, ended: &Ended) {
        self.outcomes.count(ended.outcome);
        self.activity += 1;
        self.attempts += u64::from(ended.attempts);
        self.deliveries += u64::from(ended.deliveries);
        self.deferrals += u64::from(ended.deferrals);
        self.crashes += u64::from(ended.crashes);
        self.emitted += u64::from(ended.emitted);
        self.not_believed += u64::from(!ended.created_believed);
        self.last_ended_at = self.last_ended_at.max(Some(ended.at));
        let completed = ended.outcome == Outcome::Completed;
        let recent = self.recent.slice(ended.at);
        recent.ended += 1;
        if completed {
            recent.latency.record(ended.created_to_ended_us);
            self.latency.record(ended.created_to_ended_us);
            self.latency_exemplars.see(shard, ended.offset, ended.at, ended.created_to_ended_us);
        }
        if ended.deliveries > 0 {
            self.handler.record(ended.handler_us);
            self.handler_exemplars.see(shard, ended.offset, ended.at, ended.handler_us);
        }
        if let (Outcome::Dead, Some(failure)) = (ended.outcome, &ended.failure) {
            self.dead[failure.class as usize] += 1;
        }
        let group = self.group(&shard.topic, ended);
        group.outcomes.count(ended.outcome);
        if completed {
            group.latency.record(ended.created_to_ended_us);
        }
    }

    /// Keeps the ten seconds that are over, if they are, for the trend.
    pub(crate) fn sample(&mut self, now: Timestamp) {
        let Some((number, until)) = self.trend.is_over(now) else { return };
        let slice = self.recent.slices.get(&number);
        let quantile = |q| slice.and_then(|slice| slice.latency.quantile(q)).map(Duration::from_micros);
        let (p50, p99) = (quantile(0.5), quantile(0.99));
        let ended = slice.map_or(0, |slice| slice.ended);
        self.trend.push(TrendPoint { until, p50, p99, lag: self.lag(until), ended });
    }

    pub(crate) fn attempt(&mut self, attempt: &AttemptFailed) {
        self.failures[attempt.class as usize] += 1;
        self.activity += 1;
        self.unknown += u64::from(attempt.class == FailureClass::Failed && attempt.status.is_none());
        self.recent.slice(attempt.at).failed_attempts += 1;
    }

    /// What became of the events of each group, in the order in which groups appeared.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&GroupKey, &Group)> {
        self.groups.iter().map(|(key, group)| (key, group))
    }

    fn group(&mut self, topic: &Arc<str>, ended: &Ended) -> &mut Group {
        let same = |key: &GroupKey| {
            Arc::ptr_eq(&key.kind, &ended.kind)
                && Arc::ptr_eq(&key.source, &ended.source)
                && Arc::ptr_eq(&key.handler_version, &ended.handler_version)
                && Arc::ptr_eq(&key.topic, topic)
        };
        let index = match &self.last_group {
            Some((key, index)) if same(key) => *index,
            _ => self.find_group(topic, ended),
        };
        let (key, group) = &mut self.groups[index];
        self.folded += u64::from(&*key.kind == OTHER);
        group
    }

    fn find_group(&mut self, topic: &Arc<str>, ended: &Ended) -> usize {
        let key = GroupKey {
            topic: Arc::clone(topic),
            kind: Arc::clone(&ended.kind),
            source: Arc::clone(&ended.source),
            handler_version: Arc::clone(&ended.handler_version),
        };
        let index = match self.group_index.get(&key) {
            Some(index) => *index,
            None => self.new_group(key.clone()),
        };
        self.last_group = Some((key, index));
        index
    }

    fn new_group(&mut self, mut key: GroupKey) -> usize {
        if self.groups.len() >= GROUPS_MAX {
            (key.kind, key.source, key.handler_version) = (Arc::from(OTHER), Arc::from(OTHER), Arc::from(""));
            if let Some(index) = self.group_index.get(&key) {
                return *index;
            }
        }
        let index = self.groups.len();
        self.group_index.insert(key.clone(), index);
        self.groups.push((key, Group::default()));
        index
    }
}

impl Recent {
    /// Events that ended per second over the last `over` (at most five minutes).
    pub fn ended_per_second(&self, now: Timestamp, over: Duration) -> f64 {
        self.per_second(now, over, |slice| slice.ended)
    }

    /// Attempts per second that did not end their event, over the last `over`.
    pub fn failed_attempts_per_second(&self, now: Timestamp, over: Duration) -> f64 {
        self.per_second(now, over, |slice| slice.failed_attempts)
    }

    /// Created-to-completed latency of the last `over`, to a slice of ten seconds.
    pub fn latency(&self, now: Timestamp, over: Duration) -> Histogram {
        self.range(now, over).fold(Histogram::default(), |mut sum, slice| {
            sum.merge(&slice.latency);
            sum
        })
    }

    fn per_second(&self, now: Timestamp, over: Duration, count: fn(&RecentSlice) -> u64) -> f64 {
        // What the slices really span: from the first one's beginning to now.
        let begins = number_of(now - over) * micros(RECENT_SLICE);
        let seconds = (now.micros().saturating_sub(begins)).max(1) as f64 / 1e6;
        self.range(now, over).map(count).sum::<u64>() as f64 / seconds
    }

    fn range(&self, now: Timestamp, over: Duration) -> impl Iterator<Item = &RecentSlice> {
        self.slices.range(number_of(now - over)..=number_of(now)).map(|(_, slice)| slice)
    }

    fn slice(&mut self, at: Timestamp) -> &mut RecentSlice {
        let number = number_of(at);
        if self.slices.len() >= RECENT_SLICES && !self.slices.contains_key(&number) {
            self.slices.pop_first();
        }
        self.slices.entry(number).or_default()
    }
}

fn number_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(micros(RECENT_SLICE))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
