//! Events that go to the handler together: gathered until they are enough, or waited long enough.
//!
//! Pure. Invariants: nothing waits longer than the handler's `linger`, counted from the first of
//! them; a call never holds more than its `max`. With a `linger` of zero what was decided at the
//! same moment goes together, and nothing waits.

use evenkeel_delivery::Dispatch;
use evenkeel_delivery::ports::Batching;
use evenkeel_model::Timestamp;

pub(super) struct Gathering {
    batching: Batching,
    waiting: Vec<Dispatch>,
    since: Timestamp,
}

impl Gathering {
    pub(super) fn new(batching: Batching) -> Gathering {
        Gathering { batching, waiting: Vec::new(), since: Timestamp::EPOCH }
    }

    /// True when the handler takes one event at a time.
    pub(super) fn is_needless(&self) -> bool {
        self.batching.max <= 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn push(&mut self, now: Timestamp, dispatch: Dispatch) {
        if self.waiting.is_empty() {
            self.since = now;
        }
        self.waiting.push(dispatch);
    }

    /// The next call, if it is time for one.
    pub(super) fn take(&mut self, now: Timestamp, at_once: bool) -> Option<Vec<Dispatch>> {
        let max = self.batching.max.max(1);
        if self.waiting.len() > max {
            let rest = self.waiting.split_off(max);
            return Some(std::mem::replace(&mut self.waiting, rest));
        }
        let due = self.due().is_some_and(|due| at_once || self.waiting.len() == max || due <= now);
        due.then(|| std::mem::take(&mut self.waiting))
    }

    /// When those that wait go, however few they are.
    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.waiting.is_empty()).then(|| self.since + self.batching.linger)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_delivery::ports::Batching;
    use evenkeel_delivery::{AttemptId, Dispatch, Mark};
    use evenkeel_model::{Position, Shard, Timestamp};

    use super::Gathering;

    fn dispatch(n: u64) -> Dispatch {
        let at = Position { shard: Shard::new("orders", 0), offset: n };
        let mark = Mark([0; 16]);
        Dispatch {
            attempt: AttemptId(n),
            at,
            mark,
            number: 1,
            delivery: 1,
            timeout: Duration::from_secs(5),
            letter: None,
            fallback: false,
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_millis(ms)
    }

    fn gathering(linger_ms: u64, events: u64) -> Gathering {
        let mut gathering = Gathering::new(Batching { max: 3, linger: Duration::from_millis(linger_ms) });
        (0..events).for_each(|n| gathering.push(at(100), dispatch(n)));
        gathering
    }

    fn sizes(gathering: &mut Gathering, now: Timestamp) -> Vec<usize> {
        std::iter::from_fn(|| gathering.take(now, false)).map(|call| call.len()).collect()
    }

    #[test]
    fn a_call_holds_no_more_than_its_bound_and_without_linger_nothing_waits() {
        assert_eq!(sizes(&mut gathering(0, 8), at(100)), [3, 3, 2]);
        assert!(sizes(&mut gathering(0, 0), at(100)).is_empty());
    }

    #[test]
    fn what_is_less_than_a_call_waits_for_others_and_no_longer_than_linger() {
        let mut some = gathering(20, 4);
        assert_eq!(sizes(&mut some, at(119)), [3]);
        assert_eq!(some.due(), Some(at(120)));
        assert_eq!(sizes(&mut some, at(120)), [1]);
        assert_eq!((some.due(), some.is_empty()), (None, true));
        assert_eq!(gathering(20, 2).take(at(100), true).map(|call| call.len()), Some(2), "a drain waits for nothing");
    }
}
