//! Damage that a reader meets while the log runs: read twice, told, and not forgotten by a restart.

use super::damage::flip;
use super::{Rig, find, poll};
use crate::sim::Fault;
use crate::{AppendError, BatchLimit, Isolation, OpenError, Options, ReadError, ReadLimit, Repair, Safeguard, Set};
use evenkeel_model::Shard;
use std::sync::Arc;

const SEGMENT: &str = "topics/t-0@1/00000000000000000000.log";

/// A running log whose records are on the disk only, three of them in one segment.
fn running(seed: u64, without: Option<Safeguard>) -> Rig {
    let mut rig = Rig::new(seed, without);
    rig.options = Options { tail_bytes: 0, ..rig.options };
    rig.open().expect("an empty folder opens");
    rig.create("t", 2);
    for value in ["first", "second", "third"] {
        rig.append(0, value).expect("appended");
    }
    rig.append(1, "elsewhere").expect("appended");
    rig.log().checkpoint_twice().expect("it is in its segment");
    rig
}

/// Changes the second of three records under the running log.
fn rot(rig: &Rig) {
    let at = find(&rig.disk.bytes(SEGMENT).expect("a segment"), b"second");
    flip(&rig.disk, SEGMENT, at);
}

fn met(rig: &Rig) -> ReadError {
    let shard = Shard::new("t", 0);
    // What is good before it is given first.
    assert_eq!(rig.log().read(&shard, 0, ReadLimit::default()).expect("the first is whole").len(), 1);
    rig.log().read(&shard, 1, ReadLimit::default()).expect_err("the second is damaged")
}

#[test]
fn rot_that_a_reader_meets_makes_the_log_read_only_and_names_the_offsets() {
    let rig = running(1, None);
    rot(&rig);
    assert!(rig.log().damage().is_empty() && rig.append(1, "before").is_ok());
    let waits = rig.log().append(Set::of(Shard::new("t", 1), vec![rig.record("waits")]));
    assert!(matches!(met(&rig), ReadError::Corrupt { .. }));
    let damage = rig.log().damage();
    let [damage] = &damage[..] else { panic!("{damage:?}") };
    assert_eq!((damage.file.as_str(), damage.exact), (SEGMENT, true));
    assert_eq!(damage.lost[0].to_string(), "t-0 offset 1");
    let Err(AppendError::ReadOnly { why }) = rig.append(1, "after") else { panic!("it was taken") };
    assert!(why.contains(SEGMENT) && why.contains("lost: t-0 offset 1"), "{why}");
    assert!(matches!(waits.wait(), Err(AppendError::ReadOnly { .. })), "nothing was written of what waited");
    let whole = rig.values(1).expect("what is whole is read");
    assert_eq!(whole, ["elsewhere", "before"]);
    assert_eq!(rig.log().read(&Shard::new("t", 0), 2, ReadLimit::default()).expect("behind it, too").len(), 1);
}

#[test]
fn readers_of_batches_and_of_times_tell_the_log_of_damage_as_well() {
    let rig = running(2, None);
    rot(&rig);
    let read = rig.log().read_batches(&Shard::new("t", 0), 1, BatchLimit { bytes: 1 << 20 }, Isolation::Committed);
    assert!(matches!(read, Err(ReadError::Corrupt { .. })), "{read:?}");
    assert_eq!(rig.log().damage().len(), 1);
    let rig = running(3, None);
    rig.disk.lose(SEGMENT);
    let second = rig.log().read(&Shard::new("t", 0), 0, ReadLimit::default());
    assert!(matches!(second, Err(ReadError::Corrupt { .. })), "{second:?}");
    assert_eq!(rig.log().damage()[0].lost[0].to_string(), "t-0 offsets 0 to 2");
}

#[test]
fn what_the_medium_gives_at_the_second_look_is_no_damage() {
    // Whichever reads it is that fail: of the index, of the batches, of the smaller piece that is tried next.
    for (fault, skip) in [Fault::Read, Fault::ShortRead].into_iter().flat_map(|f| (0..6).map(move |skip| (f, skip))) {
        let rig = running(4, None);
        rig.disk.inject(fault, skip);
        rig.disk.inject(fault, 0);
        for read in (0..8).map(|_| rig.values(0)) {
            assert!(matches!(read, Ok(_) | Err(ReadError::Io { .. })), "{fault:?} {skip}: {read:?}");
        }
        assert_eq!(rig.values(0).expect("it can be read"), ["first", "second", "third"]);
        assert!(rig.log().damage().is_empty());
        rig.append(0, "fourth").expect("writes go on");
    }
}

#[test]
fn a_restart_does_not_forget_it_and_the_operators_good_copy_ends_it() {
    let mut rig = running(5, None);
    let whole = rig.disk.bytes(SEGMENT).expect("a segment");
    rot(&rig);
    met(&rig);
    rig.kill();
    for _ in 0..2 {
        let Err(OpenError::Corrupt { damage }) = rig.open() else { panic!("it opened") };
        assert_eq!(damage[0].lost[0].to_string(), "t-0 offset 1");
        assert!(rig.disk.bytes("damaged").is_some(), "it is not forgotten by looking");
    }
    rig.disk.tamper(SEGMENT, |bytes| bytes.clone_from(&whole));
    rig.open().expect("the copy is whole");
    assert_eq!(rig.values(0).expect("all is there"), ["first", "second", "third"]);
    rig.append(0, "fourth").expect("it takes records again");
    assert_eq!(rig.disk.bytes("damaged"), None);
}

#[test]
fn a_repair_gives_up_what_was_met_and_the_log_takes_records_again() {
    let mut rig = running(8, None);
    rot(&rig);
    met(&rig);
    rig.kill();
    let planned = Repair::plan(Arc::new(rig.disk.clone()), rig.options.clone()).expect("planned");
    assert_eq!(planned.outcome().lost[0].to_string(), "t-0 offset 1");
    planned.run(rig.clock.clone()).expect("repaired");
    rig.open().expect("it is repaired");
    rig.append(0, "fourth").expect("it takes records again");
    assert_eq!(rig.disk.bytes("damaged"), None);
}

#[test]
fn a_note_that_cannot_be_read_has_every_segment_looked_at() {
    let mut rig = running(6, None);
    rot(&rig);
    met(&rig);
    rig.kill();
    flip(&rig.disk, "damaged", 20);
    assert!(matches!(rig.open(), Err(OpenError::Corrupt { .. })));
}

/// The power fails once damage was told; whether the next open knows.
pub(super) fn told_damage_is_known_after_a_power_cut(without: Option<Safeguard>) -> Result<(), String> {
    for seed in 0..40 {
        let mut rig = running(seed, without);
        rot(&rig);
        met(&rig);
        if let Some(log) = rig.log.take() {
            log.crash();
        }
        rig.disk.cut_power();
        match rig.open() {
            Err(OpenError::Corrupt { .. }) => {}
            other => return Err(format!("seed {seed}: {other:?}")),
        }
    }
    Ok(())
}

#[test]
fn an_append_that_was_never_polled_is_told_too() {
    let rig = running(7, None);
    rot(&rig);
    met(&rig);
    let mut late = rig.log().append(Set::of(Shard::new("t", 1), vec![rig.record("late")]));
    assert!(matches!(poll(&mut late), Some(Err(AppendError::ReadOnly { .. }))));
}
