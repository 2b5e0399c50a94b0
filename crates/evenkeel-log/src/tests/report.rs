//! What a damaged folder says of itself, and what is served of it all the same.

use std::sync::Arc;

use evenkeel_model::{Record, Shard};

use super::damage::{flip, flip_value, group_of};
use super::{Rig, find, text};
use crate::{
    Append, AppendError, Damage, DamageKind, Dumped, Log, Offsets, OpenError, ReadError, ReadLimit, Set, Show,
    TopicError, TopicSettings, dump, verify,
};

/// What opening says is damaged.
pub(super) fn damage(rig: &mut Rig) -> Vec<Damage> {
    match rig.open() {
        Err(OpenError::Corrupt { damage }) => damage,
        other => panic!("it said {other:?}"),
    }
}

pub(super) fn offsets(partition: u32, from: u64, to: u64) -> Offsets {
    Offsets { shard: Shard::new("t", partition), from, to: Some(to) }
}

pub(super) fn open_damaged(rig: &mut Rig) {
    rig.log = None;
    let log = Log::open_damaged(Arc::new(rig.disk.clone()), rig.options.clone(), rig.clock.clone());
    rig.log = Some(log.expect("what is whole is served"));
}

/// Appends several records to several partitions as one group.
fn append_group(rig: &Rig, parts: &[(u32, &[&str])]) {
    let part = |(partition, values): &(u32, &[&str])| {
        let records: Vec<Record> = values.iter().map(|v| rig.record(v)).collect();
        Append::records(Shard::new("t", *partition), records)
    };
    let appending = rig.log().append(Set { appends: parts.iter().map(part).collect(), ..Set::default() });
    rig.log().step();
    appending.wait().expect("appended");
}

/// Group "broken" holds offsets 1 and 2 of partition 0 and offset 0 of partition 1.
pub(super) fn broken_in_the_middle(seed: u64) -> Rig {
    let mut rig = Rig::with_topic(seed, None);
    rig.append(0, "first").expect("appended");
    append_group(&rig, &[(0, &["broken", "too"]), (1, &["beside"])]);
    append_group(&rig, &[(1, &["later"])]);
    append_group(&rig, &[(0, &["last"])]);
    rig.kill();
    rig
}

#[test]
fn a_broken_value_names_exactly_the_offsets_of_its_group() {
    let mut rig = broken_in_the_middle(50);
    flip_value(&rig, "broken");
    let damage = damage(&mut rig);
    assert_eq!(damage.len(), 1);
    assert_eq!(damage[0].kind, DamageKind::WriteAhead);
    assert_eq!(damage[0].lost, [offsets(0, 1, 3), offsets(1, 0, 1)]);
    assert_eq!(damage[0].cut, [offsets(0, 3, 4), offsets(1, 1, 2)]);
    assert!(damage[0].exact, "the group's own bytes account for all of it");
}

#[test]
fn where_a_group_is_wiped_out_later_groups_tell_what_it_held() {
    let mut rig = broken_in_the_middle(51);
    let at = group_of(&rig, "broken");
    rig.disk.tamper("wal/0000000000000001.wal", |bytes| bytes[at..at + 4096].fill(0));
    let damage = damage(&mut rig);
    assert_eq!(damage[0].lost, [offsets(0, 1, 3), offsets(1, 0, 1)]);
    assert_eq!(damage[0].cut, [offsets(0, 3, 4), offsets(1, 1, 2)]);
    assert!(!damage[0].exact, "partitions that no later group touches may have lost records too");
}

#[test]
fn a_segment_that_is_short_names_the_offsets_that_are_missing() {
    let mut rig = Rig::with_topic(52, None);
    for value in ["first", "second", "third"] {
        rig.append(0, value).expect("appended");
    }
    rig.log().flush().expect("flushed");
    rig.kill();
    let path = "topics/t-0@1/00000000000000000000.log";
    rig.disk.tamper(path, |bytes| bytes.truncate(bytes.len() - 10));
    let damage = damage(&mut rig);
    assert_eq!((damage[0].kind, damage[0].file.as_str()), (DamageKind::Segment, path));
    assert_eq!(damage[0].lost, [offsets(0, 2, 3)]);
    assert!(damage[0].exact);
}

#[test]
fn all_damage_is_reported_at_once() {
    let mut rig = Rig::with_topic(53, None);
    for partition in [0, 1] {
        rig.append(partition, "in a segment").expect("appended");
    }
    rig.log().flush().expect("flushed");
    for value in ["first", "second", "third"] {
        rig.append(0, value).expect("appended");
    }
    rig.kill();
    for path in ["topics/t-0@1/00000000000000000000.log", "topics/t-1@1/00000000000000000000.log"] {
        let disk: &dyn crate::Disk = &rig.disk;
        disk.remove(path).expect("removed");
    }
    flip_value(&rig, "second");
    let damage = damage(&mut rig);
    let kinds: Vec<_> = damage.iter().map(|d| d.kind).collect();
    assert_eq!(kinds, [DamageKind::Segment, DamageKind::Segment, DamageKind::WriteAhead]);
}

