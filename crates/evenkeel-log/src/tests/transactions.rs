//! Transactions: hidden until they end, ended in one group, and as open after a restart as before.

use evenkeel_model::Shard;

use super::{Rig, sent};
use crate::{Append, AppendError, Change, Ends, Producer, Set};

fn shard(partition: u32) -> Shard {
    Shard::new("t", partition)
}

fn part(producer: Producer, partition: u32, sequence: i32, value: &str) -> Append {
    Append::batch(shard(partition), sent(producer, sequence, true, &[value]))
}

fn send(rig: &Rig, producer: Producer, partition: u32, sequence: i32, value: &str) -> Result<u64, AppendError> {
    rig.put(Set::appends(vec![part(producer, partition, sequence, value)])).map(|a| a.placed[0].base)
}

fn end(rig: &Rig, producer: Producer, commit: bool) -> Result<(), AppendError> {
    rig.put(Set::change(Change::End { producer, commit })).map(drop)
}

fn ends(rig: &Rig, partition: u32) -> Ends {
    rig.log().ends(&shard(partition)).expect("there")
}

fn values(rig: &Rig, partition: u32) -> Vec<String> {
    rig.values(partition).expect("read")
}

#[test]
fn what_a_transaction_wrote_is_hidden_until_it_is_committed() {
    let rig = Rig::with_topic(1, None);
    let producer = rig.producer();
    rig.append(0, "before").expect("appended");
    assert_eq!(send(&rig, producer, 0, 0, "a"), Ok(1));
    rig.append(0, "beside").expect("appended");
    assert_eq!(ends(&rig, 0), Ends { start: 0, high_watermark: 3, last_stable: 1 });
    assert_eq!(values(&rig, 0), ["before"]);
    end(&rig, producer, true).expect("committed");
    assert_eq!(ends(&rig, 0), Ends { start: 0, high_watermark: 4, last_stable: 4 });
    assert_eq!(values(&rig, 0), ["before", "a", "beside"]);
}

#[test]
fn what_was_aborted_and_markers_are_never_read() {
    for flushed in [false, true] {
        let mut rig = Rig::with_topic(2, None);
        rig.options.tail_bytes = 0;
        rig.open().expect("it opens");
        let producer = rig.producer();
        send(&rig, producer, 0, 0, "a").expect("appended");
        rig.append(0, "beside").expect("appended");
        send(&rig, producer, 0, 1, "b").expect("appended");
        end(&rig, producer, false).expect("aborted");
        send(&rig, producer, 0, 2, "c").expect("appended");
        end(&rig, producer, true).expect("committed");
        if flushed {
            rig.log().flush().expect("flushed");
        }
        assert_eq!(values(&rig, 0), ["beside", "c"]);
        rig.kill();
        rig.open().expect("it opens");
        assert_eq!(values(&rig, 0), ["beside", "c"]);
        assert_eq!(ends(&rig, 0).last_stable, 6);
    }
}

#[test]
fn a_read_goes_on_over_a_long_aborted_stretch() {
    let rig = Rig::with_topic(3, None);
    let producer = rig.producer();
    for n in 0..60 {
        send(&rig, producer, 0, n, &"x".repeat(400)).expect("appended");
    }
    end(&rig, producer, false).expect("aborted");
    rig.append(0, "behind").expect("appended");
    let read = rig.log().read(&shard(0), 0, crate::ReadLimit { records: 3, bytes: 900 }).expect("read");
    assert_eq!(read.iter().map(|s| (s.at.offset, super::text(&s.record))).collect::<Vec<_>>(), [(61, "behind".into())]);
}

#[test]
fn an_end_is_one_group_over_all_partitions_with_what_goes_beside_it() {
    let mut rig = Rig::with_topic(4, None);
    let producer = rig.producer();
    send(&rig, producer, 0, 0, "a").expect("appended");
    send(&rig, producer, 1, 0, "b").expect("appended");
    let groups = rig.log().status().groups;
    let set = Set {
        appends: vec![part(producer, 0, 1, "last"), Append::records(shard(1), vec![rig.record("offsets")])],
        changes: vec![Change::End { producer, commit: true }],
    };
    rig.put(set).expect("committed");
    assert_eq!(rig.log().status().groups, groups + 1);
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(
        (values(&rig, 0), values(&rig, 1)),
        (vec!["a".into(), "last".into()], vec!["b".into(), "offsets".into()])
    );
    assert_eq!((ends(&rig, 0).high_watermark, ends(&rig, 1).high_watermark), (3, 3));
}

