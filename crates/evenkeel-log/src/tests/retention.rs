//! Retention: by age and by size, whole sealed segments, never past what is owed.

use std::time::Duration;

use evenkeel_model::Shard;

use super::Rig;
use crate::{ReadError, ReadLimit, Retention, TopicSettings};

/// Topic `t` with that retention, and 40 records of 1 KiB, one a second, flushed.
fn filled(retention: Retention) -> Rig {
    let mut rig = Rig::new(1, None);
    rig.options.tail_bytes = 0;
    rig.open().expect("it opens");
    let creating =
        rig.log().create_topic("t", TopicSettings { retention, ..TopicSettings::partitions(2) }).expect("a good name");
    rig.log().step();
    creating.wait().expect("created");
    for n in 0..40 {
        rig.clock.advance(Duration::from_secs(1));
        rig.append(0, &format!("{n} {}", "r".repeat(1000))).expect("appended");
    }
    rig.log().flush().expect("flushed");
    rig
}

/// How many files the partition has.
fn files(rig: &Rig) -> usize {
    rig.disk.paths().iter().filter(|p| p.starts_with("topics/t-0@1/")).count()
}

fn start(rig: &Rig) -> u64 {
    rig.log().ends(&Shard::new("t", 0)).expect("there").start
}

#[test]
fn without_limits_nothing_goes() {
    let rig = filled(Retention::default());
    assert_eq!(rig.retain().expect("retained").segments, 0);
    assert_eq!(start(&rig), 0);
}

#[test]
fn old_sealed_segments_go_and_their_files_after_two_checkpoints() {
    let mut rig = filled(Retention { age: Some(Duration::from_secs(20)), ..Retention::default() });
    let before = files(&rig);
    let retained = rig.retain().expect("retained");
    assert!(retained.segments >= 2 && retained.bytes > 8000, "{retained:?}");
    let from = start(&rig);
    assert!((10..=20).contains(&from), "{from}");
    let below = rig.log().read(&Shard::new("t", 0), 0, ReadLimit::default());
    assert_eq!(below, Err(ReadError::BelowStart { start: from }));
    assert_eq!(rig.values(0).expect("read").len() as u64, 40 - from);
    rig.log().flush().expect("flushed");
    assert_eq!(files(&rig), before, "a file went that a slot still names");
    rig.log().flush().expect("flushed");
    assert!(files(&rig) < before, "{:?}", rig.disk.paths());
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(start(&rig), from);
    assert_eq!(rig.values(0).expect("read").len() as u64, 40 - from);
}

#[test]
fn the_oldest_segments_go_when_a_partition_is_too_large() {
    let rig = filled(Retention { bytes: Some(20 << 10), ..Retention::default() });
    assert!(rig.retain().expect("retained").segments >= 3);
    let left = 40 - start(&rig);
    assert!((13..=20).contains(&left), "{left} records are left");
    assert_eq!(rig.retain().expect("retained").segments, 0);
}

#[test]
fn what_is_owed_stays_until_it_is_owed_no_more() {
    let rig = filled(Retention { age: Some(Duration::from_secs(1)), ..Retention::default() });
    let shard = Shard::new("t", 0);
    rig.log().owe("slow", &[(shard.clone(), 12)]);
    rig.log().owe("fast", &[(shard.clone(), 30)]);
    rig.retain().expect("retained");
    assert!(start(&rig) <= 12 && start(&rig) > 0, "{}", start(&rig));
    rig.log().owe("slow", &[(shard.clone(), 0)]);
    let kept = start(&rig);
    assert_eq!(rig.retain().expect("retained").segments, 0);
    rig.log().owe("slow", &[(shard, 40)]);
    rig.retain().expect("retained");
    assert!(start(&rig) > kept && start(&rig) <= 30, "{}", start(&rig));
}

#[test]
fn what_retention_took_does_not_come_back_with_a_restart() {
    let mut rig = filled(Retention { age: Some(Duration::from_secs(1)), ..Retention::default() });
    rig.retain().expect("retained");
    let from = start(&rig);
    assert!(from > 0);
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(start(&rig), from);
    assert_eq!(rig.values(0).expect("read").len() as u64, 40 - from);
    let before = files(&rig);
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    assert!(files(&rig) < before, "its files stayed after the restart");
}

#[test]
fn the_segment_that_still_grows_never_goes() {
    let rig = filled(Retention { age: Some(Duration::from_secs(1)), bytes: Some(1), ..Retention::default() });
    rig.clock.advance(Duration::from_secs(1000));
    rig.retain().expect("retained");
    assert!(start(&rig) < 40);
    assert_eq!(rig.values(0).expect("read").len() as u64, 40 - start(&rig));
}
