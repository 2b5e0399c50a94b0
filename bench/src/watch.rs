//! `bench watch`: how fast the ledger folds into counts, and what a tick costs.
//!
//! One core, in memory. Records are made as a node writes them: a dispatch round of 64 outcomes of
//! one partition, one type and one handler version, one of a thousand dead, one of five hundred
//! late. `fold` counts records that are decoded already; `back-fill` decodes them from the
//! ledger's bytes first, as an objective does that is added today; `page` is `/metrics`; `plane` what all of it costs
//! delivery; `story` one event among many. The numbers are medians of the runs, in a table.

mod page;
mod plane;
mod stories;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{self, Ended, LedgerEntry, LedgerRecord};
use evenkeel_model::{Clock, Outcome, SystemClock, Timestamp};
use evenkeel_watch::objective::{Indicator, Objective, Part, Scope};
use evenkeel_watch::{AlertRule, Watch};

use crate::Outcome as Done;

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const ROUND: u64 = 64;
const SUBSCRIPTIONS: u64 = 4;

/// How much is measured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WatchPlan {
    /// Outcomes of one run.
    pub(crate) outcomes: u64,
    /// Objectives of the tick.
    pub(crate) objectives: u64,
    /// Runs; the table shows medians.
    pub(crate) runs: usize,
    /// Events among which a story is looked for.
    pub(crate) stories: u64,
    /// Events that are delivered with and without the plane.
    pub(crate) delivered: u64,
    /// Rows that are measured: `fold`, `tick`, `page`, `plane`, `story`; none means all.
    pub(crate) only: Vec<String>,
    /// A folder on the disk to be measured; one for temporary files by default.
    pub(crate) data: Option<PathBuf>,
}

/// The rows, in the order of the table.
pub(crate) const ROWS: [&str; 5] = ["fold", "tick", "page", "plane", "story"];

impl Default for WatchPlan {
    fn default() -> WatchPlan {
        WatchPlan {
            outcomes: 1_000_000,
            objectives: 10_000,
            runs: 5,
            stories: 10_000_000,
            delivered: 300_000,
            only: Vec::new(),
            data: None,
        }
    }
}

/// Measures the rows and prints the table.
pub(crate) fn watch(plan: &WatchPlan) -> Done<()> {
    let clock = SystemClock::new();
    println!("| what | median of {} | bar |", plan.runs);
    println!("|---|---|---|");
    for row in ROWS.into_iter().filter(|row| plan.only.is_empty() || plan.only.iter().any(|name| name == row)) {
        match row {
            "fold" => fold(plan, &clock)?,
            "tick" => tick(plan, &clock)?,
            "page" => page::page(plan, &clock)?,
            "plane" => plane::plane(plan)?,
            _ => stories::stories(plan)?,
        }
    }
    Ok(())
}

/// How fast records are counted, and how fast they are from the ledger's bytes.
fn fold(plan: &WatchPlan, clock: &SystemClock) -> Done<()> {
    let records = rounds(plan.outcomes, SUBSCRIPTIONS);
    let bytes: Vec<bytes::Bytes> = records.iter().map(ledger::encode).collect();
    let size: usize = bytes.iter().map(|record| record.len()).sum();
    for (objectives, bar) in [(0, ""), (2, "≥ 5 M/s"), (10, "")] {
        let seconds = median(plan.runs, || {
            let mut watch = watching(objectives * SUBSCRIPTIONS)?;
            Ok(timed(clock, || records.iter().for_each(|record| _ = black_box(watch.ingest(record)))))
        })?;
        let rate = plan.outcomes as f64 / seconds / 1e6;
        println!("| fold, {objectives} objectives for each subscription | {rate:.1} M outcomes/s | {bar} |");
    }
    let seconds = median(plan.runs, || {
        let mut watch = watching(SUBSCRIPTIONS)?;
        Ok(timed(clock, || {
            for record in bytes.iter().filter_map(|bytes| ledger::decode(bytes).ok()) {
                watch.ingest(&record);
            }
        }))
    })?;
    let hundred_million = seconds * 1e8 / plan.outcomes as f64;
    let each = size as f64 / plan.outcomes as f64;
    println!("| back-fill of 100 M outcomes ({each:.1} bytes each) | {hundred_million:.1} s | ≤ 60 s |");
    Ok(())
}

