//! Limits and refusals: locks, rights, sizes, full disks, failing disks, full queues.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Shard;

use super::{Rig, poll};
use crate::sim::Fault;
use crate::write_back::Demand;
use crate::{AppendError, Log, OpenError, ReadLimit, Set, TopicError, TopicSettings};

fn set(rig: &Rig, topic: &str, bytes: usize) -> Set {
    Set::of(Shard::new(topic, 0), vec![rig.record(&"v".repeat(bytes))])
}

/// Appends in one step; what was said.
fn put(rig: &Rig, topic: &str, bytes: usize) -> Result<u64, AppendError> {
    let appending = rig.log().append(set(rig, topic, bytes));
    rig.log().step();
    appending.wait().map(|a| a.placed[0].base)
}

#[test]
fn a_second_open_is_refused_by_the_folders_name() {
    let rig = Rig::with_topic(1, None);
    let second = Log::open_idle(Arc::new(rig.disk.clone()), rig.options.clone(), rig.clock.clone());
    let Err(e) = second else { panic!("two logs in one folder") };
    assert_eq!(e, OpenError::Locked { folder: "simulated".into(), pid: None });
}

#[test]
fn a_folder_without_the_right_to_write_gives_a_clear_error() {
    let mut rig = Rig::new(2, None);
    rig.disk.set_writable(false);
    let Err(OpenError::Io { doing, why }) = rig.open() else { panic!("it opened") };
    assert_eq!(doing, "taking the data folder `simulated`");
    assert!(why.contains("permission denied"), "{why}");
}

#[test]
fn what_is_not_there_is_refused_by_name_and_nothing_is_written() {
    let rig = Rig::with_topic(3, None);
    let changes = rig.disk.changes();
    let unknown = rig.log().append(set(&rig, "nope", 1)).wait();
    assert_eq!(unknown, Err(AppendError::UnknownTopic { topic: "nope".into() }));
    let beyond = Set::of(Shard::new("t", 9), vec![rig.record("v")]);
    let said = rig.log().append(beyond).wait().expect_err("there is no partition 9");
    assert_eq!(said.to_string(), "topic `t` has no partition 9 (it has 2)");
    assert_eq!(rig.disk.changes(), changes);
}

#[test]
fn a_set_larger_than_a_group_is_refused_before_it_gets_an_offset() {
    let rig = Rig::with_topic(4, None);
    let max = rig.options.group_bytes_max;
    let Err(AppendError::TooLarge { bytes, max: told }) = put(&rig, "t", max) else { panic!("it was taken") };
    assert!(bytes > told && told < max);
    assert_eq!(put(&rig, "t", max / 2), Ok(0));
}

#[test]
fn a_topic_can_be_created_again_only_as_it_is() {
    let mut rig = Rig::with_topic(5, None);
    rig.create("t", 2);
    let other = rig.log().create_topic("t", TopicSettings::partitions(3)).expect("a good name");
    rig.log().step();
    assert_eq!(other.wait(), Err(TopicError::Differs { name: "t".into(), partitions: 2 }));
    let pair = [3, 3].map(|n| rig.log().create_topic("twice", TopicSettings::partitions(n)).expect("a good name"));
    rig.log().step();
    assert!(pair.into_iter().all(|c| c.wait().is_ok_and(|t| t.partitions == 3)));
    assert!(rig.log().create_topic("a/b", TopicSettings::partitions(1)).is_err());
    assert!(rig.log().create_topic("a", TopicSettings::partitions(0)).is_err());
    rig.kill();
    rig.open().expect("it opens");
    let names: Vec<_> = rig.log().topics().iter().map(|t| t.name.to_string()).collect();
    assert_eq!(names, ["evenkeel.control", "t", "twice"]);
}

