//! What parked events take in memory: a million of them on a hundred thousand keys, each key a
//! slice of a page that was read, as a source gives it.
//!
//!     cargo run --release -p evenkeel-delivery --example parked [EVENTS] [KEYS]

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::{Action, Arrival, Input, Mark, Policy, Screen, Subscription};
use evenkeel_model::{Created, Position, Shard, Timestamp, Verdict};

const START: Timestamp = Timestamp::from_millis(1_795_219_200_000);
/// A payload, beside which the key stands in its page.
const RECORD: usize = 1024;
const PAGE: usize = 512;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>().unwrap_or(0));
    let events = arguments.next().filter(|n| *n > 0).unwrap_or(1_000_000);
    let keys = arguments.next().filter(|n| *n > 0).unwrap_or(100_000);
    let mut policy = Policy { window: usize::MAX, ..Policy::default() };
    (policy.parking.keys, policy.parking.per_key) = (keys * 2, events);
    policy.concurrency.max = 1024;
    let mut subscription = Subscription::new(policy, 1);
    let shard = Shard::new("orders", 0);
    let before = resident();
    let mut actions = Vec::new();
    for first in (0..events).step_by(PAGE) {
        let page = page(&shard, first, keys);
        subscription.step(START, Input::Arrived(page), &mut actions);
        let mut todo: VecDeque<Action> = actions.drain(..).collect();
        while let Some(action) = todo.pop_front() {
            let input = match action {
                Action::Dispatch(dispatch) => Input::Finished {
                    attempt: dispatch.attempt,
                    verdict: Verdict::Defer { until: START + Duration::from_secs(3600) },
                    emitted: 0,
                    handler_version: None,
                    took: Duration::from_millis(1),
                },
                Action::Commit(round) => Input::Committed { round: round.number },
                _ => continue,
            };
            subscription.step(START, input, &mut actions);
            todo.extend(actions.drain(..));
        }
    }
    let view = subscription.view(START);
    let bytes = resident().saturating_sub(before);
    println!(
        "parked {} events of {} keys: {} MB, {} bytes each",
        view.parked,
        view.parked_keys,
        bytes >> 20,
        bytes / events as u64
    );
}

fn page(shard: &Shard, first: usize, keys: usize) -> Vec<Arrival> {
    let text: Vec<u8> = (first..first + PAGE)
        .flat_map(|n| format!("{:<RECORD$}", format!("customer-{}", n % keys)).into_bytes())
        .collect();
    let bytes = Bytes::from(text);
    let arrival = |n: usize| {
        let record = bytes.slice((n - first) * RECORD..(n - first + 1) * RECORD);
        let length = record.iter().position(|b| *b == b' ').unwrap_or(0);
        Arrival {
            at: Position { shard: shard.clone(), offset: n as u64 },
            key: Some(record.slice(..length)),
            mark: Mark::of("parked", "/shop", &n.to_string()),
            created: Created { at: START, believed: true },
            expires: None,
            kind: "OrderCreated".into(),
            source: "/shop".into(),
            priority: 4,
            bytes: RECORD as u32,
            version: evenkeel_delivery::Version::None,
            given_before: 0,
            screen: Screen::Wanted,
        }
    };
    (first..first + PAGE).map(arrival).collect()
}

/// Resident memory, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}
