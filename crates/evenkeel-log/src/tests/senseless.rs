//! Numbers with a checksum that fits and a meaning that does not: where they are decoded they are
//! damage, so that nothing behind counts with them, goes to the place that they name, or takes the
//! memory that they ask for.

use super::Rig;
use crate::checkpoint::Checkpoint;
use crate::machine::{Machine, Memory};
use crate::safeguard::Guards;
use crate::wal::header::{FILE_MIN, FileHeader, GroupHeader};
use crate::wal::{BLOCK, FIRST_GROUP};
use crate::{Damage, DamageKind, OpenError};

const WAL: &str = "wal/0000000000000001.wal";

/// A log whose second checkpoint names a partition with a segment.
fn flushed() -> Rig {
    let rig = Rig::with_topic(1, None);
    rig.append(0, "first").expect("appended");
    rig.log().flush().expect("flushed");
    rig
}

/// What opening says.
fn damage(rig: &mut Rig) -> Vec<Damage> {
    match rig.open() {
        Err(OpenError::Corrupt { damage }) => damage,
        Err(e) => panic!("it said: {e}"),
        Ok(()) => panic!("it opened"),
    }
}

/// The slot that counts, changed.
fn change_slot(rig: &Rig, change: impl FnOnce(&mut Checkpoint)) {
    rig.disk.tamper("checkpoint.0", |bytes| {
        let mut slot = Checkpoint::decode(bytes, Guards::default()).expect("a slot");
        change(&mut slot);
        *bytes = slot.encode();
    });
}

#[test]
fn a_file_header_with_a_size_that_no_file_has_is_damage() {
    for size in [0, 7, BLOCK, FIRST_GROUP + BLOCK, FILE_MIN + 1] {
        let mut rig = flushed();
        rig.kill();
        rig.disk.tamper(WAL, |bytes| {
            let header = FileHeader::decode(bytes, 1, Guards::default()).expect("a header");
            let senseless = FileHeader { size, ..header }.encode();
            bytes[..senseless.len()].copy_from_slice(&senseless);
        });
        assert_eq!(damage(&mut rig)[0].kind, DamageKind::WriteAhead, "size {size}");
    }
}

#[test]
fn a_checkpoint_that_goes_on_where_no_group_can_stand_is_damage() {
    let size = {
        let rig = flushed();
        rig.disk.bytes(WAL).expect("the file is there").len() as u64
    };
    for at in [size, size + BLOCK, 1 << 40] {
        let mut rig = flushed();
        rig.kill();
        change_slot(&rig, |slot| slot.wal.at = at);
        let damage = damage(&mut rig);
        assert_eq!((damage[0].kind, damage[0].file.as_str()), (DamageKind::Checkpoint, "checkpoint.0"), "{damage:?}");
        assert!(damage[0].what.contains(&at.to_string()), "{damage:?}");
    }
}

#[test]
fn a_slot_with_numbers_that_do_not_fit_each_other_is_no_slot() {
    let changes: [fn(&mut Checkpoint); 8] = [
        |slot| slot.wal.at += 1,
        |slot| slot.wal.at = BLOCK,
        |slot| slot.partitions[1].ends.start = u64::MAX,
        |slot| slot.partitions[1].segments[0].index_bytes = 32 << 30,
        |slot| slot.partitions[1].segments[0].indexed = u64::MAX,
        |slot| slot.partitions[1].segments[0].base = u64::MAX,
        |slot| slot.partitions[1].segments[0].log_bytes = u64::MAX,
        |slot| slot.times.at = u64::MAX,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut rig = flushed();
        rig.log().seal();
        rig.kill();
        change_slot(&rig, change);
        // The seal names the checkpoint that is lost now.
        assert_eq!(damage(&mut rig)[0].kind, DamageKind::Checkpoint, "change {number}");
    }
}

#[test]
fn a_group_in_the_place_of_the_turn_to_the_next_file_is_damage() {
    let mut rig = Rig::with_topic(2, None);
    rig.log().seal();
    rig.kill();
    // The file ends behind its only group, as if that were the last block.
    rig.disk.tamper(WAL, |bytes| {
        let header = FileHeader::decode(bytes, 1, Guards::default()).expect("a header");
        let mut end = FIRST_GROUP as usize;
        while GroupHeader::decode(&bytes[end..]).is_some() {
            end += BLOCK as usize;
        }
        let short = FileHeader { size: end as u64, ..header }.encode();
        bytes[..short.len()].copy_from_slice(&short);
    });
    let damage = damage(&mut rig);
    assert!(damage[0].what.contains("only the turn to the next file"), "{damage:?}");
}

#[test]
fn a_topics_number_takes_no_memory() {
    let memory = Memory { expiry: std::time::Duration::from_secs(1), max: 1, transaction_max: 1 };
    let mut machines: Vec<Machine> = (0..1000).map(|_| Machine::new(memory)).collect();
    for machine in &mut machines {
        let mut snapshot = machine.snapshot().encode();
        snapshot[1..5].copy_from_slice(&(1_u32 << 24).to_le_bytes());
        machine.restore(&snapshot).expect("so many topics may have been deleted");
        assert_eq!(machine.topics.next_number(), 1 << 24);
        assert_eq!(machine.topics.iter().count(), 1);
    }
}
