//! A bulk load: batches of 1 MiB as a producer sends them (encoded once, appended as they are), a
//! few at once, while segments are written behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use evenkeel::Clock;
use evenkeel_log::{Append, Log, Set, batch};
use evenkeel_model::{Record, Shard};
use tokio::task::JoinSet;

use super::TrialPlan;
use super::histogram::Histogram;
use super::load::{self, Window};
use super::measured::Measured;
use super::store::{Lanes, Store};
use super::trial::{Meter, turn_over};
use crate::Outcome;

/// Values in one batch.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// What the sustained form writes.
const LONG_BYTES: u64 = 20_000_000_000;

pub(crate) async fn bulk(plan: &TrialPlan, loaders: usize, meter: Meter) -> Outcome<Measured> {
    let lanes = Lanes::open(&plan.folder, loaders, None)?;
    turn_over(lanes.log.clone()).await?;
    let mut window = Window::after_run_in(&*meter.clock, plan.seconds);
    if plan.long {
        window.until = window.from + 100 * plan.seconds;
    }
    let left = Arc::new(AtomicU64::new(if plan.long { LONG_BYTES / BATCH_BYTES as u64 } else { u64::MAX }));
    let store = Store::Evenkeel(lanes.clone());
    let mut tasks = JoinSet::new();
    for shard in lanes.shards.iter() {
        tasks.spawn(load(lanes.log.clone(), shard.clone(), meter.clock.clone(), window, left.clone()));
    }
    load::until(&*meter.clock, window.from).await;
    let begun = meter.look(&store);
    let mut latencies = Histogram::new();
    while let Some(done) = tasks.join_next().await {
        latencies.add(&done??);
    }
    Ok(meter.look(&store).since(&begun, &latencies, BATCH_BYTES))
}

async fn load(
    log: Log,
    shard: Shard,
    clock: Arc<dyn Clock>,
    window: Window,
    left: Arc<AtomicU64>,
) -> Outcome<Histogram> {
    let values = load::values(1 << 10);
    let record = |n: usize| Record { value: Some(values[n % values.len()].clone()), ..Record::default() };
    let records: Vec<Record> = (0..BATCH_BYTES >> 10).map(record).collect();
    let encoded = Bytes::from(batch::encode(&records));
    let mut latencies = Histogram::new();
    let mut now = clock.now();
    while now < window.until {
        if window.holds(now) && left.fetch_sub(1, Ordering::Relaxed) == 0 {
            left.store(0, Ordering::Relaxed);
            break;
        }
        log.append(Set::appends(vec![Append::batch(shard.clone(), encoded.clone())])).await?;
        let then = clock.now();
        if window.holds(then) {
            latencies.record(load::micros(then.since(now)));
        }
        now = then;
    }
    Ok(latencies)
}
