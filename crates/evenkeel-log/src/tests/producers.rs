//! Producers: repeats, gaps, incarnations, and what of them outlives a restart.

use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::Shard;

use super::{Rig, poll, sent};
use crate::batch::Head;
use crate::handover::Load;
use crate::queue::{Job, Part, Work};
use crate::state::Place;
use crate::ticket::promise;
use crate::{Append, AppendError, Data, Placed, Producer, Safeguard, Set};

fn shard(partition: u32) -> Shard {
    Shard::new("t", partition)
}

fn set(producer: Producer, sequence: i32, values: &[&str]) -> Set {
    Set::appends(vec![Append::batch(shard(0), sent(producer, sequence, false, values))])
}

/// Sends one batch to partition 0; where it is, and whether it was there already.
fn send(rig: &Rig, producer: Producer, sequence: i32, values: &[&str]) -> Result<(u64, bool), AppendError> {
    rig.put(set(producer, sequence, values)).map(|a| (a.placed[0].base, a.placed[0].duplicate))
}

#[test]
fn a_repeat_is_answered_with_the_originals_offset_and_appends_nothing() {
    let rig = Rig::with_topic(1, None);
    let producer = rig.producer();
    assert_eq!(send(&rig, producer, 0, &["a", "b"]), Ok((0, false)));
    assert_eq!(send(&rig, producer, 2, &["c"]), Ok((2, false)));
    let changes = rig.disk.changes();
    assert_eq!(send(&rig, producer, 0, &["a", "b"]), Ok((0, true)));
    assert_eq!(send(&rig, producer, 2, &["c"]), Ok((2, true)));
    assert_eq!(rig.disk.changes(), changes);
    assert_eq!(rig.values(0).expect("read"), ["a", "b", "c"]);
}

#[test]
fn a_repeat_in_the_same_group_waits_for_the_original_and_shares_its_fate() {
    let rig = Rig::with_topic(2, None);
    let producer = rig.producer();
    let mut first = rig.log().append(set(producer, 0, &["a"]));
    let mut second = rig.log().append(set(producer, 0, &["a"]));
    assert_eq!((poll(&mut first), poll(&mut second)), (None, None));
    rig.log().step();
    assert_eq!(first.wait().map(|a| a.placed[0].duplicate), Ok(false));
    let repeat = second.wait().expect("appended").placed;
    assert_eq!(repeat, [Placed { shard: shard(0), base: 0, count: 1, duplicate: true }]);
    rig.disk.inject(crate::sim::Fault::DurableWrite, 0);
    let first = rig.log().append(set(producer, 1, &["b"]));
    let second = rig.log().append(set(producer, 1, &["b"]));
    rig.log().step();
    for outcome in [first.wait(), second.wait()] {
        assert!(matches!(outcome, Err(AppendError::Stopped { .. })), "{outcome:?}");
    }
}

#[test]
fn the_last_five_batches_are_recognised_and_no_more() {
    let rig = Rig::with_topic(3, None);
    let producer = rig.producer();
    for n in 0..7_i32 {
        assert_eq!(send(&rig, producer, n, &["v"]), Ok((u64::try_from(n).expect("small"), false)));
    }
    for n in 2..7_i32 {
        assert_eq!(send(&rig, producer, n, &["v"]), Ok((u64::try_from(n).expect("small"), true)));
    }
    let out_of_order = |got| Err(AppendError::OutOfOrder { shard: shard(0), producer, expected: 7, got });
    assert_eq!(send(&rig, producer, 1, &["v"]), out_of_order(1));
    assert_eq!(send(&rig, producer, 8, &["v"]), out_of_order(8));
    assert_eq!(send(&rig, producer, 5, &["v", "w"]), out_of_order(5), "it begins like one, and is longer");
    assert_eq!(send(&rig, producer, 7, &["v"]), Ok((7, false)));
}

#[test]
fn sequences_begin_again_at_zero_behind_the_largest() {
    let rig = Rig::with_topic(4, None);
    let producer = rig.producer();
    assert_eq!(send(&rig, producer, 0, &["v"]), Ok((0, false)));
    // Nobody sends two thousand million records here: the machine is told that somebody did.
    let mut head = crate::batch::check(&sent(producer, i32::MAX - 1, false, &["a", "b", "c"])).expect("a batch");
    assert_eq!(head.last_sequence(), 0);
    head.sequence = i32::MAX;
    head.count = 1;
    assert_eq!(head.last_sequence(), i32::MAX);
    head.count = 2;
    assert_eq!(head.last_sequence(), 0);
}

