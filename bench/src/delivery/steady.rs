//! Publish to handled at a steady 10,000 events a second, by HTTP push, one event a request.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::{Clock, Evenkeel, Subscribe, SystemClock};
use tokio::task::JoinSet;

use super::backlog::finish;
use super::{Figures, shop};
use crate::Outcome;
use crate::tally::Tally;

const RATE: f64 = 10_000.0;
const RUN: Duration = Duration::from_secs(12);
/// What was completed before is not counted: connections are made, and the concurrency found out.
const WARM_UP: Duration = Duration::from_secs(2);

/// Publishes what is due every millisecond, whatever became of what went before; from the ledger,
/// created to completed.
pub(crate) async fn steady(folder: &Path, url: &str) -> Outcome<Figures> {
    let clock = Arc::new(SystemClock::new());
    let evenkeel = Evenkeel::builder()
        .data(folder)
        .clock(clock.clone())
        .topic(shop::TOPIC, shop::PARTITIONS)
        .subscribe(Subscribe::http("bench", shop::TOPIC, url))
        .start()
        .await?;
    let evenkeel = Arc::new(evenkeel);
    let events = (RATE * RUN.as_secs_f64()) as u64;
    let started = clock.now();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let mut publishing = JoinSet::new();
    let mut published = 0;
    while published < events {
        ticks.tick().await;
        let due = ((clock.now().since(started).as_secs_f64() * RATE) as u64).min(events);
        let batch: Vec<_> = (published..due).map(|number| shop::event(number, clock.as_ref())).collect();
        published = due;
        if !batch.is_empty() {
            let evenkeel = evenkeel.clone();
            publishing.spawn(async move { evenkeel.publish_all(shop::TOPIC, batch).await });
        }
        while let Some(ended) = publishing.try_join_next() {
            ended??;
        }
    }
    while let Some(ended) = publishing.join_next().await {
        ended??;
    }
    finish(&evenkeel, events).await?;
    let tally = Tally::read_from(evenkeel.log(), started + WARM_UP)?;
    let figures = [("p50_ms", tally.quantile(0.5)), ("p99_ms", tally.quantile(0.99))];
    Ok(figures.into_iter().map(|(name, figure)| (name.to_owned(), figure.as_secs_f64() * 1e3)).collect())
}
