//! A panic in whoever writes: the log stops, everybody who waits is told, and nobody waits for the
//! turn that will never end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use evenkeel_model::{Clock, ManualClock, Record, Shard, Timestamp};

use super::small;
use crate::handover::Turn;
use crate::sim::SimDisk;
use crate::{AppendError, Log, Options, Set, TopicSettings};

/// Panics when it is asked for the n-th time.
struct Trap {
    clock: ManualClock,
    left: AtomicU32,
}

impl Clock for Trap {
    fn now(&self) -> Timestamp {
        assert!(self.left.fetch_sub(1, Ordering::Relaxed) != 1, "the trap shuts");
        self.clock.now()
    }
}

fn set(partition: u32) -> Set {
    Set::of(Shard::new("t", partition), vec![Record { value: Some("v".into()), ..Record::default() }])
}

fn is_stopped<T>(outcome: Result<T, AppendError>) -> bool {
    matches!(outcome, Err(AppendError::Stopped { .. }))
}

#[test]
fn a_panic_of_an_appender_that_writes_itself_stops_the_log_and_tells_everybody() {
    // While it orders, before it writes, and behind that.
    for call in 1..=3 {
        let clock = Arc::new(Trap { clock: ManualClock::at(Timestamp::EPOCH), left: AtomicU32::new(u32::MAX) });
        let options = Options { writers: Some(2), ..small() };
        let log = Log::open_idle(Arc::new(SimDisk::new(1)), options, clock.clone()).expect("it opens");
        let creating = log.create_topic("t", TopicSettings::partitions(2)).expect("a good name");
        log.step();
        creating.wait().expect("created");
        log.prepare().expect("there is room for the next file");
        let first = log.append(set(0));
        let in_the_air = log.pen().begin_by_hand().expect("there is work");
        let behind = log.append(set(1));
        clock.left.store(call, Ordering::Relaxed);
        let panicked = catch_unwind(AssertUnwindSafe(|| log.step()));
        assert!(panicked.is_err(), "call {call}");
        clock.left.store(u32::MAX, Ordering::Relaxed);
        log.pen().finish_by_hand(in_the_air);
        assert!(is_stopped(first.wait()) && is_stopped(behind.wait()) && is_stopped(log.append(set(0)).wait()));
        assert!(log.status().stopped.is_some_and(|why| why.contains("panicked")));
        assert_eq!(log.pen().handover().next_turn(None), Turn::Closed, "a thread of the log would wait for ever");
        log.close();
    }
}