#[test]
fn a_newer_incarnation_begins_at_zero_and_fences_the_older_one() {
    let rig = Rig::with_topic(5, None);
    let old = rig.producer();
    let new = Producer { epoch: 1, ..old };
    assert_eq!(send(&rig, old, 0, &["a"]), Ok((0, false)));
    let expected = AppendError::OutOfOrder { shard: shard(0), producer: new, expected: 0, got: 1 };
    assert_eq!(send(&rig, new, 1, &["b"]), Err(expected));
    assert_eq!(send(&rig, new, 0, &["b"]), Ok((1, false)));
    assert_eq!(send(&rig, old, 1, &["c"]), Err(AppendError::Fenced { producer: old, epoch: 1 }));
    assert_eq!(send(&rig, old, 0, &["a"]), Err(AppendError::Fenced { producer: old, epoch: 1 }));
    assert_eq!(send(&rig, new, 1, &["d"]), Ok((2, false)));
}

#[test]
fn what_is_known_of_producers_outlives_a_restart_exactly() {
    for flushed in [false, true] {
        let mut rig = Rig::with_topic(6, None);
        let (one, two) = (rig.producer(), rig.producer());
        for n in 0..6_i32 {
            send(&rig, one, n, &["v"]).expect("appended");
        }
        if flushed {
            rig.log().flush().expect("flushed");
        }
        send(&rig, two, 0, &["w"]).expect("appended");
        rig.kill();
        rig.open().expect("it opens");
        assert_eq!(send(&rig, one, 1, &["v"]), Ok((1, true)));
        assert_eq!(send(&rig, two, 0, &["w"]), Ok((6, true)));
        assert_eq!(send(&rig, one, 6, &["v"]), Ok((7, false)));
        let third = rig.producer();
        assert!(third.id > two.id, "an id was given twice");
    }
}

#[test]
fn a_silent_producer_is_forgotten_to_the_microsecond_and_says_so() {
    let mut rig = Rig::with_topic(7, None);
    rig.options.producer_expiry = Duration::from_secs(10);
    rig.open().expect("it opens");
    let producer = rig.producer();
    send(&rig, producer, 0, &["a"]).expect("appended");
    rig.clock.advance(Duration::from_micros(9_998_999));
    assert_eq!(send(&rig, producer, 1, &["b"]), Ok((1, false)), "9.999999 s");
    rig.clock.advance(Duration::from_micros(9_999_000));
    let unknown = AppendError::UnknownProducer { shard: shard(0), producer };
    assert_eq!(send(&rig, producer, 2, &["c"]), Err(unknown), "10 s");
    assert_eq!(send(&rig, producer, 0, &["c"]), Ok((2, false)), "it begins again");
    let other = rig.producer();
    rig.clock.advance(Duration::from_millis(9_998));
    assert_eq!(send(&rig, other, 0, &["d"]), Ok((3, false)), "9.999 s; what is old is swept out now");
    assert_eq!(send(&rig, producer, 0, &["e"]), Ok((4, false)), "10 s, and not swept out");
    assert_eq!(send(&rig, producer, 0, &["e"]), Ok((4, true)), "and known by that alone");
}

#[test]
fn beyond_the_limit_the_longest_silent_are_forgotten_and_a_replay_forgets_the_same() {
    let mut rig = Rig::with_topic(8, None);
    rig.options.producers_max = 16;
    rig.open().expect("it opens");
    let producers: Vec<Producer> = (0..40).map(|_| rig.producer()).collect();
    for producer in &producers {
        send(&rig, *producer, 0, &["v"]).expect("appended");
    }
    let before = rig.log().state().machine.clone();
    rig.kill();
    rig.open().expect("it opens");
    assert!(before == rig.log().state().machine);
    assert_eq!(send(&rig, producers[39], 0, &["v"]).map(|(_, duplicate)| duplicate), Ok(true));
    assert_eq!(send(&rig, producers[30], 0, &["v"]).map(|(_, duplicate)| duplicate), Ok(true));
    assert!(matches!(send(&rig, producers[0], 1, &["v"]), Err(AppendError::UnknownProducer { .. })));
}

#[test]
fn an_id_that_this_log_never_gave_is_not_known() {
    let rig = Rig::with_topic(9, None);
    let forged = Producer { id: 5, epoch: 0 };
    let unknown = AppendError::UnknownProducer { shard: shard(0), producer: forged };
    assert_eq!(send(&rig, forged, 0, &["v"]), Err(unknown));
}

