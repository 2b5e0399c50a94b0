//! Medians, the table, and what it is judged by.

use std::collections::BTreeMap;

use super::{DeliveryPlan, Figures};

type Runs<'a> = BTreeMap<&'a str, Vec<Figures>>;

pub(crate) fn print(plan: &DeliveryPlan, runs: &Runs) {
    println!("| work | measured | floor | goal | verdict |");
    println!("|---|---:|---:|---:|---|");
    let rate = |name| median(runs, name, "events_per_second");
    if let Some(found) = rate("in-process") {
        row("in process, events/s", found, 250_000.0, 500_000.0, true);
    }
    if let (Some(found), Some(bare)) = (rate("http"), rate("bare")) {
        println!("| HTTP push, events/s | {found:.0} (bare loop {bare:.0}) | | | |");
        row("HTTP push, of the bare loop", found / bare, 0.55, 0.75, true);
    }
    if let (Some(found), Some(bare)) = (rate("http-batch"), rate("bare-batch")) {
        println!("| batches of 64, of the bare loop | {:.2} (bare {bare:.0}) | | | |", found / bare);
        row("HTTP push in batches of 64, events/s", found, 150_000.0, 300_000.0, true);
    }
    if let Some(p99) = median(runs, "steady", "p99_ms") {
        let p50 = median(runs, "steady", "p50_ms").unwrap_or_default();
        println!("| created to completed at 10,000/s, p50, ms | {p50:.2} | | | |");
        row("created to completed at 10,000/s, p99, ms", p99, 3.0, 2.0, false);
    }
    if let Some(more) = median(runs, "parked", "rss_more_mb") {
        let without = median(runs, "healthy", "rss_more_mb").unwrap_or_default();
        row("parked events, MB more", more - without, 512.0, 200.0, false);
        let again = median(runs, "parked", "parked_again_s").unwrap_or_default();
        row("restart until all of them are parked again, s", again, 5.0, 2.0, false);
        let start = median(runs, "parked", "start_s").unwrap_or_default();
        println!("| … until it takes and delivers events, s | {start:.2} | | | |");
    }
    if let (Some(beside), Some(alone)) = (rate("parked"), rate("healthy")) {
        println!("| healthy keys, events/s | {beside:.0} (alone {alone:.0}) | | | |");
        row("healthy keys, slower by, share", 1.0 - beside / alone, 0.10, 0.03, false);
    }
    if let (Some(beside), Some(after)) = (rate("parked"), rate("handled")) {
        let slower = 1.0 - beside / after;
        println!("| … after as many events that were handled, events/s | {after:.0} (slower by {slower:.2}) | | | |");
        let more = |name| median(runs, name, "rss_more_mb").unwrap_or_default();
        let apart = more("parked") - more("handled");
        println!("| parked events, MB more than where they were handled | {apart:.0} | | | |");
    }
    println!();
    for (name, runs_of) in runs {
        let names: Vec<&String> = runs_of.iter().flat_map(|f| f.keys()).collect();
        let mut names: Vec<&String> = names.into_iter().collect();
        names.sort();
        names.dedup();
        let each = names.iter().map(|n| format!("{n} {:.3}", median(runs, name, n).unwrap_or_default()));
        println!("{name}: {}", each.collect::<Vec<_>>().join(", "));
    }
    println!();
    println!(
        "Medians of {} runs; a backlog of {} events of 1 KiB on 10,000 keys and 6 partitions (a quarter of it for one \
         event a request). Input, outcome, inbox mark, ledger and progress of every event were on the medium (direct, \
         synchronous writes) when it counted. The bare loop posts the same bodies to the same service with the same \
         client, as many at once: it stores nothing and orders nothing. `others`: how many cores somebody else kept \
         busy; above 0.2 a line is worth little.",
        plan.runs, plan.events
    );
}

fn row(what: &str, found: f64, floor: f64, goal: f64, more_is_better: bool) {
    let reaches = |bound: f64| if more_is_better { found >= bound } else { found <= bound };
    let verdict = match (reaches(goal), reaches(floor)) {
        (true, _) => "goal",
        (false, true) => "floor",
        (false, false) => "**missed**",
    };
    println!("| {what} | {} | {} | {} | {verdict} |", figure(found), figure(floor), figure(goal));
}

fn figure(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn median(runs: &Runs, name: &str, figure: &str) -> Option<f64> {
    let mut values: Vec<f64> = runs.get(name)?.iter().filter_map(|f| f.get(figure).copied()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
