//! What the messaging conventions count: of every event, whatever is sampled.
//!
//! A series is found once for each call under a lock that is held for a look-up; there are at most
//! [`SERIES_MAX`] of a metric, what comes after is counted under `(other)`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use evenkeel_delivery::ports::Call;
use evenkeel_model::Timestamp;

use super::conventions as named;
use super::conventions::{BOUNDS_S, Metric};
use super::span::nanos;
use super::wire::{Message, Value};

const SERIES_MAX: usize = 1_000;
const CUMULATIVE: u64 = 2;

/// What a series is of: operation, topic, subscription, kind of error.
type Of = (&'static str, String, String, String);

/// All series.
pub(super) struct Instruments {
    began: Timestamp,
    operation: Family<Durations>,
    sent: Family<AtomicU64>,
    consumed: Family<AtomicU64>,
    process: Family<Durations>,
}

#[derive(Default)]
struct Family<T>(RwLock<BTreeMap<Of, Arc<T>>>);

/// A histogram over the conventions' bounds.
#[derive(Default)]
struct Durations {
    buckets: [AtomicU64; BOUNDS_S.len() + 1],
    sum_us: AtomicU64,
}

impl Durations {
    fn add(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS_S.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS_S.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl<T: Default> Family<T> {
    fn of(&self, operation: &'static str, topic: &str, subscription: &str, error: &str) -> Arc<T> {
        let key = (operation, topic.to_owned(), subscription.to_owned(), error.to_owned());
        if let Some(found) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return found.clone();
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let full = all.len() >= SERIES_MAX && !all.contains_key(&key);
        let other = || (operation, "(other)".to_owned(), String::new(), key.3.clone());
        all.entry(if full { other() } else { key.clone() }).or_default().clone()
    }

    fn all(&self) -> Vec<(Of, Arc<T>)> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(of, series)| (of.clone(), series.clone())).collect()
    }
}

impl Instruments {
    pub(super) fn new(began: Timestamp) -> Instruments {
        Instruments {
            began,
            operation: Family::default(),
            sent: Family::default(),
            consumed: Family::default(),
            process: Family::default(),
        }
    }

    /// So many new events were stored, or none, and why.
    pub(super) fn sent(&self, topic: &str, new: Result<usize, &str>, took: Duration) {
        let error = new.err().unwrap_or_default();
        self.operation.of("send", topic, "", error).add(took);
        self.sent.of("send", topic, "", error).fetch_add(new.unwrap_or(0) as u64, Ordering::Relaxed);
    }

    /// Events were handed to a handler.
    pub(super) fn handed(&self, subscription: &str, calls: &[Call]) {
        let Some(first) = calls.first() else { return };
        let topic = &first.delivered.arrival.at.shard.topic;
        self.consumed.of("receive", topic, subscription, "").fetch_add(calls.len() as u64, Ordering::Relaxed);
    }

    /// A handler answered.
    pub(super) fn processed(&self, topic: &str, subscription: &str, error: Option<&str>, took: Duration) {
        self.process.of("process", topic, subscription, error.unwrap_or_default()).add(took);
    }

    /// A round was committed.
    pub(super) fn settled(&self, subscription: &str, events: usize, took: Duration) {
        if events > 0 {
            self.operation.of("settle", "", subscription, "").add(took);
        }
    }

    /// All of it as metrics of OTLP, each in field 2.
    pub(super) fn write(&self, out: &mut Message, now: Timestamp) {
        let span = (nanos(self.began), nanos(now));
        durations(out, &named::OPERATION_DURATION, &self.operation, span);
        counter(out, &named::SENT_MESSAGES, &self.sent, span);
        counter(out, &named::CONSUMED_MESSAGES, &self.consumed, span);
        durations(out, &named::PROCESS_DURATION, &self.process, span);
    }
}

fn head(metric: &mut Message, of: &Metric) {
    metric.text(1, of.name).text(2, of.help).text(3, of.unit);
}

fn counter(out: &mut Message, of: &Metric, family: &Family<AtomicU64>, (began, now): (u64, u64)) {
    let all = family.all();
    if all.is_empty() {
        return;
    }
    out.message(2, |metric| {
        head(metric, of);
        metric.message(7, |sum| {
            for (of, count) in &all {
                sum.message(1, |point| {
                    point.fixed64(2, began).fixed64(3, now).fixed64(6, count.load(Ordering::Relaxed));
                    attributes(point, 7, of);
                });
            }
            sum.number(2, CUMULATIVE).number(3, 1);
        });
    });
}

fn durations(out: &mut Message, of: &Metric, family: &Family<Durations>, (began, now): (u64, u64)) {
    let all = family.all();
    if all.is_empty() {
        return;
    }
    out.message(2, |metric| {
        head(metric, of);
        metric.message(9, |histogram| {
            for (of, series) in &all {
                histogram.message(1, |point| histogram_point(point, of, series, began, now));
            }
            histogram.number(2, CUMULATIVE);
        });
    });
}

#[expect(clippy::cast_precision_loss, reason = "microseconds, far below 2^53")]
fn histogram_point(point: &mut Message, of: &Of, series: &Durations, began: u64, now: u64) {
    let counts = series.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
    let packed: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    let bounds: Vec<u8> = BOUNDS_S.iter().flat_map(|bound| bound.to_le_bytes()).collect();
    point.fixed64(2, began).fixed64(3, now).fixed64(4, counts.iter().sum());
    point.double(5, series.sum_us.load(Ordering::Relaxed) as f64 / 1e6).bytes(6, &packed).bytes(7, &bounds);
    attributes(point, 9, of);
}

fn attributes(point: &mut Message, field: u32, (operation, topic, subscription, error): &Of) {
    let kind = if *operation == "settle" { "settle" } else { operation };
    let all = [
        (named::MESSAGING_SYSTEM, named::SYSTEM),
        (named::OPERATION_NAME, operation),
        (named::OPERATION_TYPE, kind),
        (named::DESTINATION, topic),
        (named::CONSUMER_GROUP, subscription),
        (named::ERROR_TYPE, error),
    ];
    for (name, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
        point.attribute(field, name, &Value::from(value));
    }
}
