//! Producers: how often each source sends to a topic, and whether it fell silent or sends twice as much as usual.
//!
//! Does: count events by the minute of their creation, from the ledger, and compare the last minutes with the hour before.
//! Does not: alert; who watches does. It judges what is known: events that still wait are in no ledger, so a source is
//! seen from the horizon, the creation of the oldest event that is not complete; behind an outage nobody is called
//! silent. Invariants: one subscription counts for a topic, so that an event counts once; at most [`SOURCES_MAX`]
//! sources are known, and what does not fit is counted.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;
use evenkeel_model::ledger::Ended;

use crate::gate::ln_tail;

#[cfg(test)]
mod tests;

/// Sources of all topics that are known.
const SOURCES_MAX: usize = 1_000;
const MINUTE_US: i64 = 60_000_000;
/// The usual rate is that of so many minutes before the recent ones.
const USUAL: i64 = 60;
/// Recent minutes, which are compared with the usual.
const RECENT: i64 = 5;
/// Nothing is usual before so many minutes are known.
const USUAL_MIN: i64 = 20;
/// Nor with fewer events than this in them.
const EVENTS_MIN: u64 = 20;
/// What is less probable than this is not chance.
const ALPHA: f64 = 1e-7;
/// A silence is this much longer than the longest one of the last hour.
const GAPS: i64 = 3;
/// What is journaled comes a little later than it happens.
const SLACK: Duration = Duration::from_secs(10);

/// How a source sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sending {
    /// As usual, or too little is known.
    #[default]
    Usual,
    /// Not at all, for longer than chance explains.
    Silent,
    /// At least twice as much as usual, and more than ever in the last hour.
    Surging,
}

impl Sending {
    /// All of them.
    pub const ALL: [Sending; 3] = [Sending::Usual, Sending::Silent, Sending::Surging];

    /// Its name, as users see it.
    pub fn name(self) -> &'static str {
        match self {
            Sending::Usual => "usual",
            Sending::Silent => "silent",
            Sending::Surging => "surging",
        }
    }
}

/// What is known of one source of a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Producer {
    /// The topic.
    pub topic: Arc<str>,
    /// The CloudEvents source.
    pub source: Arc<str>,
    /// How it sends.
    pub sending: Sending,
    /// Since when it sends so.
    pub since: Timestamp,
    /// When its newest event was created.
    pub last: Timestamp,
    /// Events a minute over the hour before the recent minutes; none while too little is known.
    pub usual_per_minute: Option<f64>,
    /// Events a minute over the last five.
    pub recent_per_minute: f64,
}

/// A topic and a source.
type Key = (Arc<str>, Arc<str>);

/// All producers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Producers {
    known: Vec<(Key, Counted)>,
    index: HashMap<Key, usize>,
    /// The source of the last event: of one record nearly all are of one.
    newest: Option<usize>,
    /// Whose outcomes count for a topic.
    counts: BTreeMap<Arc<str>, Arc<str>>,
    /// Events of sources that did not fit.
    pub(crate) folded: u64,
}

#[derive(Clone, Debug)]
struct Counted {
    /// Minutes with events, in order: number and count.
    minutes: VecDeque<(i64, u64)>,
    first: i64,
    last: Timestamp,
    sending: Sending,
    since: Timestamp,
    usual: Option<f64>,
    /// Over how many minutes the usual was taken, and how many events there were in them.
    known: i64,
    seen: u64,
    recent: f64,
}

impl Producers {
    /// Whether the outcomes of this subscription count for this topic.
    pub(crate) fn are_told_by(&mut self, subscription: &Arc<str>, topic: &Arc<str>) -> bool {
        match self.counts.get(topic) {
            Some(counts) => counts == subscription,
            None => {
                self.counts.insert(Arc::clone(topic), Arc::clone(subscription));
                true
            }
        }
    }

    /// Forgets who tells of a topic where that is over; the next one that ends an event of it takes its place.
    pub(crate) fn keep_tellers(&mut self, reads: impl Fn(&str, &str) -> bool) {
        self.counts.retain(|topic, subscription| reads(topic, subscription));
    }

    /// Counts an event of a topic for its source.
    pub(crate) fn ended(&mut self, topic: &Arc<str>, ended: &Ended) {
        if ended.source.is_empty() {
            return;
        }
        let created = ended.at - Duration::from_micros(ended.created_to_ended_us);
        let is_it = |((of, source), _): &(Key, Counted)| Arc::ptr_eq(source, &ended.source) && Arc::ptr_eq(of, topic);
        let index = match self.newest.filter(|at| self.known.get(*at).is_some_and(is_it)) {
            Some(index) => Some(index),
            None => self.find(topic, &ended.source, created),
        };
        match index.and_then(|index| self.known.get_mut(index)) {
            Some((_, counted)) => counted.add(created),
            None => self.folded += 1,
        }
        self.newest = index;
    }

    /// Where a source is; a new one has no event yet. None when there is no room for it.
    fn find(&mut self, topic: &Arc<str>, source: &Arc<str>, created: Timestamp) -> Option<usize> {
        let key = (Arc::clone(topic), Arc::clone(source));
        if let Some(index) = self.index.get(&key) {
            return Some(*index);
        }
        let index = self.known.len();
        (index < SOURCES_MAX).then(|| {
            self.index.insert(key.clone(), index);
            self.known.push((key, Counted::new(created)));
            index
        })
    }

