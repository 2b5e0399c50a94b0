//! What is known of one topic: how fast events arrive, and what became of each over all of its
//! subscriptions.
//!
//! An event is delivered when every subscription of its topic has an outcome for it, one of them
//! completed it, and none let it die or expire; it failed when one did. One that all filtered, or
//! knew already, is neither. Invariants: each event counts at most once; memory is bounded, and
//! what had to be let go before all subscriptions ended it is counted as such.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Outcome, Timestamp};

#[cfg(test)]
mod tests;

/// Events of a partition that wait for their other subscriptions.
const WAITING_MAX: usize = 1 << 18;
const SLICE: Duration = Duration::from_secs(10);
const SLICES: usize = 31;

/// What is known of one topic.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// Events that all subscriptions ended, one of which completed it, and none failed.
    pub delivered: u64,
    /// Events that all subscriptions ended, and one let die or expire.
    pub failed: u64,
    /// Events that were let go before all subscriptions had ended them.
    pub unjoined: u64,
    subscribers: Vec<Arc<str>>,
    ends: BTreeMap<u32, End>,
    /// Arrivals by slice of ten seconds.
    arrived: VecDeque<(i64, u64)>,
    waiting: HashMap<u32, HashMap<u64, Joined>>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    end: u64,
    /// When the newest event was seen.
    newest_at: Timestamp,
}

/// What the subscriptions that ended an event made of it.
#[derive(Clone, Copy, Debug, Default)]
struct Joined {
    ended: u32,
    completed: bool,
    failed: bool,
}

impl Topic {
    /// Events that arrived per second over the last `over` (at most five minutes).
    pub fn arrived_per_second(&self, now: Timestamp, over: Duration) -> f64 {
        let (first, last) = (slice_of(now - over), slice_of(now));
        let begins = first.saturating_mul(micros(SLICE));
        let seconds = now.micros().saturating_sub(begins).max(1) as f64 / 1e6;
        let inside = self.arrived.iter().filter(|(slice, _)| (first..=last).contains(slice));
        inside.map(|(_, count)| count).sum::<u64>() as f64 / seconds
    }

    /// Whether a subscription reads it, as far as anybody said who does.
    pub(crate) fn is_read_by(&self, subscription: &str) -> bool {
        self.subscribers.is_empty() || self.subscribers.iter().any(|name| **name == *subscription)
    }

    /// Events that some of the subscriptions have not ended.
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(HashMap::len).sum()
    }

    /// One beyond the newest event of a partition, and when that was seen.
    pub(crate) fn end(&self, partition: u32) -> Option<(u64, Timestamp)> {
        self.ends.get(&partition).map(|end| (end.end, end.newest_at))
    }

    pub(crate) fn set_end(&mut self, partition: u32, end: u64, now: Timestamp) {
        let known = self.ends.entry(partition).or_insert(End { end, newest_at: now });
        let more = end.saturating_sub(known.end);
        if more == 0 {
            return;
        }
        *known = End { end, newest_at: now };
        let slice = slice_of(now);
        match self.arrived.back_mut() {
            Some((last, count)) if *last >= slice => *count += more,
            _ => {
                if self.arrived.len() == SLICES {
                    self.arrived.pop_front();
                }
                self.arrived.push_back((slice, more));
            }
        }
    }

    pub(crate) fn set_subscribers(&mut self, subscribers: Vec<Arc<str>>) {
        if self.subscribers != subscribers {
            self.subscribers = subscribers;
            // What waited for others than these may wait for ever.
            self.unjoined += self.waiting() as u64;
            self.waiting.clear();
        }
    }

    pub(crate) fn ended(&mut self, subscription: &Arc<str>, partition: u32, offset: u64, outcome: Outcome) {
        if !self.subscribers.contains(subscription) {
            return;
        }
        let completed = outcome == Outcome::Completed;
        let failed = matches!(outcome, Outcome::Dead | Outcome::Expired);
        if let [_] = self.subscribers.as_slice() {
            return self.count(Joined { ended: 1, completed, failed });
        }
        let all = self.subscribers.len();
        let waiting = self.waiting.entry(partition).or_default();
        let joined = waiting.entry(offset).or_default();
        joined.ended += 1;
        joined.completed |= completed;
        joined.failed |= failed;
        if joined.ended as usize >= all {
            let joined = *joined;
            waiting.remove(&offset);
            return self.count(joined);
        }
        if waiting.len() > WAITING_MAX {
            let before = waiting.len();
            // The older half: what all others have left behind.
            let mut offsets: Vec<u64> = waiting.keys().copied().collect();
            let middle = offsets.len() / 2;
            let (_, median, _) = offsets.select_nth_unstable(middle);
            let median = *median;
            waiting.retain(|offset, _| *offset >= median);
            self.unjoined += (before - waiting.len()) as u64;
        }
    }

    fn count(&mut self, joined: Joined) {
        if joined.failed {
            self.failed += 1;
        } else if joined.completed {
            self.delivered += 1;
        }
    }
}

fn slice_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(micros(SLICE))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