#[test]
fn a_full_disk_refuses_appends_keeps_headroom_for_own_topics_and_recovers_by_itself() {
    let mut rig = Rig::with_topic(6, None);
    rig.create("evenkeel.ledger", 1);
    rig.disk.set_capacity(Some(rig.disk.used()));
    let mut taken = 0;
    while put(&rig, "t", 2000).is_ok() {
        taken += 1;
        assert!(taken < 100, "the disk never fills up");
    }
    assert_eq!(put(&rig, "t", 2000), Err(AppendError::DiskFull));
    assert_eq!(put(&rig, "evenkeel.ledger", 2000), Ok(0));
    let read = rig.log().read(&Shard::new("t", 0), 0, ReadLimit::default()).expect("reads go on");
    assert_eq!(read.len(), taken);
    assert_eq!(rig.log().status().stopped, None);

    rig.disk.set_capacity(None);
    assert_eq!(put(&rig, "t", 2000), Err(AppendError::DiskFull), "a full disk is believed for a moment");
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(put(&rig, "t", 2000), Ok(taken as u64));
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(rig.values(0).expect("read").len(), taken + 1);
}

#[test]
fn on_a_full_disk_own_topics_go_on_for_as_long_as_checkpoints_find_room() {
    for seed in 0..10 {
        let mut rig = Rig::new(seed, None);
        // A write-ahead file of the full size does not find room.
        (rig.options.wal_file_bytes, rig.options.wal_bytes_max) = (768 << 10, 4 << 20);
        rig.open().expect("an empty folder opens");
        rig.create("t", 2);
        rig.create("evenkeel.ledger", 1);
        rig.disk.set_capacity(Some(rig.disk.used() + (600 << 10)));
        let mut taken = 0;
        while put(&rig, "t", 2000).is_ok() {
            taken += 1;
            assert!(taken < 1000, "the disk never fills up");
            drop(rig.log().write_back(Demand::Usual));
            drop(rig.log().prepare());
        }
        for n in 0..300 {
            // As the flusher does when it is asked.
            drop(rig.log().flush());
            rig.clock.advance(Duration::from_secs(1));
            assert_eq!(put(&rig, "evenkeel.ledger", 100), Ok(n), "seed {seed}: 300 groups are 1,200 KiB");
        }
        rig.kill();
        rig.open().expect("it opens");
        assert_eq!(rig.values(0).expect("read").len(), taken);
        assert_eq!(put(&rig, "evenkeel.ledger", 100), Ok(300));
    }
}

#[test]
fn a_full_disk_stops_the_flusher_only_until_there_is_room() {
    let mut rig = Rig::with_topic(7, None);
    for _ in 0..4 {
        put(&rig, "t", 3000).expect("appended");
    }
    rig.disk.set_capacity(Some(rig.disk.used() + 5000));
    assert!(rig.log().flush().is_err());
    assert_eq!(rig.log().status().stopped, None);
    put(&rig, "t", 9000).expect_err("the write-ahead log has room, and its segment has not");
    rig.disk.set_capacity(None);
    rig.log().flush().expect("there is room");
    rig.clock.advance(Duration::from_secs(1));
    put(&rig, "t", 3000).expect("there is room");
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(rig.values(0).expect("read").len(), 5);
}

#[test]
fn a_failed_write_stops_the_log_for_good_and_reads_go_on() {
    let mut rig = Rig::with_topic(8, None);
    put(&rig, "t", 10).expect("appended");
    rig.disk.inject(Fault::DurableWrite, 0);
    let Err(AppendError::Stopped { why }) = put(&rig, "t", 10) else { panic!("a failed write was acknowledged") };
    assert!(why.contains("write-ahead log failed"), "{why}");
    let changes = rig.disk.changes();
    assert!(matches!(put(&rig, "t", 10), Err(AppendError::Stopped { .. })), "it went on after a failed write");
    rig.log().seal();
    assert!(rig.log().flush().is_err());
    assert_eq!(rig.disk.changes(), changes, "it wrote after a failed write");
    assert_eq!(rig.values(0).expect("reads go on").len(), 1);
    assert_eq!(rig.log().status().stopped, Some(why));
    assert_eq!(poll(&mut rig.log().beyond(rig.log().version())), Some(rig.log().version()));
    rig.kill();
    rig.open().expect("it opens again");
}

