//! How far a subscription is behind: the distance between the newest event and the one in process,
//! and whether it gets on.
//!
//! The states are Burrow's (linkedin/Burrow, `internal/evaluator/caching.go`), in its order, over
//! what the ledger says and not over committed offsets: a slow topic that is at its end is never
//! behind, and a position stands still only while there is something to do. Lag in time is the age
//! of an event, never an interpolation.

use std::collections::VecDeque;
use std::time::Duration;

use evenkeel_model::Timestamp;

#[cfg(test)]
mod tests;

/// How far apart samples are taken.
const EVERY: Duration = Duration::from_secs(10);
/// Samples that are kept: five minutes.
const SAMPLES: usize = 30;
/// Samples that say something: a minute.
const SAMPLES_MIN: usize = 6;

/// Whether a subscription gets on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pace {
    /// It keeps up, or catches up.
    #[default]
    Good,
    /// It works, and the distance grows all the time.
    Behind,
    /// It went back, and has not come to where it was.
    Rewound,
    /// It tries, and nothing ends.
    Stalled,
    /// It does nothing, and there is something to do.
    Stopped,
}

impl Pace {
    /// All, best first.
    pub const ALL: [Pace; 5] = [Pace::Good, Pace::Behind, Pace::Rewound, Pace::Stalled, Pace::Stopped];

    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Pace::Good => "good",
            Pace::Behind => "behind",
            Pace::Rewound => "rewound",
            Pace::Stalled => "stalled",
            Pace::Stopped => "stopped",
        }
    }
}

/// A partition of a subscription at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) at: Timestamp,
    /// One beyond the newest event.
    pub(crate) end: u64,
    /// One beyond the furthest event that ended.
    pub(crate) position: u64,
    /// Grows with everything that is done.
    pub(crate) activity: u64,
}

impl Sample {
    fn distance(&self) -> u64 {
        self.end.saturating_sub(self.position)
    }
}

/// The last minutes of one partition of a subscription.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track(VecDeque<Sample>);

impl Track {
    /// Takes a sample, unless the last one is too young.
    pub(crate) fn sample(&mut self, sample: Sample) {
        if self.0.back().is_some_and(|last| sample.at.since(last.at) < EVERY) {
            return;
        }
        if self.0.len() == SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    pub(crate) fn pace(&self) -> Pace {
        let (Some(first), Some(last)) = (self.0.front(), self.0.back()) else { return Pace::Good };
        if last.distance() == 0 || self.0.len() < SAMPLES_MIN {
            return Pace::Good;
        }
        // Since when there has been something to do without a break.
        let idle = self.0.iter().rposition(|sample| sample.distance() == 0);
        let busy = idle.map_or(0, |idle| idle + 1);
        let recent = self.0.len() - SAMPLES_MIN;
        if busy <= recent && self.0[recent].activity == last.activity {
            return Pace::Stopped;
        }
        if self.rewound() {
            return Pace::Rewound;
        }
        if idle.is_some() {
            return Pace::Good;
        }
        if first.position == last.position {
            return Pace::Stalled;
        }
        let grows = self.0.iter().zip(self.0.iter().skip(1)).all(|(a, b)| b.distance() >= a.distance());
        if grows && last.distance() > first.distance() { Pace::Behind } else { Pace::Good }
    }

    fn rewound(&self) -> bool {
        let furthest = self.0.iter().map(|sample| sample.position).max();
        let last = self.0.back().map(|sample| sample.position);
        last < furthest
    }
}
