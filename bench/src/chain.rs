//! The whole chain: publish, store, deliver, journal; in process and by HTTP push.
//!
//! Each run starts on an empty log. Its figures come from the ledger, so an event that was not
//! completed would show: a run that does not account for every event is an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use evenkeel::{Clock, Context, Evenkeel, HandlerError, Policy, Subscribe, SystemClock};
use tokio::task::JoinSet;

use crate::arguments::Plan;
use crate::report::{self, Row};
use crate::sink::Sink;
use crate::tally::Tally;
use crate::{Outcome, bare, load};

pub(crate) const PUBLISHERS: u64 = 8;
pub(crate) const PUBLISHED_AT_ONCE: u64 = 100;
/// How long the steady part of a run takes.
const STEADY_FOR: Duration = Duration::from_secs(3);
/// A run that has not ended by then is an error.
const PATIENCE: Duration = Duration::from_secs(300);

/// What one run of one chain gave.
pub(crate) struct Measured {
    pub(crate) events_per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// The rate at which p50 and p99 were taken.
    pub(crate) steady_rate: f64,
    pub(crate) flushes_per_event: f64,
}

/// How the handler is reached.
#[derive(Clone)]
enum Reach {
    InProcess,
    Http(String),
}

pub(crate) async fn chain(plan: &Plan) -> Outcome<()> {
    let sink = Sink::start().await?;
    let concurrency = Policy::default().concurrency.max;
    let mut rows = vec![
        Row { name: "in process", runs: Vec::new() },
        Row { name: "HTTP push, another process", runs: Vec::new() },
    ];
    let mut bare = Vec::new();
    for run in 1..=plan.runs {
        bare.push(bare::bare(&sink.url, plan.events, concurrency, &load::body).await?);
        for (row, reach) in rows.iter_mut().zip([Reach::InProcess, Reach::Http(sink.url.clone())]) {
            eprintln!("run {run} of {}: {}", plan.runs, row.name);
            row.runs.push(measure(plan, &reach).await?);
        }
    }
    report::print(&rows, &bare, concurrency);
    Ok(())
}

async fn measure(plan: &Plan, reach: &Reach) -> Outcome<Measured> {
    let (full, flushes) = at_full_speed(plan, reach).await?;
    let steady_rate = full / 2.0;
    let tally = at_a_steady_rate(plan, reach, steady_rate).await?;
    Ok(Measured {
        events_per_second: full,
        p50: tally.quantile(0.5),
        p99: tally.quantile(0.99),
        steady_rate,
        flushes_per_event: flushes,
    })
}

/// Events per second, and device flushes per event.
async fn at_full_speed(plan: &Plan, reach: &Reach) -> Outcome<(f64, f64)> {
    let stage = Stage::start(plan, reach).await?;
    let started = stage.clock.now();
    let flushes = stage.evenkeel.log().status().flushes;
    let next = Arc::new(AtomicU64::new(0));
    let mut publishers = JoinSet::new();
    for _ in 0..PUBLISHERS {
        publishers.spawn(publish(stage.evenkeel.clone(), stage.clock.clone(), next.clone(), plan.events));
    }
    while let Some(ended) = publishers.join_next().await {
        ended??;
    }
    let tally = stage.finish(plan.events).await?;
    let flushes = stage.evenkeel.log().status().flushes - flushes;
    let took = tally.last.since(started).as_secs_f64();
    Ok((plan.events as f64 / took, flushes as f64 / plan.events as f64))
}

async fn publish(evenkeel: Arc<Evenkeel>, clock: Arc<SystemClock>, next: Arc<AtomicU64>, events: u64) -> Outcome<()> {
    loop {
        let first = next.fetch_add(PUBLISHED_AT_ONCE, Ordering::Relaxed);
        if first >= events {
            return Ok(());
        }
        let end = events.min(first + PUBLISHED_AT_ONCE);
        let batch = (first..end).map(|number| load::event(number, clock.as_ref())).collect();
        evenkeel.publish_all("orders", batch).await?;
    }
}

/// Publishes what is due every millisecond, whatever became of what went before.
async fn at_a_steady_rate(plan: &Plan, reach: &Reach, rate: f64) -> Outcome<Tally> {
    let stage = Stage::start(plan, reach).await?;
    let events = (rate * STEADY_FOR.as_secs_f64()) as u64;
    let started = stage.clock.now();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let mut publishing = JoinSet::new();
    let mut published = 0;
    while published < events {
        ticks.tick().await;
        let due = ((stage.clock.now().since(started).as_secs_f64() * rate) as u64).min(events);
        let batch: Vec<_> = (published..due).map(|number| load::event(number, stage.clock.as_ref())).collect();
        published = due;
        if !batch.is_empty() {
            let evenkeel = stage.evenkeel.clone();
            publishing.spawn(async move { evenkeel.publish_all("orders", batch).await });
        }
        while let Some(ended) = publishing.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = publishing.join_next().await {
        ended??;
    }
    stage.finish(events).await
}

/// An empty log with one subscription.
struct Stage {
    evenkeel: Arc<Evenkeel>,
    clock: Arc<SystemClock>,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn start(plan: &Plan, reach: &Reach) -> Outcome<Stage> {
        let beside = std::env::current_exe()?.parent().map(std::path::Path::to_path_buf);
        let data = plan.data.clone().or(beside).ok_or("this program lies in no folder")?;
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(data)?;
        let clock = Arc::new(SystemClock::new());
        let subscribe = match reach {
            Reach::InProcess => Subscribe::new("bench", "orders", nothing),
            Reach::Http(url) => Subscribe::http("bench", "orders", url),
        };
        let evenkeel = Evenkeel::builder()
            .data(folder.path())
            .clock(clock.clone())
            .topic("orders", 6)
            .subscribe(subscribe)
            .start()
            .await?;
        Ok(Stage { evenkeel: Arc::new(evenkeel), clock, _folder: folder })
    }

    /// Waits until every event has its outcome in the ledger, and reads it.
    async fn finish(&self, events: u64) -> Outcome<Tally> {
        let subscription = self.evenkeel.subscription("bench").ok_or("the subscription is gone")?;
        let deadline = self.clock.now() + PATIENCE;
        loop {
            if let Some(why) = subscription.is_stopped() {
                return Err(why.into());
            }
            let view = subscription.view().await.ok_or("the subscription has ended")?;
            if view.in_flight + view.queued + view.parked == 0 {
                let tally = Tally::read(self.evenkeel.log())?;
                if tally.completed() >= events {
                    return Ok(tally);
                }
            }
            if self.clock.now() > deadline {
                return Err(format!("{events} events were not completed within {PATIENCE:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The data is read as any handler's would be, and nothing else is done.
async fn nothing(_: Context, order: Order) -> Result<(), HandlerError> {
    std::hint::black_box(order.cents);
    Ok(())
}

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}
