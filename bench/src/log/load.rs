//! The appenders: what they append, and the clockwork of a trial: run in, then measure.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel::{Clock, SystemClock};
use evenkeel_model::Timestamp;
use tokio::task::JoinSet;

use super::committer::Entry;
use super::histogram::Histogram;
use super::measured::Measured;
use super::row::Many;
use super::store::Store;
use super::trial::Meter;
use crate::Outcome;

/// How long the same load runs before it is measured.
pub(crate) const RUN_IN: Duration = Duration::from_millis(1000);

/// How often retention is asked for.
const RETAIN_EVERY: Duration = Duration::from_millis(250);

/// Values that no compression makes smaller; a few, so that no cache holds the only one.
pub(crate) fn values(bytes: usize) -> Arc<[Bytes]> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut value = || (0..bytes.div_ceil(8)).flat_map(|_| word().to_le_bytes()).take(bytes).collect::<Vec<u8>>();
    (0..64).map(|_| Bytes::from(value())).collect()
}

/// When a trial begins to count, and when it ends.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Window {
    pub(crate) fn after_run_in(clock: &dyn Clock, seconds: Duration) -> Window {
        let from = clock.now() + RUN_IN;
        Window { from, until: from + seconds }
    }

    pub(crate) fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// So many appenders at once, each the next when its last is durable.
pub(crate) async fn many(store: Store, many: Many, seconds: Duration, meter: Meter) -> Outcome<Measured> {
    let clock = meter.clock.clone();
    let values = values(many.bytes);
    let window = Window::after_run_in(&*clock, seconds);
    let mut appenders = JoinSet::new();
    for number in 0..many.appenders {
        appenders.spawn(append(store.clone(), many, number, values.clone(), clock.clone(), window));
    }
    let retaining = tokio::spawn(retain(store.clone()));
    until(&*clock, window.from).await;
    let begun = meter.look(&store);
    until(&*clock, window.until).await;
    let ended = meter.look(&store);
    let mut latencies = Histogram::new();
    while let Some(done) = appenders.join_next().await {
        latencies.add(&done??);
    }
    retaining.abort();
    Ok(ended.since(&begun, &latencies, many.bytes))
}

async fn append(
    store: Store,
    many: Many,
    number: usize,
    values: Arc<[Bytes]>,
    clock: Arc<SystemClock>,
    window: Window,
) -> Outcome<Histogram> {
    let mut latencies = Histogram::new();
    let mut turn = number;
    let mut now = clock.now();
    while now < window.until {
        let entry = Entry { partition: turn % many.partitions, value: values[turn % values.len()].clone() };
        turn += many.appenders;
        store.append(entry).await?;
        let then = clock.now();
        if window.holds(then) {
            latencies.record(micros(then.since(now)));
        }
        now = then;
    }
    Ok(latencies)
}

/// Takes away what the topic need not keep, as the runtime does.
pub(crate) async fn retain(store: Store) -> Outcome<()> {
    let Some(log) = store.log() else { return Ok(()) };
    let mut ticks = tokio::time::interval(RETAIN_EVERY);
    loop {
        ticks.tick().await;
        log.retain()?;
    }
}

pub(crate) async fn until(clock: &dyn Clock, at: Timestamp) {
    tokio::time::sleep(at.since(clock.now())).await;
}

pub(crate) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
