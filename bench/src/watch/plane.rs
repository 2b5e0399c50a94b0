//! What the plane costs delivery: the same backlog worked off in process with nothing beside it, with what a node
//! watches by (the ledger folded for ten objectives, a tick and the topics' ends four times a second, the index of
//! stories), and with a page of ten thousand series asked for ten times a second besides. By turns, in one run.
//!
//! In-process delivery is the fastest that there is: over HTTP the same work is a smaller share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use evenkeel::{Clock, Evenkeel, Subscribe, SystemClock};
use evenkeel_log::{Log, ReadLimit};
use evenkeel_model::{Shard, ledger, names};
use evenkeel_node::metrics::{self, Form};
use evenkeel_transport::From;
use evenkeel_transport::story::StoryIndex;
use evenkeel_watch::Watch;

use super::{WatchPlan, median_of, watching};
use crate::Outcome as Done;
use crate::delivery::backlog::{Nothing, finish};
use crate::delivery::shop;
use crate::log::machine::cpu_seconds;

/// What runs beside delivery.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Plane,
    PlaneAndScrapes,
}

/// Events a second, and processor time of all of the process in microseconds an event.
type Figures = (f64, f64);

/// Prints a row for each.
pub(super) fn plane(plan: &WatchPlan) -> Done<()> {
    let all = [Beside::Nothing, Beside::Plane, Beside::PlaneAndScrapes];
    let mut figures: [Vec<Figures>; 3] = Default::default();
    for _ in 0..plan.runs.min(3) {
        for (beside, of) in all.iter().zip(&mut figures) {
            of.push(run(plan, *beside)?);
        }
    }
    let [alone, plane, scraped] = figures
        .map(|runs| (median_of(runs.iter().map(|r| r.0).collect()), median_of(runs.iter().map(|r| r.1).collect())));
    let cost = |of: Figures| (1.0 - of.0 / alone.0) * 100.0;
    println!("| delivery in process, nothing watched | {:.0} events/s, {:.1} µs each | |", alone.0, alone.1);
    println!(
        "| … with the plane | {:.0} events/s ({:.1} % less), {:.1} µs each | ≤ 10 % |",
        plane.0,
        cost(plane),
        plane.1
    );
    println!(
        "| … and 10 scrapes/s of 10,000 series | {:.0} events/s ({:.1} % less), {:.1} µs each | no stall |",
        scraped.0,
        cost(scraped),
        scraped.1
    );
    Ok(())
}

fn run(plan: &WatchPlan, beside: Beside) -> Done<Figures> {
    let folder = match &plan.data {
        Some(data) => tempfile::Builder::new().prefix("bench-").tempdir_in(data)?,
        None => tempfile::tempdir()?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let clock = Arc::new(SystemClock::new());
        shop::fill(folder.path(), &clock, plan.delivered).await?;
        let mut policy = evenkeel::Policy::default();
        policy.concurrency.max = 1_024;
        let subscribe = Subscribe::by("bench", shop::TOPIC, Arc::new(Nothing)).policy(policy);
        let (cpu, began) = (cpu_seconds(), clock.now());
        let evenkeel = Evenkeel::builder()
            .data(folder.path())
            .clock(clock.clone())
            .topic(shop::TOPIC, shop::PARTITIONS)
            .subscribe(subscribe.from(From::Earliest))
            .start()
            .await?;
        let over = Arc::new(AtomicBool::new(false));
        let threads = beside.start(evenkeel.log(), &over)?;
        let tally = finish(&evenkeel, plan.delivered).await?;
        let took = tally.last.since(began).as_secs_f64();
        let cpu = cpu_seconds() - cpu;
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "what ran beside it broke")?;
        }
        evenkeel.shutdown(Duration::from_secs(30)).await;
        Ok((plan.delivered as f64 / took, cpu * 1e6 / plan.delivered as f64))
    })
}

impl Beside {
    fn start(self, log: &Log, over: &Arc<AtomicBool>) -> Done<Vec<JoinHandle<()>>> {
        let mut threads = Vec::new();
        if self == Beside::Nothing {
            return Ok(threads);
        }
        let (mut tail, mut watch) = (Tail { log: log.clone(), next: 0 }, watching(10)?);
        threads.push(every(Duration::from_millis(250), over, move || tail.step(&mut watch)));
        let (index, _) = StoryIndex::open(log.clone());
        threads.push(every(Duration::from_secs(3), over, move || drop(index.catch_up())));
        if self == Beside::PlaneAndScrapes {
            let (big, at) = super::page::big()?;
            threads.push(every(Duration::from_millis(100), over, move || {
                drop(std::hint::black_box(metrics::page(big.snapshot(at), Form::OpenMetrics)));
            }));
        }
        Ok(threads)
    }
}

/// The ledger, folded as a node does it.
struct Tail {
    log: Log,
    next: u64,
}

impl Tail {
    fn step(&mut self, watch: &mut Watch) {
        let (shard, now) = (Shard::new(names::LEDGER_TOPIC, 0), SystemClock::new().now());
        for partition in 0..shop::PARTITIONS {
            if let Ok(ends) = self.log.ends(&Shard::new(shop::TOPIC, partition)) {
                watch.set_end(shop::TOPIC, partition, ends.high_watermark, now);
            }
        }
        watch.set_subscribers(shop::TOPIC, vec!["bench".into()]);
        while let Ok(page) = self.log.read(&shard, self.next, ReadLimit::default()) {
            let Some(last) = page.last() else { break };
            self.next = last.at.offset + 1;
            for stored in &page {
                if let Ok(record) = ledger::decode(stored.record.value.as_deref().unwrap_or_default()) {
                    watch.ingest(&record);
                }
            }
        }
        drop(watch.tick(now));
    }
}

/// A thread that does it again and again, until it is over.
fn every(period: Duration, over: &Arc<AtomicBool>, mut work: impl FnMut() + Send + 'static) -> JoinHandle<()> {
    let over = over.clone();
    std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            work();
            std::thread::park_timeout(period);
        }
    })
}
