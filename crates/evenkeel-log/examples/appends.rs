//! How many durable appends a second this disk gives: 1 KiB each, by so many appenders at once.
//!
//! `cargo run --release -p evenkeel-log --example appends -- 64 3 /some/folder`

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_log::{Log, Options, ReadLimit, RealDisk, Set, TopicSettings};
use evenkeel_model::{Clock, Record, Shard, SystemClock};

fn main() {
    let mut args = std::env::args().skip(1);
    let appenders: u32 = args.next().and_then(|n| n.parse().ok()).unwrap_or(64);
    let seconds: u64 = args.next().and_then(|n| n.parse().ok()).unwrap_or(3);
    let folder = args.next().unwrap_or_else(|| "appends-data".to_owned());
    let clock = Arc::new(SystemClock::new());
    let started = clock.now();
    let log = Log::open(Arc::new(RealDisk::new(&folder)), Options::default(), clock.clone()).expect("it opens");
    println!("opened in {:?}", clock.now().since(started));
    log.create_topic("bench", TopicSettings::partitions(16)).expect("a name").wait().expect("created");
    let until = clock.now() + Duration::from_secs(seconds);
    let threads: Vec<_> = (0..appenders).map(|n| spawn(log.clone(), clock.clone(), n % 16, until)).collect();
    let mut took: Vec<u64> = threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect();
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 1000).min(took.len() - 1)];
    let status = log.status();
    println!(
        "{appenders} appenders: {} appends/s, p50 {} us, p99 {} us, p99.9 {} us, {} groups, {:.3} flushes per append",
        took.len() as u64 / seconds,
        at(500),
        at(990),
        at(999),
        status.groups,
        status.flushes as f64 / took.len() as f64
    );
    read_back(&log, &clock);
}

fn spawn(
    log: Log,
    clock: Arc<SystemClock>,
    partition: u32,
    until: evenkeel_model::Timestamp,
) -> std::thread::JoinHandle<Vec<u64>> {
    std::thread::spawn(move || {
        let record = Record { value: Some(Bytes::from(vec![b'v'; 1024])), ..Record::default() };
        let mut took = Vec::new();
        let mut now = clock.now();
        while now < until {
            let set = Set::of(Shard::new("bench", partition), vec![record.clone()]);
            log.append(set).wait().expect("appended");
            let then = clock.now();
            took.push(u64::try_from(then.since(now).as_micros()).unwrap_or(u64::MAX));
            now = then;
        }
        took
    })
}

fn read_back(log: &Log, clock: &SystemClock) {
    let started = clock.now();
    let mut count = 0;
    for partition in 0..16 {
        let shard = Shard::new("bench", partition);
        let mut from = 0;
        loop {
            let read = log.read(&shard, from, ReadLimit::records(100)).expect("read");
            let Some(last) = read.last() else { break };
            from = last.at.offset + 1;
            count += read.len();
        }
    }
    let took = clock.now().since(started);
    println!("read {count} records in {took:?}: {:.0} records/s", count as f64 / took.as_secs_f64());
}
