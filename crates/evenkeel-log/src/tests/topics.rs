//! Topics that are there: other settings, more partitions, less of what they hold, and their end.

use std::time::Duration;

use evenkeel_model::Shard;

use super::Rig;
use crate::{AppendError, Creating, ReadError, ReadLimit, Retention, Set, Topic, TopicError, TopicSettings};

fn done(rig: &Rig, asked: Result<Creating, TopicError>) -> Result<Topic, TopicError> {
    let creating = asked?;
    rig.log().step();
    creating.wait()
}

fn delete(rig: &Rig, name: &str) -> Result<Topic, TopicError> {
    done(rig, rig.log().delete_topic(name))
}

/// Two checkpoints: what no slot names goes.
fn settle(rig: &Rig) {
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
}

fn restart(rig: &mut Rig) {
    rig.kill();
    rig.open().expect("it opens");
}

fn files_of(rig: &Rig, folder: &str) -> usize {
    rig.disk.paths().iter().filter(|p| p.starts_with(folder)).count()
}

#[test]
fn other_settings_hold_at_once_and_after_a_restart() {
    let mut rig = Rig::with_topic(1, None);
    let retention = Retention { age: Some(Duration::from_secs(5)), ..Retention::default() };
    let wanted = TopicSettings { retention, ..TopicSettings::partitions(2) };
    let topic = done(&rig, rig.log().configure_topic("t", wanted)).expect("configured");
    assert_eq!(topic.settings, wanted);
    assert_eq!(rig.log().topic("t").map(|t| t.settings), Some(wanted));
    let groups = rig.log().status().groups;
    done(&rig, rig.log().configure_topic("t", wanted)).expect("it is so already");
    assert_eq!(rig.log().status().groups, groups, "what is so already was recorded again");
    restart(&mut rig);
    assert_eq!(rig.log().topic("t").map(|t| t.settings), Some(wanted), "from the write-ahead log");
    settle(&rig);
    restart(&mut rig);
    assert_eq!(rig.log().topic("t").map(|t| t.settings), Some(wanted), "from a checkpoint");
}

#[test]
fn partitions_come_and_never_go() {
    let mut rig = Rig::with_topic(2, None);
    rig.append(1, "before").expect("appended");
    assert!(matches!(rig.append(3, "too early"), Err(AppendError::UnknownPartition { partitions: 2, .. })));
    assert_eq!(done(&rig, rig.log().add_partitions("t", 4)).map(|t| t.partitions), Ok(4));
    rig.append(3, "now").expect("appended");
    let fewer = TopicError::Fewer { name: "t".into(), partitions: 4 };
    assert_eq!(done(&rig, rig.log().add_partitions("t", 3)), Err(fewer.clone()));
    assert_eq!(done(&rig, rig.log().configure_topic("t", TopicSettings::partitions(1))), Err(fewer));
    restart(&mut rig);
    assert_eq!(rig.values(1).expect("read"), ["before"]);
    assert_eq!(rig.values(3).expect("read"), ["now"]);
}

#[test]
fn what_is_not_there_or_belongs_to_the_log_is_not_changed() {
    let rig = Rig::with_topic(3, None);
    let unknown = Err(TopicError::Unknown { name: "u".into() });
    assert_eq!(delete(&rig, "u"), unknown);
    assert_eq!(done(&rig, rig.log().add_partitions("u", 3)), unknown);
    let reserved = Err(TopicError::Reserved { name: "evenkeel.control".into() });
    assert_eq!(delete(&rig, "evenkeel.control"), reserved);
    assert_eq!(done(&rig, rig.log().add_partitions("evenkeel.control", 3)), reserved);
}

#[test]
fn a_deleted_topic_is_gone_at_once_and_its_files_two_checkpoints_later() {
    let rig = Rig::with_topic(4, None);
    for n in 0..20 {
        rig.append(n % 2, &"x".repeat(900)).expect("appended");
    }
    settle(&rig);
    rig.append(0, "only in memory").expect("appended");
    assert!(files_of(&rig, "topics/t-0@1/") >= 4);
    assert_eq!(delete(&rig, "t").map(|t| t.name.to_string()), Ok("t".into()));
    let unknown = ReadError::UnknownTopic { topic: "t".into() };
    assert_eq!(rig.log().read(&Shard::new("t", 0), 0, ReadLimit::default()), Err(unknown));
    assert!(matches!(rig.append(0, "late"), Err(AppendError::UnknownTopic { .. })));
    rig.log().flush().expect("flushed");
    assert!(files_of(&rig, "topics/t-0@1/") >= 4, "files went that a slot still names");
    rig.log().flush().expect("flushed");
    assert_eq!((files_of(&rig, "topics/t-0@1/"), files_of(&rig, "topics/t-1@1/")), (0, 0));
    let disk: &dyn crate::Disk = &rig.disk;
    assert_eq!(disk.list("topics").expect("listed"), ["evenkeel.control-0@0"], "an empty folder stayed");
}

