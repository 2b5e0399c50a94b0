//! The counts against an independent computation: `recount.py` counts the same events again, from
//! what happened alone, with Python's own calendar and zones; every number must be equal.
//!
//! A day has a night and bursts; events come late and out of order, records come twice, some events
//! are duplicates, some are overdue before they end; the forty days hold a leap day and a change of
//! clocks. `EVENKEEL_RECOUNT=10000000` asks for as many events. Without `python3` it says so and
//! compares nothing.

use std::io::{BufWriter, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{Ended, LedgerEntry, LedgerRecord, Overdue};
use evenkeel_model::{Outcome, Timestamp};
use evenkeel_watch::objective::{Empty, Indicator, Method, Objective, Part, Scope, Window};
use evenkeel_watch::openslo::Shorthand;
use evenkeel_watch::{Calendar, Watch};
use jiff::tz::TimeZone;

/// 2028-03-20 12:34:56.789 UTC: after a leap day, and after New York's clocks went forward.
const NOW: Timestamp = Timestamp::from_millis(1_837_168_496_789);
const DAYS: u64 = 40;
const DAY_US: u64 = 86_400_000_000;
const THRESHOLD_US: u64 = 500_000;
const SUBSCRIPTIONS: [&str; 2] = ["payment", "inventory"];

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// When an event ends: six times as many by day as by night, and bursts of a minute; one of fifty
/// anywhere in the forty days, whenever it is told.
fn moment(dice: &mut Dice, told: u64, of: u64) -> Timestamp {
    let span = DAYS * DAY_US;
    let mut at = match dice.below(50) {
        0 => dice.below(span),
        1..=5 => dice.below(200) * (span / 200) + dice.below(60_000_000),
        _ => told * (span / of) + dice.below(60_000_000),
    };
    if (at / 3_600_000_000) % 24 < 8 && dice.below(6) != 0 {
        at += 8 * 3_600_000_000;
    }
    Timestamp::from_micros(NOW.micros() - (span - at.min(span)) as i64)
}

fn outcome(dice: &mut Dice) -> Outcome {
    match dice.below(400) {
        0..=1 => Outcome::Dead,
        2 => Outcome::Expired,
        3..=12 => Outcome::Duplicate,
        13..=16 => Outcome::Filtered,
        17 => Outcome::Stale,
        18 => Outcome::Dropped,
        _ => Outcome::Completed,
    }
}

fn event(dice: &mut Dice, offset: u64, at: Timestamp) -> Ended {
    let latency_us = if dice.below(100) == 0 { dice.below(60_000_000) } else { dice.below(400_000) };
    Ended {
        offset,
        outcome: outcome(dice),
        kind: Arc::from(["OrderCreated", "OrderPaid", "OrderShipped"][dice.below(3) as usize]),
        source: Arc::from(["/shop", "/mobile"][dice.below(2) as usize]),
        handler_version: Arc::from(["v1", "v2"][dice.below(2) as usize]),
        at,
        created_to_ended_us: latency_us,
        handler_us: latency_us / 2,
        created_believed: true,
        overdue: latency_us > THRESHOLD_US,
        attempts: 1,
        deliveries: 1,
        deferrals: 0,
        crashes: 0,
        emitted: 0,
        failure: None,
    }
}

/// Counts all events, some records twice, and writes each event down for the other computation.
fn tell(watch: &mut Watch, events: u64, written: &mut impl Write) {
    let mut dice = Dice(42);
    for (index, subscription) in SUBSCRIPTIONS.into_iter().enumerate() {
        let mut sequence = 0;
        let mut entries = Vec::new();
        for n in 0..events / 2 {
            let at = moment(&mut dice, n, events / 2);
            let ended = event(&mut dice, n, at);
            let created = ended.at - Duration::from_micros(ended.created_to_ended_us);
            let overdue = created + Duration::from_micros(THRESHOLD_US);
            let told = if ended.overdue { overdue.micros() } else { 0 };
            let (kind, source, version) = (&ended.kind, &ended.source, &ended.handler_version);
            let name = ended.outcome.name();
            let (created, until) = (created.micros(), ended.at.micros());
            writeln!(written, "e,{subscription},orders,{kind},{source},{version},{name},{created},{until},{told}")
                .expect("it reads all");
            if ended.overdue {
                entries.push(LedgerEntry::Overdue(Overdue { offset: n, at: overdue, threshold_us: THRESHOLD_US }));
            }
            entries.push(LedgerEntry::Ended(ended));
            if entries.len() >= 64 || n + 1 == events / 2 {
                let (subscription, topic) = (Arc::from(subscription), Arc::from("orders"));
                let entries = std::mem::take(&mut entries);
                let record = LedgerRecord { subscription, topic, partition: index as u32, sequence, at: NOW, entries };
                watch.ingest(&record);
                if dice.below(10) == 0 {
                    watch.ingest(&record);
                }
                sequence += 1;
            }
        }
    }
}

/// The windows: rolling ones, and calendars with leap days, changes of clocks and the 31st.
fn windows() -> Vec<(Window, String)> {
    let rolling = [600, 3_600, 7_199, 7_261, 86_400, 7 * 86_400, 30 * 86_400]
        .map(|seconds: u64| (Window::Rolling(Duration::from_secs(seconds)), (seconds * 1_000_000).to_string()));
    let calendars = [
        ("2028-01-01 00:00:00", "UTC", "1M"),
        ("2028-01-01 00:00:00", "America/New_York", "1M"),
        ("2028-03-12 02:30:00", "America/New_York", "1d"),
        ("2027-12-31 00:00:00", "Asia/Kolkata", "1M"),
        ("2024-02-29 12:00:00", "Europe/Berlin", "1Y"),
        ("2028-01-03 00:00:00", "Australia/Lord_Howe", "2w"),
        ("2027-11-30 00:00:00", "Asia/Kathmandu", "1Q"),
    ]
    .map(|(start, zone, step)| {
        let calendar = Calendar {
            start: start.parse().expect("a time"),
            zone: TimeZone::get(zone).expect("a zone"),
            step: Shorthand::parse(step).expect("a duration"),
        };
        let (count, unit) = step.split_at(step.len() - 1);
        (Window::Calendar(calendar), format!("calendar,{now},{start},{zone},{count},{unit}", now = NOW.micros()))
    });
    rolling.into_iter().chain(calendars).collect()
}

/// Objectives of all windows, indicators and methods, each with its question.
fn objectives() -> Vec<(Objective, String)> {
    let mut all = Vec::new();
    let methods = [
        (Method::Occurrences, "occurrences,0,0,-"),
        (slices(60, 0.99), "timeslices,60000000,0.99,good"),
        (slices(300, 0.9), "timeslices,300000000,0.9,good"),
    ];
    for (window, of_window) in windows() {
        for (method, of_method) in methods {
            for subscription in SUBSCRIPTIONS {
                for threshold in [None, Some(THRESHOLD_US)] {
                    let indicator = threshold
                        .map_or(Indicator::Success, |us| Indicator::Latency { threshold: Duration::from_micros(us) });
                    let name = format!("o{}", all.len());
                    let asked = match of_window.split_once(',') {
                        Some(_) => of_window.clone(),
                        None => format!("{of_window},{}", NOW.micros()),
                    };
                    let question = format!("q,{name},{subscription},{},{of_method},{asked}", threshold.unwrap_or(0));
                    let part = Part { scope: Scope::of(subscription), indicator, method, ..Part::default() };
                    let objective = Objective {
                        name: Arc::from(name),
                        parts: vec![part],
                        window: window.clone(),
                        ..Objective::default()
                    };
                    all.push((objective, question));
                }
            }
        }
    }
    all
}

fn slices(seconds: u64, target: f64) -> Method {
    Method::Timeslices { slice: Duration::from_secs(seconds), target, empty: Empty::Good }
}

/// What the watch says, in the words of the other computation.
fn answers(watch: &Watch) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, seen) in watch.subscriptions() {
        for (outcome, count) in seen.outcomes.iter().filter(|(_, count)| *count > 0) {
            lines.push(format!("count,{name},{},{count}", outcome.name()));
        }
        for (key, group) in seen.groups() {
            for (outcome, count) in group.outcomes.iter().filter(|(_, count)| *count > 0) {
                let of = format!("{},{},{},{}", key.topic, key.kind, key.source, key.handler_version);
                lines.push(format!("group,{name},{of},{},{count}", outcome.name()));
            }
        }
    }
    for budget in watch.budgets(NOW) {
        let (bad, all) = budget.slices.unwrap_or((budget.bad, budget.valid));
        let (from, until) = (budget.from.micros(), budget.until.micros());
        let counted = format!("{},{}", budget.good, budget.bad);
        lines.push(format!("answer,{},{from},{until},{counted},{bad},{all}", budget.objective));
    }
    lines.sort_unstable();
    lines
}

fn python() -> Option<(Child, BufWriter<ChildStdin>)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recount/recount.py");
    let mut python = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let stdin = BufWriter::new(python.stdin.take()?);
    Some((python, stdin))
}

fn recounted(python: Child) -> Vec<String> {
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "recount.py failed");
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn every_count_equals_an_independent_computation() {
    let events = std::env::var("EVENKEEL_RECOUNT").ok().and_then(|n| n.parse().ok()).unwrap_or(30_000);
    let (objectives, questions): (Vec<Objective>, Vec<String>) = objectives().into_iter().unzip();
    let asked = questions.len();
    let mut watch = Watch::new(objectives).expect("sound objectives");
    let Some((python, mut written)) = python() else {
        eprintln!("skipped: there is no python3");
        return;
    };
    questions.iter().for_each(|question| writeln!(written, "{question}").expect("it reads all"));
    tell(&mut watch, events, &mut written);
    written.flush().expect("it reads all");
    drop(written);
    let recounted = recounted(python);
    let answers = answers(&watch);
    assert!(answers.len() > asked + 20, "{} answers", answers.len());
    for (ours, theirs) in answers.iter().zip(&recounted) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(answers.len(), recounted.len());
}
