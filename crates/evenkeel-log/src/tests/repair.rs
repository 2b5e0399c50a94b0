//! Repair: what it keeps, what it gives up, and a crash in the middle of it.

use std::sync::Arc;

use super::Rig;
use evenkeel_model::Shard;

use super::damage::{flip, flip_value};
use super::report::{broken_in_the_middle, damage, offsets};
use crate::checkpoint::Checkpoint;
use crate::safeguard::Guards;
use crate::{OpenError, Repair, Repaired, Set, verify};

fn plan(rig: &Rig) -> Result<Repair, OpenError> {
    Repair::plan(Arc::new(rig.disk.clone()), rig.options.clone())
}

fn repair(rig: &Rig) -> Result<Repaired, OpenError> {
    plan(rig)?.run(rig.clock.clone())
}

fn verified(rig: &Rig) -> bool {
    verify(Arc::new(rig.disk.clone())).expect("verified").damage.is_empty()
}

#[test]
fn a_repair_ends_the_log_before_the_damage_and_it_goes_on_from_there() {
    let mut rig = broken_in_the_middle(70);
    flip_value(&rig, "broken");
    let repaired = repair(&rig).expect("repaired");
    assert_eq!(repaired.lost, [offsets(0, 1, 3), offsets(1, 0, 1)]);
    assert_eq!(repaired.cut, [offsets(0, 3, 4), offsets(1, 1, 2)]);
    assert_eq!(repaired.epochs, [(Shard::new("t", 0), 1), (Shard::new("t", 1), 1)]);
    rig.disk.cut_power();
    assert!(verified(&rig));
    rig.open().expect("it is repaired");
    rig.append(0, "more").expect("appended");
    rig.kill();
    rig.open().expect("it opens again");
    assert_eq!(rig.values(0).expect("read"), ["first", "more"]);
    assert_eq!(rig.values(1).expect("read"), [""; 0]);
    assert_eq!(epochs(&rig), [0, 1, 1], "leader epochs are kept, and only cut partitions got one");
}

/// The leader epochs of all partitions.
fn epochs(rig: &Rig) -> Vec<u32> {
    let state = rig.log().state();
    state.machine.topics.places().map(|(_, _, partition)| partition.leader_epoch).collect()
}

#[test]
fn where_nothing_tells_what_was_cut_every_partition_gets_a_new_leader_epoch() {
    let mut rig = broken_in_the_middle(74);
    let at = super::damage::group_of(&rig, "broken");
    rig.disk.tamper("wal/0000000000000001.wal", |bytes| bytes[at..at + 4096].fill(0));
    repair(&rig).expect("repaired");
    rig.open().expect("it is repaired");
    assert_eq!(epochs(&rig), [1, 1, 1]);
}

#[test]
fn a_plan_changes_nothing_and_a_whole_log_needs_none() {
    let mut rig = broken_in_the_middle(71);
    let whole = repair(&rig).expect("nothing to do");
    assert_eq!(whole, Repaired::default());
    flip_value(&rig, "broken");
    let changes = rig.disk.changes();
    assert_eq!(plan(&rig).expect("planned").outcome().damage.len(), 1);
    assert_eq!(rig.disk.changes(), changes);
    assert_eq!(damage(&mut rig).len(), 1, "it is as damaged as before");
}

#[test]
fn a_repair_after_a_lost_slot_loses_nothing() {
    let mut rig = Rig::with_topic(72, None);
    rig.append(0, "first").expect("appended");
    rig.log().flush().expect("flushed");
    rig.append(0, "second").expect("appended");
    rig.kill();
    flip(&rig.disk, "checkpoint.0", 40);
    let found = damage(&mut rig);
    assert!(found[0].exact && found[0].lost.is_empty() && found[0].cut.is_empty(), "{found:?}");
    let repaired = repair(&rig).expect("repaired");
    assert!(repaired.epochs.is_empty(), "nothing was cut");
    rig.open().expect("it is repaired");
    assert_eq!(rig.values(0).expect("read"), ["first", "second"]);
}

/// The generations of the slots that can be read.
fn generations(rig: &Rig) -> Vec<u64> {
    let slots = ["checkpoint.0", "checkpoint.1"].map(|path| rig.disk.bytes(path).unwrap_or_default());
    slots.iter().filter_map(|slot| Checkpoint::decode(slot, Guards::default()).ok()).map(|c| c.generation).collect()
}

