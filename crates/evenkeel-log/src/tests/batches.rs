//! Reading batches as they are kept, and what readers do without: indexes, memory.

use bytes::Bytes;
use evenkeel_model::Shard;

use super::{Rig, sent, small};
use crate::batch::{Head, Records, verify};
use crate::engine::RELIEF_ROUNDS;
use crate::state::WORTH;
use crate::write_back::Demand;
use crate::{Aborted, Append, BatchLimit, Batches, Change, Isolation, Options, ReadError, ReadLimit, Set};

fn shard() -> Shard {
    Shard::new("t", 0)
}

/// 60 batches of three records each; the first 40 are in segments only.
fn kept() -> Rig {
    let mut rig = Rig::new(1, None);
    rig.options.tail_bytes = 0;
    rig.open().expect("an empty folder opens");
    rig.create("t", 2);
    for n in 0..60 {
        let records = (0..3).map(|i| rig.record(&format!("{n}.{i} {}", "b".repeat(200)))).collect();
        rig.clock.advance(std::time::Duration::from_micros(1500));
        let appending = rig.log().append(Set { appends: vec![Append::records(shard(), records)], ..Set::default() });
        rig.log().step();
        appending.wait().expect("appended");
        if n == 39 {
            rig.log().flush().expect("flushed");
        }
    }
    rig
}

fn batches(rig: &Rig, from: u64, bytes: usize) -> Batches {
    rig.log().read_batches(&shard(), from, BatchLimit { bytes }, Isolation::Committed).expect("read")
}

/// All of the partition, by batches of at most so many bytes, as offsets and times.
fn walked(rig: &Rig, bytes: usize) -> Vec<(u64, evenkeel_model::Timestamp)> {
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let read = batches(rig, from, bytes);
        let Some(last) = read.batches.last() else { return all };
        from = last.end;
        for slice in read.batches {
            verify(&slice.bytes).expect("a whole batch");
            let offsets = Records::of(&slice.bytes).expect("a batch").map(|r| r.expect("a record").0);
            all.extend(offsets.map(|offset| (offset, slice.appended)));
        }
    }
}

fn read(rig: &Rig) -> Vec<(u64, evenkeel_model::Timestamp)> {
    let all = rig.log().read(&shard(), 0, ReadLimit { records: 1000, bytes: 1 << 20 }).expect("read");
    all.into_iter().map(|stored| (stored.at.offset, stored.appended)).collect()
}

#[test]
fn batches_say_what_records_say_whatever_the_limit() {
    let mut rig = kept();
    let told = read(&rig);
    assert_eq!(told.len(), 180);
    for _ in 0..2 {
        for bytes in [1, 700, 5000, 1 << 20] {
            assert_eq!(walked(&rig, bytes), told, "{bytes} bytes at a time");
        }
        rig.kill();
        rig.open().expect("it opens");
    }
}

#[test]
fn a_batch_is_given_whole_and_the_first_one_whatever_its_size() {
    let rig = kept();
    for from in [0, 1, 2, 60, 118, 119, 150, 179] {
        let one = batches(&rig, from, 1);
        assert_eq!(one.batches.len(), 1);
        let slice = &one.batches[0];
        assert!(slice.base <= from && from < slice.end, "offset {from}: {}..{}", slice.base, slice.end);
        assert_eq!(Head::parse(&slice.bytes).map(|h| (h.base, h.end())), Ok((slice.base, slice.end)));
        let more = batches(&rig, from, 3000);
        let bytes: usize = more.batches.iter().map(|s| s.bytes.len()).sum();
        assert!(bytes <= 3000 && bytes > slice.bytes.len() || from > 176, "{bytes}");
        assert!(more.batches.windows(2).all(|pair| pair[0].end == pair[1].base));
    }
    let end = batches(&rig, 180, 3000);
    assert!(end.batches.is_empty());
    assert_eq!((end.ends.start, end.ends.high_watermark, end.ends.last_stable), (0, 180, 180));
    let beyond = rig.log().read_batches(&shard(), 181, BatchLimit { bytes: 1 }, Isolation::Uncommitted);
    assert_eq!(beyond, Err(ReadError::Beyond { end: 180 }));
}

/// True when one stands at once behind the other in memory.
fn adjoin(pair: &[Bytes]) -> bool {
    pair[0].as_ptr().wrapping_add(pair[0].len()) == pair[1].as_ptr()
}

