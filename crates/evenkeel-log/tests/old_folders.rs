//! Data folders of every format that was ever released open for ever.
//!
//! `golden/<version>/data` was written once, by the code of its time; `read.txt` beside it says
//! what must be read from it. A test opens a copy, so nothing here ever changes.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_log::{Log, Options, ReadLimit, RealDisk, Retention, Set};
use evenkeel_model::{Clock, ManualClock, Record, Shard, Stored, Timestamp};

/// A copy of a golden folder, and what must be read from it.
struct Golden {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    read: String,
}

impl Golden {
    fn copy(version: &str) -> Golden {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version);
        let folder = tempfile::tempdir().expect("a folder for the copy");
        copy(&golden.join("data"), folder.path());
        let read = std::fs::read_to_string(golden.join("read.txt")).expect("what must be read");
        Golden { folder, clock: Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_100_000))), read }
    }

    fn open(&self) -> Log {
        let disk = Arc::new(RealDisk::new(self.folder.path()));
        Log::open(disk, Options::default(), self.clock.clone()).expect("an old folder opens")
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path: PathBuf = entry.expect("listed").path();
        let into = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &into) } else { assert!(std::fs::copy(&path, &into).is_ok()) }
    }
}

/// Everything that the log says, one line for each topic, partition and record.
fn story(log: &Log) -> String {
    let mut out = String::new();
    for topic in log.topics() {
        let Retention { age, bytes, .. } = topic.settings.retention;
        writeln!(out, "topic {} partitions {} age {age:?} bytes {bytes:?}", topic.name, topic.partitions)
            .expect("text");
    }
    for (shard, ends) in log.cut().into_iter().filter(|(shard, _)| &*shard.topic != "evenkeel.control") {
        let (start, end) = (ends.start, ends.high_watermark);
        writeln!(out, "partition {} {} from {start} to {end}", shard.topic, shard.partition).expect("text");
        let mut from = start;
        while from < end {
            let stored = log.read(&shard, from, ReadLimit::records(10)).expect("read");
            from = stored.last().expect("there are records before the end").at.offset + 1;
            stored.iter().for_each(|s| writeln!(out, "{}", line(s)).expect("text"));
        }
    }
    out
}

fn line(stored: &Stored) -> String {
    let record = &stored.record;
    let headers: Vec<String> =
        record.headers.iter().map(|h| format!("{}={}", h.name, shown(h.value.as_deref()))).collect();
    format!(
        "{} appended {} created {} key {} value {} headers [{}]",
        stored.at.offset,
        stored.appended.micros(),
        record.created.micros(),
        shown(record.key.as_deref()),
        shown(record.value.as_deref()),
        headers.join(", ")
    )
}

/// Long values by their length and CRC-32C.
fn shown(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "-".to_owned(),
        Some(bytes) if bytes.len() <= 60 => format!("{:?}", String::from_utf8_lossy(bytes)),
        Some(bytes) => format!("{}:{:08x}", bytes.len(), crc32c::crc32c(bytes)),
    }
}

/// The first line that differs says more than two thousand that do not.
fn compare(found: &str, expected: &str) {
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of read.txt", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "what was read has another length");
}

#[test]
fn a_folder_of_version_1_is_read_to_the_last_record() {
    let golden = Golden::copy("v1");
    compare(&story(&golden.open()), &golden.read);
}

#[test]
fn a_folder_of_version_1_is_brought_forward_and_taken_further() {
    let golden = Golden::copy("v1");
    let late = Shard::new("late", 0);
    for round in 1..4 {
        let log = golden.open();
        let record = Record { value: Some(format!("round {round}").into()), ..Record::default() };
        golden.clock.advance(Duration::from_secs(1));
        let appended = log.append(Set::of(late.clone(), vec![record])).wait().expect("appended");
        assert_eq!(appended.placed[0].base, round, "offsets go on where version 1 stopped");
        log.close();
    }
    let log = golden.open();
    let added = log.read(&late, 1, ReadLimit::default()).expect("read");
    assert_eq!(added.len(), 3);
    let mut expected = golden.read.replace("partition late 0 from 0 to 1", "partition late 0 from 0 to 4");
    added.iter().for_each(|s| writeln!(expected, "{}", line(s)).expect("text"));
    compare(&story(&log), &expected);
}

#[test]
fn append_times_of_version_1_still_find_offsets() {
    let golden = Golden::copy("v1");
    let log = golden.open();
    let shard = Shard::new("orders", 1);
    let end = log.ends(&shard).expect("there").high_watermark;
    let stored = log.read(&shard, 0, ReadLimit::records(1000)).expect("read");
    assert_eq!(stored.len() as u64, end);
    for pair in stored.windows(2).filter(|pair| pair[0].appended < pair[1].appended) {
        assert_eq!(log.offset_at(&shard, pair[1].appended), Ok(Some(pair[1].at.offset)));
    }
    assert_eq!(log.offset_at(&shard, golden.clock.now()), Ok(None));
}
