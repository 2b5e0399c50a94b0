//! Compaction of whole logs: what readers see before, between and after, and after a crash.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{Clock, Record, Shard, Stored};

use super::{Rig, text};
use crate::{Append, Change, Cleaned, Cleanup, Producer, ReadLimit, Set, TopicSettings};

const HOUR: Duration = Duration::from_secs(3600);

fn shard() -> Shard {
    Shard::new("t", 0)
}

/// Topic `t`, compacted as soon as half of it is dirty.
fn compacted(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, None);
    rig.options.tail_bytes = 0;
    rig.open().expect("it opens");
    let creating = rig.log().create_topic("t", settings(50, Duration::ZERO)).expect("a good name");
    rig.log().step();
    creating.wait().expect("created");
    rig
}

fn settings(dirty_percent: u8, min_lag: Duration) -> TopicSettings {
    let cleanup = Cleanup::Compact { dirty_percent, delete_retention: HOUR, min_lag };
    TopicSettings { cleanup, ..TopicSettings::partitions(1) }
}

fn configure(rig: &Rig, settings: TopicSettings) {
    let asked = rig.log().configure_topic("t", settings);
    rig.log().step();
    asked.expect("asked").wait().expect("configured");
}

fn record(rig: &Rig, key: &str, value: Option<&str>) -> Record {
    let value = value.map(|v| Bytes::copy_from_slice(v.as_bytes()));
    Record { key: Some(Bytes::copy_from_slice(key.as_bytes())), value, created: rig.clock.now(), ..Record::default() }
}

fn put(rig: &Rig, key: &str, value: Option<&str>) {
    rig.put(Set::of(shard(), vec![record(rig, key, value)])).expect("appended");
}

/// `rounds` of the keys `0` to `keys`, each value of 500 bytes and one of its kind.
fn churn(rig: &Rig, keys: usize, rounds: usize) {
    for round in 0..rounds {
        for key in 0..keys {
            put(rig, &key.to_string(), Some(&format!("{round}.{key} {}", "v".repeat(500))));
        }
    }
}

/// A segment's worth of records without a key, so that what is before them is sealed.
fn seal(rig: &Rig) {
    for _ in 0..8 {
        let filling = vec![rig.record(&"f".repeat(900))];
        rig.put(Set::of(shard(), filling)).expect("appended");
    }
    rig.log().flush().expect("flushed");
}

fn clean(rig: &Rig) -> Cleaned {
    let mut all = Cleaned::default();
    for _ in 0..1000 {
        let Cleaned { moved, segments, freed, passes, more, problems } = rig.log().clean(1);
        all.moved += moved;
        all.segments += segments;
        all.freed += freed;
        all.passes += passes;
        assert_eq!(problems, Vec::<String>::new());
        if moved == 0 && !more {
            return all;
        }
    }
    panic!("compaction finds no end");
}

fn all(rig: &Rig) -> Vec<Stored> {
    let mut all: Vec<Stored> = Vec::new();
    let mut from = rig.log().ends(&shard()).expect("there").start;
    loop {
        let read = rig.log().read(&shard(), from, ReadLimit::records(5)).expect("read");
        let Some(last) = read.last() else { return all };
        assert!(read.iter().all(|s| s.at.offset >= from), "an offset came twice");
        from = last.at.offset + 1;
        all.extend(read);
    }
}

/// The offsets of each key.
fn offsets(rig: &Rig) -> BTreeMap<String, Vec<u64>> {
    let mut offsets: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for stored in all(rig) {
        if let Some(key) = &stored.record.key {
            offsets.entry(String::from_utf8_lossy(key).into_owned()).or_default().push(stored.at.offset);
        }
    }
    offsets
}

/// What a reader from the beginning ends up with.
fn table(rig: &Rig) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for stored in all(rig) {
        let Some(key) = &stored.record.key else { continue };
        let key = String::from_utf8_lossy(key).into_owned();
        match stored.record.value {
            Some(_) => table.insert(key, text(&stored.record)),
            None => table.remove(&key),
        };
    }
    table
}

fn bytes(rig: &Rig) -> u64 {
    rig.log().status().segment_bytes
}

