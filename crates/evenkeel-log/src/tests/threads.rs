//! The log with its threads, on a folder of the machine.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{Clock, Record, Shard, SystemClock};

use crate::{AppendError, Log, OpenError, Options, ReadLimit, RealDisk, Set, TopicSettings, Warning};

fn open(folder: &tempfile::TempDir) -> Result<Log, OpenError> {
    Log::open(Arc::new(RealDisk::new(folder.path())), Options::default(), Arc::new(SystemClock::new()))
}

fn set(partition: u32, value: &str) -> Set {
    let record = Record { value: Some(Bytes::copy_from_slice(value.as_bytes())), ..Record::default() };
    Set::of(Shard::new("t", partition), vec![record])
}

#[test]
fn many_threads_append_and_every_record_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(&folder).expect("it opens");
    log.create_topic("t", TopicSettings::partitions(4)).expect("a good name").wait().expect("created");
    let appenders: Vec<_> = (0..8_u32)
        .map(|n| {
            let log = log.clone();
            thread::spawn(move || {
                let mut last = None;
                for i in 0..50 {
                    let placed = log.append(set(n % 4, &format!("{n}.{i}"))).wait().expect("appended").placed;
                    assert!(last.is_none_or(|last| placed[0].base > last), "offsets grow for one who waits");
                    last = Some(placed[0].base);
                }
            })
        })
        .collect();
    for appender in appenders {
        appender.join().expect("no appender panics");
    }
    let status = log.status();
    assert!(status.groups <= 401 && status.flushes >= status.groups, "{status:?}");
    log.close();
    assert!(matches!(log.append(set(0, "late")).wait(), Err(AppendError::Stopped { .. })));
    let log = open(&folder).expect("it opens again");
    for partition in 0..4 {
        let read = log.read(&Shard::new("t", partition), 0, ReadLimit::records(1000)).expect("read");
        assert_eq!(read.len(), 100);
    }
}

#[test]
fn a_second_open_of_a_real_folder_names_the_folder_and_the_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(&folder).expect("it opens");
    let Err(OpenError::Locked { folder: named, pid }) = open(&folder) else { panic!("two logs in one folder") };
    assert_eq!(named, folder.path().display().to_string());
    assert_eq!(pid, Some(std::process::id()));
    drop(log);
    open(&folder).expect("the folder is free again");
}

#[test]
fn a_waiting_reader_is_woken_by_news_and_by_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(&folder).expect("it opens");
    log.create_topic("t", TopicSettings::partitions(1)).expect("a good name").wait().expect("created");
    let version = log.version();
    let reader = thread::spawn({
        let log = log.clone();
        move || {
            let newer = log.beyond(version).wait();
            (newer, log.beyond(u64::MAX).wait())
        }
    });
    log.append(set(0, "v")).wait().expect("appended");
    log.close();
    let (newer, last) = reader.join().expect("the reader ends");
    assert!(newer > version && last >= newer);
}

#[test]
fn a_burst_through_several_write_ahead_files_is_all_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(&folder).expect("it opens");
    log.create_topic("t", TopicSettings::partitions(1)).expect("a good name").wait().expect("created");
    let value = "b".repeat(64 << 10);
    let pending: Vec<_> = (0..100).map(|_| log.append(set(0, &value))).collect();
    for appending in pending {
        appending.wait().expect("appended");
    }
    drop(log);
    let log = open(&folder).expect("it opens again");
    let ends = log.ends(&Shard::new("t", 0)).expect("there");
    assert_eq!(ends.high_watermark, 100);
}

/// Waits until `there`, for ten seconds at most.
fn until(there: impl Fn() -> bool) -> bool {
    let clock = SystemClock::new();
    let began = clock.now();
    while !there() {
        if clock.now().since(began) > Duration::from_secs(10) {
            return false;
        }
        thread::yield_now();
    }
    true
}

#[test]
fn a_log_seals_each_time_it_falls_idle() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(&folder).expect("it opens");
    log.create_topic("t", TopicSettings::partitions(1)).expect("a good name").wait().expect("created");
    for round in 0..6 {
        log.append(set(0, "v")).wait().expect("appended");
        assert!(until(|| log.is_sealed()), "round {round}: nobody vouches for the last group");
    }
}

#[test]
fn a_folder_in_memory_is_warned_of() {
    let memory = std::path::Path::new("/dev/shm");
    if !memory.is_dir() {
        return;
    }
    let folder = tempfile::tempdir_in(memory).expect("a folder");
    let log = open(&folder).expect("it opens");
    assert!(matches!(log.warnings()[..], [Warning::Memory { file_system: "tmpfs" }, ..]), "{:?}", log.warnings());
}
