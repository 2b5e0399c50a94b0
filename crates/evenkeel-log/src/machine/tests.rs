//! The machine alone: aborted ranges, snapshots, tables.

use evenkeel_model::Timestamp;

use super::aborts::{Abort, Aborts};
use super::{Machine, Memory};
use crate::Aborted;
use crate::batch::{self, Head};
use crate::control::Fact;
use crate::state::Place;
use crate::{Producer, Topic, TopicSettings};

fn memory() -> Memory {
    Memory { expiry: std::time::Duration::from_secs(10), max: 100, transaction_max: 10 }
}

fn topic(name: &str, partitions: u32) -> Topic {
    Topic { name: name.into(), partitions, settings: TopicSettings::partitions(partitions) }
}

fn machine() -> Machine {
    let mut machine = Machine::new(memory());
    machine.learn(&Fact::Created { number: 1, topic: topic("a", 2) }).expect("the next number");
    machine.learn(&Fact::Producers { until: 9 }).expect("ids");
    machine
}

const HERE: Place = Place { topic: 1, partition: 0 };

/// Takes a batch at the end of [`HERE`].
fn take(machine: &mut Machine, mut batch: Vec<u8>, at_ms: i64) {
    let next = machine.at(HERE).expect("there").next;
    batch::place(&mut batch, next, 0);
    let head = Head::parse(&batch).expect("a batch");
    machine.apply(HERE, &head, &batch.into(), Timestamp::from_millis(at_ms)).expect("it fits");
}

fn busy() -> Machine {
    let mut machine = machine();
    let at = Timestamp::EPOCH;
    for (n, id) in [3, 1, 3, 1].into_iter().enumerate() {
        let producer = Producer { id, epoch: 2 };
        let sequence = i32::try_from(n / 2).expect("small");
        take(&mut machine, crate::tests::sent(producer, sequence, true, &["v"]).to_vec(), 60_005);
        if n == 1 {
            take(&mut machine, batch::marker(producer, false, at), 60_006);
        }
    }
    take(&mut machine, crate::tests::sent(Producer { id: 7, epoch: 0 }, 0, false, &["w", "x"]).to_vec(), 60_007);
    machine
}

#[test]
fn a_snapshot_gives_the_same_machine_and_the_same_bytes() {
    let machine = busy();
    let bytes = machine.snapshot().encode();
    let mut restored = Machine::new(memory());
    restored.learn(&Fact::Created { number: 1, topic: topic("a", 2) }).expect("the next number");
    for (place, _, partition) in machine.topics.places() {
        restored.at_mut(place).expect("there").restore(partition.ends(), partition.leader_epoch);
    }
    restored.restore(&bytes).expect("it can be read");
    assert!(restored == machine);
    assert_eq!(restored.snapshot().encode(), bytes);
}

#[test]
fn a_snapshot_cut_anywhere_or_with_more_behind_it_is_refused() {
    let bytes = busy().snapshot().encode();
    for length in 1..bytes.len() {
        assert!(machine().restore(&bytes[..length]).is_err(), "{length} bytes were taken");
    }
    assert!(machine().restore(&[&bytes[..], &[0]].concat()).is_err());
    let mut newer = bytes;
    newer[0] = 9;
    assert_eq!(machine().restore(&newer), Err("the machine's section has version 9".to_owned()));
    assert_eq!(machine().restore(&[]), Ok(()), "version 1 of a slot has none");
}

#[test]
fn where_partitions_ended_when_a_topic_grew_is_remembered_and_in_the_snapshot() {
    let mut machine = busy();
    let ends: Vec<u64> = machine.topics.get(1).expect("there").partitions.iter().map(|p| p.next).collect();
    assert!(ends.iter().any(|end| *end > 0));
    machine.learn(&Fact::Configured { number: 1, topic: topic("a", 3) }).expect("more");
    machine.learn(&Fact::Configured { number: 1, topic: topic("a", 3) }).expect("the same");
    machine.learn(&Fact::Configured { number: 1, topic: topic("a", 5) }).expect("more");
    let grown = machine.topics.get(1).expect("there").grown.clone();
    assert_eq!(grown.iter().map(|ends| ends.to_vec()).collect::<Vec<_>>(), [ends.clone(), [&ends[..], &[0]].concat()]);
    let mut restored = Machine::new(memory());
    restored.learn(&Fact::Created { number: 1, topic: topic("a", 5) }).expect("the next number");
    let bytes = machine.snapshot().encode();
    restored.restore(&bytes).expect("it can be read");
    assert_eq!(restored.topics.get(1).expect("there").grown, grown);
    // A version 1 has no list of them.
    let mut old = busy().snapshot().encode();
    old.truncate(old.len() - 4);
    old[0] = 1;
    self::machine().restore(&old).expect("version 1 is read");
    // More ends than partitions: senseless.
    let mut fewer = Machine::new(memory());
    fewer.learn(&Fact::Created { number: 1, topic: topic("a", 3) }).expect("the next number");
    assert!(fewer.restore(&bytes).is_err());
}