/// What a tick costs when every objective has events in each second of the last ten minutes, none
/// or some of them bad.
fn tick(plan: &WatchPlan, clock: &SystemClock) -> Done<()> {
    let loads = [("no bad event", 0, "≤ 50 ms"), ("one of a thousand bad", 1_000, ""), ("one of twenty bad", 20, "")];
    for (name, bad_every, bar) in loads {
        let mut watch = watching(plan.objectives)?;
        let per_subscription = 1_200;
        for n in 0..plan.objectives {
            let entries = (0..per_subscription).map(|event| {
                let at = START + Duration::from_millis(500 * event);
                let bad = bad_every > 0 && (event + n).is_multiple_of(bad_every);
                ended(event, at, if bad { Outcome::Dead } else { Outcome::Completed }, 1_000)
            });
            watch.ingest(&record(n, 0, entries.map(LedgerEntry::Ended).collect()));
        }
        let mut now = START + Duration::from_secs(600);
        watch.tick(now);
        let seconds = median(plan.runs * 3, || {
            now = now + Duration::from_secs(1);
            Ok(timed(clock, || drop(black_box(watch.tick(now)))))
        })?;
        println!("| tick, {} objectives of 4 alerts, {name} | {:.1} ms | {bar} |", plan.objectives, seconds * 1e3);
    }
    Ok(())
}

/// Objectives spread over subscriptions `0`, `1`, …: latency and success by turns, as many for
/// each of the [`SUBSCRIPTIONS`] of the fold, one for each of those of the tick.
fn watching(objectives: u64) -> Done<Watch> {
    let spread = if objectives > 1_000 { objectives } else { SUBSCRIPTIONS };
    let objective = |n: u64| {
        let threshold = Duration::from_millis(500);
        let indicator = if n.is_multiple_of(2) { Indicator::Latency { threshold } } else { Indicator::Success };
        Objective {
            name: Arc::from(format!("o{n}")),
            parts: vec![Part { scope: Scope::of(&(n % spread).to_string()), indicator, ..Part::default() }],
            alerts: AlertRule::workbook(),
            ..Objective::default()
        }
    };
    Watch::new((0..objectives).map(objective).collect()).map_err(|problems| format!("{problems:?}").into())
}

fn rounds(outcomes: u64, subscriptions: u64) -> Vec<LedgerRecord> {
    let (kind, source, version) = (Arc::from("OrderCreated"), Arc::from("/shop"), Arc::from("v1"));
    let record_of = |round: u64| {
        let at = START + Duration::from_millis(round * 5);
        let entries = (0..ROUND).map(|n| {
            let offset = round / subscriptions * ROUND + n;
            let number = round * ROUND + n;
            let outcome = if number.is_multiple_of(1_000) { Outcome::Dead } else { Outcome::Completed };
            let latency_us = if number % 500 == 1 { 700_000 } else { 3_000 + number % 9_000 };
            let event = ended(offset, at + Duration::from_micros(n * 70), outcome, latency_us);
            LedgerEntry::Ended(Ended {
                kind: Arc::clone(&kind),
                source: Arc::clone(&source),
                handler_version: Arc::clone(&version),
                ..event
            })
        });
        record(round % subscriptions, round / subscriptions, entries.collect())
    };
    (0..outcomes / ROUND).map(record_of).collect()
}

fn record(subscription: u64, sequence: u64, entries: Vec<LedgerEntry>) -> LedgerRecord {
    let (subscription, topic) = (Arc::from(subscription.to_string()), Arc::from("orders"));
    LedgerRecord { subscription, topic, partition: 0, sequence, at: START, entries }
}

fn ended(offset: u64, at: Timestamp, outcome: Outcome, latency_us: u64) -> Ended {
    Ended {
        handler_version: Arc::from("v1"),
        created_to_ended_us: latency_us,
        handler_us: latency_us / 2,
        ..Ended::at_once(offset, outcome, "OrderCreated", "/shop", at)
    }
}

/// Seconds that it took.
fn timed(clock: &SystemClock, work: impl FnOnce()) -> f64 {
    let began = clock.now();
    work();
    clock.now().since(began).as_secs_f64()
}

fn median(runs: usize, mut run: impl FnMut() -> Done<f64>) -> Done<f64> {
    Ok(median_of((0..runs.max(1)).map(|_| run()).collect::<Done<Vec<f64>>>()?))
}

fn median_of(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
