//! How long the story of one event takes among many: a log with that many events, each with its outcome in the
//! ledger, the index caught up, and stories asked for at random.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_log::{Append, Log, Options, RealDisk, Set, TopicSettings};
use evenkeel_model::ledger::{self, LedgerEntry};
use evenkeel_model::{Clock, Header, Outcome, Record, Shard, SystemClock, names};
use evenkeel_transport::story::StoryIndex;

use super::{ROUND, START, WatchPlan, ended, record};
use crate::Outcome as Done;

const TOPIC: &str = "orders";
const PARTITIONS: u32 = 6;
/// Events of one set.
const TOGETHER: u64 = 4_096;
/// Stories that are asked for.
const ASKED: u64 = 400;

/// Prints the rows.
pub(super) fn stories(plan: &WatchPlan) -> Done<()> {
    let folder = match &plan.data {
        Some(data) => tempfile::Builder::new().prefix("bench-").tempdir_in(data)?,
        None => tempfile::tempdir()?,
    };
    let clock = Arc::new(SystemClock::new());
    let log = Log::open(Arc::new(RealDisk::new(folder.path())), Options::default(), clock.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fill(&log, plan.stories))?;
    let (index, problem) = StoryIndex::open(log.clone());
    if let Some(problem) = problem {
        return Err(problem.0.into());
    }
    let began = clock.now();
    index.catch_up()?;
    let caught_up = plan.stories as f64 / clock.now().since(began).as_secs_f64() / 1e3;
    println!("| index of stories, {} events | {caught_up:.0} k events/s | |", plan.stories);
    let mut took: Vec<Duration> = Vec::new();
    for n in 0..ASKED {
        let number = n.wrapping_mul(2_654_435_761).wrapping_add(7) % plan.stories;
        let began = clock.now();
        let found = index.story(&format!("order-{number}"), None)?;
        took.push(clock.now().since(began));
        let whole = found.len() == 1 && found[0].subscriptions.iter().any(|of| of.outcome == Some(Outcome::Completed));
        if !whole {
            return Err(format!("the story of order-{number} is not whole: {found:?}").into());
        }
    }
    took.sort_unstable();
    let ms = |at: usize| took[at].as_secs_f64() * 1e3;
    let (median, p99, worst) = (ms(took.len() / 2), ms(took.len() * 99 / 100), ms(took.len() - 1));
    let what = format!("a story among {} events, median; p99; worst of {ASKED}", plan.stories);
    println!("| {what} | {median:.1} ms; {p99:.1} ms; {worst:.1} ms | ≤ 50 ms |");
    runtime.block_on(async { tokio::task::spawn_blocking(move || log.close()).await })?;
    Ok(())
}

/// Events by turns in all partitions, and their outcomes in rounds.
async fn fill(log: &Log, events: u64) -> Done<()> {
    log.create_topic(TOPIC, TopicSettings::partitions(PARTITIONS))?.await?;
    log.create_topic(names::LEDGER_TOPIC, TopicSettings::partitions(1))?.await?;
    let (mut sequence, mut first) = (0, 0);
    while first < events {
        let end = (first + TOGETHER).min(events);
        let mut parts: Vec<Vec<Record>> = vec![Vec::new(); PARTITIONS as usize];
        for number in first..end {
            parts[(number / TOGETHER % u64::from(PARTITIONS)) as usize].push(event(number));
        }
        let mut appends: Vec<Append> = Vec::new();
        for (partition, records) in (0_u32..).zip(parts).filter(|(_, records)| !records.is_empty()) {
            appends.push(Append::records(Shard::new(TOPIC, partition), records));
        }
        let appended = log.append(Set::appends(appends)).await?;
        let mut outcomes = Vec::new();
        for placed in &appended.placed {
            let offsets: Vec<u64> = (placed.base..placed.base + u64::from(placed.count)).collect();
            for round in offsets.chunks(ROUND as usize) {
                let done = |offset: &u64| LedgerEntry::Ended(ended(*offset, START, Outcome::Completed, 5_000));
                let mut of = record(0, sequence, round.iter().map(done).collect());
                (of.partition, of.subscription) = (placed.shard.partition, Arc::from("payment"));
                sequence += 1;
                outcomes.push(Record { value: Some(ledger::encode(&of)), ..empty() });
            }
        }
        log.append(Set::of(Shard::new(names::LEDGER_TOPIC, 0), outcomes)).await?;
        first = end;
    }
    Ok(())
}

fn event(number: u64) -> Record {
    let header = |name: &str, value: String| Header { name: name.to_owned(), value: Some(Bytes::from(value)) };
    let headers = vec![
        header("ce_specversion", "1.0".to_owned()),
        header("ce_id", format!("order-{number}")),
        header("ce_source", "/bench".to_owned()),
        header("ce_type", "OrderCreated".to_owned()),
    ];
    Record { key: Some(Bytes::from(format!("customer-{}", number % 10_000))), headers, ..empty() }
}

fn empty() -> Record {
    Record { key: None, value: Some(Bytes::from_static(b"{\"cents\":1530}")), headers: Vec::new(), created: START }
}
