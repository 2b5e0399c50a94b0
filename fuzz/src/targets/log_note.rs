//! The folder's note of damage that a reader met: any lines with a title and a checksum that fit, or any bytes at
//! all, beside segments that are whole, or of which one is not.
//!
//! It is a hint. Whatever it says, a whole folder opens with all its records, and the note goes; a segment
//! that is damaged and that it names, or that nobody can tell whether it names, is found.
#![no_main]

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use evenkeel_fuzz::{Tally, seed};
use evenkeel_log::sim::SimDisk;
use evenkeel_log::{Disk, Log, OpenError, Options, ReadLimit, Set, TopicSettings};
use evenkeel_model::{ManualClock, Record, Shard, Timestamp};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

const NOTE: &str = "damaged";
const TITLE: &str = "evenkeel damaged 1";
const SEGMENT: &str = "topics/t-0@1/00000000000000000000.log";
const RECORDS: usize = 4;

fn options() -> Options {
    Options {
        wal_first_file_bytes: 48 << 10,
        wal_file_bytes: 48 << 10,
        wal_bytes_max: 512 << 10,
        group_bytes_max: 16 << 10,
        tail_bytes: 0,
        ..Options::default()
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)))
}

fn open(disk: &SimDisk) -> Result<Log, OpenError> {
    Log::open(Arc::new(disk.clone()), options(), clock())
}

/// A closed folder with two segments.
fn folder() -> &'static Vec<(String, Vec<u8>)> {
    static FOLDER: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let disk = SimDisk::new(1);
        let log = open(&disk).expect("it opens");
        log.create_topic("t", TopicSettings::partitions(2)).expect("a name").wait().expect("created");
        for n in 0..RECORDS as u32 {
            let record = Record { value: Some(Bytes::from_static(b"value")), ..Record::default() };
            log.append(Set::of(Shard::new("t", n % 2), vec![record])).wait().expect("appended");
        }
        log.close();
        drop(log);
        // Closing makes a checkpoint: nothing is left in the write-ahead log that could heal a segment.
        disk.paths().into_iter().map(|path| (path.clone(), disk.bytes(&path).unwrap_or_default())).collect()
    })
}

/// A note with these bytes for lines, and a checksum that fits.
fn sealed(lines: &[u8]) -> Vec<u8> {
    let mut text = [TITLE.as_bytes(), b"\n", lines].concat();
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let crc = crc32c::crc32c(&text);
    text.extend_from_slice(format!("{crc:08x}\n").as_bytes());
    text
}

fn disk_of(rotten: bool, note: &[u8]) -> SimDisk {
    let disk = SimDisk::new(1);
    for (path, bytes) in folder() {
        if let Some((folder, _)) = path.rsplit_once('/') {
            disk.create_folder(folder).expect("made");
        }
        let mut bytes = bytes.clone();
        if rotten && path == SEGMENT {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
        disk.open(path, true).and_then(|file| file.write_at(&bytes, 0)).expect("written");
    }
    disk.open(NOTE, true).and_then(|file| file.write_at(note, 0)).expect("written");
    disk
}

fn count(log: &Log) -> usize {
    let read = |partition| log.read(&Shard::new("t", partition), 0, ReadLimit::default()).map_or(0, |read| read.len());
    (0..2).map(read).sum()
}

fuzz_target!(
    init: {
        let both = format!("{SEGMENT}\ntopics/t-1@1/00000000000000000000.log\n");
        let seeds = [&[0][..], &[1], both.as_bytes(), SEGMENT.as_bytes(), b"elsewhere\n", TITLE.as_bytes()];
        let with = |first: u8| seeds.iter().map(move |seed| [&[first][..], seed].concat());
        seed(&(0..4).flat_map(with).collect::<Vec<_>>());
    },
    |input: &[u8]| {
        let Some((first, lines)) = input.split_first() else { return };
        let (rotten, repaired) = (first & 1 == 1, first & 2 == 0);
        let note = if repaired { sealed(lines) } else { lines.to_vec() };
        let named = std::str::from_utf8(lines).map_or(true, |lines| lines.split('\n').any(|line| line == SEGMENT));
        let disk = disk_of(rotten, &note);
        match open(&disk) {
            Ok(log) => {
                assert!(!(rotten && repaired && named), "it opened on a damaged segment that the note names");
                assert_eq!(disk.bytes(NOTE), None, "the note is still there");
                if !rotten {
                    assert_eq!(count(&log), RECORDS);
                }
                TALLY.count(repaired);
            }
            Err(OpenError::Corrupt { damage }) => {
                assert!(rotten && damage.iter().all(|found| found.file == SEGMENT), "{damage:?}");
                assert!(!repaired || named, "what the note does not name was looked at");
                assert_eq!(disk.bytes(NOTE), Some(note), "nothing may change before an operator decides");
                let log = Log::open_damaged(Arc::new(disk.clone()), options(), clock()).expect("it is served for reading");
                assert!(count(&log) >= RECORDS / 2, "the other segment is whole");
                TALLY.count(repaired);
            }
            Err(e) => panic!("{e}"),
        }
    }
);
