//! What a metrics page of ten thousand series costs: the watch's snapshot, and writing it in each form.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{Ended, LedgerEntry};
use evenkeel_model::{Outcome, SystemClock, Timestamp};
use evenkeel_node::metrics::{self, Form};
use evenkeel_watch::Watch;

use super::{START, WatchPlan, ended, median, record, timed};
use crate::Outcome as Done;

/// Series of the page.
const SERIES: usize = 10_000;
/// Event types of each subscription.
const TYPES: u64 = 10;

/// Prints a row for each form.
pub(super) fn page(plan: &WatchPlan, clock: &SystemClock) -> Done<()> {
    let (watch, now) = big()?;
    let (count, subscriptions) = (series(&watch)?, watch.subscriptions().count());
    for form in Form::ALL {
        let seconds =
            median(plan.runs * 3, || Ok(timed(clock, || drop(black_box(metrics::page(watch.snapshot(now), form))))))?;
        let told = format!("/metrics, {count} series of {subscriptions} subscriptions, {form:?}");
        println!("| {told} | {:.1} ms | ≤ 20 ms |", seconds * 1e3);
    }
    Ok(())
}

/// A watch whose page has that many series, and a moment at which to look at it.
pub(super) fn big() -> Done<(Watch, Timestamp)> {
    let mut watch = Watch::new(Vec::new()).map_err(|problems| format!("{problems:?}"))?;
    let mut subscriptions = 0;
    while series(&watch)? < SERIES {
        for number in subscriptions..subscriptions + 10 {
            watch.ingest(&record(number, 0, (0..2_000).map(entry).collect()));
        }
        subscriptions += 10;
    }
    Ok((watch, START + Duration::from_secs(60)))
}

/// Latencies of all sizes, so that every bucket holds something.
fn entry(number: u64) -> LedgerEntry {
    let latency_us = 1 << (number % 37);
    let event = ended(number, START + Duration::from_millis(number), Outcome::Completed, latency_us);
    LedgerEntry::Ended(Ended { kind: Arc::from(format!("Type{}", number % TYPES)), ..event })
}

fn series(watch: &Watch) -> Done<usize> {
    let page = String::from_utf8(metrics::page(watch.snapshot(START), Form::Text))?;
    Ok(page.lines().filter(|line| !line.starts_with('#')).count())
}
