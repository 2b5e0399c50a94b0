//! Hard limits of partitions: never exceeded, and what happens there.

use evenkeel_model::Shard;

use super::Rig;
use crate::{Append, AppendError, Appending, AtLimit, Retention, Set, TopicSettings};

const LIMIT: u64 = 24 << 10;

/// Topic `t` with that retention.
fn limited(retention: Retention) -> Rig {
    let mut rig = Rig::new(1, None);
    rig.open().expect("it opens");
    let settings = TopicSettings { retention, ..TopicSettings::partitions(1) };
    let creating = rig.log().create_topic("t", settings).expect("a good name");
    rig.log().step();
    creating.wait().expect("created");
    rig
}

fn shard() -> Shard {
    Shard::new("t", 0)
}

/// Appends until it is refused; says how often it was not.
fn fill(rig: &Rig) -> (u64, AppendError) {
    for n in 0..1000 {
        if let Err(e) = rig.append(0, &"x".repeat(1000)) {
            return (n, e);
        }
        if n % 5 == 0 {
            rig.log().flush().expect("flushed");
        }
    }
    panic!("a thousand records of 1 KiB found room in {LIMIT} bytes");
}

#[test]
fn at_its_limit_a_topic_refuses_until_there_is_room_and_then_takes_again_by_itself() {
    let retention = Retention { limit: Some(LIMIT), bytes: Some(8 << 10), ..Retention::default() };
    let rig = limited(retention);
    rig.log().owe("slow", &[(shard(), 0)]);
    let (taken, refused) = fill(&rig);
    let AppendError::TopicFull { topic, partition: 0, bytes, max: LIMIT } = refused else { panic!("{refused}") };
    assert_eq!((topic.as_str(), taken), ("t", LIMIT / 1072));
    assert!(bytes <= LIMIT && bytes > LIMIT - 1100, "{bytes}");
    assert_eq!(rig.retain().expect("retained").segments, 0, "what is owed went");
    rig.log().owe("slow", &[(shard(), taken)]);
    rig.append(0, &"x".repeat(1000)).expect("what is owed no more makes room at once");
    assert!(rig.log().ends(&shard()).expect("there").start > 0);
}

#[test]
fn a_limit_alone_takes_nothing_away() {
    let rig = limited(Retention { limit: Some(LIMIT), ..Retention::default() });
    let (taken, _) = fill(&rig);
    assert_eq!(rig.retain().expect("retained").segments, 0);
    assert_eq!(rig.values(0).expect("read").len() as u64, taken);
}

#[test]
fn where_the_topic_says_so_the_oldest_expires_though_it_is_owed_and_the_limit_holds() {
    let rig = limited(Retention { limit: Some(LIMIT), at_limit: AtLimit::Expire, ..Retention::default() });
    rig.log().owe("slow", &[(shard(), 0)]);
    for n in 0..100 {
        rig.append(0, &format!("{n:03} {}", "x".repeat(1000))).expect("appended");
        rig.log().flush().expect("flushed");
        let held = rig.log().status().segment_bytes;
        let kept = rig.values(0).expect("read").len() as u64;
        assert!(kept * 1072 <= LIMIT, "{kept} records are kept, in {held} bytes of segments");
    }
    let values = rig.values(0).expect("read");
    assert!(values.len() > 10 && values.last().is_some_and(|v| v.starts_with("099")), "{}", values.len());
}

#[test]
fn retention_keeps_room_ahead_where_the_oldest_may_expire_and_says_so() {
    let rig = limited(Retention { limit: Some(LIMIT), at_limit: AtLimit::Expire, ..Retention::default() });
    rig.log().owe("slow", &[(shard(), 0)]);
    for _ in 0..21 {
        rig.append(0, &"x".repeat(1000)).expect("appended");
        rig.log().flush().expect("flushed");
    }
    let removals = rig.log().removals();
    assert!(removals.len() == 1 && removals[0].expires && removals[0].start > 0, "{removals:?}");
    assert_eq!(rig.retain().expect("retained").expired, 1);
    assert_eq!(rig.log().ends(&shard()).expect("there").start, removals[0].start);
}

#[test]
fn the_alarm_comes_before_the_limit() {
    let rig = limited(Retention { limit: Some(LIMIT), ..Retention::default() });
    let mut alarmed = None;
    for n in 0..LIMIT / 1072 {
        rig.append(0, &"x".repeat(1000)).expect("appended");
        if let Some(fill) = rig.log().nearly_full().first() {
            assert_eq!((&fill.shard, fill.max), (&shard(), LIMIT));
            alarmed = alarmed.or(Some((n + 1) * 1072));
        }
    }
    let at = alarmed.expect("an alarm");
    assert!((LIMIT * 8 / 10..LIMIT * 8 / 10 + 1100).contains(&at), "{at}");
}

#[test]
fn groups_on_their_way_count_and_so_do_all_parts_of_a_set() {
    let rig = limited(Retention { limit: Some(LIMIT), ..Retention::default() });
    let part = |size| Append::records(shard(), vec![rig.record(&"x".repeat(size))]);
    rig.append(0, &"x".repeat(5000)).expect("appended");
    let two = Set::appends(vec![part(10_000), part(10_000)]);
    let appending = rig.log().append(two);
    rig.log().step();
    assert!(matches!(appending.wait(), Err(AppendError::TopicFull { .. })));
    let many: Vec<_> = (0..4).map(|_| rig.log().append(Set::appends(vec![part(6_000)]))).collect();
    for _ in 0..4 {
        rig.log().step();
    }
    let taken = many.into_iter().map(Appending::wait).filter(Result::is_ok).count();
    assert_eq!(taken, 3, "three of 6,000 bytes and one of 5,000 fit into {LIMIT}");
}

#[test]
fn a_limit_survives_a_restart_with_what_the_partition_holds() {
    let mut rig = limited(Retention { limit: Some(LIMIT), ..Retention::default() });
    let (taken, _) = fill(&rig);
    for _ in 0..2 {
        rig.kill();
        rig.open().expect("it opens");
        assert!(matches!(rig.append(0, &"x".repeat(1000)), Err(AppendError::TopicFull { .. })));
        assert_eq!(rig.values(0).expect("read").len() as u64, taken);
        rig.log().flush().expect("flushed");
    }
}

#[test]
fn on_a_full_disk_retention_makes_room_and_appends_go_on_by_themselves() {
    let rig = limited(Retention { bytes: Some(10 << 10), ..Retention::default() });
    for _ in 0..300 {
        rig.append(0, &"x".repeat(1000)).expect("appended");
        rig.log().write_back(crate::write_back::Demand::Before(u64::MAX)).expect("written");
    }
    rig.log().flush().expect("flushed");
    rig.disk.set_capacity(Some(rig.disk.used()));
    for _ in 0..1000 {
        if rig.append(0, &"x".repeat(1000)).is_err() {
            break;
        }
    }
    assert_eq!(rig.append(0, "no room"), Err(AppendError::DiskFull));
    assert!(rig.log().flush().is_err(), "there is room to write what waits");
    rig.retain().expect("retention may use the headroom");
    for _ in 0..3 {
        drop(rig.log().flush());
    }
    rig.clock.advance(std::time::Duration::from_secs(1));
    rig.append(0, "room again").expect("retention made room");
    assert_eq!(rig.log().status().stopped, None);
}
