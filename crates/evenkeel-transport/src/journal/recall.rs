//! What a journal's records come to: what was replaced is left out, what ended is not pending.
//!
//! Pure. Invariant: restoring from its result is restoring from all records in their order; what
//! is left out is only what a later record replaced, and identities beyond the inbox's window.

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_delivery::{BreakerMark, LettersClosed, Opened, Redrive, Redriven, Remembered, Versions};
use evenkeel_model::{Position, Shard, Timestamp};

/// Outcomes are thinned out when there are twice as many as after the last time, and this many.
const THIN_AT_LEAST: usize = 100_000;
/// How many redrives are remembered, the newest.
const JOBS_KEPT: usize = 20;

/// What is remembered so far.
pub struct Recall {
    /// `None`: no identity is kept.
    inbox_from: Option<Timestamp>,
    done: Vec<Remembered>,
    thin_at: usize,
    waiting: BTreeMap<Position, Remembered>,
    overdue: BTreeMap<Position, Remembered>,
    progress: BTreeMap<Shard, u64>,
    breakers: BTreeMap<Arc<str>, BreakerMark>,
    paused: Option<Option<String>>,
    redriven: BTreeMap<Position, Redriven>,
    jobs: Vec<Redrive>,
    closed: BTreeMap<(Shard, u64), LettersClosed>,
    opened: Opened,
    versions: Versions,
}

impl Recall {
    /// Identities that ended before `inbox_from` need not be remembered.
    pub fn new(inbox_from: Timestamp) -> Recall {
        Recall::keeping(Some(inbox_from))
    }

    /// Identities are remembered elsewhere.
    pub fn without_identities() -> Recall {
        Recall::keeping(None)
    }

    fn keeping(inbox_from: Option<Timestamp>) -> Recall {
        Recall {
            inbox_from,
            done: Vec::new(),
            thin_at: THIN_AT_LEAST,
            waiting: BTreeMap::new(),
            overdue: BTreeMap::new(),
            progress: BTreeMap::new(),
            breakers: BTreeMap::new(),
            paused: None,
            redriven: BTreeMap::new(),
            jobs: Vec::new(),
            closed: BTreeMap::new(),
            opened: Opened::default(),
            versions: Versions::default(),
        }
    }

    /// Takes the next record's facts.
    pub fn take(&mut self, remembered: Vec<Remembered>) {
        for fact in remembered {
            match fact {
                Remembered::Done { ref at, .. } => {
                    self.waiting.remove(at);
                    self.overdue.remove(at);
                    self.redriven.remove(at);
                    self.opened.close(at);
                    self.done.push(self.without(fact));
                }
                Remembered::Pending(ref pending) => {
                    self.opened.close(&pending.at);
                    self.waiting.insert(pending.at.clone(), fact);
                }
                Remembered::Overdue { ref at, .. } => drop(self.overdue.insert(at.clone(), fact)),
                Remembered::Progress { shard, below } => {
                    let now = self.progress.entry(shard).or_default();
                    *now = below.max(*now);
                }
                Remembered::Breaker(mark) => drop(self.breakers.insert(mark.dependency.clone(), mark)),
                Remembered::Paused(why) => self.paused = Some(why),
                Remembered::Redriven(redriven) => self.take_up(redriven),
                Remembered::Redrive(job) => {
                    self.jobs.retain(|known| known.plan.id != job.plan.id);
                    self.jobs.push(job);
                    self.jobs.drain(..self.jobs.len().saturating_sub(JOBS_KEPT));
                }
                Remembered::LettersClosed(closed) => self.close(closed),
                Remembered::Open(open) => self.opened.take(&open),
                Remembered::Version(mark) => self.versions.take(&mark),
            }
        }
        if self.done.len() >= self.thin_at {
            self.thin();
        }
    }

    /// An outcome, without its identity where that is not kept.
    fn without(&self, done: Remembered) -> Remembered {
        match done {
            Remembered::Done { at, when, .. } if self.inbox_from.is_none() => Remembered::Done { at, mark: None, when },
            done => done,
        }
    }

    /// All of it: outcomes in their order, then the rest.
    pub fn finish(mut self) -> Vec<Remembered> {
        self.thin();
        let mut all = self.done;
        // Before what is said of the event since: being redriven ends what was said before.
        all.extend(self.closed.into_values().map(Remembered::LettersClosed));
        all.extend(self.redriven.into_values().map(Remembered::Redriven));
        all.extend(self.waiting.into_values());
        all.extend(self.overdue.into_values());
        all.extend(self.progress.into_iter().map(|(shard, below)| Remembered::Progress { shard, below }));
        all.extend(self.breakers.into_values().map(Remembered::Breaker));
        all.extend(self.paused.map(Remembered::Paused));
        all.extend(self.jobs.into_iter().map(Remembered::Redrive));
        all.extend(self.versions.marks().map(Remembered::Version));
        // Last: what is said of a waiting event closes it.
        all.extend(self.opened.facts().into_iter().map(Remembered::Open));
        all
    }

    /// What was said of the event before it died is over; its letter is dealt with.
    fn take_up(&mut self, redriven: Redriven) {
        self.waiting.remove(&redriven.at);
        self.overdue.remove(&redriven.at);
        self.opened.close(&redriven.at);
        let Position { shard, offset } = redriven.letter.clone();
        self.close(LettersClosed { letters: shard, from: offset, until: offset + 1, reason: None });
        self.redriven.insert(redriven.at.clone(), redriven);
    }

    /// Joins what is closed to the range before it, so that a long redrive is one range.
    fn close(&mut self, closed: LettersClosed) {
        let name = (closed.letters.clone(), closed.from);
        let before = self.closed.range_mut(..=name.clone()).next_back().map(|(_, before)| before);
        match before.filter(|b| b.letters == closed.letters && b.until >= closed.from && b.reason == closed.reason) {
            Some(before) => before.until = before.until.max(closed.until),
            None => drop(self.closed.insert(name, closed)),
        }
    }

    /// Drops outcomes below the progress whose identity needs no remembering.
    fn thin(&mut self) {
        let (progress, inbox_from) = (&self.progress, self.inbox_from);
        self.done.retain(|fact| match fact {
            Remembered::Done { at, mark, when } => {
                let counted = progress.get(&at.shard).is_some_and(|below| at.offset < *below);
                !counted || (mark.is_some() && inbox_from.is_some_and(|from| *when >= from))
            }
            _ => true,
        });
        let redriven = &self.redriven;
        self.opened
            .retain(|at| redriven.contains_key(at) || progress.get(&at.shard).is_none_or(|below| at.offset >= *below));
        self.thin_at = THIN_AT_LEAST.max(self.done.len() * 2);
    }
}