#[test]
fn a_restart_in_the_middle_of_a_deletion_finishes_it() {
    for checkpoints in 0..3 {
        let mut rig = Rig::with_topic(5, None);
        rig.append(0, "x").expect("appended");
        settle(&rig);
        delete(&rig, "t").expect("deleted");
        for _ in 0..checkpoints {
            rig.log().flush().expect("flushed");
        }
        restart(&mut rig);
        assert_eq!(rig.log().topic("t"), None);
        settle(&rig);
        settle(&rig);
        assert_eq!(files_of(&rig, "topics/t-"), 0, "after {checkpoints} checkpoints");
    }
}

#[test]
fn a_name_that_is_free_again_begins_empty_under_a_number_that_was_never_used() {
    let mut rig = Rig::with_topic(6, None);
    rig.append(0, "old").expect("appended");
    settle(&rig);
    delete(&rig, "t").expect("deleted");
    rig.create("t", 1);
    assert_eq!(rig.values(0), Ok(Vec::new()));
    rig.append(0, "new").expect("appended");
    for _ in 0..3 {
        settle(&rig);
        assert_eq!(rig.values(0).expect("read"), ["new"]);
        restart(&mut rig);
    }
    assert_eq!((files_of(&rig, "topics/t-0@1/"), files_of(&rig, "topics/t-0@2/")), (0, 2));
    delete(&rig, "t").expect("deleted");
    settle(&rig);
    restart(&mut rig);
    rig.create("t", 1);
    rig.append(0, "third").expect("appended");
    settle(&rig);
    assert_eq!(files_of(&rig, "topics/t-0@3/"), 2, "a number came back: {:?}", rig.disk.paths());
}

#[test]
fn a_foreign_folder_is_left_alone() {
    let mut rig = Rig::with_topic(7, None);
    rig.append(0, "x").expect("appended");
    settle(&rig);
    let disk: &dyn crate::Disk = &rig.disk;
    for folder in ["topics/t-0", "topics/t-0@1.bak", "topics/u-0@77"] {
        disk.create_folder(folder).expect("made");
        drop(disk.open(&format!("{folder}/00000000000000000000.log"), true).expect("made"));
    }
    restart(&mut rig);
    settle(&rig);
    settle(&rig);
    for folder in ["topics/t-0/", "topics/t-0@1.bak/", "topics/u-0@77/"] {
        assert_eq!(files_of(&rig, folder), 1, "{folder}");
    }
}

#[test]
fn what_waits_in_the_same_group_behind_a_deletion_is_refused() {
    let rig = Rig::with_topic(8, None);
    let deleting = rig.log().delete_topic("t").expect("asked");
    let appending = rig.log().append(Set::of(Shard::new("t", 0), vec![rig.record("late")]));
    rig.log().step();
    deleting.wait().expect("deleted");
    assert!(matches!(appending.wait(), Err(AppendError::UnknownTopic { .. })));
}

#[test]
fn memory_of_a_deleted_topic_is_given_back() {
    let mut rig = Rig::with_topic(9, None);
    rig.options.tail_bytes = 1 << 20;
    restart(&mut rig);
    rig.append(0, &"x".repeat(2000)).expect("appended");
    assert!(rig.log().status().unwritten_bytes > 2000);
    delete(&rig, "t").expect("deleted");
    let left = rig.log().status().unwritten_bytes;
    assert!(left < 2000, "{left} bytes still wait to be written");
    settle(&rig);
    assert_eq!(rig.log().status().unwritten_bytes, 0);
}

#[test]
fn deleted_records_are_gone_for_readers_whatever_is_owed_and_stay_gone() {
    let mut rig = Rig::with_topic(10, None);
    let shard = Shard::new("t", 0);
    for n in 0..12 {
        rig.append(0, &format!("{n} {}", "r".repeat(1000))).expect("appended");
    }
    rig.log().owe("slow", &[(shard.clone(), 0)]);
    let delete = |rig: &Rig, before| {
        let appending = rig.log().delete_records(&shard, before);
        rig.log().step();
        appending.wait()
    };
    delete(&rig, 7).expect("deleted");
    let start = |rig: &Rig| rig.log().ends(&shard).expect("there").start;
    assert_eq!(start(&rig), 7);
    let below = rig.log().read(&shard, 6, ReadLimit::default());
    assert_eq!(below, Err(ReadError::BelowStart { start: 7 }));
    delete(&rig, 3).expect("nothing to do");
    assert_eq!(start(&rig), 7, "a partition began earlier again");
    assert!(matches!(delete(&rig, 13), Err(AppendError::BeyondEnd { end: 12, .. })));
    restart(&mut rig);
    assert_eq!((start(&rig), rig.values(0).expect("read").len()), (7, 5));
    let before = files_of(&rig, "topics/t-0@1/");
    settle(&rig);
    settle(&rig);
    assert!(before == 0 || files_of(&rig, "topics/t-0@1/") < 6, "{:?}", rig.disk.paths());
    assert_eq!(rig.log().offset_at(&shard, evenkeel_model::Timestamp::EPOCH), Ok(Some(7)), "a time before all of it");
    delete(&rig, 12).expect("deleted");
    assert_eq!(rig.values(0), Ok(Vec::new()));
    rig.append(0, "after").expect("appended");
    restart(&mut rig);
    assert_eq!(rig.values(0).expect("read"), ["after"]);
}