#[test]
fn one_set_may_be_a_whole_transaction() {
    let rig = Rig::with_topic(5, None);
    let producer = rig.producer();
    let set = Set {
        appends: vec![part(producer, 0, 0, "a"), part(producer, 1, 0, "b")],
        changes: vec![Change::End { producer, commit: true }],
    };
    let groups = rig.log().status().groups;
    rig.put(set).expect("committed");
    assert_eq!(rig.log().status().groups, groups + 1);
    assert_eq!((values(&rig, 0), values(&rig, 1)), (vec!["a".into()], vec!["b".into()]));
    assert!(rig.log().transactions().is_empty());
}

#[test]
fn an_open_transaction_is_still_open_after_a_restart() {
    for flushed in [false, true] {
        let mut rig = Rig::with_topic(6, None);
        let producer = rig.producer();
        rig.append(1, "before").expect("appended");
        let at = rig.put(Set::appends(vec![part(producer, 1, 0, "a")])).expect("appended").at;
        send(&rig, producer, 0, 0, "b").expect("appended");
        if flushed {
            rig.log().flush().expect("flushed");
        }
        let before = rig.log().transactions();
        assert_eq!((before[0].producer, before[0].since), (producer, at));
        assert_eq!(before[0].partitions, [(shard(0), 0), (shard(1), 1)]);
        rig.kill();
        rig.open().expect("it opens");
        assert_eq!(rig.log().transactions(), before);
        assert_eq!((values(&rig, 0), values(&rig, 1)), (Vec::new(), vec!["before".to_owned()]));
        end(&rig, producer, false).expect("aborted");
        assert_eq!(ends(&rig, 0), Ends { start: 0, high_watermark: 2, last_stable: 2 });
        assert!(values(&rig, 0).is_empty() && rig.log().transactions().is_empty());
    }
}

#[test]
fn a_newer_epoch_ends_a_transaction_and_fences_whoever_began_it_everywhere() {
    let rig = Rig::with_topic(7, None);
    let zombie = rig.producer();
    let coordinator = Producer { epoch: 1, ..zombie };
    send(&rig, zombie, 0, 0, "a").expect("appended");
    assert_eq!(
        send(&rig, coordinator, 1, 0, "early"),
        Err(AppendError::TransactionOpen { producer: zombie }),
        "a newer epoch cannot write before the older one's transaction ended"
    );
    end(&rig, coordinator, false).expect("aborted");
    let fenced = AppendError::Fenced { producer: zombie, epoch: 1 };
    assert_eq!(send(&rig, zombie, 0, 1, "b"), Err(fenced.clone()));
    assert_eq!(send(&rig, zombie, 1, 0, "b"), Err(fenced.clone()), "where it never wrote");
    let plain = Append::batch(shard(0), sent(zombie, 1, false, &["b"]));
    assert_eq!(rig.put(Set::appends(vec![plain])).map(drop), Err(fenced.clone()), "outside of transactions too");
    assert_eq!(end(&rig, zombie, true), Err(fenced));
    assert_eq!(send(&rig, coordinator, 1, 0, "c"), Ok(0));
}

#[test]
fn an_end_without_a_transaction_is_refused_and_writes_nothing() {
    let rig = Rig::with_topic(8, None);
    let producer = rig.producer();
    let changes = rig.disk.changes();
    assert_eq!(end(&rig, producer, true), Err(AppendError::NoTransaction { producer }));
    send(&rig, producer, 0, 0, "a").expect("appended");
    end(&rig, producer, true).expect("committed");
    let changed = rig.disk.changes();
    assert!(changed > changes);
    assert_eq!(end(&rig, producer, true), Err(AppendError::NoTransaction { producer }));
    let twice = vec![Change::End { producer, commit: true }, Change::End { producer, commit: true }];
    let both = Set { appends: vec![part(producer, 0, 1, "b")], changes: twice };
    assert_eq!(rig.put(both).map(drop), Err(AppendError::NoTransaction { producer }));
    assert_eq!(rig.disk.changes(), changed);
}

#[test]
fn a_repeat_of_a_batch_whose_transaction_is_over_opens_no_new_one() {
    let rig = Rig::with_topic(9, None);
    let producer = rig.producer();
    send(&rig, producer, 0, 0, "a").expect("appended");
    end(&rig, producer, true).expect("committed");
    let repeated = rig.put(Set::appends(vec![part(producer, 0, 0, "a")])).expect("answered");
    assert!(repeated.placed[0].duplicate);
    assert!(rig.log().transactions().is_empty());
    let again =
        Set { appends: vec![part(producer, 0, 0, "a")], changes: vec![Change::End { producer, commit: false }] };
    assert_eq!(rig.put(again).map(drop), Err(AppendError::NoTransaction { producer }));
    assert_eq!(ends(&rig, 0).last_stable, 2);
}

