//! Medians, and the table.

use std::time::Duration;

use crate::chain::{Measured, PUBLISHED_AT_ONCE, PUBLISHERS};

/// All runs of one way to reach a handler.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) runs: Vec<Measured>,
}

pub(crate) fn print(rows: &[Row], bare: &[f64], concurrency: u32) {
    let bare = median(bare.to_vec());
    println!("| chain | events/s | of the bare loop | p50 | p99 | at events/s | device flushes per event |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        let of = |pick: fn(&Measured) -> f64| median(row.runs.iter().map(pick).collect());
        let rate = of(|run| run.events_per_second);
        println!(
            "| {} | {rate:.0} | {:.2} | {} | {} | {:.0} | {:.4} |",
            row.name,
            rate / bare,
            millis(of(|run| run.p50.as_secs_f64())),
            millis(of(|run| run.p99.as_secs_f64())),
            of(|run| run.steady_rate),
            of(|run| run.flushes_per_event),
        );
    }
    println!("| bare HTTP client loop | {bare:.0} | 1.00 | – | – | – | 0 |");
    println!();
    println!(
        "Medians of {} runs. events/s: from the first publish at full speed ({PUBLISHERS} publishers, batches of \
         {PUBLISHED_AT_ONCE}) to the last outcome in the ledger. p50 and p99: created to completed, from the ledger, \
         at a steady half of that rate. Every publish was answered when its events were on the medium (a direct, \
         synchronous write); every event was handled in the order of its key, at most {concurrency} at once, and its \
         outcome was on the medium before its progress counted. The bare loop posts the same bodies to the same \
         service with the same client, {concurrency} at once: it stores nothing and orders nothing.",
        bare_runs(rows),
    );
}

fn bare_runs(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.runs.len()).max().unwrap_or_default()
}

fn millis(seconds: f64) -> String {
    format!("{:.2} ms", Duration::from_secs_f64(seconds).as_secs_f64() * 1000.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
