//! Reading: ends, cuts, limits, times, from memory and from segments alike.

use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{Clock, Header, Record, Shard, Timestamp};

use super::{Rig, poll, text};
use crate::{Append, Ends, ReadError, ReadLimit, Set};

/// Records 0 to 199 of partition 0, some in segments only, some in memory only.
fn both() -> (Rig, Vec<Timestamp>) {
    let rig = Rig::with_topic(1, None);
    let mut times = Vec::new();
    for n in 0..200 {
        times.push(rig.append(0, &format!("{n} {}", "z".repeat(n % 90))).expect("appended").at);
        if n == 150 {
            rig.log().flush().expect("flushed");
        }
    }
    (rig, times)
}

#[test]
fn every_offset_can_be_read_with_any_limit() {
    let (rig, times) = both();
    let shard = Shard::new("t", 0);
    for from in 0..200 {
        for limit in [1, 2, 64, 500] {
            let read = rig.log().read(&shard, from, ReadLimit::records(limit)).expect("read");
            assert_eq!(
                read.len(),
                limit.min(200 - usize::try_from(from).expect("small")),
                "from {from}, limit {limit}"
            );
            for (offset, stored) in (from..).zip(&read) {
                assert_eq!(stored.at.offset, offset);
                assert!(text(&stored.record).starts_with(&format!("{offset} ")));
                assert_eq!(stored.appended, times[usize::try_from(offset).expect("small")]);
            }
        }
    }
}

#[test]
fn a_limit_in_bytes_holds_and_gives_one_record_at_least() {
    let (rig, _) = both();
    let shard = Shard::new("t", 0);
    for from in [0, 100, 190] {
        let limit = ReadLimit { records: 1000, bytes: 1 };
        assert_eq!(rig.log().read(&shard, from, limit).expect("read").len(), 1);
        let limit = ReadLimit { records: 1000, bytes: 300 };
        let read = rig.log().read(&shard, from, limit).expect("read");
        assert!(read.len() > 1 && read.len() < 100, "{}", read.len());
    }
}

#[test]
fn beyond_the_ends_a_read_says_where_they_are() {
    let (rig, _) = both();
    let read = |topic: &str, partition, from| rig.log().read(&Shard::new(topic, partition), from, ReadLimit::default());
    assert_eq!(read("t", 0, 200), Ok(Vec::new()));
    assert_eq!(read("t", 0, 201), Err(ReadError::Beyond { end: 200 }));
    assert_eq!(read("t", 1, 0), Ok(Vec::new()));
    assert_eq!(read("x", 0, 0), Err(ReadError::UnknownTopic { topic: "x".into() }));
    let no_partition = ReadError::UnknownPartition { topic: "t".into(), partition: 2, partitions: 2 };
    assert_eq!(read("t", 2, 0), Err(no_partition));
    let ends = rig.log().ends(&Shard::new("t", 0)).expect("there");
    assert_eq!(ends, Ends { start: 0, high_watermark: 200, last_stable: 200 });
}

#[test]
fn a_time_finds_the_first_offset_appended_at_or_after_it() {
    let (mut rig, times) = both();
    let shard = Shard::new("t", 0);
    for _ in 0..2 {
        for (offset, time) in (0_u64..).zip(&times) {
            assert_eq!(rig.log().offset_at(&shard, *time), Ok(Some(offset)));
            assert_eq!(rig.log().offset_at(&shard, *time - Duration::from_micros(1)), Ok(Some(offset)));
        }
        assert_eq!(rig.log().offset_at(&shard, times[199] + Duration::from_micros(1)), Ok(None));
        assert_eq!(rig.log().offset_at(&shard, Timestamp::EPOCH), Ok(Some(0)));
        rig.kill();
        rig.open().expect("it opens");
    }
}

