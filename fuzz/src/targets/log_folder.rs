//! A whole small data folder: bytes of any of its files are changed and its checksums repaired,
//! then it is opened, read, verified and appended to, and repaired where it is damaged.
//!
//! That reaches everything that reads bytes from the medium: file headers, groups, entries, both
//! versions' slots with all their sections, the machine's snapshot, control records, segments and
//! indexes. None of it may panic, hang or take memory without bound.
#![no_main]

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use evenkeel_fuzz::{Tally, seed};
use evenkeel_log::sim::SimDisk;
use evenkeel_log::{
    Append, Change, Disk, Log, OpenError, Options, Producer, ReadLimit, Repair, Set, TopicSettings, batch, verify,
};
use evenkeel_model::{ManualClock, Record, Shard, Timestamp};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

const BLOCK: usize = 4096;

fn options() -> Options {
    Options {
        wal_first_file_bytes: 48 << 10,
        wal_file_bytes: 48 << 10,
        wal_bytes_max: 512 << 10,
        group_bytes_max: 16 << 10,
        pending_bytes_max: 64 << 10,
        segment_bytes: 2 << 10,
        flush_bytes: 256 << 10,
        tail_bytes: 1 << 10,
        headroom_bytes: 8 << 10,
        ..Options::default()
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)))
}

fn record(value: &str) -> Record {
    let value = Bytes::copy_from_slice(value.as_bytes());
    Record { key: Some(Bytes::from_static(b"k")), value: Some(value), ..Record::default() }
}

/// A transactional batch of that producer.
fn sent(producer: Producer, sequence: i32) -> Bytes {
    let mut bytes = batch::encode(&[record("in a transaction")]);
    bytes[22] = 1 << 4;
    bytes[43..51].copy_from_slice(&producer.id.to_be_bytes());
    bytes[51..53].copy_from_slice(&producer.epoch.to_be_bytes());
    bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
    repair_batch(&mut bytes);
    bytes.into()
}

/// A folder in use: topics, segments, both slots, an aborted transaction and an open one.
fn folder() -> &'static Vec<(String, Vec<u8>)> {
    static FOLDER: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let disk = SimDisk::new(1);
        for life in 0..3 {
            let log = Log::open(Arc::new(disk.clone()), options(), clock()).expect("it opens");
            log.create_topic("t", TopicSettings::partitions(2)).expect("a name").wait().expect("created");
            let id = log.new_producer().wait().expect("an id");
            let producer = Producer { id, epoch: 0 };
            for n in 0..12 {
                let shard = Shard::new("t", n % 2);
                log.append(Set::of(shard.clone(), vec![record(&"v".repeat(300))])).wait().expect("appended");
                if n % 4 == 1 {
                    let batch = sent(producer, i32::try_from(n / 4).unwrap_or(0));
                    log.append(Set::appends(vec![Append::batch(Shard::new("t", 1), batch)])).wait().expect("appended");
                }
            }
            if life == 0 {
                log.append(Set::change(Change::End { producer, commit: false })).wait().expect("ended");
            }
            log.close();
        }
        let log = Log::open(Arc::new(disk.clone()), options(), clock()).expect("it opens");
        for _ in 0..4 {
            log.append(Set::of(Shard::new("t", 0), vec![record("behind the checkpoint")])).wait().expect("appended");
        }
        disk.kill();
        disk.paths().into_iter().map(|path| (path.clone(), disk.bytes(&path).unwrap_or_default())).collect()
    })
}