#[test]
fn a_refused_part_refuses_its_whole_set() {
    let rig = Rig::with_topic(10, None);
    let producer = rig.producer();
    let good = Append::batch(shard(1), sent(producer, 0, false, &["v"]));
    let gap = Append::batch(shard(0), sent(producer, 3, false, &["v"]));
    let changes = rig.disk.changes();
    assert!(rig.put(Set::appends(vec![good.clone(), gap])).is_err());
    let twice = rig.put(Set::appends(vec![good.clone(), good.clone()]));
    assert!(matches!(twice, Err(AppendError::InvalidBatch { .. })), "{twice:?}");
    let newer = Append::batch(shard(0), sent(Producer { epoch: 1, ..producer }, 0, false, &["v"]));
    assert!(matches!(rig.put(Set::appends(vec![good.clone(), newer])), Err(AppendError::InvalidBatch { .. })));
    assert_eq!(rig.disk.changes(), changes);
    assert_eq!(rig.put(Set::appends(vec![good])).map(|a| a.placed[0].base), Ok(0));
}

#[test]
fn the_batches_of_a_producer_stay_in_order_whatever_partitions_they_begin_with() {
    let lane = |id, partitions: &[u32]| {
        let part = |partition: &u32| {
            let batch = sent(Producer { id, epoch: 0 }, 0, false, &["v"]);
            let place = Place { topic: 1, partition: *partition };
            Part { place, shard: shard(*partition), head: Head::parse(&batch).ok(), batch }
        };
        let work = Work::Append(partitions.iter().map(part).collect(), Vec::new(), promise().0);
        Job { work, bytes: 1, own: false }.lane()
    };
    assert_eq!(lane(7, &[1, 0]), lane(7, &[0]));
    assert!(lane(7, &[0]) != lane(8, &[0]));
}

#[test]
fn a_batch_is_kept_as_it_came_but_for_its_place() {
    let rig = Rig::with_topic(11, None);
    let producer = rig.producer();
    send(&rig, producer, 0, &["first"]).expect("appended");
    let batch = sent(producer, 1, false, &["second", "third"]);
    rig.put(Set::appends(vec![Append::batch(shard(0), batch.clone())])).expect("appended");
    let wal = rig.disk.bytes(&rig.wal()).expect("the file is there");
    let mut placed = batch.to_vec();
    placed[..8].copy_from_slice(&1_u64.to_be_bytes());
    super::find(&wal, &placed);
}

pub(super) fn a_batch_that_was_damaged_on_its_way_is_refused(without: Option<Safeguard>) -> Result<(), String> {
    let rig = Rig::with_topic(13, without);
    let mut batch = sent(rig.producer(), 0, false, &["value"]).to_vec();
    let last = batch.len() - 3;
    batch[last] ^= 1;
    match rig.put(Set::appends(vec![Append::batch(shard(0), batch.into())])) {
        Err(AppendError::InvalidBatch { why }) if why.contains("checksum") => Ok(()),
        other => Err(format!("it said {other:?}")),
    }
}

#[test]
fn what_a_producer_may_not_send_is_refused_by_name() {
    let rig = Rig::with_topic(12, None);
    let producer = rig.producer();
    let good = sent(producer, 0, false, &["v", "w"]);
    let changed = |at: usize, bytes: &[u8]| {
        let mut batch = good.to_vec();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        Bytes::from(batch)
    };
    let cases = [
        (changed(21, &[0, 2]), "compressed"),
        (changed(21, &[0, 0x20]), "control batch"),
        (changed(51, &[0xff; 2]), "do not go together"),
        (changed(53, &[0xff; 4]), "do not go together"),
        (changed(64, &[2]), "contradicts"),
        (good.slice(..good.len() - 1), "cut off"),
        (Bytes::from([&good[..], b"x"].concat()), "contradicts"),
        (Bytes::from_static(b"nonsense"), "cut off"),
    ];
    for (batch, expected) in cases {
        let refused = rig.put(Set::appends(vec![Append { shard: shard(0), data: Data::Batch(batch) }]));
        let Err(AppendError::InvalidBatch { why }) = refused else { panic!("{expected}: {refused:?}") };
        assert!(why.contains(expected), "{why}");
    }
    let control = Set::of(Shard::new("evenkeel.control", 0), vec![rig.record("v")]);
    assert!(matches!(rig.put(control), Err(AppendError::InvalidBatch { .. })));
}