#[test]
fn records_come_back_as_they_went_in() {
    let mut rig = Rig::with_topic(2, None);
    rig.options.tail_bytes = 0;
    let records = vec![
        Record { key: Some(Bytes::from_static(b"k")), value: None, headers: Vec::new(), created: rig.clock.now() },
        Record {
            key: None,
            value: Some(Bytes::new()),
            headers: vec![
                Header { name: "ce_id".into(), value: Some(Bytes::from_static(b"\xff\x00")) },
                Header { name: "ce_id".into(), value: None },
                Header { name: String::new(), value: Some(Bytes::new()) },
            ],
            created: Timestamp::from_millis(-5),
        },
        Record { created: Timestamp::from_millis(1_291_213_860_000), ..Record::default() },
    ];
    let appending = rig.log().append(Set::of(Shard::new("t", 1), records.clone()));
    rig.log().step();
    appending.wait().expect("appended");
    let read = |rig: &Rig| -> Vec<Record> {
        let read = rig.log().read(&Shard::new("t", 1), 0, ReadLimit::default()).expect("read");
        read.into_iter().map(|s| s.record).collect()
    };
    assert_eq!(read(&rig), records);
    rig.log().flush().expect("flushed");
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(read(&rig), records);
}

#[test]
fn a_set_is_placed_part_by_part_and_a_cut_never_splits_it() {
    let rig = Rig::with_topic(3, None);
    let part = |partition, n: usize| {
        Append::records(Shard::new("t", partition), (0..n).map(|i| rig.record(&i.to_string())).collect())
    };
    let set = Set::appends(vec![part(1, 2), part(0, 1), part(1, 0), part(1, 3)]);
    let before = rig.log().cut();
    let mut appending = rig.log().append(set);
    assert!(poll(&mut appending).is_none());
    assert_eq!(rig.log().cut(), before, "what is not durable is not visible");
    rig.log().step();
    let placed = appending.wait().expect("appended").placed;
    let places: Vec<_> = placed.iter().map(|p| (p.shard.partition, p.base, p.count)).collect();
    assert_eq!(places, [(1, 0, 2), (0, 0, 1), (1, 2, 0), (1, 2, 3)]);
    let cut: Vec<_> =
        rig.log().cut().into_iter().map(|(s, e)| (s.topic.to_string(), s.partition, e.high_watermark)).collect();
    assert_eq!(cut, [("evenkeel.control".into(), 0, 1), ("t".into(), 0, 1), ("t".into(), 1, 5)]);
}

#[test]
fn news_comes_with_each_group_of_records_and_not_with_seals() {
    let rig = Rig::with_topic(4, None);
    let version = rig.log().version();
    let mut news = rig.log().beyond(version);
    rig.log().seal();
    assert_eq!(poll(&mut news), None);
    rig.append(0, "v").expect("appended");
    let newer = poll(&mut news).expect("a group is durable");
    assert!(newer > version);
    assert_eq!(poll(&mut rig.log().beyond(version)), Some(newer));
    assert_eq!(poll(&mut rig.log().beyond(newer)), None);
}

#[test]
fn a_set_without_records_completes_and_writes_nothing() {
    let rig = Rig::with_topic(5, None);
    let changes = rig.disk.changes();
    let appending = rig.log().append(Set::of(Shard::new("t", 0), Vec::new()));
    rig.log().step();
    let appended = appending.wait().expect("appended");
    assert_eq!((appended.placed[0].base, appended.placed[0].count), (0, 0));
    assert_eq!(rig.disk.changes(), changes);
}

#[test]
fn append_times_never_go_back_even_over_a_restart_with_a_clock_that_did() {
    let mut rig = Rig::with_topic(6, None);
    let first = rig.append(0, "v").expect("appended").at;
    rig.kill();
    rig.clock = std::sync::Arc::new(evenkeel_model::ManualClock::at(Timestamp::from_millis(5)));
    rig.open().expect("it opens");
    assert!(rig.append(0, "w").expect("appended").at >= first);
}