#[test]
fn open_transactions_end_what_is_committed_and_aborted_ones_are_listed() {
    let rig = Rig::with_topic(2, None);
    let producer = rig.producer();
    let send = |sequence| Set::appends(vec![Append::batch(shard(), sent(producer, sequence, true, &["v"]))]);
    rig.put(send(0)).expect("appended");
    rig.put(Set::change(Change::End { producer, commit: false })).expect("aborted");
    rig.append(0, "between").expect("appended");
    rig.put(send(1)).expect("appended");
    rig.append(0, "behind").expect("appended");
    let read = |isolation| rig.log().read_batches(&shard(), 0, BatchLimit { bytes: 1 << 20 }, isolation).expect("read");
    let bases = |batches: &Batches| batches.batches.iter().map(|s| s.base).collect::<Vec<_>>();
    let committed = read(Isolation::Committed);
    assert_eq!(bases(&committed), [0, 1, 2], "up to the last stable offset, the marker too");
    assert_eq!(committed.aborted, [Aborted { producer: producer.id, first: 0, last: 1 }]);
    assert_eq!((committed.ends.last_stable, committed.ends.high_watermark), (3, 5));
    let all = read(Isolation::Uncommitted);
    assert_eq!((bases(&all), all.aborted), (vec![0, 1, 2, 3, 4], Vec::new()));
}

#[test]
fn no_batch_is_copied() {
    let rig = kept();
    let bytes = |from| -> Vec<Bytes> { batches(&rig, from, 4000).batches.into_iter().map(|s| s.bytes).collect() };
    let (once, twice) = (bytes(130), bytes(130));
    assert!(once.len() > 2 && once.iter().zip(&twice).all(|(a, b)| a.as_ptr() == b.as_ptr()), "memory was copied");
    let disk = bytes(0);
    assert!(disk.len() > 2 && disk.windows(2).all(adjoin), "batches of one read lie in one buffer");
}

#[test]
fn any_index_can_be_deleted_at_any_time_and_nothing_is_lost() {
    let mut rig = kept();
    let told = read(&rig);
    for round in 0..3 {
        let indexes: Vec<String> = rig.disk.paths().into_iter().filter(|p| p.ends_with(".index")).collect();
        assert!(indexes.len() > 4, "{indexes:?}");
        let before: Vec<_> = indexes.iter().map(|path| rig.disk.bytes(path)).collect();
        match round {
            0 => indexes.iter().for_each(|path| rig.disk.lose(path)),
            1 => indexes.iter().for_each(|path| rig.disk.tamper(path, |bytes| bytes.truncate(bytes.len() / 2))),
            _ => indexes.iter().for_each(|path| rig.disk.tamper(path, |bytes| bytes.fill(0))),
        }
        rig.kill();
        rig.open().expect("it opens");
        assert_eq!(read(&rig), told, "round {round}");
        for (offset, at) in told.iter().filter(|(offset, _)| offset % 3 == 0) {
            assert_eq!(rig.log().offset_at(&shard(), *at), Ok(Some(*offset)));
        }
        let _ = rig.log().read(&Shard::new("evenkeel.control", 0), 0, ReadLimit::default());
        for (path, before) in indexes.iter().zip(before).filter(|(path, _)| path.contains("/t-0@1/")) {
            assert_eq!(rig.disk.bytes(path), before, "{path} was made again, byte by byte");
        }
    }
}

#[test]
fn what_is_in_memory_only_is_bounded_and_what_is_written_may_leave_it() {
    let rig = kept();
    let most = rig.options.unwritten_bytes_max + rig.options.group_bytes_max;
    for n in 0..60 {
        rig.append(1, &format!("{n} {}", "m".repeat(5000))).expect("appended");
        assert!(rig.log().status().unwritten_bytes <= most as u64, "{:?}", rig.log().status());
    }
    rig.log().write_back(Demand::Before(u64::MAX)).expect("written");
    assert_eq!(rig.log().status().unwritten_bytes, 0);
    let flushes = rig.disk.flushes();
    rig.append(1, "one more").expect("appended");
    rig.log().write_back(Demand::Before(u64::MAX)).expect("written");
    assert_eq!(rig.disk.flushes(), flushes + 1, "write-back flushes nothing");
    assert_eq!(rig.values(1).expect("read").len(), 61);
}

