//! A backlog of 1 KiB events, worked off: in process, by HTTP push one by one, and in batches.
//!
//! The time runs from the start of the subscription, on a node that is open, to the last outcome in
//! the ledger: an event counts when what became of it is on the medium.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::{Clock, Evenkeel, Policy, Subscribe, SystemClock};
use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Handler};
use evenkeel_model::Verdict;
use evenkeel_transport::{Batch, From, HttpHandler, HttpSettings};

use super::{Figures, shop};
use crate::Outcome;
use crate::log::machine::{cpu_seconds, machine_seconds, rss_mb};
use crate::tally::Tally;

/// A run that has not ended by then is an error.
const PATIENCE: Duration = Duration::from_secs(600);
/// Events at the handler at once in process, where being there costs little.
const IN_PROCESS_AT_ONCE: u32 = 1024;
/// Events of one request, where they go together.
pub(crate) const TOGETHER: usize = 64;

/// How the handler is reached.
pub(crate) enum Reach {
    InProcess,
    Http { url: String },
    Batches { url: String },
}

/// Does nothing, and says so.
pub(crate) struct Nothing;

impl Handler for Nothing {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        std::hint::black_box(&call.delivered.event);
        Box::pin(std::future::ready(Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None }))
    }
}

pub(crate) async fn backlog(folder: &Path, events: u64, reach: Reach) -> Outcome<Figures> {
    let clock = Arc::new(SystemClock::new());
    shop::fill(folder, &clock, events).await?;
    let subscribe = subscribe(reach, &clock)?;
    let mut evenkeel =
        Evenkeel::builder().data(folder).clock(clock.clone()).topic(shop::TOPIC, shop::PARTITIONS).start().await?;
    let (cpu, machine, began) = (cpu_seconds(), machine_seconds(), clock.now());
    evenkeel.subscribe(subscribe.from(From::Earliest)).await?;
    let (tally, at_once) = watched(&evenkeel, events).await?;
    let (cpu, machine) = (cpu_seconds() - cpu, machine_seconds() - machine);
    let took = tally.last.since(began).as_secs_f64();
    let figures = [
        ("events_per_second", events as f64 / took),
        ("cpu_us_per_event", cpu * 1e6 / events as f64),
        ("others", (machine - cpu).max(0.0) / took),
        ("limit", at_once),
        ("rss_mb", rss_mb()),
        ("flushes_per_event", evenkeel.log().status().flushes as f64 / events as f64),
    ];
    evenkeel.shutdown(Duration::from_secs(30)).await;
    Ok(figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect())
}

fn subscribe(reach: Reach, clock: &Arc<SystemClock>) -> Outcome<Subscribe> {
    let http = |url: String, batch: Option<Batch>| -> Outcome<Subscribe> {
        let settings = HttpSettings { batch, ..HttpSettings::new(url, "bench") };
        Ok(Subscribe::by("bench", shop::TOPIC, Arc::new(HttpHandler::new(settings, clock.clone())?)))
    };
    Ok(match reach {
        Reach::InProcess => {
            let mut policy = Policy::default();
            policy.concurrency.max = IN_PROCESS_AT_ONCE;
            Subscribe::by("bench", shop::TOPIC, Arc::new(Nothing)).policy(policy)
        }
        Reach::Http { url } => http(url, None)?,
        Reach::Batches { url } => {
            let mut policy = Policy::default();
            policy.concurrency.max = 16 * TOGETHER as u32;
            policy.concurrency.min = policy.concurrency.max;
            let batch = Batch { max: TOGETHER, ..Batch::default() };
            http(url, Some(batch))?.policy(policy)
        }
    })
}

/// Waits until every event has its outcome in the ledger, and reads it.
pub(crate) async fn finish(evenkeel: &Evenkeel, events: u64) -> Outcome<Tally> {
    Ok(watched(evenkeel, events).await?.0)
}

/// The same, and the concurrency limit meanwhile.
async fn watched(evenkeel: &Evenkeel, events: u64) -> Outcome<(Tally, f64)> {
    let (mut limits, mut looks) = (0.0, 0.0_f64);
    let subscription = evenkeel.subscription("bench").ok_or("the subscription is gone")?;
    let clock = SystemClock::new();
    let deadline = clock.now() + PATIENCE;
    loop {
        if let Some(why) = subscription.is_stopped() {
            return Err(why.into());
        }
        let view = subscription.view().await.ok_or("the subscription has ended")?;
        limits += f64::from(view.concurrency);
        looks += 1.0;
        if view.in_flight + view.queued + view.parked == 0 {
            let tally = Tally::read(evenkeel.log())?;
            if tally.completed() >= events {
                return Ok((tally, limits / looks));
            }
        }
        if clock.now() > deadline {
            return Err(format!("{events} events were not completed within {PATIENCE:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
