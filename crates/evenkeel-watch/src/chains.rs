//! Chains of events that belong together (an order placed → paid → shipped): how many were completed, how long
//! that took, and where the others are stuck.
//!
//! Events of a chain have one id in common, their `correlationid`; the first one may be known by its own id
//! alone. Does: follow each open chain along the steps of its rule. Does not: read events or keep time. A step
//! may be seen twice, late, or out of order: the farthest one counts, and the end ends the chain whatever was
//! seen before. Invariants: begun = completed + open + forgotten; a chain is counted as late once; memory is
//! bounded by [`ChainRule::open_max`], and what is forgotten for want of room is counted.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Position, Timestamp};

use crate::exemplar::Exemplars;
use crate::histogram::Histogram;
use crate::snapshot::Buckets;

#[cfg(test)]
mod tests;

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainRule {
    /// Its name.
    pub name: Arc<str>,
    /// The types of its events in their order: the first begins a chain, the last ends it. Two at least.
    pub steps: Vec<Arc<str>>,
    /// How long a chain may take.
    pub within: Duration,
    /// So many chains are followed at once; beyond it the oldest is forgotten.
    pub open_max: usize,
}

/// The chains of one rule.
#[derive(Debug)]
pub struct Chains {
    rule: ChainRule,
    open: HashMap<Arc<str>, Open>,
    /// The open ones by their beginning.
    order: BTreeSet<(Timestamp, Arc<str>)>,
    /// All that began before this are late already.
    late_before: Timestamp,
    begun: u64,
    completed: u64,
    late: u64,
    forgotten: u64,
    took: Histogram,
    /// What ended or became late, and was not taken yet.
    ends: Vec<ChainEnd>,
}

/// A chain that ended, or became late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEnd {
    /// Where its first event is.
    pub first: Position,
    /// When it ended, or should have.
    pub at: Timestamp,
    /// What it took; none while it is open, and late.
    pub took: Option<Duration>,
    /// It was told as late before.
    pub was_late: bool,
}

#[derive(Clone, Debug)]
struct Open {
    first: Position,
    began: Timestamp,
    /// The farthest step that was seen, and when.
    step: usize,
    since: Timestamp,
    is_late: bool,
}

/// How a rule's chains stand.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainsView {
    /// The rule.
    pub rule: ChainRule,
    /// Chains whose beginning was seen.
    pub begun: u64,
    /// Chains whose end was seen.
    pub completed: u64,
    /// Chains that took longer than they may, completed or not.
    pub late: u64,
    /// Chains that were let go for want of room.
    pub forgotten: u64,
    /// Open chains by the farthest step that was seen; as many as the rule has steps, less one.
    pub at: Vec<AtStep>,
    /// How long completed chains took: the median, 95 and 99 of 100; none when there are none.
    pub took: Option<[Duration; 3]>,
    /// The same, in buckets.
    pub buckets: Buckets,
}

/// Open chains that got as far as one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AtStep {
    /// How many.
    pub open: u64,
    /// The one that is there longest, and since when.
    pub oldest: Option<(Arc<str>, Timestamp)>,
}

impl Chains {
    /// None yet.
    pub fn new(rule: ChainRule) -> Chains {
        Chains {
            rule,
            open: HashMap::new(),
            order: BTreeSet::new(),
            late_before: Timestamp::EPOCH,
            begun: 0,
            completed: 0,
            late: 0,
            forgotten: 0,
            took: Histogram::default(),
            ends: Vec::new(),
        }
    }

    /// What is followed.
    pub fn rule(&self) -> &ChainRule {
        &self.rule
    }

    /// What ended or became late since it was asked the last time, in no order.
    pub fn take_ends(&mut self) -> Vec<ChainEnd> {
        std::mem::take(&mut self.ends)
    }

    /// An event of this type came at that time, and lies there; `chain` is its `correlationid`, else its own id.
    pub fn see(&mut self, kind: &str, chain: &str, at: Timestamp, place: &Position) {
        let Some(step) = self.rule.steps.iter().position(|known| **known == *kind) else { return };
        let last = self.rule.steps.len() - 1;
        match self.open.get_mut(chain) {
            Some(_) if step == last => self.end(chain, at),
            Some(open) if step > open.step => (open.step, open.since) = (step, at),
            None if step == 0 => self.begin(Arc::from(chain), at, place),
            _ => {}
        }
    }

    fn begin(&mut self, chain: Arc<str>, at: Timestamp, place: &Position) {
        let is_late = at < self.late_before;
        self.begun += 1;
        let open = Open { first: place.clone(), began: at, step: 0, since: at, is_late };
        if is_late {
            self.late += 1;
            self.ends.push(open.late(self.rule.within));
        }
        self.order.insert((at, chain.clone()));
        self.open.insert(chain, open);
        while self.open.len() > self.rule.open_max.max(1) {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.open.remove(&oldest);
            self.forgotten += 1;
        }
    }

    fn end(&mut self, chain: &str, at: Timestamp) {
        let Some((name, open)) = self.open.remove_entry(chain) else { return };
        self.order.remove(&(open.began, name));
        let took = at.since(open.began);
        self.completed += 1;
        self.late += u64::from(took > self.rule.within && !open.is_late);
        self.took.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.ends.push(ChainEnd { first: open.first, at, took: Some(took), was_late: open.is_late });
    }

    /// Time passes: open chains that took too long are late from here on.
    pub fn tick(&mut self, now: Timestamp) {
        let before = now - self.rule.within;
        if before <= self.late_before {
            return;
        }
        let name = |at: Timestamp| (at, Arc::from(""));
        for (_, chain) in self.order.range(name(self.late_before)..name(before)) {
            if let Some(open) = self.open.get_mut(chain)
                && !std::mem::replace(&mut open.is_late, true)
            {
                self.late += 1;
                self.ends.push(open.late(self.rule.within));
            }
        }
        self.late_before = before;
    }

    /// How they stand.
    pub fn view(&self) -> ChainsView {
        let mut at = vec![AtStep::default(); self.rule.steps.len() - 1];
        for (chain, open) in &self.open {
            let Some(at) = at.get_mut(open.step) else { continue };
            at.open += 1;
            if at.oldest.as_ref().is_none_or(|(_, since)| open.since < *since) {
                at.oldest = Some((chain.clone(), open.since));
            }
        }
        let took = (self.completed > 0).then(|| {
            [0.5, 0.95, 0.99].map(|share| Duration::from_micros(self.took.quantile(share).unwrap_or_default()))
        });
        ChainsView {
            rule: self.rule.clone(),
            begun: self.begun,
            completed: self.completed,
            late: self.late,
            forgotten: self.forgotten,
            at,
            took,
            buckets: Buckets::of(&self.took, &Exemplars::default()),
        }
    }
}

impl Open {
    /// It should have ended by now.
    fn late(&self, within: Duration) -> ChainEnd {
        ChainEnd { first: self.first.clone(), at: self.began + within, took: None, was_late: false }
    }
}
