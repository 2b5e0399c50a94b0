//! Everything that a metrics page shows, as plain numbers at one moment.
//!
//! Does: gather. Does not: render, or know any format; the node does, with its own names.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{FailureClass, Outcome, Timestamp};

use crate::budget::Budget;
use crate::distance::Pace;
use crate::exemplar::{Exemplar, Exemplars};
use crate::histogram::Histogram;
use crate::indicators::{Group, GroupKey, Indicators};
use crate::native::Native;
use crate::producers::Producer;
use crate::topics::Topic;
use crate::watch::Watch;

/// Upper bounds of the buckets, in microseconds: those of OpenTelemetry's messaging metrics
/// (5 ms to 10 s), and on to a day, since events may wait.
pub const BUCKET_BOUNDS_US: [u64; 19] = [
    5_000,
    10_000,
    25_000,
    50_000,
    75_000,
    100_000,
    250_000,
    500_000,
    750_000,
    1_000_000,
    2_500_000,
    5_000_000,
    7_500_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    3_600_000_000,
    86_400_000_000,
];

/// A histogram in buckets, as Prometheus has them: each count includes those below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// Each upper bound of [`BUCKET_BOUNDS_US`], with the number of values at or below it.
    pub cumulative: Vec<(u64, u64)>,
    /// All values, those above the last bound included.
    pub count: u64,
    /// Their sum, in microseconds.
    pub sum_us: u64,
    /// The same values in exponential buckets.
    pub native: Native,
    /// Recent events, by the number of their bucket in `cumulative`; one beyond them holds the rest.
    pub exemplars: Vec<(usize, Exemplar)>,
}

impl Buckets {
    pub(crate) fn of(histogram: &Histogram, exemplars: &Exemplars) -> Buckets {
        let counts = histogram.cumulative(&BUCKET_BOUNDS_US);
        Buckets {
            cumulative: BUCKET_BOUNDS_US.into_iter().zip(counts).collect(),
            count: histogram.count(),
            sum_us: histogram.sum_us(),
            native: Native::from(histogram),
            exemplars: exemplars.each().map(|(bucket, exemplar)| (bucket, exemplar.clone())).collect(),
        }
    }
}

/// One subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscriptionSnapshot {
    /// Its name.
    pub subscription: Arc<str>,
    /// Ended events by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Attempts that did not end their event, by class.
    pub failures: Vec<(FailureClass, u64)>,
    /// Dead events, by the class of what killed them.
    pub dead: Vec<(FailureClass, u64)>,
    /// Attempts whose result nobody knows.
    pub unknown: u64,
    /// Attempts that count, of ended events.
    pub attempts: u64,
    /// Times that ended events were handed out, or given by their broker before they came here.
    pub deliveries: u64,
    /// Events that handlers returned.
    pub emitted: u64,
    /// Events that passed a threshold before they ended.
    pub overdue: u64,
    /// Events whose own creation time was not believed.
    pub not_believed: u64,
    /// Ledger records that were never seen.
    pub gaps: u64,
    /// From creation to completion.
    pub latency: Buckets,
    /// The last attempt.
    pub handler: Buckets,
    /// Median of created-to-completed over the last minute, in microseconds.
    pub p50_us: Option<u64>,
    /// 99th percentile of created-to-completed over the last minute, in microseconds.
    pub p99_us: Option<u64>,
    /// Events ended per second over the last minute.
    pub ended_per_second: f64,
    /// The age of the oldest event that is not complete.
    pub lag: Duration,
    /// How many events lie between the newest one and the one in process.
    pub distance: u64,
    /// The time between those two.
    pub distance_in_time: Duration,
    /// Whether it gets on.
    pub pace: Pace,
    /// By topic, type, source and handler version.
    pub groups: Vec<GroupSnapshot>,
    /// Events that were counted in the group `(other)`, since there were too many groups.
    pub folded: u64,
}

/// One group of a subscription's events.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSnapshot {
    /// What they have in common.
    pub key: GroupKey,
    /// Ended events by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Completed ones.
    pub completed: u64,
    /// The sum of what they took from creation to completion, in microseconds.
    pub latency_sum_us: u64,
    /// Their median, in microseconds.
    pub p50_us: Option<u64>,
    /// Their 99th percentile, in microseconds.
    pub p99_us: Option<u64>,
}