    /// Judges all, each from the horizon of the subscription that counts for its topic; those that changed.
    pub(crate) fn tick(&mut self, now: Timestamp, oldest: impl Fn(&str) -> Option<Timestamp>) -> Vec<Producer> {
        let mut changed = Vec::new();
        for ((topic, source), counted) in &mut self.known {
            let Some(subscription) = self.counts.get(topic) else { continue };
            let horizon = oldest(subscription).unwrap_or(now).min(now - SLACK);
            if counted.judge(horizon) {
                changed.push(counted.told(topic, source));
            }
        }
        changed
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Producer> + '_ {
        self.known.iter().map(|((topic, source), counted)| counted.told(topic, source))
    }
}

impl Counted {
    fn new(created: Timestamp) -> Counted {
        let minute = minute_of(created);
        Counted {
            minutes: VecDeque::new(),
            first: minute,
            last: created,
            sending: Sending::Usual,
            since: created,
            usual: None,
            known: 0,
            seen: 0,
            recent: 0.0,
        }
    }

    fn add(&mut self, created: Timestamp) {
        self.last = self.last.max(created);
        let minute = minute_of(created);
        if let Some((number, count)) = self.minutes.back_mut()
            && *number == minute
        {
            *count += 1;
            return;
        }
        self.first = self.first.min(minute);
        let at = self.minutes.partition_point(|(number, _)| *number < minute);
        match self.minutes.get_mut(at) {
            Some((number, count)) if *number == minute => *count += 1,
            _ => self.minutes.insert(at, (minute, 1)),
        }
        let oldest = minute_of(self.last) - USUAL - 2 * RECENT;
        while self.minutes.front().is_some_and(|(number, _)| *number < oldest) {
            self.minutes.pop_front();
        }
    }

    /// Whether it sends otherwise than before, as far as can be seen from `horizon`.
    fn judge(&mut self, horizon: Timestamp) -> bool {
        let until = minute_of(horizon);
        let recent = self.sum(until - RECENT, until);
        self.recent = recent as f64 / RECENT as f64;
        // Of a source that is silent the usual is what it was.
        let seen_from = until.min(minute_of(self.last) + 1) - RECENT;
        let known = (seen_from - self.first).min(USUAL);
        let sum = self.sum(seen_from - USUAL, seen_from);
        let usual = (known >= USUAL_MIN && sum >= EVENTS_MIN).then(|| sum as f64 / known as f64);
        if usual.is_some() || self.sending != Sending::Silent {
            (self.usual, self.known, self.seen) = (usual, known, sum);
        }
        let sending = match self.usual {
            None => Sending::Usual,
            Some(_) if self.is_silent(horizon) => Sending::Silent,
            Some(usual) if self.is_surging(usual, recent, seen_from) => Sending::Surging,
            Some(_) => Sending::Usual,
        };
        if sending == self.sending {
            return false;
        }
        self.sending = sending;
        self.since = if sending == Sending::Silent { self.last } else { horizon };
        true
    }

    fn is_silent(&self, horizon: Timestamp) -> bool {
        let silence = horizon.since(self.last);
        let minutes = silence.as_secs_f64() / 60.0;
        // Were both stretches of one rate, all events would lie in the first with this probability.
        let by_chance = self.seen as f64 * (self.known as f64 / (self.known as f64 + minutes)).ln();
        minutes >= 1.0 && by_chance < ALPHA.ln() && minutes > (GAPS * self.longest_gap()) as f64
    }

    fn is_surging(&self, usual: f64, recent: u64, before: i64) -> bool {
        let expected = usual * RECENT as f64;
        // One that surges goes on until it is well below double.
        let factor = if self.sending == Sending::Surging { 1.5 } else { 2.0 };
        let most = (before - USUAL..=before - RECENT).map(|from| self.sum(from, from + RECENT)).max().unwrap_or(0);
        if (recent as f64) < factor * expected || self.sending != Sending::Surging && recent <= most {
            return false;
        }
        // Were both stretches of one rate, an event would lie in the recent one with this probability.
        let share = RECENT as f64 / (RECENT + self.known) as f64;
        self.sending == Sending::Surging || ln_tail(self.seen + recent, recent, share) < ALPHA.ln()
    }

    /// The longest run of minutes without an event between two with one.
    fn longest_gap(&self) -> i64 {
        let pairs = self.minutes.iter().zip(self.minutes.iter().skip(1));
        pairs.map(|((before, _), (after, _))| after - before - 1).max().unwrap_or(0)
    }

    /// Events of the minutes `[from, until)`.
    fn sum(&self, from: i64, until: i64) -> u64 {
        let inside = self.minutes.iter().filter(|(number, _)| (from..until).contains(number));
        inside.map(|(_, count)| count).sum()
    }

    fn told(&self, topic: &Arc<str>, source: &Arc<str>) -> Producer {
        Producer {
            topic: Arc::clone(topic),
            source: Arc::clone(source),
            sending: self.sending,
            since: self.since,
            last: self.last,
            usual_per_minute: self.usual,
            recent_per_minute: self.recent,
        }
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(MINUTE_US)
}
