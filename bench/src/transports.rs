//! Delivery over each broker with every promise on, beside the bare client library on the same broker in
//! the same run: consume and acknowledge, with a handler that does nothing.
//!
//! A broker is where its test variable says (`EVENKEEL_TEST_KAFKA` …; `.ci/servers` starts them); one that is
//! not there is left out, and the table says so. Over Kafka the hand-over of a partition is measured as well.

mod meter;
mod intake;
mod kafka;
mod nats;
mod rabbitmq;

use std::path::PathBuf;

use evenkeel_delivery::{Concurrency, Policy};

use crate::Outcome;

/// Delivery reaches this share of the bare client, or the row says that it does not.
const FLOOR: f64 = 0.7;

/// How much is measured, of which brokers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TransportsPlan {
    /// Events of one run.
    pub(crate) events: u64,
    /// Runs; the table shows medians.
    pub(crate) runs: usize,
    /// Brokers; none: all that are there.
    pub(crate) only: Vec<String>,
    /// A folder on the disk to be measured; that of this program by default.
    pub(crate) data: Option<PathBuf>,
}

impl Default for TransportsPlan {
    fn default() -> TransportsPlan {
        TransportsPlan { events: 200_000, runs: 3, only: Vec::new(), data: None }
    }
}

/// As many events at the handler at once as the trial in process of `bench delivery` has.
fn wide() -> Policy {
    Policy { concurrency: Concurrency { max: 1_024, ..Concurrency::default() }, ..Policy::default() }
}

/// The brokers, and the variables that say where they are.
pub(crate) const BROKERS: [(&str, &str); 3] =
    [("kafka", "EVENKEEL_TEST_KAFKA"), ("nats", "EVENKEEL_TEST_NATS"), ("rabbitmq", "EVENKEEL_TEST_RABBITMQ")];

/// What one broker is raced on.
trait Stage: Sized {
    /// So many events wait there.
    async fn set(address: &str, events: u64) -> Outcome<Self>;
    /// Events a second of the bare client.
    async fn bare(&self) -> Outcome<f64>;
    /// Events a second of delivery.
    async fn delivered(&self, folder: &std::path::Path) -> Outcome<f64>;
    /// Goes away, with all that it made.
    async fn clear(self) -> Outcome<()>;
}

pub(crate) async fn transports(plan: &TransportsPlan) -> Outcome<()> {
    println!("| over | bare client, events/s | delivered, events/s | share | floor |\n|---|---|---|---|---|");
    let mut there = Vec::new();
    for (name, variable) in BROKERS {
        if !plan.only.is_empty() && !plan.only.iter().any(|wanted| wanted == name) {
            continue;
        }
        match std::env::var(variable) {
            Ok(address) => there.push((name, address)),
            Err(_) => println!("| {name} | not measured: {variable} is not set | | | |"),
        }
    }
    for (name, address) in &there {
        match *name {
            "kafka" => race::<kafka::Topic>(name, address, plan).await?,
            "nats" => race::<nats::Stream>(name, address, plan).await?,
            _ => race::<rabbitmq::Line>(name, address, plan).await?,
        }
    }
    for (_, address) in there.iter().filter(|(name, _)| *name == "kafka") {
        kafka::hand_over(address, plan.events).await?;
    }
    Ok(())
}

async fn race<S: Stage>(name: &str, address: &str, plan: &TransportsPlan) -> Outcome<()> {
    let (mut bare, mut delivered) = (Vec::new(), Vec::new());
    for _ in 0..plan.runs {
        let stage = S::set(address, plan.events).await?;
        bare.push(stage.bare().await?);
        stage.clear().await?;
        let folder = match &plan.data {
            Some(data) => tempfile::tempdir_in(data)?,
            None => tempfile::tempdir_in(".")?,
        };
        let stage = S::set(address, plan.events).await?;
        delivered.push(stage.delivered(folder.path()).await?);
        stage.clear().await?;
    }
    let (bare, delivered) = (median(bare), median(delivered));
    let share = delivered / bare;
    let verdict = if share >= FLOOR { "reached" } else { "**missed**" };
    println!("| {name} | {bare:.0} | {delivered:.0} | {:.0} % | {:.0} %: {verdict} |", share * 100.0, FLOOR * 100.0);
    Ok(())
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}