#[test]
fn when_too_much_waits_more_is_written_than_has_just_come() {
    let mut rig = Rig::new(48, None);
    rig.open().expect("it opens");
    rig.create("t", 12);
    let most = rig.options.unwritten_bytes_max / 2;
    let waiting = || rig.log().status().unwritten_bytes;
    let mut turns = 0;
    for n in 0..200 {
        rig.append(n % 12, &"m".repeat(1000)).expect("appended");
        let before = waiting();
        rig.log().write_back(Demand::Usual).expect("written");
        if before > most as u64 {
            assert!(waiting() <= (most - rig.options.write_back_bytes) as u64, "{} of {before} wait", waiting());
            turns += 1;
        } else {
            assert_eq!(waiting(), before, "nothing of it is worth a write");
        }
    }
    assert!((5..=30).contains(&turns), "{turns} of 200 turns wrote");
}

#[test]
fn a_partition_is_written_when_it_is_worth_it_and_what_is_not_waits() {
    let mut rig = Rig::new(49, None);
    let large = Options { group_bytes_max: 1 << 20, wal_file_bytes: 2 << 20, wal_bytes_max: 64 << 20, ..small() };
    rig.options = Options { unwritten_bytes_max: 64 << 20, pending_bytes_max: 8 << 20, ..large };
    rig.open().expect("it opens");
    rig.create("t", 2);
    rig.create("gone", 1);
    let waiting = || rig.log().status().unwritten_bytes;
    rig.log().write_back(Demand::Before(u64::MAX)).expect("written");
    rig.append(1, &"s".repeat(5000)).expect("appended");
    let small = waiting();
    rig.append(0, &"l".repeat(WORTH)).expect("appended");
    rig.log().write_back(Demand::Usual).expect("written");
    assert_eq!(waiting(), small, "one was worth a write, the other was not");

    let record = rig.record(&"l".repeat(WORTH));
    rig.put(Set::of(Shard::new("gone", 0), vec![record])).expect("appended");
    let deleting = rig.log().delete_topic("gone").expect("a name");
    rig.log().step();
    deleting.wait().expect("deleted");
    assert!(!rig.log().has_worthy(), "a topic that is gone is worth no write");
}

#[test]
fn however_many_batches_are_written_at_once_all_of_them_leave_memory() {
    let mut rig = Rig::new(50, None);
    let large = Options { group_bytes_max: 1 << 20, wal_file_bytes: 2 << 20, wal_bytes_max: 64 << 20, ..small() };
    rig.options = Options { pending_bytes_max: 8 << 20, unwritten_bytes_max: 64 << 20, tail_bytes: 0, ..large };
    rig.open().expect("it opens");
    rig.create("t", 2);
    rig.create("gone", 1);
    let append = |n: u32| Append::records(Shard::new("t", n % 2), vec![rig.record("v")]);
    rig.put(Set::appends((0..5000).map(append).collect())).expect("appended");
    rig.put(Set::of(Shard::new("gone", 0), vec![rig.record("v")])).expect("appended");
    let deleting = rig.log().delete_topic("gone").expect("a name");
    rig.log().step();
    deleting.wait().expect("deleted");
    assert!(rig.log().tail_bytes() > 5000 * 128);
    rig.log().write_back(Demand::Before(u64::MAX)).expect("written");
    assert_eq!(rig.log().tail_bytes(), 0);
    assert_eq!(rig.values(1).expect("read").len(), 2500);
}

#[test]
fn an_append_asks_for_memory_only_so_often_and_then_goes_on_without() {
    let mut rig = Rig::new(46, None);
    rig.options.unwritten_bytes_max = 0;
    rig.open().expect("it opens");
    rig.create("t", 1);
    let asked = rig.log().write_back_turns();
    rig.append(0, "there is never memory for it").expect("it is appended all the same");
    let asked = rig.log().write_back_turns() - asked;
    assert!((1..=RELIEF_ROUNDS as u64).contains(&asked), "it asked {asked} times");
}

#[test]
fn a_checkpoint_flushes_a_partition_once_and_times_once_for_all() {
    let mut rig = Rig::new(3, None);
    rig.options.segment_bytes = 1 << 20;
    rig.open().expect("an empty folder opens");
    rig.create("t", 20);
    let all = |rig: &Rig| {
        let one = |partition| Append::records(Shard::new("t", partition), vec![rig.record("v")]);
        let appending = rig.log().append(Set { appends: (0..20).map(one).collect(), ..Set::default() });
        rig.log().step();
        appending.wait().expect("appended");
    };
    all(&rig);
    rig.log().flush().expect("flushed");
    all(&rig);
    let before = rig.disk.flushes();
    rig.log().flush().expect("flushed");
    assert_eq!(rig.disk.flushes() - before, 20 + 1 + 1, "segments, times, slot");
}
