//! Damaged bytes: what is reported, what is healed, and what is never believed.

use super::{Rig, find, text};
use crate::safeguard::Guards;
use crate::sim::SimDisk;
use crate::wal::header::{FileHeader, GROUP_BYTES, GroupHeader, Kind};
use crate::wal::{BLOCK, FIRST_GROUP};
use crate::{DamageKind, OpenError, ReadError, ReadLimit, Safeguard};
use evenkeel_model::{Shard, Stored, Timestamp};
use std::time::Duration;

type Proven = Result<(), String>;

pub(super) fn flip(disk: &SimDisk, path: &str, at: usize) {
    disk.tamper(path, |bytes| bytes[at] ^= 0x10);
}

/// Flips a bit in the value `value`, wherever it stands in the newest write-ahead file.
pub(super) fn flip_value(rig: &Rig, value: &str) {
    let wal = rig.wal();
    let at = find(&rig.disk.bytes(&wal).expect("the file is there"), value.as_bytes());
    flip(&rig.disk, &wal, at);
}

fn expect_corrupt(rig: &mut Rig, place: &str) -> Proven {
    match rig.open() {
        Err(OpenError::Corrupt { damage }) if damage[0].place().contains(place) => Ok(()),
        Err(e) => Err(format!("it said: {e}")),
        Ok(()) => Err(format!("it opened, with {:?}", rig.values(0))),
    }
}

fn expect_values(rig: &mut Rig, values: &[&str]) -> Proven {
    rig.open().map_err(|e| e.to_string())?;
    let found = rig.values(0).map_err(|e| e.to_string())?;
    if found == values { Ok(()) } else { Err(format!("found {found:?}, expected {values:?}")) }
}

pub(super) fn damage_before_a_later_group_is_reported(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(1, without);
    for value in ["first", "second", "third"] {
        rig.append(0, value).map_err(|e| e.to_string())?;
    }
    rig.kill();
    flip_value(&rig, "second");
    expect_corrupt(&mut rig, "wal/0000000000000001.wal byte ")
}

pub(super) fn damage_to_a_sealed_last_group_is_reported(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(2, without);
    rig.append(0, "first").map_err(|e| e.to_string())?;
    rig.log().seal();
    rig.kill();
    flip_value(&rig, "first");
    expect_corrupt(&mut rig, "wal/")
}

pub(super) fn a_damaged_last_group_is_not_believed(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(3, without);
    rig.append(0, "first").map_err(|e| e.to_string())?;
    rig.append(0, "second").map_err(|e| e.to_string())?;
    rig.kill();
    flip_value(&rig, "second");
    expect_values(&mut rig, &["first"])
}

pub(super) fn a_lost_checkpoint_is_reported(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(4, without);
    rig.append(0, "first").map_err(|e| e.to_string())?;
    rig.log().flush().map_err(|e| e.to_string())?;
    rig.append(0, "second").map_err(|e| e.to_string())?;
    rig.kill();
    flip(&rig.disk, "checkpoint.0", 40);
    expect_corrupt(&mut rig, "checkpoint.")
}

/// The log's number that a slot gives must not be believed when the slot is damaged.
pub(super) fn a_damaged_slot_is_not_believed(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(5, without);
    rig.append(0, "first").map_err(|e| e.to_string())?;
    rig.log().flush().map_err(|e| e.to_string())?;
    rig.append(0, "second").map_err(|e| e.to_string())?;
    rig.kill();
    let lsn = 24 + 8 + 8 + 8;
    flip(&rig.disk, "checkpoint.0", lsn);
    expect_corrupt(&mut rig, "checkpoint.")
}

