//! One trial: this program again, as a process of its own, which prints what it measured as JSON.

use std::sync::Arc;

use evenkeel::{Clock, SystemClock};
use evenkeel_log::{Append, Log, Options, Set, TopicSettings};
use evenkeel_model::{Record, Shard, Timestamp};

use super::TrialPlan;
use super::bare::{BLOCK, Bare};
use super::committer::Entry;
use super::histogram::Histogram;
use super::load::{self, RUN_IN, Window};
use super::machine::{Device, Done, cpu_seconds, machine_seconds, rss_mb};
use super::measured::{Measured, Named};
use super::row::{Load, Who};
use super::store::{Lanes, Store};
use super::{bulk, cold, idle, peer};
use crate::Outcome;

/// What a topic may keep in the sustained form, so that the disk lasts.
const KEPT_BYTES: u64 = 4 << 30;

/// Runs a trial and prints its figures.
pub(crate) fn trial(plan: &TrialPlan) -> Outcome<()> {
    let found = match (plan.trial.who, plan.trial.load) {
        (Who::Bare, _) => vec![named(plan, bare(plan)?)],
        (_, Load::Serial { bytes }) => vec![named(plan, serial(plan, bytes)?)],
        (_, Load::Idle) => vec![named(plan, idle::idle(plan)?)],
        _ => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(plan.workers).enable_all().build()?.block_on(at_once(plan))?
        }
    };
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}

async fn at_once(plan: &TrialPlan) -> Outcome<Vec<Named>> {
    let meter = Meter::new(plan);
    match plan.trial.load {
        Load::Many(many) => {
            let kept = plan.long.then_some(KEPT_BYTES);
            let store = Store::open(plan.trial.who, &plan.folder, many.partitions, kept)?;
            if let Store::Evenkeel(lanes) = &store {
                begin(lanes).await?;
                turn_over(lanes.log.clone()).await?;
            }
            Ok(vec![named(plan, load::many(store, many, plan.seconds, meter).await?)])
        }
        Load::Bulk { loaders } => Ok(vec![named(plan, bulk::bulk(plan, loaders, meter).await?)]),
        Load::Cold => cold::cold(plan, meter).await,
        Load::Serial { .. } | Load::Idle => Err("this load needs no runtime".into()),
    }
}

fn named(plan: &TrialPlan, measured: Measured) -> Named {
    Named { name: plan.trial.name.to_owned(), measured }
}

/// Appends to each partition once: the checkpoints on the way make their folders and files, which a run that lasts
/// does once, and which on some file systems (ext4, where as many were removed in the half-minute before) takes longer
/// than the trial.
async fn begin(lanes: &Lanes) -> Outcome<()> {
    let record = Record { value: Some(load::values(1 << 10)[0].clone()), ..Record::default() };
    let append = |shard: &Shard| Append::records(shard.clone(), vec![record.clone()]);
    lanes.log.append(Set::appends(lanes.shards.iter().map(append).collect())).await?;
    Ok(())
}

/// Writes the whole write-ahead log once, so that every block of it has been written before.
pub(crate) async fn turn_over(log: Log) -> Outcome<()> {
    let lanes = Lanes::on(log.clone(), "warm", TopicSettings::partitions(1))?;
    let record = Record { value: Some(load::values(1 << 10)[0].clone()), ..Record::default() };
    let end = log.status().bytes + Options::default().wal_bytes_max / 4 * 5;
    while log.status().bytes < end {
        let appends = (0..4).map(|_| log.append(Set::of(lanes.shards[0].clone(), vec![record.clone(); 1000])));
        for appending in appends.collect::<Vec<_>>() {
            appending.await?;
        }
    }
    log.delete_topic("warm")?.await?;
    Ok(())
}

/// One appender on a thread, without a runtime and without a committing thread.
fn serial(plan: &TrialPlan, bytes: usize) -> Outcome<Measured> {
    let meter = Meter::new(plan);
    let value = load::values(bytes)[0].clone();
    let entry = || Entry { partition: 0, value: value.clone() };
    if plan.trial.who != Who::Evenkeel {
        let mut peer = peer::open(plan.trial.who, &plan.folder)?;
        let mut commits = 0;
        return one_by_one(plan, &meter, bytes, || {
            commits += 1;
            peer.commit(&[entry()]).map(|()| commits)
        });
    }
    let lanes = Lanes::open(&plan.folder, 1, plan.long.then_some(KEPT_BYTES))?;
    tokio::runtime::Builder::new_current_thread().build()?.block_on(turn_over(lanes.log.clone()))?;
    let mut begun = None;
    let mut measured = one_by_one(plan, &meter, bytes, || {
        let groups = begun.get_or_insert_with(|| lanes.log.status()).groups;
        lanes.log.append(lanes.set(entry())).wait()?;
        Ok(lanes.log.status().groups - groups)
    })?;
    measured.group_bytes = BLOCK as f64;
    Ok(measured)
}

