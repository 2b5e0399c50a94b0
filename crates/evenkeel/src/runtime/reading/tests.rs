//! Fairness, and no change forgotten.

use evenkeel_model::{Shard, Timestamp};

use super::{BATCH_MAX, Reading};
use crate::runtime::happening::Batch;

fn reading(partitions: u32) -> Reading {
    Reading::new((0..partitions).map(|p| (Shard::new("t", p), 0)).collect())
}

fn asked(reading: &mut Reading, credit: usize) -> Vec<(usize, usize)> {
    let asks = reading.plan(credit, |_, next| Some(next)).unwrap_or_default();
    reading.over(None);
    asks.into_iter().map(|ask| (ask.index, ask.max)).collect()
}

#[test]
fn all_asks_together_stay_within_the_credit() {
    for credit in [1, 2, 3, 7, 100, 10_000] {
        let mut reading = reading(3);
        let sum: usize = asked(&mut reading, credit).iter().map(|(_, max)| max).sum();
        assert!(sum <= credit && sum <= 3 * BATCH_MAX && sum > 0, "{sum} of {credit}");
    }
    assert_eq!(asked(&mut reading(3), 0), []);
}

#[test]
fn with_little_credit_the_partitions_take_turns() {
    let mut reading = reading(3);
    let mut turns = Vec::new();
    for _ in 0..6 {
        reading.wake();
        turns.extend(asked(&mut reading, 1).into_iter().map(|(index, _)| index));
    }
    assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_partition_at_its_end_is_left_alone_until_the_source_changes() {
    let mut reading = reading(2);
    assert_eq!(asked(&mut reading, 100).len(), 2);
    reading.took(&Batch { shard: 0, events: Vec::new(), seen: Vec::new(), next: 50 });
    reading.took(&Batch { shard: 1, events: Vec::new(), seen: Vec::new(), next: 0 });
    assert_eq!(asked(&mut reading, 100), [(0, 100)]);
    assert_eq!(reading.plan(100, |_, next| Some(next)), None);
    reading.wake();
    let next = reading.plan(100, |_, next| Some(next)).unwrap();
    assert_eq!(next.iter().map(|ask| (ask.index, ask.from)).collect::<Vec<_>>(), [(1, 0), (0, 50)]);
}

#[test]
fn a_change_during_a_read_is_not_forgotten() {
    let mut reading = reading(1);
    reading.plan(10, |_, next| Some(next)).unwrap();
    reading.wake();
    assert_eq!(reading.plan(10, |_, next| Some(next)), None, "one read at a time");
    reading.over(None);
    reading.took(&Batch { shard: 0, events: Vec::new(), seen: Vec::new(), next: 0 });
    assert!(reading.plan(10, |_, next| Some(next)).is_some());
}

#[test]
fn what_a_failed_read_did_not_reach_is_asked_again() {
    let mut reading = reading(2);
    reading.plan(10, |_, next| Some(next)).unwrap();
    reading.over(Some(0));
    assert_eq!(reading.plan(10, |_, next| Some(next)).unwrap().len(), 2);
}

/// Of a read that found nothing.
fn at_its_end(reading: &mut Reading, shard: usize, next: u64) {
    reading.took(&Batch { shard, events: Vec::new(), seen: Vec::new(), next });
}

#[test]
fn later_partitions_wait_until_the_earlier_ones_were_read_up_to_their_coming() {
    let mut reading = reading(2);
    reading.plan(8, |_, next| Some(next));
    let later = vec![(Shard::new("t", 2), 0)];
    reading.hold(later.clone(), Timestamp::EPOCH);
    at_its_end(&mut reading, 0, 0);
    at_its_end(&mut reading, 1, 0);
    assert_eq!(reading.freed(), [], "that read was planned before they came");
    reading.over(None);
    assert_eq!(asked(&mut reading, 8).len(), 2);
    at_its_end(&mut reading, 0, 0);
    assert_eq!(reading.freed(), [], "one is still behind");
    assert!(reading.knows(&later[0].0));
    at_its_end(&mut reading, 1, 0);
    assert_eq!(reading.freed(), later);
    assert_eq!((asked(&mut reading, 9).len(), reading.freed()), (1, vec![]));
}

#[test]
fn a_partition_that_is_not_wanted_is_not_asked_and_what_is_done_is_passed_over() {
    let mut reading = reading(2);
    let wanted = |shard: &Shard, next: u64| (shard.partition == 1).then_some(next + 900);
    let asks = reading.plan(10, wanted).unwrap();
    assert_eq!(asks.iter().map(|ask| (ask.index, ask.from)).collect::<Vec<_>>(), [(1, 900)]);
}