#[test]
fn the_checkpoints_of_a_folder_that_lost_both_are_newer_than_those_that_were_lost() {
    let mut rig = Rig::with_topic(73, None);
    rig.append(0, "first").expect("appended");
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    rig.append(1, "second").expect("appended");
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    rig.kill();
    let lost = generations(&rig);
    ["checkpoint.0", "checkpoint.1"].iter().for_each(|slot| flip(&rig.disk, slot, 40));
    let repaired = repair(&rig).expect("repaired");
    assert_eq!(repaired.lost, []);
    let now = generations(&rig);
    assert!((lost.len(), now.len()) == (2, 2) && now.iter().min() > lost.iter().max(), "{lost:?}, then {now:?}");
    rig.open().expect("it is repaired");
    assert_eq!(
        (rig.values(0).expect("read"), rig.values(1).expect("read")),
        (vec!["first".into()], vec!["second".into()])
    );
}

#[test]
fn segments_that_are_lost_beside_both_slots_leave_a_gap_and_what_the_write_ahead_log_has_goes_on_behind_it() {
    let mut rig = Rig::with_topic(75, None);
    for n in 0..40 {
        rig.append(0, &format!("{n}.{}", "y".repeat(5000))).expect("appended");
        if n % 12 == 11 {
            rig.log().flush().expect("flushed");
        }
    }
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    rig.append(0, "last").expect("appended");
    rig.kill();
    let segments =
        rig.disk.paths().into_iter().filter(|path| path.starts_with("topics/t-0@") && path.ends_with(".log"));
    segments.skip(1).for_each(|path| rig.disk.lose(&path));
    ["checkpoint.0", "checkpoint.1"].iter().for_each(|slot| flip(&rig.disk, slot, 40));
    let repaired = repair(&rig).expect("repaired");
    assert!(verified(&rig), "the repaired folder is whole");
    rig.open().expect("it is repaired");
    let values = rig.values(0).expect("read");
    let [lost] = &repaired.lost[..] else { panic!("{:?}", repaired.lost) };
    let missing = lost.to.expect("an end") - lost.from;
    assert!(missing > 5 && values.len() as u64 + missing == 41, "{lost} is lost, and {} are there", values.len());
    assert!(values[0].starts_with("0.") && values[values.len() - 1] == "last");
}

#[test]
fn a_crash_anywhere_in_a_repair_leaves_the_old_damage_or_the_repaired_log() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..10 {
        for step in 0..40 {
            let mut rig = broken_in_the_middle(seed);
            flip_value(&rig, "broken");
            let was = damage(&mut rig);
            rig.disk.fail_in(step);
            let done = repair(&rig);
            if !rig.disk.is_off() {
                done.expect("it was not interrupted");
                break;
            }
            rig.disk.cut_power();
            match rig.open() {
                Ok(()) => new += 1,
                Err(OpenError::Corrupt { damage }) => {
                    assert_eq!(damage, was, "seed {seed}, step {step}");
                    old += 1;
                    repair(&rig).unwrap_or_else(|e| panic!("seed {seed}, step {step}: {e}"));
                    rig.open().unwrap_or_else(|e| panic!("seed {seed}, step {step}: {e}"));
                }
                Err(e) => panic!("seed {seed}, step {step}: {e}"),
            }
            assert_eq!(rig.values(0).expect("read"), ["first"], "seed {seed}, step {step}");
        }
    }
    assert!(old > 50 && new > 20, "old {old}, new {new}");
}

/// A log whose newest slot, of several sectors, is lost.
fn lost_slot(seed: u64) -> Rig {
    let mut rig = Rig::with_topic(seed, None);
    rig.create("many", 24);
    for partition in 0..24 {
        let appending = rig.log().append(Set::of(Shard::new("many", partition), vec![rig.record("first")]));
        rig.log().step();
        appending.wait().expect("appended");
    }
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    rig.append(0, "first").expect("appended");
    rig.kill();
    let bytes = |path| rig.disk.bytes(path).expect("a slot")[24..].to_vec();
    let newest = if bytes("checkpoint.0") > bytes("checkpoint.1") { "checkpoint.0" } else { "checkpoint.1" };
    flip(&rig.disk, newest, 700);
    rig
}

#[test]
fn a_crash_in_the_repair_of_a_lost_slot_never_costs_the_other_one() {
    for seed in 0..12 {
        for step in 0..200 {
            let mut rig = lost_slot(80 + seed);
            let was = damage(&mut rig);
            rig.disk.fail_in(step);
            let done = repair(&rig);
            if !rig.disk.is_off() {
                done.expect("it was not interrupted");
                break;
            }
            rig.disk.cut_power();
            match rig.open() {
                Ok(()) => {}
                Err(OpenError::Corrupt { damage }) => assert_eq!(damage, was, "seed {seed}, step {step}"),
                Err(e) => panic!("seed {seed}, step {step}: {e}"),
            }
        }
    }
}