#[test]
fn of_each_key_the_newest_record_stays_where_it_was_and_the_disk_has_room_again() {
    let mut rig = compacted(1);
    churn(&rig, 10, 12);
    seal(&rig);
    let (before, table_before, end) =
        (bytes(&rig), table(&rig), rig.log().ends(&shard()).expect("there").high_watermark);
    let cleaned = clean(&rig);
    assert!(cleaned.passes == 1 && cleaned.segments >= 9 && cleaned.freed > before / 2, "{cleaned:?}");
    assert!(bytes(&rig) < before / 2, "{} of {before}", bytes(&rig));
    assert_eq!(table(&rig), table_before);
    let kept = offsets(&rig);
    let newest = |key: u64| 110 + key;
    assert!((0..10).all(|key| kept[&key.to_string()].last() == Some(&newest(key))), "{kept:?}");
    assert!(kept.values().all(|of| of.len() <= 2), "{kept:?}");
    assert_eq!(rig.log().ends(&shard()).expect("there").high_watermark, end);
    let files = || rig.disk.paths().iter().filter(|p| p.starts_with("topics/t-0@1/")).count();
    let many = files();
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    assert!(files() < many / 2, "the old files stayed");
    for _ in 0..2 {
        rig.kill();
        rig.open().expect("it opens");
        assert_eq!((table(&rig), offsets(&rig)), (table_before.clone(), kept.clone()));
    }
}

#[test]
fn a_crash_before_the_checkpoint_leaves_the_old_segments_and_a_later_pass_does_it_again() {
    let mut rig = compacted(2);
    churn(&rig, 10, 12);
    seal(&rig);
    rig.log().flush().expect("flushed");
    let before = offsets(&rig);
    let wanted = table(&rig);
    clean(&rig);
    let after = offsets(&rig);
    assert!(after != before);
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(offsets(&rig), before, "what no checkpoint names counted");
    clean(&rig);
    assert_eq!((offsets(&rig), table(&rig)), (after, wanted));
}

#[test]
fn it_begins_when_it_is_worth_it_and_does_nothing_twice() {
    let rig = compacted(3);
    churn(&rig, 10, 12);
    seal(&rig);
    assert_eq!(clean(&rig).passes, 1);
    assert_eq!(clean(&rig), Cleaned::default(), "nothing was dirty");
    churn(&rig, 10, 12);
    seal(&rig);
    assert_eq!(clean(&rig).passes, 1);
}

#[test]
fn keys_that_do_not_fit_into_memory_take_several_passes() {
    let mut rig = compacted(4);
    rig.options.compaction_bytes = 12 * 24;
    rig.kill();
    rig.open().expect("it opens");
    configure(&rig, settings(1, Duration::ZERO));
    churn(&rig, 60, 3);
    seal(&rig);
    let wanted = table(&rig);
    let cleaned = clean(&rig);
    assert!(cleaned.passes > 10, "{cleaned:?}");
    assert_eq!(table(&rig), wanted);
    let kept = offsets(&rig);
    let many = kept.values().filter(|of| of.len() > 1).count();
    assert!(many < 12, "{many} of 60 keys have more than one record left");
}

#[test]
fn what_is_owed_stays_and_so_does_what_is_newer() {
    let rig = compacted(5);
    churn(&rig, 10, 12);
    seal(&rig);
    rig.log().owe("slow", &[(shard(), 33)]);
    clean(&rig);
    let offsets: Vec<u64> = all(&rig).iter().map(|s| s.at.offset).filter(|o| (33..120).contains(o)).collect();
    assert_eq!(offsets, (33..120).collect::<Vec<_>>());
    assert!(all(&rig).len() < 128, "nothing at all was compacted");
}

#[test]
fn what_a_transaction_that_is_open_hides_stays_until_it_is_decided() {
    let rig = compacted(15);
    churn(&rig, 10, 4);
    let producer = rig.producer();
    let opening = Append::batch(shard(), super::sent(producer, 0, true, &["undecided"]));
    let first = rig.put(Set::appends(vec![opening])).expect("appended").placed[0].base;
    churn(&rig, 10, 8);
    seal(&rig);
    clean(&rig);
    let end = rig.log().ends(&shard()).expect("there").high_watermark;
    rig.put(Set::change(Change::End { producer, commit: true })).expect("committed");
    let offsets: Vec<u64> = all(&rig).iter().map(|s| s.at.offset).filter(|o| (first..end).contains(o)).collect();
    assert_eq!(offsets, (first..end).collect::<Vec<_>>(), "nobody had read them, and they are gone");
    seal(&rig);
    assert!(clean(&rig).passes > 0, "once it is decided they are compacted");
}