#[test]
fn a_failed_flush_of_a_segment_stops_the_log_and_loses_nothing() {
    for (fault, skip) in [(Fault::Flush, 0), (Fault::Flush, 1), (Fault::SyncFolder, 0), (Fault::Write, 0)] {
        let mut rig = Rig::with_topic(9, None);
        put(&rig, "t", 10).expect("appended");
        rig.disk.inject(fault, skip);
        assert!(rig.log().flush().is_err());
        assert!(matches!(put(&rig, "t", 10), Err(AppendError::Stopped { .. })), "{fault:?} did not stop it");
        rig.log = None;
        rig.disk.cut_power();
        rig.open().expect("it opens");
        assert_eq!(rig.values(0).expect("read").len(), 1);
    }
}

#[test]
fn a_full_queue_makes_appends_wait_and_forgets_none() {
    let rig = Rig::with_topic(10, None);
    let each = rig.options.group_bytes_max / 2;
    let mut waiting: Vec<_> = (0..10).map(|_| rig.log().append(set(&rig, "t", each))).collect();
    assert!(waiting.iter_mut().all(|a| poll(a).is_none()));
    let mut done = 0;
    for _ in 0..10 {
        rig.log().step();
        waiting.retain_mut(|a| match poll(a) {
            Some(outcome) => {
                outcome.expect("appended");
                done += 1;
                false
            }
            None => true,
        });
    }
    assert_eq!(done, 10);
    assert_eq!(rig.values(0).expect("read").len(), 10);
}

#[test]
fn an_append_that_was_dropped_while_it_waited_is_never_written() {
    let rig = Rig::with_topic(11, None);
    let each = rig.options.group_bytes_max / 2;
    let kept: Vec<_> = (0..10).map(|_| rig.log().append(set(&rig, "t", each))).collect();
    drop(kept);
    for _ in 0..10 {
        rig.log().step();
    }
    let there = rig.values(0).expect("read").len();
    assert!(there > 0 && there < 10, "{there} records: queued sets are written, waiting ones are not");
}

#[test]
fn a_log_whose_write_ahead_files_are_used_up_flushes_by_itself_and_goes_on() {
    let rig = Rig::with_topic(12, None);
    for n in 0..400 {
        assert_eq!(put(&rig, "t", 6000), Ok(n));
    }
    assert!(rig.log().status().wal_bytes <= rig.options.wal_bytes_max + rig.options.wal_file_bytes);
    assert!(rig.log().status().segment_bytes > 1 << 20);
}

#[test]
fn a_process_that_may_open_few_files_writes_many_partitions() {
    let mut rig = Rig::new(14, None);
    rig.options.open_segments_max = 1000;
    rig.disk.set_files_max(Some(40));
    rig.open().expect("it opens");
    rig.create("t", 60);
    for round in 0..3 {
        for partition in 0..60 {
            rig.append(partition, &format!("{round}")).expect("appended");
        }
        rig.log().write_back(Demand::Before(u64::MAX)).expect("no more files are open than may be");
    }
    rig.log().flush().expect("flushed");
    rig.kill();
    rig.open().expect("it opens again");
    assert!((0..60).all(|partition| rig.values(partition).is_ok_and(|values| values == ["0", "1", "2"])));
}

#[test]
fn of_what_was_flushed_only_the_newest_stays_in_the_cache() {
    let rig = Rig::with_topic(15, None);
    for n in 0..60 {
        put(&rig, "t", 500).expect("appended");
        if n % 3 == 2 {
            rig.log().flush().expect("flushed");
        }
    }
    let logs = rig.log().segment_paths().into_iter().filter(|path| path.ends_with(".log"));
    let mut left: BTreeMap<String, u64> = logs.map(|path| (path, 0)).collect();
    for (path, part) in rig.disk.forgotten() {
        let upto = left.get_mut(&path).expect("a segment");
        assert_eq!(*upto, part.start, "{path}: each byte once, in order");
        *upto = part.end;
    }
    let bytes = |path: &str| rig.disk.bytes(path).expect("it is there").len() as u64;
    let cached: u64 = left.iter().map(|(path, gone)| bytes(path) - gone).sum();
    let max = rig.options.cached_bytes;
    assert!(cached <= max && cached + 3 * 700 > max, "{cached} bytes of {max}");
    assert!(left.len() > 4 && left.values().filter(|gone| **gone > 0).count() > 2, "{left:?}");
}
