//! Open events by their mark.
//!
//! A table of places with open addressing, eight bytes each: four of the mark, and the event, which has the
//! whole mark itself. So a million open events take 16 MB here, and growing moves numbers and looks at no event.
//! Invariant: who is in it is open, and no two have the same mark.

use super::events::{Events, Slot};
use crate::Mark;

/// The least that a table that is not empty has room for; a power of two, as all its sizes are.
const LEAST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Marks {
    places: Vec<Place>,
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where the event would like to be, and all that is compared before the event itself is looked at.
    tag: u32,
    /// [`Slot::LAST`]: nobody.
    slot: Slot,
}

impl Place {
    const FREE: Place = Place { tag: 0, slot: Slot::LAST };

    fn is_free(self) -> bool {
        self.slot == Slot::LAST
    }
}

impl Marks {
    /// The open event with this mark.
    pub(super) fn find(&self, mark: &Mark, events: &Events) -> Option<Slot> {
        let tag = tag(mark);
        self.way(tag)
            .find(|at| self.places[*at].tag == tag && events[self.places[*at].slot].mark == *mark)
            .map(|at| self.places[at].slot)
    }

    /// Adds an event; no other one with its mark is there.
    pub(super) fn insert(&mut self, mark: &Mark, slot: Slot) {
        // A quarter is free, so that ways are short.
        if (self.used + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        self.put(Place { tag: tag(mark), slot });
        self.used += 1;
    }

    /// Takes the event out, if it is there.
    pub(super) fn remove(&mut self, mark: &Mark, slot: Slot) {
        let Some(mut gap) = self.way(tag(mark)).find(|at| self.places[*at].slot == slot) else { return };
        self.used -= 1;
        let mask = self.places.len() - 1;
        let mut at = (gap + 1) & mask;
        while !self.places[at].is_free() {
            // Who stands behind it on a way that leads through the gap moves up.
            let way = at.wrapping_sub(self.home(self.places[at].tag)) & mask;
            if way >= at.wrapping_sub(gap) & mask {
                self.places[gap] = self.places[at];
                gap = at;
            }
            at = (at + 1) & mask;
        }
        self.places[gap] = Place::FREE;
    }

    fn grow(&mut self) {
        let size = (self.places.len() * 2).max(LEAST);
        let old = std::mem::replace(&mut self.places, vec![Place::FREE; size]);
        old.into_iter().filter(|place| !place.is_free()).for_each(|place| self.put(place));
    }

    fn put(&mut self, place: Place) {
        let mask = self.places.len() - 1;
        let mut at = self.home(place.tag);
        while !self.places[at].is_free() {
            at = (at + 1) & mask;
        }
        self.places[at] = place;
    }

    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.places.len() - 1)
    }

    /// The places that are taken, from where this one would like to be up to the first that is free.
    fn way(&self, tag: u32) -> impl Iterator<Item = usize> {
        let home = if self.places.is_empty() { 0 } else { self.home(tag) };
        let mask = self.places.len().wrapping_sub(1);
        (0..self.places.len()).map(move |n| (home + n) & mask).take_while(|at| !self.places[*at].is_free())
    }
}

/// Marks are hashes already (SHA-256, cut): any of their bytes are as good as a hash of them.
fn tag(mark: &Mark) -> u32 {
    let [.., a, b, c, d] = mark.0;
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use evenkeel_model::{Created, Position, Shard, Timestamp};

    use super::*;
    use crate::random::Random;
    use crate::{Action, Arrival, Input, Policy, Screen, Subscription, Version};

    /// The table beside the plainest one, with tags that meet far more often than those of real marks.
    #[test]
    fn whoever_was_put_in_and_not_taken_out_is_found_whatever_lies_around_it() {
        let (mut marks, mut plain, mut random) = (Marks::default(), HashMap::new(), Random::new(7));
        for step in 0..40_000_u32 {
            let n = u32::try_from(random.next() % 400).unwrap_or(0);
            let mark = mark_of(n);
            match plain.remove(&n) {
                Some(slot) => marks.remove(&mark, slot),
                None => {
                    let slot = Slot::of(n);
                    plain.insert(n, slot);
                    marks.insert(&mark, slot);
                }
            }
            if step % 256 == 0 {
                for n in 0..400 {
                    let there = marks.way(tag(&mark_of(n))).any(|at| marks.places[at].slot == Slot::of(n));
                    assert_eq!(there, plain.contains_key(&n), "{n} in step {step}");
                }
                assert_eq!(marks.used, plain.len());
            }
        }
        assert!(marks.places.len() <= 1024, "{}", marks.places.len());
    }

    #[test]
    fn marks_that_end_alike_are_two() {
        let mut subscription = Subscription::new(Policy::default(), 1);
        let arrival = |n: u8| Arrival {
            at: Position { shard: Shard::new("orders", 0), offset: u64::from(n) },
            key: None,
            mark: Mark([n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
            created: Created { at: Timestamp::EPOCH, believed: true },
            expires: None,
            bytes: 1,
            priority: 4,
            kind: "OrderCreated".into(),
            source: "/shop".into(),
            version: Version::None,
            given_before: 0,
            screen: Screen::Wanted,
        };
        let mut actions = Vec::new();
        let arrivals = vec![arrival(1), arrival(2)];
        subscription.step(Timestamp::EPOCH, Input::Arrived(arrivals), &mut actions);
        let handed_out = actions.iter().filter(|action| matches!(action, Action::Dispatch(_))).count();
        assert_eq!(handed_out, 2, "neither is a duplicate");
    }

    fn mark_of(n: u32) -> Mark {
        let mut mark = [0; 16];
        mark[12] = (n % 50) as u8;
        mark[0..4].copy_from_slice(&n.to_le_bytes());
        Mark(mark)
    }
}
