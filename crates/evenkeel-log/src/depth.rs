//! How many groups to write at once: measured, while there is enough to do.
//!
//! Whether a device gains from several writes at a time depends on it, and on the load: what is not in the
//! air is on its way back to append again, so that more groups may only be smaller ones. So nobody asks the
//! device; a log that is busy tries, in short windows in turn, one depth and its double, and keeps the
//! double where that much more was appended in nearly every turn. Later it tries again, since devices and
//! loads change. Pure: it is told of each group that landed, and says how deep to go on.
//!
//! Invariant: a log that is not busy, or whose depth is fixed, changes nothing.

#[cfg(test)]
mod tests;

use std::time::Duration;

use evenkeel_model::Timestamp;

/// One depth is tried for so long before the other has its turn.
const WINDOW: Duration = Duration::from_millis(100);

/// How often each has its turn.
const TURNS: usize = 5;

/// In at least so many of them the double must be the better one.
const BETTER: usize = 4;

/// And by so many percent over all of them.
const GAIN_PERCENT: u64 = 10;

/// How long a result is believed.
const REST: Duration = Duration::from_secs(300);

/// A log that lands nothing for so long is not busy.
const PAUSE: Duration = Duration::from_millis(20);

/// Fewer groups than this in a window say nothing.
const GROUPS: u32 = 8;

/// Measures.
#[derive(Debug)]
pub(crate) struct Depth {
    most: usize,
    depth: usize,
    /// The lower of the two that are compared next.
    low: usize,
    /// Nothing is tried before.
    rests_until: Timestamp,
    trial: Option<Trial>,
    window: Option<Window>,
    last: Timestamp,
}

/// What the windows so far had, of the lower depth and of its double in turn.
#[derive(Debug, Default)]
struct Trial {
    bytes: Vec<u64>,
}

#[derive(Debug)]
struct Window {
    began: Timestamp,
    groups: u32,
    /// Of these, so many left sets waiting, or held several.
    busy: u32,
    bytes: u64,
}

impl Depth {
    /// Begins with one; more than `most` is never tried.
    pub(crate) fn new(most: usize) -> Depth {
        Depth {
            most,
            depth: 1,
            low: 1,
            rests_until: Timestamp::EPOCH,
            trial: None,
            window: None,
            last: Timestamp::EPOCH,
        }
    }

    /// A group of so many bytes has landed; `busy` when it held several sets or others wait. Says how many
    /// to write at once from now on, when that changes.
    pub(crate) fn landed(&mut self, now: Timestamp, bytes: u64, busy: bool) -> Option<usize> {
        if self.most < 2 || now < self.rests_until {
            return None;
        }
        let paused = now.since(self.last) > PAUSE;
        self.last = now;
        let Some(window) = self.window.as_mut().filter(|_| !paused) else {
            return self.begin_again(now);
        };
        window.groups += 1;
        window.busy += u32::from(busy);
        window.bytes += bytes;
        let took = now.since(window.began);
        if took < WINDOW {
            return None;
        }
        if window.groups < GROUPS || window.busy * 2 < window.groups {
            return self.begin_again(now);
        }
        let rate = window.bytes * 1_000 / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        self.next_window(now, rate)
    }

    /// Whatever was measured so far was of another load.
    fn begin_again(&mut self, now: Timestamp) -> Option<usize> {
        let settled = self.trial.take().map(|_| self.low);
        self.window = Some(Window { began: now, groups: 0, busy: 0, bytes: 0 });
        settled.and_then(|depth| self.turn_to(depth))
    }

    fn next_window(&mut self, now: Timestamp, rate: u64) -> Option<usize> {
        self.window = Some(Window { began: now, groups: 0, busy: 0, bytes: 0 });
        let Some(trial) = &mut self.trial else {
            // The window that found the log busy does not count: it began with whatever was before.
            self.trial = Some(Trial::default());
            return self.turn_to(self.low);
        };
        trial.bytes.push(rate);
        let (turns, verdict) = (trial.bytes.len(), trial.verdict());
        match verdict {
            None => self.turn_to(if turns % 2 == 1 { self.low * 2 } else { self.low }),
            Some(gains) => self.decide(now, gains),
        }
    }

    fn decide(&mut self, now: Timestamp, gains: bool) -> Option<usize> {
        self.trial = None;
        let depth = if gains { self.low * 2 } else { self.low };
        if gains && depth * 2 <= self.most {
            self.low = depth;
        } else {
            self.low = (depth / 2).max(1);
            self.rests_until = now + REST;
            self.window = None;
        }
        self.turn_to(depth)
    }

    fn turn_to(&mut self, depth: usize) -> Option<usize> {
        (std::mem::replace(&mut self.depth, depth) != depth).then_some(depth)
    }
}

impl Trial {
    /// Whether the double gains, once both had all their turns.
    fn verdict(&self) -> Option<bool> {
        if self.bytes.len() < 2 * TURNS {
            return None;
        }
        let pairs = || self.bytes.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        let better = pairs().filter(|(low, high)| high > low).count();
        let (low, high) = pairs().fold((0, 0), |(low, high), pair| (low + pair.0, high + pair.1));
        Some(better >= BETTER && high * 100 >= low * (100 + GAIN_PERCENT))
    }
}
