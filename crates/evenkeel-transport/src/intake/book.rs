//! Which message lies where, who still owes an outcome for it, and what the broker is to be told.
//!
//! Pure: it reads no clock and speaks to nobody. Invariants: a ticket is handed out to be settled
//! only when every reader let go of its place (or the broker would throw the message away); a
//! message that is given again is matched with its place when it has a name, else with a place of
//! the same content that has no outcome and no ticket, so that two equal messages stay two.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::{Fact, Remembered};
use evenkeel_model::{Shard, Timestamp};

use super::queue::{Taken, Terms, Ticket};

/// A partition and an offset of the topic.
pub(super) type Place = (u32, u64);

/// What names a message: the broker's name for it, or a digest of its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Name {
    Broker(Box<str>),
    Content([u8; 16]),
}

/// What to do with a message that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sorted {
    /// It has no place yet.
    New,
    /// It has one, and was entered there.
    Known,
}

/// A message that the broker lends.
struct Held {
    ticket: Ticket,
    since: Timestamp,
    renewed: Timestamp,
}

/// How far one subscription is.
#[derive(Default)]
struct Reader {
    below: BTreeMap<u32, u64>,
    /// Outcomes, and events that wait in the journal, at or above that.
    done: BTreeMap<u32, BTreeSet<u64>>,
}

#[derive(Default)]
pub(super) struct Book {
    terms: Terms,
    remember: usize,
    readers: BTreeMap<Arc<str>, Reader>,
    held: BTreeMap<Place, Held>,
    names: HashMap<Name, VecDeque<Place>>,
    /// In the order in which they came.
    named: VecDeque<(Place, Name)>,
    to_settle: Vec<Ticket>,
}

impl Reader {
    fn let_go(&self, place: Place) -> bool {
        self.below.get(&place.0).is_some_and(|below| place.1 < *below)
            || self.done.get(&place.0).is_some_and(|done| done.contains(&place.1))
    }

    fn end(&mut self, shard: &Shard, offset: u64) {
        self.done.entry(shard.partition).or_default().insert(offset);
    }

    fn progress(&mut self, partition: u32, below: u64) {
        self.below.insert(partition, below);
        if let Some(done) = self.done.get_mut(&partition) {
            *done = done.split_off(&below);
        }
    }
}

impl Book {
    /// A book that remembers the names of the newest `remember` messages.
    pub(super) fn new(terms: Terms, remember: usize) -> Book {
        Book { terms, remember, ..Book::default() }
    }