#[test]
fn a_number_that_was_given_is_never_given_again() {
    let mut machine = machine();
    machine.learn(&Fact::Created { number: 2, topic: topic("b", 1) }).expect("the next number");
    machine.learn(&Fact::Deleted { number: 2, name: "b".into() }).expect("it is there");
    assert!(machine.learn(&Fact::Created { number: 2, topic: topic("b", 1) }).is_err());
    let mut restored = self::machine();
    restored.restore(&machine.snapshot().encode()).expect("it can be read");
    assert_eq!(restored.topics.next_number(), 3);
    machine.learn(&Fact::Created { number: 3, topic: topic("b", 1) }).expect("the name may be used again");
    assert!(machine.learn(&Fact::Deleted { number: 0, name: "evenkeel.control".into() }).is_err());
}

#[test]
fn a_topic_that_goes_takes_its_part_in_transactions_with_it() {
    let mut machine = busy();
    assert_eq!(machine.open_places(3), [HERE]);
    machine.learn(&Fact::Deleted { number: 1, name: "a".into() }).expect("it is there");
    assert!(machine.open_places(3).is_empty() && machine.transactions().next().is_none());
}

#[test]
fn a_topic_may_grow_and_never_shrink() {
    let mut machine = machine();
    machine.learn(&Fact::Configured { number: 1, topic: topic("a", 3) }).expect("more");
    assert!(machine.at(Place { topic: 1, partition: 2 }).is_some());
    assert!(machine.learn(&Fact::Configured { number: 1, topic: topic("a", 2) }).is_err());
    assert!(machine.learn(&Fact::Configured { number: 1, topic: topic("z", 3) }).is_err());
}

#[test]
fn a_leader_epoch_only_rises() {
    let mut machine = busy();
    let from = machine.at(HERE).expect("there").next;
    machine.learn(&Fact::Epoch { place: HERE, epoch: 1, from }).expect("raised");
    assert!(machine.learn(&Fact::Epoch { place: HERE, epoch: 1, from }).is_err());
    assert!(machine.learn(&Fact::Epoch { place: HERE, epoch: 2, from: from + 1 }).is_err());
}

#[test]
fn aborted_ranges_are_found_as_a_plain_search_finds_them() {
    // Producers 1 to 3 each write transactions one after the other, which overlap those of the
    // others; the markers come in order of their offsets.
    let mut dice = 7_u64;
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let (mut open, mut plain, mut aborts) = ([None; 3], Vec::new(), Aborts::default());
    for offset in 0..400_u64 {
        let who = usize::try_from(roll(3)).expect("small");
        match open[who] {
            None => open[who] = Some(offset),
            Some(first) if roll(3) == 0 => {
                open[who] = None;
                let stable = open.iter().flatten().min().copied().unwrap_or(offset + 1);
                if roll(2) == 0 {
                    let range = Aborted { producer: i64::try_from(who).expect("small"), first, last: offset };
                    aborts.push(Abort { range, stable });
                    plain.push(range);
                }
            }
            Some(_) => {}
        }
    }
    assert!(plain.len() > 20);
    for offset in 0..400 {
        for producer in 0..3 {
            let expected = plain.iter().any(|r| r.producer == producer && r.first <= offset && offset <= r.last);
            assert_eq!(aborts.covers(producer, offset), expected, "{producer} at {offset}");
        }
        let mut expected: Vec<_> = plain.iter().filter(|r| r.last >= offset && r.first < offset + 9).copied().collect();
        expected.sort_by_key(|range| range.first);
        assert_eq!(aborts.within(offset, offset + 9), expected, "from {offset}");
    }
}
