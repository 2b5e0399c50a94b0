//! The child: writers that append sets one after the other, and say of each what they were told.
//!
//! What a set holds follows from its run, writer and number, so that the checker knows every set
//! that may be there without having been told.

use std::io::Write;
use std::sync::Arc;

use evenkeel_log::{Append, Appended, Disk, Log, Options, Set, TopicSettings};
use evenkeel_model::{Record, Shard, SystemClock};

/// Topics and their partitions.
pub const TOPICS: [(&str, u32); 2] = [("first", 3), ("second", 1)];

/// How many append at once.
const WRITERS: u64 = 6;

/// Which set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub run: u64,
    pub writer: u64,
    pub number: u64,
}

/// Small files, so that a short run turns, seals, writes back and checkpoints often.
pub fn options() -> Options {
    Options {
        wal_first_file_bytes: 256 << 10,
        wal_file_bytes: 512 << 10,
        wal_bytes_max: 4 << 20,
        group_bytes_max: 128 << 10,
        segment_bytes: 96 << 10,
        flush_bytes: 400 << 10,
        tail_bytes: 64 << 10,
        ..Options::default()
    }
}

/// The parts of a set: a partition, and the values for it.
pub fn parts(name: Name) -> Vec<(Shard, Vec<String>)> {
    let mut dice = name.run.wrapping_mul(0x9e37_79b9) ^ name.writer << 40 ^ name.number;
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let count = 1 + roll(3);
    let part = |part: u64| {
        let (topic, partitions) = TOPICS[usize::from(roll(4) == 0)];
        let shard = Shard::new(topic, u32::try_from(roll(u64::from(partitions))).unwrap_or(0));
        let longest = if roll(30) == 0 { 20_000 } else { 700 };
        let filling = "x".repeat(usize::try_from(roll(longest)).unwrap_or(0));
        let value = |record: u64| format!("{} {} {} {part} {record} {filling}", name.run, name.writer, name.number);
        (shard, (0..=roll(3)).map(value).collect())
    };
    (0..count).map(part).collect()
}

/// Opens the log on `disk` and appends until the process is killed, or the disk fails.
pub fn load(disk: Arc<dyn Disk>, run: u64) {
    say("opening");
    let clock = Arc::new(SystemClock::new());
    let log = Log::open(disk, options(), clock).expect("the log opens");
    for (topic, partitions) in TOPICS {
        log.create_topic(topic, TopicSettings::partitions(partitions)).expect("a name").wait().expect("created");
    }
    say("open");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let log = &log;
            scope.spawn(move || {
                for number in 0.. {
                    append(log, Name { run, writer, number });
                }
            });
        }
    });
}

fn append(log: &Log, name: Name) {
    let record = |value: String| Record { value: Some(value.into()), ..Record::default() };
    let append =
        |(shard, values): (Shard, Vec<String>)| Append::records(shard, values.into_iter().map(record).collect());
    let set = Set::appends(parts(name).into_iter().map(append).collect());
    let Appended { placed, .. } = log.append(set).wait().expect("appended");
    let bases: Vec<String> = placed.iter().map(|p| p.base.to_string()).collect();
    say(&format!("acked {} {} {} {}", name.run, name.writer, name.number, bases.join(",")));
}

/// One line, whole, at once: what the parent has read was said.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A parent that is gone has killed us, or soon will.
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

/// Reads back what [`append`] said.
pub fn acked(line: &str) -> Option<(Name, Vec<u64>)> {
    let mut words = line.strip_prefix("acked ")?.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let name = Name { run: number()?, writer: number()?, number: number()? };
    let bases = words.next()?.split(',').map(|base| base.parse().ok()).collect::<Option<Vec<u64>>>()?;
    Some((name, bases))
}
