//! What was published in the last window: identity to place. Pure; times are arguments.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use evenkeel_delivery::Mark;
use evenkeel_model::Timestamp;
use tokio::sync::watch;

/// The identities, and when each is forgotten.
pub(super) struct Index {
    entries: HashMap<Mark, Entry>,
    /// The stored ones in the order of their append times.
    order: VecDeque<(Timestamp, Mark)>,
    /// Claims in the order in which they were made, those that are settled behind the oldest that
    /// is not.
    claims: VecDeque<(Timestamp, watch::Receiver<()>)>,
    /// Grows when identities are left to what is sealed.
    epoch: u64,
    window: Duration,
    events_max: usize,
}

/// What an event asks with: its identity in its topic, and a hash of its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) mark: Mark,
    pub(super) content: u64,
}

/// What is known of an identity.
#[derive(Clone)]
enum Entry {
    /// On its way to the medium; the other half is dropped when that is over.
    Flying(watch::Receiver<()>),
    Stored(Stored),
}

/// An identity that is durable.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub(super) content: u64,
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) at: Timestamp,
}

/// What becomes of a batch.
pub(super) enum Decision {
    /// Nothing is stored.
    Refused(Refused),
    /// Something of it is on its way already: wait, then ask again. Nothing was claimed.
    Wait(watch::Receiver<()>),
    /// One answer per event. The new ones are claimed until the sender (there is one if any is
    /// new) is dropped.
    Go { answers: Vec<Answer>, flying: Option<watch::Sender<()>> },
}

/// The event, by its number in the batch, whose identity is taken; and by what.
pub(super) struct Refused {
    pub(super) event: usize,
    pub(super) first: Option<(u32, u64)>,
}

/// What becomes of one event of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    New,
    Known {
        partition: u32,
        offset: u64,
    },
    /// The same as that event of the batch, which is new.
    SameAs(usize),
}

impl Index {
    pub(super) fn new(window: Duration, events_max: usize) -> Index {
        Index { entries: HashMap::new(), order: VecDeque::new(), claims: VecDeque::new(), epoch: 0, window, events_max }
    }

    /// Decides a whole batch; claims its new identities only if nothing speaks against any.
    /// `sealed`: what else is known of each, in the epoch of now; none, if it is empty.
    pub(super) fn decide(&mut self, now: Timestamp, batch: &[Asked], sealed: &[Option<Stored>]) -> Decision {
        let mut answers = Vec::with_capacity(batch.len());
        let mut first_of: HashMap<Mark, usize> = HashMap::new();
        for (event, asked) in batch.iter().enumerate() {
            let stored = match self.entries.get(&asked.mark) {
                Some(Entry::Flying(other)) => return Decision::Wait(other.clone()),
                Some(Entry::Stored(first)) => Some(*first),
                None => sealed.get(event).copied().flatten(),
            };
            match stored {
                Some(first) if first.at + self.window > now => {
                    if first.content != asked.content {
                        let first = Some((first.partition, first.offset));
                        return Decision::Refused(Refused { event, first });
                    }
                    answers.push(Answer::Known { partition: first.partition, offset: first.offset });
                }
                _ => match first_of.get(&asked.mark) {
                    Some(first) if batch[*first].content != asked.content => {
                        return Decision::Refused(Refused { event, first: None });
                    }
                    Some(first) => answers.push(Answer::SameAs(*first)),
                    None => {
                        first_of.insert(asked.mark, event);
                        answers.push(Answer::New);
                    }
                },
            }
        }
        let flying = (!first_of.is_empty()).then(|| self.claim(now, first_of.into_keys()));
        Decision::Go { answers, flying }
    }

    fn claim(&mut self, now: Timestamp, marks: impl Iterator<Item = Mark>) -> watch::Sender<()> {
        let (sender, receiver) = watch::channel(());
        self.claims.push_back((now, receiver.clone()));
        self.settled();
        for mark in marks {
            self.entries.insert(mark, Entry::Flying(receiver.clone()));
        }
        sender
    }

    /// Forgets the claims that are settled. Gives when the oldest of the others was made.
    fn settled(&mut self) -> Option<Timestamp> {
        // A claim is settled when its sender is gone.
        while self.claims.pop_front_if(|(_, claim)| claim.has_changed().is_err()).is_some() {}
        self.claims.front().map(|(at, _)| *at)
    }

    /// Grows when identities are left to what is sealed: what was looked up before counts no more.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// True when at least so many were appended before `upto`.
    pub(super) fn has_before(&self, upto: Timestamp, count: usize) -> bool {
        count.checked_sub(1).and_then(|last| self.order.get(last)).is_some_and(|(at, _)| *at < upto)
    }

    /// All that was appended before `upto`: no claim of that time is open any more, so no more will
    /// come. Gives where it ends in fact.
    pub(super) fn before(&mut self, upto: Timestamp) -> (Timestamp, Vec<(Mark, Stored)>) {
        let upto = self.settled().map_or(upto, |claimed| claimed.min(upto));
        let oldest = self.order.iter().take_while(|(at, _)| *at < upto);
        let stored = oldest.filter_map(|(at, mark)| match self.entries.get(mark) {
            Some(Entry::Stored(stored)) if stored.at == *at => Some((*mark, *stored)),
            _ => None,
        });
        (upto, stored.collect())
    }

    /// What [`Index::before`] gave is sealed, and need not be remembered here.
    pub(super) fn sealed(&mut self, upto: Timestamp) {
        self.epoch += 1;
        while self.order.front().is_some_and(|(at, _)| *at < upto) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((at, mark)) = self.order.pop_front() else { return };
        // After the window the identity may have been claimed, or stored, again.
        if matches!(self.entries.get(&mark), Some(Entry::Stored(stored)) if stored.at == at) {
            self.entries.remove(&mark);
        }
    }

    /// A claimed identity is durable; or one is found at a rebuild, oldest first.
    pub(super) fn store(&mut self, mark: Mark, stored: Stored) {
        self.entries.insert(mark, Entry::Stored(stored));
        // Nearly always the last: appends settle nearly in their order.
        let later = self.order.iter().rev().take_while(|(at, _)| *at > stored.at).count();
        self.order.insert(self.order.len() - later, (stored.at, mark));
        self.forget(stored.at);
    }

    /// A claimed identity was not stored.
    pub(super) fn release(&mut self, mark: &Mark) {
        self.entries.remove(mark);
    }

    /// True when the identity is stored, within the window or not.
    pub(super) fn knows(&self, mark: &Mark) -> bool {
        self.entries.contains_key(mark)
    }

    /// The append time from which on identities are remembered.
    pub(super) fn since(&self, now: Timestamp) -> Timestamp {
        now - self.window
    }

    /// Cuts what was found at a rebuild down to the newest that fit.
    pub(super) fn trim(&self, found: &mut Vec<(Mark, Stored)>) {
        if found.len() > self.events_max {
            let surplus = found.len() - self.events_max;
            found.select_nth_unstable_by_key(surplus, |(_, stored)| stored.at);
            found.drain(..surplus);
        }
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.order.front().copied() {
            if at + self.window > now && self.order.len() <= self.events_max {
                return;
            }
            self.drop_oldest();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
