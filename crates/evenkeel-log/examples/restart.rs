//! How long opening takes after a kill: with so many bytes of segments, and with a write-ahead log
//! that no checkpoint covers.
//!
//! `cargo run --release -p evenkeel-log --example restart -- fill /some/folder 10240 1048576`
//! appends 10,240 MiB in batches of 1 MiB (then 960 MiB more that no checkpoint covers) and kills
//! itself; `restart -- open /some/folder` says how long opening takes, and what memory it needs.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_log::{Log, Options, RealDisk, Set, TopicSettings, verify};
use evenkeel_model::{Clock, Record, Shard, SystemClock};

const PARTITIONS: u32 = 64;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize| -> usize { args.get(n).and_then(|n| n.parse().ok()).unwrap_or(0) };
    let folder = args.get(1).map_or("restart-data", String::as_str);
    match args.first().map(String::as_str) {
        Some("fill") => fill(folder, number(2), number(3)),
        Some("open") => open(folder),
        Some("verify") => check(folder),
        _ => eprintln!("fill FOLDER MIB BATCH_BYTES | open FOLDER | verify FOLDER"),
    }
}

fn options() -> Options {
    Options { wal_bytes_max: 1 << 30, ..Options::default() }
}

fn fill(folder: &str, mib: usize, batch: usize) {
    append(folder, options(), (mib as u64) << 20, batch).close();
    // From here on no checkpoint: the write-ahead log fills up.
    let _log = append(folder, Options { flush_bytes: 4 << 30, ..options() }, 900 << 20, batch);
    std::process::abort();
}

fn append(folder: &str, options: Options, bytes: u64, batch: usize) -> Log {
    let log = Log::open(Arc::new(RealDisk::new(folder)), options, Arc::new(SystemClock::new())).expect("it opens");
    log.create_topic("bench", TopicSettings::partitions(PARTITIONS)).expect("a name").wait().expect("created");
    let each = bytes / u64::from(PARTITIONS) / batch.max(1) as u64;
    let threads: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            let (log, value) = (log.clone(), Bytes::from(vec![b'v'; batch]));
            std::thread::spawn(move || {
                for _ in 0..each {
                    let record = Record { value: Some(value.clone()), ..Record::default() };
                    log.append(Set::of(Shard::new("bench", partition), vec![record])).wait().expect("appended");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let status = log.status();
    println!("{} MiB of segments, {} MiB of write-ahead files", status.segment_bytes >> 20, status.wal_bytes >> 20);
    log
}

fn open(folder: &str) {
    let clock = Arc::new(SystemClock::new());
    let started = clock.now();
    let log = Log::open(Arc::new(RealDisk::new(folder)), options(), clock.clone()).expect("it opens");
    let took = clock.now().since(started);
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = memory.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown").to_owned();
    let records: u64 = log.cut().iter().map(|(_, ends)| ends.high_watermark).sum();
    println!("opened {records} records in {took:?}, {memory}");
    // Left as it is, so that the next opening has as much to do.
    std::process::abort();
}

fn check(folder: &str) {
    let clock = SystemClock::new();
    let started = clock.now();
    let verified = verify(Arc::new(RealDisk::new(folder))).expect("verified");
    println!(
        "{} records, {} places damaged, in {:?}",
        verified.records,
        verified.damage.len(),
        clock.now().since(started)
    );
}