#[test]
fn young_records_are_left_alone() {
    let rig = compacted(6);
    configure(&rig, settings(1, HOUR));
    churn(&rig, 10, 12);
    seal(&rig);
    assert_eq!(clean(&rig), Cleaned::default());
    rig.clock.advance(HOUR);
    assert_eq!(clean(&rig).passes, 1);
}

#[test]
fn a_deleted_key_stays_deleted_and_its_tombstone_goes_in_time() {
    let mut rig = compacted(7);
    churn(&rig, 10, 12);
    put(&rig, "3", None);
    seal(&rig);
    clean(&rig);
    assert_eq!(offsets(&rig)["3"].last(), Some(&120), "the tombstone went too early");
    assert!(!table(&rig).contains_key("3"));
    rig.log().flush().expect("flushed");
    rig.clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(clean(&rig).passes, 1, "nobody looked when the horizon had come");
    assert!(!offsets(&rig).contains_key("3"), "{:?}", offsets(&rig));
    rig.log().flush().expect("flushed");
    rig.kill();
    rig.open().expect("it opens");
    assert!(!table(&rig).contains_key("3"), "a deleted key came back");
}

#[test]
fn records_without_a_key_stay() {
    let rig = compacted(8);
    for n in 0..20 {
        rig.append(0, &format!("{n} {}", "k".repeat(900))).expect("appended");
    }
    seal(&rig);
    clean(&rig);
    assert_eq!(all(&rig).len(), 28);
}

#[test]
fn times_and_offsets_are_found_within_a_compacted_partition() {
    let rig = compacted(9);
    churn(&rig, 10, 6);
    rig.clock.advance(HOUR);
    let middle = rig.clock.now();
    churn(&rig, 10, 6);
    seal(&rig);
    clean(&rig);
    let kept: Vec<u64> = all(&rig).iter().map(|s| s.at.offset).collect();
    for from in 0..128 {
        let read = rig.log().read(&shard(), from, ReadLimit::records(1)).expect("read");
        assert_eq!(read.first().map(|s| s.at.offset), kept.iter().copied().find(|o| *o >= from), "from {from}");
    }
    let found = rig.log().offset_at(&shard(), middle).expect("found").expect("there is one");
    let first = rig.log().read(&shard(), found, ReadLimit::records(1)).expect("read");
    assert!(first[0].appended >= middle || found <= 60, "{found}");
}

#[test]
fn an_open_transaction_ends_the_range_and_an_aborted_one_goes() {
    let mut rig = compacted(10);
    let (one, two) = (rig.producer(), rig.producer());
    let transactional = |producer: Producer, sequence: i32, key: &str, value: &str| {
        let mut batch = crate::batch::encode(&[record(&rig, key, Some(value))]);
        batch[21..23].copy_from_slice(&16_i16.to_be_bytes());
        batch[43..51].copy_from_slice(&producer.id.to_be_bytes());
        batch[51..53].copy_from_slice(&producer.epoch.to_be_bytes());
        batch[53..57].copy_from_slice(&sequence.to_be_bytes());
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        Set::appends(vec![Append::batch(shard(), batch.into())])
    };
    churn(&rig, 4, 4);
    rig.put(transactional(one, 0, "0", "aborted")).expect("appended");
    rig.put(Set::change(Change::End { producer: one, commit: false })).expect("aborted");
    seal(&rig);
    rig.put(transactional(two, 0, "1", "open")).expect("appended");
    churn(&rig, 4, 8);
    seal(&rig);
    clean(&rig);
    let kept = all(&rig);
    assert!(kept.iter().all(|s| text(&s.record) != "aborted"));
    let stable = rig.log().ends(&shard()).expect("there").last_stable;
    assert!(stable < 40, "{stable}");
    rig.put(Set::change(Change::End { producer: two, commit: true })).expect("committed");
    let wanted = table(&rig);
    assert!(wanted["0"].starts_with("7.0") && wanted["1"].starts_with("7.1"), "{wanted:?}");
    clean(&rig);
    seal(&rig);
    clean(&rig);
    assert_eq!(table(&rig), wanted);
    rig.log().flush().expect("flushed");
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(table(&rig), wanted);
}