/// One topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicSnapshot {
    /// Its name.
    pub topic: Arc<str>,
    /// Events that arrived per second over the last minute.
    pub arrived_per_second: f64,
    /// Events that all subscriptions ended well.
    pub delivered: u64,
    /// Events that one of the subscriptions let die or expire.
    pub failed: u64,
    /// Events that some subscriptions have not ended.
    pub waiting: u64,
    /// Events that were let go before all subscriptions had ended them.
    pub unjoined: u64,
}

/// One objective.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectiveSnapshot {
    /// Its service.
    pub service: Arc<str>,
    /// Its subscription.
    pub subscription: Arc<str>,
    /// Its budget; the objective's name is in it.
    pub budget: Budget,
    /// How many of its alerts fire.
    pub firing: usize,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The moment.
    pub at: Timestamp,
    /// All subscriptions, by name.
    pub subscriptions: Vec<SubscriptionSnapshot>,
    /// All topics, by name.
    pub topics: Vec<TopicSnapshot>,
    /// All objectives, in their order.
    pub objectives: Vec<ObjectiveSnapshot>,
    /// All sources that send to topics.
    pub producers: Vec<Producer>,
    /// Events of sources that did not fit.
    pub producers_folded: u64,
}

impl Watch {
    /// Everything at this moment.
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let alerts = self.alerts();
        let objectives = self.objectives().zip(self.budgets(now)).map(|(objective, budget)| ObjectiveSnapshot {
            service: Arc::clone(&objective.service),
            subscription: objective.subscription(),
            budget,
            firing: alerts.iter().filter(|alert| alert.objective == objective.name).count(),
        });
        Snapshot {
            at: now,
            subscriptions: self.subscriptions().map(|(name, seen)| subscription(name, seen, now)).collect(),
            topics: self.topics().map(|(name, seen)| topic(name, seen, now)).collect(),
            objectives: objectives.collect(),
            producers: self.producers().collect(),
            producers_folded: self.producers_folded(),
        }
    }
}

fn subscription(name: &Arc<str>, seen: &Indicators, now: Timestamp) -> SubscriptionSnapshot {
    const MINUTE: Duration = Duration::from_secs(60);
    let recent = seen.recent.latency(now, MINUTE);
    SubscriptionSnapshot {
        subscription: Arc::clone(name),
        outcomes: seen.outcomes.iter().collect(),
        failures: FailureClass::ALL.into_iter().map(|class| (class, seen.failures(class))).collect(),
        dead: FailureClass::ALL.into_iter().map(|class| (class, seen.dead(class))).filter(|(_, n)| *n > 0).collect(),
        unknown: seen.unknown,
        attempts: seen.attempts,
        deliveries: seen.deliveries,
        emitted: seen.emitted,
        overdue: seen.overdue,
        not_believed: seen.not_believed,
        gaps: seen.gaps,
        latency: Buckets::of(&seen.latency, &seen.latency_exemplars),
        handler: Buckets::of(&seen.handler, &seen.handler_exemplars),
        p50_us: recent.quantile(0.5),
        p99_us: recent.quantile(0.99),
        ended_per_second: seen.recent.ended_per_second(now, MINUTE),
        lag: seen.lag(now),
        distance: seen.distance,
        distance_in_time: seen.distance_in_time,
        pace: seen.pace,
        groups: seen.groups().map(group).collect(),
        folded: seen.folded,
    }
}

fn group((key, group): (&GroupKey, &Group)) -> GroupSnapshot {
    GroupSnapshot {
        key: key.clone(),
        outcomes: group.outcomes.iter().filter(|(_, count)| *count > 0).collect(),
        completed: group.latency.count(),
        latency_sum_us: group.latency.sum_us(),
        p50_us: group.latency.quantile(0.5),
        p99_us: group.latency.quantile(0.99),
    }
}

fn topic(name: &Arc<str>, seen: &Topic, now: Timestamp) -> TopicSnapshot {
    TopicSnapshot {
        topic: Arc::clone(name),
        arrived_per_second: seen.arrived_per_second(now, Duration::from_secs(60)),
        delivered: seen.delivered,
        failed: seen.failed,
        waiting: seen.waiting() as u64,
        unjoined: seen.unjoined,
    }
}
