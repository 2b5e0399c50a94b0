//! What identities that were seen cost: memory, a miss, a hit, opening.
//!
//!     cargo run --release -p evenkeel-log --example seen FOLDER [MARKS] [SEALED_AT_ONCE]

use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel_log::RealDisk;
use evenkeel_log::seen::{Series, Sighting};
use evenkeel_model::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);

#[allow(clippy::disallowed_methods)] // A measurement of real time.
fn now() -> Instant {
    Instant::now()
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "seen-data".to_owned());
    let mut number = |default: u64| arguments.next().and_then(|a| a.parse().ok()).unwrap_or(default);
    let (marks, at_once) = (number(10_000_000), number(700_000));
    let open = || {
        std::fs::create_dir_all(&folder)?;
        Series::open(Arc::new(RealDisk::new(&folder)), "inbox".to_owned(), 0)
    };
    let series = open()?;
    let begun = now();
    let mut next = series.end();
    while next < marks {
        let end = (next + at_once).min(marks);
        series.seal(next..end, (next..end).map(|n| Sighting::new(mark(n), NOW)).collect())?;
        series.tidy(Timestamp::EPOCH)?;
        next = end;
    }
    println!("sealed {marks} in {:.1} s", begun.elapsed().as_secs_f64());
    drop(series);
    let (before, begun) = (resident(), now());
    let series = open()?;
    let memory = series.memory();
    println!(
        "opened in {:.2} s: {} segments, {} MB by count, {} MB resident",
        begun.elapsed().as_secs_f64(),
        memory.segments,
        memory.bytes >> 20,
        resident().saturating_sub(before) >> 20
    );
    let strangers: Vec<u64> = (0..400_000).map(|n| marks + n * 7).collect();
    report("a miss", times(&strangers, |n| assert!(series.find(&mark(n)).is_ok_and(|f| f.is_none()))));
    let known: Vec<u64> = (0..100_000).map(|n| n * 7_919 % marks).collect();
    report("a hit", times(&known, |n| assert!(series.find(&mark(n)).is_ok_and(|f| f.is_some()))));
    let batches: Vec<Vec<[u8; 16]>> =
        strangers.chunks(512).map(|some| some.iter().map(|n| mark(*n)).collect()).collect();
    let begun = now();
    for batch in &batches {
        assert!(series.find_all(batch).is_ok_and(|found| found.iter().all(Option::is_none)));
    }
    let each = begun.elapsed() / u32::try_from(strangers.len()).unwrap_or(u32::MAX);
    println!("a miss among 512 at once: {each:?}");
    Ok(())
}

fn times(all: &[u64], ask: impl Fn(u64)) -> Vec<Duration> {
    let time = |n: &u64| {
        let begun = now();
        ask(*n);
        begun.elapsed()
    };
    let mut times: Vec<Duration> = all.iter().map(time).collect();
    times.sort_unstable();
    times
}

fn report(what: &str, times: Vec<Duration>) {
    let at = |share: usize| times[times.len() * share / 1000];
    println!("{what}: p50 {:?}, p99 {:?}, p99.9 {:?}", at(500), at(990), at(999));
}

/// Spread as a hash would spread them.
fn mark(n: u64) -> [u8; 16] {
    let mix = |mut x: u64| {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let mut mark = [0; 16];
    mark[..8].copy_from_slice(&mix(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes());
    mark[8..].copy_from_slice(&mix(n + 7).to_be_bytes());
    mark
}

/// Resident memory, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}
