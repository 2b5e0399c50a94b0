//! A paced producer, first alone and then beside a reader that replays records which no memory
//! holds: whoever catches up must not slow down whoever works.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel::{Clock, SystemClock};
use evenkeel_log::{Log, ReadLimit, Set, TopicSettings};
use evenkeel_model::{Record, Shard};
use tokio::task::JoinSet;

use super::TrialPlan;
use super::committer::Entry;
use super::histogram::Histogram;
use super::load::{self, Window};
use super::measured::{Measured, Named};
use super::store::{Lanes, Store};
use super::trial::{Meter, turn_over};
use crate::Outcome;

/// What is replayed.
const SHORT_BYTES: u64 = 2 << 30;
const LONG_BYTES: u64 = 10_000_000_000;

/// The producers' pace: each sends one record every so often.
const PRODUCERS: usize = 64;
const PACE: Duration = Duration::from_millis(4);

/// What one replaying read asks for.
const READ: ReadLimit = ReadLimit { records: 10_000, bytes: 1 << 20 };

pub(crate) async fn cold(plan: &TrialPlan, meter: Meter) -> Outcome<Vec<Named>> {
    let lanes = Lanes::open(&plan.folder, 16, None)?;
    turn_over(lanes.log.clone()).await?;
    let old = Lanes::on(lanes.log.clone(), "old", TopicSettings::partitions(1))?.shards[0].clone();
    fill(&lanes.log, &old, if plan.long { LONG_BYTES } else { SHORT_BYTES }).await?;
    forget(&plan.folder)?;
    let alone = produce(&lanes, plan.seconds, &meter).await?;
    let reader = Reader::start(&lanes.log, &old, &plan.folder)?;
    let before = reader.bytes.load(Ordering::Relaxed);
    let started = meter.clock.now();
    let mut beside = produce(&lanes, plan.seconds, &meter).await?;
    let took = meter.clock.now().since(started).as_secs_f64();
    beside.read_bytes_per_second = (reader.bytes.load(Ordering::Relaxed) - before) as f64 / took;
    reader.stop()?;
    let named = |name: &str, measured| Named { name: name.to_owned(), measured };
    Ok(vec![named("alone", alone), named("beside a cold reader", beside)])
}

async fn fill(log: &Log, shard: &Shard, bytes: u64) -> Outcome<()> {
    let record = Record { value: Some(load::values(1 << 10)[0].clone()), ..Record::default() };
    for _ in 0..bytes >> 20 {
        log.append(Set::of(shard.clone(), vec![record.clone(); 1024])).await?;
    }
    Ok(())
}

async fn produce(lanes: &Lanes, seconds: Duration, meter: &Meter) -> Outcome<Measured> {
    let store = Store::Evenkeel(lanes.clone());
    let values = load::values(1 << 10);
    let window = Window::after_run_in(&*meter.clock, seconds);
    let mut producers = JoinSet::new();
    for number in 0..PRODUCERS {
        producers.spawn(paced(store.clone(), number, values.clone(), meter.clock.clone(), window));
    }
    load::until(&*meter.clock, window.from).await;
    let begun = meter.look(&store);
    let mut latencies = Histogram::new();
    while let Some(done) = producers.join_next().await {
        latencies.add(&done??);
    }
    Ok(meter.look(&store).since(&begun, &latencies, 1 << 10))
}

async fn paced(
    store: Store,
    number: usize,
    values: Arc<[Bytes]>,
    clock: Arc<SystemClock>,
    window: Window,
) -> Outcome<Histogram> {
    let mut latencies = Histogram::new();
    let mut ticks = tokio::time::interval(PACE);
    ticks.tick().await;
    while clock.now() < window.until {
        ticks.tick().await;
        let now = clock.now();
        store.append(Entry { partition: number % 16, value: values[number].clone() }).await?;
        let then = clock.now();
        if window.holds(then) {
            latencies.record(load::micros(then.since(now)));
        }
    }
    Ok(latencies)
}

/// Replays the old records again and again, from the disk each time.
struct Reader {
    stopping: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<Outcome<()>>,
}

impl Reader {
    fn start(log: &Log, shard: &Shard, folder: &Path) -> Outcome<Reader> {
        let (stopping, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (log, shard, folder) = (log.clone(), shard.clone(), folder.to_owned());
        let (stop, count) = (stopping.clone(), bytes.clone());
        let thread = std::thread::Builder::new().name("cold-reader".into()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                replay(&log, &shard, &stop, &count)?;
                forget(&folder)?;
            }
            Ok(())
        })?;
        Ok(Reader { stopping, bytes, thread })
    }

    fn stop(self) -> Outcome<()> {
        self.stopping.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the reader panicked")?
    }
}

fn replay(log: &Log, shard: &Shard, stop: &AtomicBool, count: &AtomicU64) -> Outcome<()> {
    let mut from = 0;
    while !stop.load(Ordering::Relaxed) {
        let page = log.read(shard, from, READ)?;
        let Some(last) = page.last() else { break };
        from = last.at.offset + 1;
        let bytes: usize = page.iter().map(|stored| stored.record.value.as_ref().map_or(0, Bytes::len)).sum();
        count.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Drops what the page cache holds of the segments.
fn forget(folder: &Path) -> Outcome<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            forget(&path)?;
        } else if path.extension().is_some_and(|e| e == "log") {
            let file = fs::File::open(&path)?;
            file.sync_data()?;
            #[cfg(target_os = "linux")]
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}