pub(super) fn one_damaged_slot_loses_nothing(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(6, without);
    let long = "y".repeat(5000);
    let mut values = Vec::new();
    for round in 0..3 {
        for n in 0..12 {
            values.push(format!("{round}.{n}.{long}"));
            rig.append(0, &values[values.len() - 1]).map_err(|e| e.to_string())?;
        }
        rig.log().flush().map_err(|e| e.to_string())?;
    }
    rig.log().prepare().map_err(|e| e.to_string())?;
    rig.kill();
    let newest = ["checkpoint.0", "checkpoint.1"].map(|p| (rig.disk.bytes(p).map(|b| b[34..42].to_vec()), p));
    let (_, newest) = newest.iter().max().ok_or("no slots")?;
    flip(&rig.disk, newest, 40);
    expect_values(&mut rig, &values.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(super) fn a_damaged_file_header_is_healed_by_its_copy(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(7, without);
    rig.append(0, "first").map_err(|e| e.to_string())?;
    rig.kill();
    let wal = rig.wal();
    flip(&rig.disk, &wal, 35);
    expect_values(&mut rig, &["first"])
}

pub(super) fn a_damaged_segment_is_reported(without: Option<Safeguard>) -> Proven {
    let mut rig = flushed_away(8, without)?;
    let path = "topics/t-0@1/00000000000000000000.log";
    let at = find(&rig.disk.bytes(path).ok_or("no segment")?, b"first");
    rig.kill();
    flip(&rig.disk, path, at);
    rig.open().map_err(|e| e.to_string())?;
    match rig.log().read(&Shard::new("t", 0), 0, ReadLimit::default()) {
        Err(ReadError::Corrupt { place, .. }) if place.contains(path) => Ok(()),
        other => Err(format!("the read said {other:?}")),
    }
}

pub(super) fn a_damaged_index_is_not_believed(without: Option<Safeguard>) -> Proven {
    let mut rig = flushed_away(9, without)?;
    let shard = Shard::new("t", 0);
    let told = rig.log().read(&shard, 0, ReadLimit::default()).map_err(|e| e.to_string())?;
    rig.kill();
    let time = 16 + 5;
    flip(&rig.disk, "topics/t-0@1/00000000000000000000.index", time);
    rig.open().map_err(|e| e.to_string())?;
    let read = rig.log().read(&shard, 0, ReadLimit::default()).map_err(|e| e.to_string())?;
    if read == told { Ok(()) } else { Err(format!("it says {:?}", read.first().map(|s| s.appended))) }
}

pub(super) fn damaged_times_are_not_believed(without: Option<Safeguard>) -> Proven {
    let mut rig = flushed_away(12, without)?;
    rig.clock.advance(Duration::from_millis(5));
    rig.append(0, "third").map_err(|e| e.to_string())?;
    rig.log().flush().map_err(|e| e.to_string())?;
    let shard = Shard::new("t", 0);
    let index = "topics/t-0@1/00000000000000000000.index";
    let told = rig.log().read(&shard, 0, ReadLimit::default()).map_err(|e| e.to_string())?;
    for damage in [false, true] {
        rig.kill();
        rig.disk.lose(index);
        if damage {
            // The second record, one offset and 1,000 µs behind the first, seems to be later.
            let path = "times/0000000000000001.times";
            let at = find(&rig.disk.bytes(path).ok_or("no times")?, &[0x01, 0xd0, 0x0f]);
            flip(&rig.disk, path, at + 2);
        }
        rig.open().map_err(|e| e.to_string())?;
        let read = rig.log().read(&shard, 0, ReadLimit::default()).map_err(|e| e.to_string())?;
        let whole = read == told;
        let off = |(read, told): (&Stored, &Stored)| (read.appended.micros() - told.appended.micros()).abs();
        let guessed = read.iter().zip(&told).all(|pair| off(pair) < 1000);
        if !(whole || damage && guessed) {
            return Err(format!("{:?}", read.iter().map(|s| s.appended).collect::<Vec<_>>()));
        }
    }
    Ok(())
}

/// A log whose records are in segments only.
fn flushed_away(seed: u64, without: Option<Safeguard>) -> Result<Rig, String> {
    let mut rig = Rig::new(seed, without);
    rig.options.tail_bytes = 0;
    rig.open().map_err(|e| e.to_string())?;
    rig.create("t", 2);
    rig.append(0, "first").map_err(|e| e.to_string())?;
    rig.append(0, "second").map_err(|e| e.to_string())?;
    rig.log().flush().map_err(|e| e.to_string())?;
    Ok(rig)
}

/// The header of the first write-ahead file, which only its owner can read.
fn file_header(rig: &Rig) -> FileHeader {
    let bytes = rig.disk.bytes("wal/0000000000000001.wal").expect("the file is there");
    FileHeader::decode(&bytes, 1, Guards::default()).expect("a header")
}

/// Where the group that holds `value` begins in the first file.
pub(super) fn group_of(rig: &Rig, value: &str) -> usize {
    let bytes = rig.disk.bytes("wal/0000000000000001.wal").expect("the file is there");
    let mut at = find(&bytes, value.as_bytes()) / BLOCK as usize * BLOCK as usize;
    while GroupHeader::decode(&bytes[at..]).is_none() && at > FIRST_GROUP as usize {
        at -= BLOCK as usize;
    }
    at
}

pub(super) fn a_group_with_another_past_is_not_believed(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(10, without);
    rig.append(0, "first").map_err(|e| e.to_string())?;
    rig.append(0, "second").map_err(|e| e.to_string())?;
    let at = group_of(&rig, "second");
    let header = file_header(&rig);
    rig.kill();
    rig.disk.tamper("wal/0000000000000001.wal", |bytes| {
        let (mut group, _) = GroupHeader::decode(&bytes[at..]).expect("a group");
        group.previous ^= 1;
        group.seal(&mut bytes[at..], header.seed(at as u64, Guards { without }));
    });
    expect_values(&mut rig, &["first"])
}

/// A record whose value holds the image of a group that would vouch for a lost one.
pub(super) fn a_value_cannot_pose_as_a_group(without: Option<Safeguard>) -> Proven {
    let mut rig = Rig::with_topic(11, without);
    let probe = "p".repeat(12_000);
    rig.append(0, &probe).map_err(|e| e.to_string())?;
    let bytes = rig.disk.bytes("wal/0000000000000001.wal").ok_or("no file")?;
    let from = find(&bytes, b"pppp");
    let block = from.next_multiple_of(BLOCK as usize);
    let header = GroupHeader {
        kind: Kind::Seal,
        crc: 0,
        lsn: 1000,
        previous: 0,
        length: 0,
        durable: 999,
        generation: 0,
        at_us: 0,
        entries: 0,
    };
    let mut image = vec![0; GROUP_BYTES];
    header.seal(&mut image, 0);
    let mut value = vec![b'q'; 12_000];
    value[block - from..block - from + GROUP_BYTES].copy_from_slice(&image);
    let record = evenkeel_model::Record { value: Some(value.into()), ..rig.record("") };
    let appending = rig.log().append(crate::Set::of(Shard::new("t", 0), vec![record]));
    rig.log().step();
    appending.wait().map_err(|e| e.to_string())?;
    let torn = group_of(&rig, "qqqq");
    rig.kill();
    rig.disk.tamper("wal/0000000000000001.wal", |bytes| bytes[torn..torn + 512].fill(0));
    expect_values(&mut rig, &[&probe])
}

#[test]
fn a_flipped_bit_in_the_middle_is_reported_and_nothing_is_changed() {
    let mut rig = Rig::with_topic(12, None);
    for value in ["first", "second", "third"] {
        rig.append(0, value).expect("appended");
    }
    rig.kill();
    flip_value(&rig, "second");
    let before: Vec<_> = rig.disk.paths().iter().map(|p| rig.disk.bytes(p)).collect();
    let Err(OpenError::Corrupt { damage }) = rig.open() else { panic!("it opened") };
    let (place, what) = (damage[0].place(), &damage[0].what);
    assert!(place.starts_with("wal/0000000000000001.wal byte "), "{place}");
    assert!(what.contains("says that it was complete"), "{what}");
    let after: Vec<_> = rig.disk.paths().iter().map(|p| rig.disk.bytes(p)).collect();
    assert!(before == after, "opening a damaged log changed it");
}

#[test]
fn an_idle_log_vouches_for_its_last_group_also_where_its_file_ends() {
    let mut rig = Rig::with_topic(20, None);
    rig.log().prepare().expect("there is room for the next file");
    let (wal, size) = (rig.wal().replace('2', "1"), file_header(&rig).size);
    let mut last = String::new();
    for n in 0..size / BLOCK - 4 {
        last = format!("value {n}");
        rig.append(0, &last).expect("appended");
    }
    assert_eq!(group_of(&rig, &last) as u64, size - 2 * BLOCK, "the last block but that of the turn");
    rig.log().seal();
    rig.kill();
    let at = find(&rig.disk.bytes(&wal).expect("the file is there"), last.as_bytes());
    flip(&rig.disk, &wal, at);
    expect_corrupt(&mut rig, &wal).expect("the turn vouches for it");
}

#[test]
fn no_flipped_bit_of_the_write_ahead_log_is_ever_read_as_a_record() {
    for step in 0..220 {
        let mut rig = Rig::with_topic(13, None);
        for value in ["first", "second", "third"] {
            rig.append(0, value).expect("appended");
        }
        rig.log().seal();
        rig.kill();
        let wal = rig.wal();
        let end = group_of(&rig, "third") + BLOCK as usize;
        flip(&rig.disk, &wal, (step * 127) % end);
        if rig.open().is_ok() {
            assert_eq!(rig.values(0).expect("read"), ["first", "second", "third"], "bit {step}");
        }
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_the_log_goes_on() {
    let mut rig = Rig::with_topic(14, None);
    rig.append(0, "first").expect("appended");
    rig.append(0, &"t".repeat(9000)).expect("appended");
    let torn = group_of(&rig, "tttt");
    rig.kill();
    rig.disk.tamper("wal/0000000000000001.wal", |bytes| bytes[torn + 4096..torn + 4608].fill(0));
    rig.open().expect("a torn tail is no damage");
    rig.append(0, "third").expect("appended");
    rig.kill();
    rig.open().expect("it opens again");
    assert_eq!(rig.values(0).expect("read"), ["first", "third"]);
}

#[test]
fn a_segment_that_is_gone_is_reported_by_name() {
    let mut rig = flushed_away(15, None).expect("a flushed log");
    rig.kill();
    let disk: &dyn crate::Disk = &rig.disk;
    disk.remove("topics/t-0@1/00000000000000000000.log").expect("removed");
    let Err(OpenError::Corrupt { damage }) = rig.open() else { panic!("it opened") };
    assert_eq!(damage[0].place(), "topics/t-0@1/00000000000000000000.log");
}

#[test]
fn a_folder_that_lost_both_slots_is_not_taken_for_an_empty_one() {
    let mut rig = Rig::with_topic(16, None);
    rig.append(0, "first").expect("appended");
    rig.kill();
    let disk: &dyn crate::Disk = &rig.disk;
    disk.remove("checkpoint.1").expect("removed");
    let Err(OpenError::Corrupt { damage }) = rig.open() else { panic!("it opened") };
    assert_eq!(damage[0].kind, DamageKind::Checkpoint);
    assert!(damage[0].what.contains("wal/0000000000000001.wal"), "{damage:?}");
}

#[test]
fn a_slot_of_a_later_version_is_left_alone() {
    let mut rig = Rig::with_topic(17, None);
    rig.kill();
    rig.disk.tamper("checkpoint.1", |bytes| {
        bytes[8] = 9;
        bytes[12..16].fill(0);
        let length = usize::from(bytes[16]);
        let crc = crc32c::crc32c(&bytes[..length]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    });
    let Err(e) = rig.open() else { panic!("it opened") };
    assert_eq!(e, OpenError::Version { file: "checkpoint.1".into(), found: 9 });
}

#[test]
fn a_missing_append_time_falls_back_to_creation_time() {
    let mut rig = flushed_away(18, None).expect("a flushed log");
    rig.kill();
    rig.disk.tamper("topics/t-0@1/00000000000000000000.index", |bytes| bytes.fill(0));
    rig.open().expect("an index is no evidence");
    let read = rig.log().read(&Shard::new("t", 0), 0, ReadLimit::default()).expect("read");
    assert_eq!(read.iter().map(|s| text(&s.record)).collect::<Vec<_>>(), ["first", "second"]);
    assert!(read.iter().all(|s| s.appended == s.record.created && s.appended > Timestamp::EPOCH));
}

#[test]
fn a_read_that_meets_damage_behind_good_records_gives_them_and_ends() {
    let mut rig = flushed_away(19, None).expect("a flushed log");
    let path = "topics/t-0@1/00000000000000000000.log";
    let at = find(&rig.disk.bytes(path).expect("a segment"), b"second");
    rig.kill();
    flip(&rig.disk, path, at);
    rig.open().expect("segments are not read at the start");
    let shard = Shard::new("t", 0);
    let good = rig.log().read(&shard, 0, ReadLimit::default()).expect("the first is whole");
    assert_eq!(good.iter().map(|s| text(&s.record)).collect::<Vec<_>>(), ["first"]);
    assert!(matches!(rig.log().read(&shard, 1, ReadLimit::default()), Err(ReadError::Corrupt { .. })));
}
