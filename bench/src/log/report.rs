//! The table of each row with its verdicts, or all of it as JSON.

use std::collections::BTreeMap;

use serde_json::json;

use super::Form;
use super::measured::Measured;
use super::race::Runs;
use super::row::Row;
use crate::Outcome;

pub(crate) fn print(form: Form, done: &[(Row, Runs)]) -> Outcome<()> {
    match form {
        Form::Table => done.iter().for_each(|(row, runs)| table(row, runs)),
        Form::Json => println!("{}", serde_json::to_string_pretty(&json!({ "rows": rows(done) }))?),
    }
    Ok(())
}

fn medians(runs: &Runs) -> BTreeMap<String, Measured> {
    runs.iter().map(|(name, runs)| (name.clone(), Measured::median(runs))).collect()
}

fn table(row: &Row, runs: &Runs) {
    let medians = medians(runs);
    println!("### {}. {}", row.number, row.title);
    println!(
        "| | acks/s | MB/s | p50 | p99 | p99.9 | device flushes per ack | groups per ack | device bytes per byte | \
         cores | others | RSS | runs |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|");
    for (name, m) in in_order(row, &medians) {
        let rates: Vec<String> = runs[name].iter().map(|run| count(run.rate)).collect();
        println!(
            "| {name} | {} | {:.1} | {} | {} | {} | {:.4} | {:.4} | {:.2} | {:.2} | {:.2} | {:.0} MB | {} |",
            count(m.rate),
            m.bytes_per_second / 1e6,
            time(m.p50_us),
            time(m.p99_us),
            time(m.p999_us),
            m.flushes_per_ack,
            m.groups_per_ack,
            m.device_bytes_per_byte,
            m.cores,
            m.others_cores,
            m.rss_mb,
            rates.join(" · "),
        );
        if m.read_bytes_per_second > 0.0 {
            println!("| ↳ read meanwhile | | {:.1} | | | | | | | | | | |", m.read_bytes_per_second / 1e6);
        }
    }
    println!();
    for check in &row.checks {
        if let Some(verdict) = check.verdict(&medians) {
            println!("- {}: **{:.2}** ({}): {}", check.name, verdict.value, verdict.wanted, verdict.word);
        }
    }
    println!();
}

/// By the order of the trials; a trial may give figures under names of its own.
fn in_order<'a>(row: &Row, medians: &'a BTreeMap<String, Measured>) -> Vec<(&'a String, &'a Measured)> {
    let mut lines: Vec<_> = medians.iter().collect();
    lines.sort_by_key(|(name, _)| row.trials.iter().position(|t| t.name == *name));
    lines
}

fn rows(done: &[(Row, Runs)]) -> Vec<serde_json::Value> {
    let row = |(row, runs): &(Row, Runs)| {
        let medians = medians(runs);
        let checks: Vec<_> = row
            .checks
            .iter()
            .filter_map(|check| Some((check, check.verdict(&medians)?)))
            .map(|(check, v)| json!({ "check": check.name, "value": v.value, "wanted": v.wanted, "verdict": v.word }))
            .collect();
        json!({ "row": row.number, "title": row.title, "medians": medians, "runs": runs, "checks": checks })
    };
    done.iter().map(row).collect()
}

fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn time(us: f64) -> String {
    if us < 1000.0 { format!("{us:.0} µs") } else { format!("{:.2} ms", us / 1000.0) }
}