/// The device's limit under writes of the size that the log's groups have.
fn bare(plan: &TrialPlan) -> Outcome<Measured> {
    let (bytes, records) = match plan.trial.load {
        Load::Serial { bytes } => (bytes, 1),
        Load::Many(many) => (many.bytes, (plan.write_bytes / many.bytes).max(1)),
        _ => (bulk::BATCH_BYTES, (plan.write_bytes / bulk::BATCH_BYTES).max(1)),
    };
    let mut bare = Bare::open(&plan.folder, plan.write_bytes)?;
    let mut writes = 0;
    let mut measured = one_by_one(plan, &Meter::new(plan), bytes, || {
        writes += 1;
        bare.write().map(|()| writes)
    })?;
    measured.group_bytes = plan.write_bytes as f64;
    measured.rate *= records as f64;
    measured.bytes_per_second *= records as f64;
    measured.flushes_per_ack /= records as f64;
    measured.groups_per_ack /= records as f64;
    measured.device_bytes_per_byte /= records as f64;
    Ok(measured)
}

/// Appends one after the other; `append` gives back how many groups there were so far.
fn one_by_one(
    plan: &TrialPlan,
    meter: &Meter,
    bytes: usize,
    mut append: impl FnMut() -> Outcome<u64>,
) -> Outcome<Measured> {
    let window = Window { from: meter.clock.now() + RUN_IN, until: meter.clock.now() + RUN_IN + plan.seconds };
    let mut latencies = Histogram::new();
    let mut begun = None;
    let mut now = meter.clock.now();
    let mut groups = 0;
    while now < window.until {
        if begun.is_none() && now >= window.from {
            begun = Some(meter.seen(groups, 0));
            now = meter.clock.now();
        }
        groups = append()?;
        let then = meter.clock.now();
        if begun.is_some() {
            latencies.record(load::micros(then.since(now)));
        }
        now = then;
    }
    let begun = begun.ok_or("the run-in took all the time")?;
    Ok(meter.seen(groups, 0).since(&begun, &latencies, bytes))
}

/// Looks at the machine.
pub(crate) struct Meter {
    pub(crate) clock: Arc<SystemClock>,
    device: Device,
}

/// What it saw.
pub(crate) struct Seen {
    at: Timestamp,
    device: Done,
    cpu_seconds: f64,
    machine_seconds: f64,
    groups: u64,
    wal_bytes: u64,
}

impl Meter {
    pub(crate) fn new(plan: &TrialPlan) -> Meter {
        Meter { clock: Arc::new(SystemClock::new()), device: Device::under(&plan.folder) }
    }

    pub(crate) fn look(&self, store: &Store) -> Seen {
        self.seen(store.groups(), store.log().map_or(0, |log| log.status().bytes))
    }

    pub(crate) fn seen(&self, groups: u64, wal_bytes: u64) -> Seen {
        Seen {
            at: self.clock.now(),
            device: self.device.done(),
            cpu_seconds: cpu_seconds(),
            machine_seconds: machine_seconds(),
            groups,
            wal_bytes,
        }
    }
}

impl Seen {
    /// The figures of the time between two looks.
    pub(crate) fn since(&self, begun: &Seen, latencies: &Histogram, bytes: usize) -> Measured {
        let seconds = self.at.since(begun.at).as_secs_f64();
        // A log that acknowledged nothing at all shows as a rate of 0, not as a division by it.
        let acks = latencies.total() as f64;
        let per_ack = acks.max(1.0);
        let groups = (self.groups - begun.groups) as f64;
        let wal_bytes = (self.wal_bytes - begun.wal_bytes) as f64;
        let own = self.cpu_seconds - begun.cpu_seconds;
        Measured {
            rate: acks / seconds,
            bytes_per_second: acks * bytes as f64 / seconds,
            p50_us: latencies.quantile_us(0.5),
            p99_us: latencies.quantile_us(0.99),
            p999_us: latencies.quantile_us(0.999),
            max_us: latencies.max_us(),
            flushes_per_ack: (self.device.flushes - begun.device.flushes) as f64 / per_ack,
            groups_per_ack: groups / per_ack,
            device_bytes_per_byte: (self.device.bytes - begun.device.bytes) as f64 / (per_ack * bytes as f64),
            group_bytes: wal_bytes / groups.max(1.0) + BLOCK as f64 / 2.0,
            cores: own / seconds,
            others_cores: (self.machine_seconds - begun.machine_seconds - own).max(0.0) / seconds,
            rss_mb: rss_mb(),
            laps: wal_bytes / Options::default().wal_bytes_max as f64,
            ..Measured::default()
        }
    }
}