fn put(bytes: &mut [u8], range: Range<usize>, what: &[u8]) {
    if let Some(place) = bytes.get_mut(range) {
        place.copy_from_slice(what);
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    let of = bytes.get(at..at + length).unwrap_or_default();
    of.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn repair_batch(bytes: &mut [u8]) {
    if bytes.len() > 61 {
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}

/// Every batch of a segment, by the lengths that it gives itself.
fn repair_batches(bytes: &mut [u8]) {
    let mut at = 0;
    while at + 61 < bytes.len() {
        let length = u32::from_be_bytes([bytes[at + 8], bytes[at + 9], bytes[at + 10], bytes[at + 11]]) as usize;
        let end = (at + 12).saturating_add(length).min(bytes.len());
        repair_batch(&mut bytes[at..end]);
        at = end.max(at + 61);
    }
}

fn repair_slot(bytes: &mut [u8]) {
    let length = number(bytes, 16, 8).min(bytes.len());
    if length >= 24 {
        bytes[12..16].fill(0);
        let crc = crc32c::crc32c(&bytes[..length]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    }
}

fn repair_index(bytes: &mut [u8], base: u64) {
    for entry in bytes.chunks_exact_mut(32) {
        let crc = crc32c::crc32c_append(crc32c::crc32c(&base.to_le_bytes()), &entry[..24]);
        entry[24..28].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Headers, the groups with their batches, and the chain between them.
fn repair_wal(bytes: &mut [u8]) {
    for header in [0, BLOCK] {
        put(bytes, header + 12..header + 16, &[0; 4]);
        let crc = crc32c::crc32c(bytes.get(header..header + 64).unwrap_or_default());
        put(bytes, header + 12..header + 16, &crc.to_le_bytes());
    }
    let Some(secret) = bytes.get(32..48).map(<[u8]>::to_vec) else { return };
    let file = (number(bytes, 16, 8) as u64).to_le_bytes();
    let mut previous: Option<[u8; 4]> = None;
    let mut at = 2 * BLOCK;
    while at + 64 <= bytes.len() && &bytes[at..at + 8] == b"EVKGROUP" {
        let end = (at + 64).saturating_add(number(bytes, at + 28, 4)).min(bytes.len());
        let mut entry = at + 64;
        while entry + 12 < end {
            let batch = (entry + 12).saturating_add(number(bytes, entry + 8, 4)).min(end);
            repair_batch(&mut bytes[entry + 12..batch]);
            entry = batch;
        }
        if let Some(previous) = previous {
            bytes[at + 24..at + 28].copy_from_slice(&previous);
        }
        bytes[at + 12..at + 16].fill(0);
        let seed = [&secret[..], &file, &(at as u64).to_le_bytes()].concat();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&seed), &bytes[at..end]).to_le_bytes();
        bytes[at + 12..at + 16].copy_from_slice(&crc);
        previous = Some(crc);
        at = end.next_multiple_of(BLOCK);
    }
}

fn repair(path: &str, bytes: &mut [u8]) {
    let base = || path.rsplit('/').next().and_then(|name| name.split('.').next()).and_then(|n| n.parse().ok());
    match path.rsplit('.').next() {
        Some("wal") => repair_wal(bytes),
        Some("log") => repair_batches(bytes),
        Some("index") => repair_index(bytes, base().unwrap_or(0)),
        _ => repair_slot(bytes),
    }
}

/// Patches: which file, where (of what is used of it), how many bytes, and the bytes.
fn patched(mut input: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = folder().clone();
    while let [file, low, high, length, rest @ ..] = input {
        let count = files.len();
        let (path, bytes) = &mut files[usize::from(*file) % count];
        let used = bytes.iter().rposition(|b| *b != 0).map_or(1, |last| last + 1);
        let at = usize::from(u16::from_le_bytes([*low, *high])) % used;
        let length = (1 + usize::from(length % 16)).min(rest.len()).min(bytes.len().saturating_sub(at));
        put(bytes, at..at + length, &rest[..length]);
        repair(path, bytes);
        input = &rest[length.max(1).min(rest.len())..];
    }
    files
}

fn disk_of(files: &[(String, Vec<u8>)]) -> SimDisk {
    let disk = SimDisk::new(1);
    for (path, bytes) in files {
        if let Some((folder, _)) = path.rsplit_once('/') {
            disk.create_folder(folder).expect("made");
        }
        disk.open(path, true).and_then(|file| file.write_at(bytes, 0)).expect("written");
    }
    disk
}

/// Reads what can be read.
fn read_all(log: &Log) -> usize {
    let mut count = 0;
    for (shard, ends) in log.cut() {
        let mut from = ends.start;
        for _ in 0..200 {
            let Ok(read) = log.read(&shard, from, ReadLimit::records(50)) else { break };
            let Some(last) = read.last() else { break };
            assert!(last.at.offset >= from && last.at.offset < ends.high_watermark);
            count += read.len();
            from = last.at.offset + 1;
        }
    }
    count
}

fuzz_target!(
    init: {
        seed(&(0..folder().len() as u8).map(|file| vec![file, 9, 0, 3, 1, 2, 3, 4]).collect::<Vec<_>>());
    },
    |input: &[u8]| {
        let disk = disk_of(&patched(input));
        let open = || Log::open(Arc::new(disk.clone()), options(), clock());
        let _ = verify(Arc::new(disk.clone()));
        match open() {
            Ok(log) => {
                read_all(&log);
                let _ = log.append(Set::of(Shard::new("t", 0), vec![record("one more")])).wait();
                log.close();
                drop(log);
                TALLY.count(true);
                if let Ok(log) = open() {
                    read_all(&log);
                }
            }
            Err(OpenError::Corrupt { .. }) => {
                TALLY.count(false);
                if let Ok(log) = Log::open_damaged(Arc::new(disk.clone()), options(), clock()) {
                    read_all(&log);
                }
                if Repair::plan(Arc::new(disk.clone()), options()).and_then(|plan| plan.run(clock())).is_ok() {
                    read_all(&open().expect("what was repaired opens"));
                }
            }
            Err(_) => TALLY.count(false),
        }
    }
);
