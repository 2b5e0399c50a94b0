//! A queue without partitions: competing consumers, leases, redelivery.
//!
//! A message that a consumer receives gets a place of that consumer's own, which is durable with
//! the lease. When a lease ends, the message is given to whoever asks, at another place, and its
//! former holder can't settle it any more. A message is settled when its outcome is committed; one
//! that waits for long is copied into the journal, so that no lease must last as long as a retry.
//!
//! Invariants: a message has one holder at a time; only its holder's outcome is booked; what was
//! neither settled nor copied is given again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evenkeel_delivery::ports::{BoxFuture, Commit, Delivered, Fetched, Journal, News, PortError, Source};
use evenkeel_delivery::{Fact, Remembered};
use evenkeel_model::{Position, Record, Shard, Stored, Timestamp};

use super::bell::{Bell, Ear};
use super::books::{Books, TOPIC, given};

/// A promise that this queue breaks, so that the suite can refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueFault {
    /// A message now and then is never given.
    Loses,
    /// What was settled is given again.
    RepeatsAfterSettle,
    /// Two messages of a key change places.
    ReordersAKey,
    /// A message is settled when it is handed out, before the journal knows of it.
    SettlesBeforeTheJournal,
    /// Headers are left out.
    DropsHeaders,
    /// What a consumer left without an outcome is never given again.
    KeepsWhatWasLeft,
    /// Nobody renews a lease: it ends while a handler works.
    LetsLeasesEnd,
    /// Whoever asks for one message is handed all.
    HandsOutEverything,
}

/// The queue, and what its consumers wrote beside it; a clone is the same one.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    bell: Bell,
    fault: Option<QueueFault>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Timestamp, Record)>,
    /// By consumer and place: leased, or copied.
    held: BTreeMap<(u32, u64), Stored>,
    copied: BTreeSet<(u32, u64)>,
    /// Places whose lease ended.
    lost: BTreeSet<(u32, u64)>,
    next: BTreeMap<u32, u64>,
    settled: Vec<(u32, Stored)>,
    received: u64,
    books: Books,
}

impl Queue {
    /// An empty queue.
    pub fn new() -> Queue {
        Queue::with(None)
    }

    /// An empty queue that breaks a promise.
    pub fn with(fault: Option<QueueFault>) -> Queue {
        Queue(Arc::new(Shared { state: Mutex::default(), bell: Bell::new(), fault }))
    }

    /// Puts a message at its end.
    pub fn publish(&self, record: Record, now: Timestamp) {
        self.0.state().waiting.push_back((now, record));
        self.0.bell.ring();
    }

    /// How many messages are leased.
    pub fn leased(&self) -> usize {
        let state = self.0.state();
        state.held.keys().filter(|place| !state.copied.contains(place)).count()
    }

    /// The consumer of that number; it finds what it held before.
    pub fn consumer(&self, number: u32) -> Consumer {
        let mut state = self.0.state();
        if self.0.fault == Some(QueueFault::KeepsWhatWasLeft) {
            state.held.clear();
        }
        if self.0.fault == Some(QueueFault::LetsLeasesEnd) {
            let ended = std::mem::take(&mut state.held)
                .into_values()
                .chain(std::mem::take(&mut state.settled).into_iter().map(|(_, s)| s));
            state.waiting.extend(ended.map(|stored| (stored.appended, stored.record)));
        }
        if self.0.fault == Some(QueueFault::RepeatsAfterSettle) {
            let settled = std::mem::take(&mut state.settled);
            state.held.extend(settled.into_iter().map(|(n, stored)| ((n, stored.at.offset), stored)));
        }
        Consumer { shared: self.0.clone(), number, ear: Ear::default() }
    }

    /// That consumer's leases end: what it holds is given to whoever asks.
    pub fn expire(&self, number: u32) {
        let mut state = self.0.state();
        let State { held, copied, lost, waiting, .. } = &mut *state;
        let ended: Vec<_> = held.extract_if(.., |place, _| place.0 == number && !copied.contains(place)).collect();
        for (place, stored) in ended.into_iter().rev() {
            lost.insert(place);
            waiting.push_front((stored.appended, stored.record));
        }
        drop(state);
        self.0.bell.ring();
    }

    /// All that was committed, in order.
    pub fn facts(&self) -> Vec<Fact> {
        self.0.state().books.facts()
    }

    /// How many outcomes were committed.
    pub fn ended(&self) -> usize {
        self.0.state().books.ended()
    }

    /// All events that were returned and committed.
    pub fn effects(&self) -> Vec<Record> {
        self.0.state().books.effects.clone()
    }

