//! What a read brought beyond what was asked for: it is decoded already, and is given next.
//!
//! Batches are checked and decoded whole, so a reader that asks for a few events at a time would
//! pay for the same batch many times. A cache and no more: forgetting it costs a read. It holds
//! one run for each partition, together no more than [`BYTES_MAX`] of data; a read elsewhere in
//! the partition replaces its run.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use evenkeel_delivery::ports::Delivered;

/// Data that is kept, of all partitions together.
const BYTES_MAX: usize = 16 << 20;

/// Runs that were read ahead, by partition.
#[derive(Default)]
pub(super) struct Ahead {
    runs: HashMap<u32, Run>,
    bytes: usize,
}

struct Run {
    events: VecDeque<Arc<Delivered>>,
    /// Where reading goes on behind them.
    next: u64,
    bytes: usize,
}

impl Ahead {
    /// Up to `max` events from exactly this offset on, and where to go on; `None`: they must be read.
    pub(super) fn take(&mut self, partition: u32, from: u64, max: usize) -> Option<(Vec<Arc<Delivered>>, u64)> {
        let run = self.runs.get_mut(&partition)?;
        if run.events.front().is_none_or(|first| first.arrival.at.offset != from) {
            self.forget(partition);
            return None;
        }
        let events: Vec<_> = run.events.drain(..max.min(run.events.len())).collect();
        let taken = bytes(events.iter());
        run.bytes -= taken;
        self.bytes -= taken;
        let next = run.events.front().map_or(run.next, |first| first.arrival.at.offset);
        if run.events.is_empty() {
            self.runs.remove(&partition);
        }
        Some((events, next))
    }

    /// Keeps what comes behind the first `max` of what was read; gives back those, and where to go on.
    pub(super) fn keep(
        &mut self,
        partition: u32,
        mut events: Vec<Arc<Delivered>>,
        next: u64,
        max: usize,
    ) -> (Vec<Arc<Delivered>>, u64) {
        self.forget(partition);
        if events.len() <= max {
            return (events, next);
        }
        let rest = VecDeque::from(events.split_off(max));
        let goes_on = rest.front().map_or(next, |first| first.arrival.at.offset);
        let bytes = bytes(rest.iter());
        if self.bytes + bytes <= BYTES_MAX {
            self.bytes += bytes;
            self.runs.insert(partition, Run { events: rest, next, bytes });
        }
        (events, goes_on)
    }

    fn forget(&mut self, partition: u32) {
        if let Some(run) = self.runs.remove(&partition) {
            self.bytes -= run.bytes;
        }
    }
}

/// At least one for each, so that empty events count too.
fn bytes<'a>(events: impl Iterator<Item = &'a Arc<Delivered>>) -> usize {
    events.map(|event| event.arrival.bytes as usize + 256).sum()
}

#[cfg(test)]
mod tests {
    use evenkeel_delivery::{Arrival, Mark, Screen, Version};
    use evenkeel_model::{Created, Event, Position, Record, Shard, Timestamp};

    use super::*;

    fn event(offset: u64, bytes: u32) -> Arc<Delivered> {
        let at = Position { shard: Shard::new("orders", 0), offset };
        let arrival = Arrival {
            at,
            key: None,
            mark: Mark([0; 16]),
            created: Created { at: Timestamp::EPOCH, believed: true },
            version: Version::None,
            given_before: 0,
            expires: None,
            bytes,
            priority: 4,
            kind: Arc::from("t"),
            source: Arc::from("/s"),
            screen: Screen::Wanted,
        };
        let event = Event::new("/s", offset.to_string(), "t");
        Arc::new(Delivered { arrival, appended: Timestamp::EPOCH, event, record: Record::default() })
    }

    fn offsets(given: Option<(Vec<Arc<Delivered>>, u64)>) -> Option<(Vec<u64>, u64)> {
        given.map(|(events, next)| (events.iter().map(|e| e.arrival.at.offset).collect(), next))
    }

    #[test]
    fn what_was_read_ahead_is_given_next_in_order_and_once() {
        let mut ahead = Ahead::default();
        let read = (10..20).map(|n| event(n, 1)).collect();
        assert_eq!(offsets(Some(ahead.keep(3, read, 25, 4))), Some((vec![10, 11, 12, 13], 14)));
        assert_eq!(offsets(ahead.take(3, 14, 4)), Some((vec![14, 15, 16, 17], 18)));
        assert_eq!(offsets(ahead.take(3, 18, 4)), Some((vec![18, 19], 25)), "then it goes on behind what was read");
        assert_eq!(offsets(ahead.take(3, 25, 4)), None);
        assert_eq!(ahead.bytes, 0);
    }

    #[test]
    fn a_read_from_elsewhere_forgets_it_and_partitions_are_apart() {
        let mut ahead = Ahead::default();
        ahead.keep(0, (0..5).map(|n| event(n, 1)).collect(), 5, 2);
        ahead.keep(1, (0..5).map(|n| event(n, 1)).collect(), 5, 2);
        assert_eq!(offsets(ahead.take(0, 1, 9)), None, "not where it goes on");
        assert_eq!(offsets(ahead.take(0, 2, 9)), None, "and it is gone");
        assert_eq!(offsets(ahead.take(1, 2, 9)), Some((vec![2, 3, 4], 5)));
        assert_eq!(ahead.bytes, 0);
    }

    #[test]
    fn more_than_the_bound_is_not_kept() {
        let mut ahead = Ahead::default();
        let half = u32::try_from(BYTES_MAX / 2).expect("it is small");
        ahead.keep(0, vec![event(0, 1), event(1, half)], 2, 1);
        ahead.keep(1, vec![event(0, 1), event(1, half)], 2, 1);
        assert!(ahead.take(0, 1, 1).is_some() && ahead.take(1, 1, 1).is_none(), "the second had no room");
    }
}