#[test]
fn a_damaged_log_serves_what_is_whole_and_refuses_appends_with_the_reason() {
    let mut rig = broken_in_the_middle(54);
    flip_value(&rig, "broken");
    let before: Vec<_> = rig.disk.paths().iter().map(|p| rig.disk.bytes(p)).collect();
    open_damaged(&mut rig);
    assert_eq!(rig.values(0).expect("read"), ["first"]);
    assert_eq!(rig.values(1).expect("read"), [""; 0]);
    assert_eq!(rig.log().damage().len(), 1);
    let refused = rig.append(0, "more").expect_err("it is damaged");
    assert!(matches!(&refused, AppendError::ReadOnly { why } if why.contains("group 3 is damaged")), "{refused}");
    let created = rig.log().create_topic("new", TopicSettings::partitions(1)).err();
    assert!(matches!(created, Some(TopicError::Append(AppendError::ReadOnly { .. }))));
    assert!(rig.log().status().stopped.is_some());
    rig.log = None;
    let after: Vec<_> = rig.disk.paths().iter().map(|p| rig.disk.bytes(p)).collect();
    assert!(before == after, "serving a damaged log changed it");
}

#[test]
fn a_lost_segment_is_an_error_where_it_was_and_the_rest_is_served() {
    let mut rig = Rig::with_topic(55, None);
    rig.options.tail_bytes = 0;
    let long = "y".repeat(3000);
    for n in 0..6 {
        rig.append(0, &format!("{n}{long}")).expect("appended");
    }
    rig.log().flush().expect("flushed");
    rig.kill();
    let segments: Vec<String> =
        rig.disk.paths().into_iter().filter(|p| p.starts_with("topics/t-0@1/") && p.ends_with(".log")).collect();
    assert!(segments.len() > 2, "{segments:?}");
    let disk: &dyn crate::Disk = &rig.disk;
    disk.remove(&segments[1]).expect("removed");
    let lost = damage(&mut rig)[0].lost[0].clone();
    open_damaged(&mut rig);
    let shard = Shard::new("t", 0);
    let read = |from| rig.log().read(&shard, from, ReadLimit::records(1));
    assert!(matches!(read(lost.from), Err(ReadError::Corrupt { .. })), "{:?}", read(lost.from));
    let next = read(lost.to.expect("known")).expect("the segment behind it is whole");
    assert!(text(&next[0].record).starts_with(&lost.to.expect("known").to_string()));
}

#[test]
fn verify_finds_what_opening_does_not_look_at() {
    let mut rig = Rig::with_topic(56, None);
    for value in ["first", "second", "third"] {
        rig.append(0, value).expect("appended");
    }
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    rig.kill();
    let whole = verify(Arc::new(rig.disk.clone())).expect("verified");
    assert_eq!((whole.damage, whole.notes), (vec![], vec![]));
    assert_eq!((whole.batches, whole.records), (4, 4), "three records and the topic's own");
    let path = "topics/t-0@1/00000000000000000000.log";
    let at = find(&rig.disk.bytes(path).expect("there"), b"second");
    flip(&rig.disk, path, at);
    flip(&rig.disk, "topics/t-0@1/00000000000000000000.index", 3);
    flip(&rig.disk, "checkpoint.0", 30);
    let found = verify(Arc::new(rig.disk.clone())).expect("verified");
    assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
    assert_eq!((found.damage[0].file.as_str(), &found.damage[0].lost), (path, &vec![offsets(0, 1, 2)]));
    let notes: Vec<_> = found.notes.iter().map(|n| n.file.as_str()).collect();
    assert_eq!(notes, ["checkpoint.0", "topics/t-0@1/00000000000000000000.index"]);
}

#[test]
fn verify_and_dump_change_nothing_and_refuse_a_folder_in_use() {
    let mut rig = broken_in_the_middle(57);
    flip_value(&rig, "broken");
    let before: Vec<_> = rig.disk.paths().iter().map(|p| rig.disk.bytes(p)).collect();
    let changes = rig.disk.changes();
    let disk = || Arc::new(rig.disk.clone());
    assert_eq!(verify(disk()).expect("verified").damage.len(), 1);
    let all = dump(disk(), Show::default()).expect("dumped").count();
    assert!(all > 5);
    assert_eq!(rig.disk.changes(), changes);
    let after: Vec<_> = rig.disk.paths().iter().map(|p| rig.disk.bytes(p)).collect();
    assert!(before == after);
    open_damaged(&mut rig);
    let disk = || Arc::new(rig.disk.clone());
    assert!(matches!(verify(disk()), Err(OpenError::Locked { .. })));
    assert!(matches!(dump(disk(), Show::default()).err(), Some(OpenError::Locked { .. })));
    let empty = Arc::new(crate::sim::SimDisk::new(1));
    assert!(matches!(verify(empty), Err(OpenError::Absent { .. })));
}

#[test]
fn a_dump_shows_the_whole_groups_behind_damage_too() {
    let rig = broken_in_the_middle(58);
    flip_value(&rig, "broken");
    let show = Show { records: true, topic: Some("t".to_owned()) };
    let dumped: Vec<Dumped> = dump(Arc::new(rig.disk.clone()), show).expect("dumped").collect();
    let values: Vec<String> = dumped
        .iter()
        .filter_map(|d| match d {
            Dumped::Record { record, .. } => Some(text(record)),
            _ => None,
        })
        .collect();
    assert_eq!(values, ["first", "later", "last"]);
    assert!(matches!(&dumped[0], Dumped::Damaged(d) if d.kind == DamageKind::WriteAhead));
    assert!(dumped.iter().any(|d| matches!(d, Dumped::Checkpoint { generation: 1, .. })));
}