    /// All dead letters.
    pub fn dead(&self) -> Vec<Record> {
        self.0.state().books.dead.clone()
    }
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::new()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the competing consumers: a source and a journal in one.
pub struct Consumer {
    shared: Arc<Shared>,
    number: u32,
    ear: Ear,
}

impl Consumer {
    fn shard(&self) -> Shard {
        Shard::new(TOPIC, self.number)
    }

    /// Takes messages until it holds `max` from `from` on, or none is left.
    fn receive(&self, state: &mut State, from: u64, max: usize) {
        let place = state.next.entry(self.number).or_default();
        *place = from.max(*place);
        let max = if self.shared.fault == Some(QueueFault::HandsOutEverything) { usize::MAX } else { max };
        while state.held.range((self.number, from)..=(self.number, u64::MAX)).count() < max {
            if self.shared.fault == Some(QueueFault::ReordersAKey) && state.waiting.len() > 7 {
                state.waiting.swap(0, 7);
            }
            let Some((appended, mut record)) = state.waiting.pop_front() else { return };
            state.received += 1;
            match self.shared.fault {
                Some(QueueFault::Loses) if state.received % 5 == 3 => continue,
                Some(QueueFault::DropsHeaders) => record.headers.retain(|h| h.value.is_some()),
                _ => {}
            }
            let place = state.next.entry(self.number).or_default();
            let at = Position { shard: self.shard(), offset: *place };
            *place += 1;
            state.held.insert((self.number, at.offset), Stored { at, appended, record });
        }
    }

    /// Settles what has its outcome, and copies what waits.
    fn settle_outcomes(&self, state: &mut State, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Ended { entry, .. } => {
                    let place = (self.number, entry.offset);
                    state.copied.remove(&place);
                    state.settled.extend(state.held.remove(&place).map(|stored| (self.number, stored)));
                }
                Fact::Pending(pending) => drop(state.copied.insert((self.number, pending.at.offset))),
                _ => {}
            }
        }
    }
}

impl Source for Consumer {
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>> {
        Box::pin(std::future::ready(Ok(vec![(self.shard(), 0)])))
    }

    fn fetch(&self, _: &Shard, from: u64, max: usize) -> BoxFuture<'_, Result<Fetched, PortError>> {
        let mut state = self.shared.state();
        self.receive(&mut state, from, max);
        let places = (self.number, from)..=(self.number, u64::MAX);
        let events: Vec<_> = state.held.range(places).take(max).map(|(_, r)| Arc::new(given(r.clone()))).collect();
        let next = events.last().map_or(from, |last| last.arrival.at.offset + 1);
        if self.shared.fault == Some(QueueFault::SettlesBeforeTheJournal) && events.is_empty() {
            state.held.retain(|place, _| place.0 != self.number);
        }
        Box::pin(std::future::ready(Ok((events, next))))
    }

    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<Delivered>>, PortError>> {
        let mut state = self.shared.state();
        while state.next.get(&self.number).is_none_or(|next| *next <= at.offset) && !state.waiting.is_empty() {
            let next = state.next.get(&self.number).copied().unwrap_or(0);
            self.receive(&mut state, next, 1);
        }
        let found = state.held.get(&(self.number, at.offset)).map(|r| Arc::new(given(r.clone())));
        Box::pin(std::future::ready(Ok(found)))
    }

    fn changed(&self) -> BoxFuture<'_, News> {
        Box::pin(self.ear.hear(&self.shared.bell))
    }

    fn settle(&self, floors: &[(Shard, u64)]) {
        let mut state = self.shared.state();
        for (_, floor) in floors {
            let below: Vec<_> =
                state.held.extract_if(.., |place, _| place.0 == self.number && place.1 < *floor).collect();
            state.settled.extend(below.into_iter().map(|(_, stored)| (self.number, stored)));
        }
    }
}

impl Journal for Consumer {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        let loaded = self.shared.state().books.load(|shard| shard.partition == self.number);
        Box::pin(std::future::ready(loaded))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        let mut state = self.shared.state();
        let touches = |fact: &Fact| match fact {
            Fact::Ended { entry, .. } => Some((self.number, entry.offset)),
            Fact::Pending(pending) => Some((self.number, pending.at.offset)),
            _ => None,
        };
        let lost = commit.round.facts.iter().filter_map(touches).find(|place| state.lost.contains(place));
        let done = match lost {
            Some((_, offset)) => Err(PortError(format!("the lease of {offset} has ended"))),
            None => state.books.enter(&commit),
        };
        if done.is_ok() {
            self.settle_outcomes(&mut state, &commit.round.facts);
        }
        Box::pin(std::future::ready(done))
    }
}