    /// How the broker lends, as it turned out.
    pub(super) fn lend_by(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// This subscription owes outcomes, from its beginning on.
    pub(super) fn add_reader(&mut self, name: &str) {
        self.readers.insert(Arc::from(name), Reader::default());
    }

    /// It owes nothing any more.
    pub(super) fn remove_reader(&mut self, name: &str) {
        self.readers.remove(name);
        self.release_all();
    }

    /// What a reader's journal remembers.
    pub(super) fn remembered(&mut self, reader: &str, topic: &str, all: &[Remembered]) {
        let own = |shard: &Shard| *shard.topic == *topic;
        let mut state = Reader::default();
        for one in all {
            match one {
                Remembered::Done { at, .. } if own(&at.shard) => state.end(&at.shard, at.offset),
                Remembered::Pending(pending) if own(&pending.at.shard) => {
                    state.end(&pending.at.shard, pending.at.offset);
                }
                Remembered::Progress { shard, below } if own(shard) => state.progress(shard.partition, *below),
                _ => {}
            }
        }
        if let Some(known) = self.readers.get_mut(reader) {
            *known = state;
        }
        self.release_all();
    }

    /// What a reader committed. True when there is something to settle.
    pub(super) fn committed(&mut self, reader: &str, topic: &str, facts: &[Fact]) -> bool {
        for fact in facts {
            let Some(reader) = self.readers.get_mut(reader) else { return false };
            let (shard, offset) = match fact {
                Fact::Ended { shard, entry, .. } => (shard, entry.offset),
                Fact::Pending(pending) => (&pending.at.shard, pending.at.offset),
                Fact::Progress { shard, below } if *shard.topic == *topic => {
                    reader.progress(shard.partition, *below);
                    continue;
                }
                _ => continue,
            };
            if *shard.topic == *topic {
                reader.end(shard, offset);
                self.release((shard.partition, offset));
            }
        }
        !self.to_settle.is_empty()
    }

    fn is_done(&self, place: Place) -> bool {
        self.readers.values().all(|reader| reader.let_go(place))
    }

    fn release(&mut self, place: Place) {
        if self.is_done(place) {
            self.to_settle.extend(self.held.remove(&place).map(|held| held.ticket));
        }
    }

    fn release_all(&mut self) {
        let done: Vec<Place> = self.held.keys().copied().filter(|place| self.is_done(*place)).collect();
        done.into_iter().for_each(|place| self.release(place));
    }

    /// Whether the message has a place; if it has one, it is held there from now on, or settled.
    pub(super) fn sort(&mut self, taken: &Taken, name: &Name, now: Timestamp) -> Sorted {
        let place = match name {
            Name::Broker(_) => self.names.get(name).and_then(|places| places.back().copied()),
            Name::Content(_) if taken.again => self.names.get(name).and_then(|places| {
                places.iter().copied().find(|place| !self.held.contains_key(place) && !self.is_done(*place))
            }),
            Name::Content(_) => None,
        };
        let Some(place) = place else { return Sorted::New };
        self.hold(place, taken.ticket.clone(), taken.last, now);
        Sorted::Known
    }

    /// A message was placed, durably.
    pub(super) fn placed(&mut self, place: Place, name: Name, taken: &Taken, now: Timestamp) {
        self.know(place, name);
        self.hold(place, taken.ticket.clone(), taken.last, now);
    }

    fn hold(&mut self, place: Place, ticket: Ticket, last: bool, now: Timestamp) {
        if last || self.is_done(place) {
            // Its copy is durable: what the broker would throw away next time is ours alone from here on.
            self.held.remove(&place);
            return self.to_settle.push(ticket);
        }
        self.held.insert(place, Held { ticket, since: now, renewed: now });
    }

    /// The name of a message that lies at a place.
    pub(super) fn know(&mut self, place: Place, name: Name) {
        self.names.entry(name.clone()).or_default().push_back(place);
        self.named.push_back((place, name));
        while self.named.len() > self.remember {
            let Some((oldest, name)) = self.named.pop_front() else { return };
            if let Some(places) = self.names.get_mut(&name) {
                places.retain(|place| *place != oldest);
                if places.is_empty() {
                    self.names.remove(&name);
                }
            }
        }
    }

    /// The connection was lost: what was lent over it is given to whoever asks.
    pub(super) fn lost(&mut self) {
        if !self.terms.tickets_outlive_connections {
            self.held.clear();
            self.to_settle.clear();
        }
    }

    /// How many messages are held.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// How many are to be settled.
    pub(super) fn to_settle_count(&self) -> usize {
        self.to_settle.len()
    }

    /// What is to be settled now.
    pub(super) fn take_settled(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.to_settle)
    }

    /// These could not be settled, and are tried again.
    pub(super) fn settle_again(&mut self, tickets: Vec<Ticket>) {
        self.to_settle.extend(tickets);
    }

    /// What is to be renewed now. What was lent for almost as long as it may be is settled instead:
    /// its copy is durable.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Ticket> {
        let hold_max = self.terms.hold_max.unwrap_or(Duration::MAX);
        let old = self.held.extract_if(.., |_, held| now.since(held.since) >= hold_max);
        self.to_settle.extend(old.map(|(_, held)| held.ticket));
        let Some(lease) = self.terms.lease else { return Vec::new() };
        let due = self.held.values_mut().filter(|held| now.since(held.renewed) * 2 >= lease);
        due.map(|held| {
            held.renewed = now;
            held.ticket.clone()
        })
        .collect()
    }

    /// All that is held, which nobody here works on any more.
    pub(super) fn give_back(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.held).into_values().map(|held| held.ticket).collect()
    }
}

#[cfg(test)]
mod tests;