#[test]
fn within_a_transaction_only_transactional_batches_are_taken() {
    let rig = Rig::with_topic(10, None);
    let producer = rig.producer();
    send(&rig, producer, 0, 0, "a").expect("appended");
    let plain = |partition| Set::appends(vec![Append::batch(shard(partition), sent(producer, 0, false, &["b"]))]);
    let beside = Set::appends(vec![Append::batch(shard(0), sent(producer, 1, false, &["b"]))]);
    assert_eq!(rig.put(beside).map(drop), Err(AppendError::TransactionOpen { producer }));
    rig.put(plain(1)).expect("another partition is not in the transaction");
}

#[test]
fn a_transaction_that_could_not_end_in_one_group_does_not_grow_so_far() {
    let mut rig = Rig::new(11, None);
    rig.open().expect("it opens");
    rig.create("t", 400);
    let producer = rig.producer();
    let max = u32::try_from(rig.options.group_bytes_max / 2 / 96).expect("small");
    for partition in 0..max {
        send(&rig, producer, partition, 0, "v").expect("appended");
    }
    let more = send(&rig, producer, max, 0, "v");
    assert!(matches!(more, Err(AppendError::InvalidBatch { .. })), "{more:?}");
    let size = rig.options.group_bytes_max - 2000;
    let large = Append::records(shard(399), vec![rig.record(&"v".repeat(size))]);
    let set = Set { appends: vec![large], changes: vec![Change::End { producer, commit: true }] };
    assert!(matches!(rig.put(set), Err(AppendError::TooLarge { .. })));
    end(&rig, producer, true).expect("committed");
    assert_eq!(values(&rig, max - 1), ["v"]);
    assert!(rig.log().transactions().is_empty());
}

#[test]
fn aborted_ranges_go_with_their_offsets() {
    let mut rig = Rig::with_topic(12, None);
    let producer = rig.producer();
    for n in 0..3 {
        send(&rig, producer, 0, n, "v").expect("appended");
        end(&rig, producer, false).expect("aborted");
    }
    rig.put(Set::change(Change::Start { shard: shard(0), offset: 4 })).expect("started");
    let aborts = |rig: &Rig| {
        rig.log().state().machine.at(crate::state::Place { topic: 1, partition: 0 }).map(|p| p.aborts.within(0, 100))
    };
    let ranges: Vec<_> = aborts(&rig).expect("there").iter().map(|range| (range.first, range.last)).collect();
    assert_eq!(ranges, [(4, 5)]);
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!(ends(&rig, 0).start, 4);
    assert_eq!(aborts(&rig).expect("there").len(), 1);
}

#[test]
fn a_partition_begins_where_it_is_told_to_and_never_beyond_its_end() {
    let mut rig = Rig::with_topic(13, None);
    for value in ["a", "b", "c"] {
        rig.append(0, value).expect("appended");
    }
    let start = |rig: &Rig, offset| rig.put(Set::change(Change::Start { shard: shard(0), offset })).map(drop);
    assert_eq!(start(&rig, 4), Err(AppendError::BeyondEnd { shard: shard(0), offset: 4, end: 3 }));
    start(&rig, 2).expect("started");
    start(&rig, 1).expect("an earlier start changes nothing");
    assert_eq!(values(&rig, 0), ["c"]);
    rig.kill();
    rig.open().expect("it opens");
    assert_eq!((ends(&rig, 0).start, values(&rig, 0)), (2, vec!["c".to_owned()]));
    start(&rig, 3).expect("all of it may go");
    assert!(values(&rig, 0).is_empty());
    assert_eq!(rig.append(0, "d").expect("appended").placed[0].base, 3);
}

#[test]
fn what_a_start_took_stays_until_no_slot_names_it_over_a_restart_too() {
    let mut rig = Rig::with_topic(14, None);
    for n in 0..40 {
        rig.append(0, &format!("{n} {}", "s".repeat(1000))).expect("appended");
    }
    rig.log().flush().expect("flushed");
    rig.log().flush().expect("flushed");
    rig.put(Set::change(Change::Start { shard: shard(0), offset: 30 })).expect("started");
    rig.kill();
    rig.open().expect("it opens");
    rig.log().flush().expect("flushed");
    let generation = |path: &str| rig.disk.bytes(path).expect("a slot")[34..42].to_vec();
    let newest = if generation("checkpoint.0") > generation("checkpoint.1") { "checkpoint.0" } else { "checkpoint.1" };
    rig.disk.tamper(newest, |bytes| bytes[40] ^= 1);
    rig.kill();
    rig.open().expect("the older slot is whole, and so is all that it names");
    assert_eq!(ends(&rig, 0).start, 30);
}
