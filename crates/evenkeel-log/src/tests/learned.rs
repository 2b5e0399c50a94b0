//! What the log found out under load reaches who writes; and append times go when nobody counts on them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use evenkeel_model::{Clock, Record, Shard, Timestamp};

use super::{Rig, small};
use crate::calendar;
use crate::checkpoint::{Checkpoint, slot_path};
use crate::safeguard::Guards;
use crate::sim::SimDisk;
use crate::{Log, Options, Set, TopicSettings};

/// A clock that goes on by 100 µs whenever somebody looks.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(100, Ordering::Relaxed))
    }
}

#[test]
fn the_depth_that_is_being_tried_is_that_of_the_log() {
    let options = Options { writers: None, ..small() };
    let clock = Arc::new(Ticking(AtomicI64::new(1_800_000_000_000_000)));
    let log = Log::open_idle(Arc::new(SimDisk::new(1)), options, clock).expect("an empty folder opens");
    let creating = log.create_topic("t", TopicSettings::partitions(1)).expect("a good name");
    log.step();
    creating.wait().expect("created");
    assert_eq!(log.status().depth, 1, "nothing was learned yet");
    let append = || log.append(Set::of(Shard::new("t", 0), vec![Record::default()]));
    let mut seen = BTreeSet::new();
    for round in 0..8_000 {
        let two = [append(), append()];
        log.step();
        for appending in two {
            appending.wait().expect("appended");
        }
        seen.insert(log.status().depth);
        if round % 20 == 0 {
            log.flush().expect("flushed");
        }
    }
    assert!(seen.contains(&2), "busy for a second or more, it tries two at once: {seen:?}");
}

/// The files of append times that are there.
fn times(rig: &Rig) -> BTreeSet<u64> {
    rig.disk.paths().iter().filter_map(|path| calendar::number(path.strip_prefix("times/")?)).collect()
}

/// Which of them each slot counts on.
fn counted(rig: &Rig) -> Vec<(u64, u64)> {
    let slots = [0, 1].map(|generation| rig.disk.bytes(&slot_path(generation)).unwrap_or_default());
    let read = slots.iter().filter_map(|slot| Checkpoint::decode(slot, Guards::default()).ok());
    read.map(|slot| (slot.times.first.max(1), slot.times.file)).collect()
}

#[test]
fn a_file_of_append_times_stays_as_long_as_either_slot_counts_on_it() {
    let mut rig = Rig::with_topic(3, None);
    let mut apart = 0;
    for round in 0..400 {
        for n in 0..12 {
            rig.append(0, &format!("{round}.{n}")).expect("appended");
        }
        rig.log().flush().expect("flushed");
        if round % 5 == 0 {
            rig.kill();
            rig.open().expect("it opens");
        }
        let slots = counted(&rig);
        let there = times(&rig);
        for (first, last) in &slots {
            let missing: Vec<u64> = (*first..=*last).filter(|file| !there.contains(file)).collect();
            assert!(missing.is_empty(), "round {round}: a slot counts on {missing:?}: {slots:?}, {there:?}");
        }
        apart += usize::from(slots.len() == 2 && slots[0].0 != slots[1].0);
    }
    assert!(apart > 3, "the slots differed in what they need {apart} times");
    assert!(!times(&rig).contains(&1), "and what neither needs is gone");
}
