//! What a list of remembered facts comes to, so that two lists can be compared by their meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::{
    BreakerMark, Fact, LettersClosed, Mark, Opened, Pending, Redrive, Redriven, Remembered, VersionMark,
};
use evenkeel_model::{Position, Shard, Timestamp};

/// The state of a subscription, as far as a journal keeps it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    /// Identities, and when each ended.
    pub(super) inbox: BTreeMap<Mark, Timestamp>,
    /// Outcomes at or above the progress.
    pub(super) done: BTreeSet<Position>,
    pub(super) waiting: BTreeMap<Position, Pending>,
    pub(super) overdue: BTreeMap<Position, Duration>,
    pub(super) progress: BTreeMap<Shard, u64>,
    pub(super) breakers: BTreeMap<Arc<str>, BreakerMark>,
    pub(super) paused: Option<String>,
    pub(super) redriven: BTreeMap<Position, Redriven>,
    pub(super) jobs: BTreeMap<Arc<str>, Redrive>,
    /// Letters that are dealt with, one by one.
    pub(super) closed: BTreeSet<Position>,
    /// The newest version of each key.
    pub(super) versions: BTreeMap<Mark, i128>,
    /// Attempts that had begun.
    pub(super) opened: Opened,
}

impl State {
    pub(super) fn of(remembered: Vec<Remembered>) -> State {
        let mut state = State::default();
        remembered.into_iter().for_each(|fact| state.apply(fact));
        let (redriven, progress) = (&state.redriven, &state.progress);
        state.opened.retain(|at| redriven.contains_key(at) || progress.get(&at.shard).is_none_or(|b| at.offset >= *b));
        state.done.retain(|at| state.progress.get(&at.shard).is_none_or(|below| at.offset >= *below));
        state
    }

    /// What committing these facts, in this order, should come to.
    pub(super) fn expected(facts: &[Fact]) -> State {
        State::of(facts.iter().filter_map(remembered).collect())
    }

    fn apply(&mut self, fact: Remembered) {
        match fact {
            Remembered::Done { at, mark, when } => {
                self.waiting.remove(&at);
                self.overdue.remove(&at);
                self.redriven.remove(&at);
                self.opened.close(&at);
                self.inbox.extend(mark.map(|mark| (mark, when)));
                self.done.insert(at);
            }
            Remembered::Pending(pending) => {
                self.opened.close(&pending.at);
                drop(self.waiting.insert(pending.at.clone(), pending));
            }
            Remembered::Overdue { at, threshold } => drop(self.overdue.insert(at, threshold)),
            Remembered::Progress { shard, below } => drop(self.progress.insert(shard, below)),
            Remembered::Breaker(mark) => drop(self.breakers.insert(mark.dependency.clone(), mark)),
            Remembered::Paused(why) => self.paused = why,
            Remembered::Redriven(redriven) => {
                self.closed.insert(redriven.letter.clone());
                self.waiting.remove(&redriven.at);
                self.overdue.remove(&redriven.at);
                self.opened.close(&redriven.at);
                drop(self.redriven.insert(redriven.at.clone(), redriven));
            }
            Remembered::Redrive(job) => drop(self.jobs.insert(job.plan.id.clone(), job)),
            Remembered::LettersClosed(LettersClosed { letters, from, until, .. }) => {
                self.closed.extend((from..until).map(|offset| Position { shard: letters.clone(), offset }));
            }
            Remembered::Open(open) => self.opened.take(&open),
            Remembered::Version(VersionMark { key, version }) => match version {
                Some(version) => self.versions.extend([(key, version)]),
                None => self.versions.retain(|known, _| *known != key),
            },
        }
    }
}

fn remembered(fact: &Fact) -> Option<Remembered> {
    Some(match fact.clone() {
        Fact::Ended { shard, mark, entry } => {
            Remembered::Done { at: Position { shard, offset: entry.offset }, mark, when: entry.at }
        }
        Fact::Attempt { .. } => return None,
        Fact::Overdue { shard, entry } => Remembered::Overdue {
            at: Position { shard, offset: entry.offset },
            threshold: Duration::from_micros(entry.threshold_us),
        },
        Fact::Pending(pending) => Remembered::Pending(pending),
        Fact::Progress { shard, below } => Remembered::Progress { shard, below },
        Fact::Breaker(mark) => Remembered::Breaker(mark),
        Fact::Paused(why) => Remembered::Paused(why),
        Fact::Redriven(redriven) => Remembered::Redriven(redriven),
        Fact::Redrive(job) => Remembered::Redrive(job),
        Fact::LettersClosed(closed) => Remembered::LettersClosed(closed),
        Fact::Open(open) => Remembered::Open(open),
        Fact::Version(mark) => Remembered::Version(mark),
    })
}