#[test]
fn a_full_disk_makes_it_wait_and_loses_nothing() {
    let rig = compacted(11);
    for n in 0..12 {
        put(&rig, &format!("only {n}"), Some("once"));
        churn(&rig, 10, 1);
    }
    seal(&rig);
    let wanted = table(&rig);
    rig.disk.set_capacity(Some(rig.disk.used()));
    let mut problems = Vec::new();
    for _ in 0..60 {
        problems.extend(rig.log().clean(1).problems);
    }
    assert!(problems.iter().any(|p| p.contains("full")), "{problems:?}");
    assert_eq!((rig.log().status().stopped, table(&rig)), (None, wanted.clone()));
    rig.disk.set_capacity(None);
    assert_eq!(clean(&rig).passes, 1);
    assert_eq!(table(&rig), wanted);
}

#[test]
fn what_a_full_disk_lets_go_is_never_what_a_slot_still_names() {
    let mut rig = compacted(15);
    for n in 0..12 {
        put(&rig, &format!("only {n}"), Some("once"));
        churn(&rig, 10, 1);
    }
    seal(&rig);
    rig.log().flush().expect("flushed");
    let deleting = rig.log().delete_records(&shard(), 40);
    rig.log().step();
    deleting.wait().expect("deleted");
    clean(&rig);
    let wanted = table(&rig);
    rig.append(0, &"x".repeat(5000)).expect("appended");
    let before = rig.disk.used();
    rig.disk.set_capacity(Some(before));
    assert!(rig.log().flush().is_err(), "there was room to write what waits");
    assert!(rig.disk.used() < before, "nothing was let go");
    rig.disk.set_capacity(None);
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(table(&rig), wanted);
}

#[test]
fn a_damaged_segment_is_left_alone_and_said() {
    let mut rig = compacted(12);
    churn(&rig, 10, 12);
    seal(&rig);
    rig.log().flush().expect("flushed");
    rig.disk.tamper("topics/t-0@1/00000000000000000000.log", |bytes| bytes[300] ^= 1);
    let problems: Vec<String> = (0..20).flat_map(|_| rig.log().clean(1).problems).collect();
    assert_eq!(problems.len(), 1, "it is said once: {problems:?}");
    assert!(problems[0].contains("00000000000000000000.log"), "{problems:?}");
    assert_eq!(rig.log().damage().len(), 1, "the log is told, as by any reader");
    rig.kill();
    assert!(matches!(rig.open(), Err(crate::OpenError::Corrupt { .. })));
}

#[test]
fn the_control_topic_is_compacted_and_every_topic_is_still_there() {
    let mut rig = compacted(13);
    for n in 0..400_u64 {
        let age = Duration::from_secs(n);
        let retention = crate::Retention { age: Some(age), ..crate::Retention::default() };
        configure(&rig, TopicSettings { retention, ..TopicSettings::partitions(1) });
    }
    rig.create("u", 1);
    rig.log().flush().expect("flushed");
    let cleaned = clean(&rig);
    assert!(cleaned.freed > 10_000, "{cleaned:?}");
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    for _ in 0..2 {
        rig.kill();
        rig.open().expect("it opens");
        let age = rig.log().topic("t").and_then(|t| t.settings.retention.age);
        assert_eq!(age, Some(Duration::from_secs(399)));
        assert!(rig.log().topic("u").is_some());
    }
}

#[test]
fn verify_finds_nothing_to_say_of_a_compacted_log() {
    let mut rig = compacted(14);
    churn(&rig, 10, 12);
    seal(&rig);
    clean(&rig);
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    rig.kill();
    let verified = crate::verify(std::sync::Arc::new(rig.disk.clone())).expect("verified");
    assert!(verified.damage.is_empty(), "{:?}", verified.damage);
    rig.open().expect("it opens");
}
