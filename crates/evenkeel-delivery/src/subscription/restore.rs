//! What the journal remembers is taken back, before the first step.
//!
//! Outcomes become floors, ranges above them, and inbox marks; the state of events without an
//! outcome is kept by position until they arrive again. Provisional attempts were not journaled
//! as attempts: they come back as deferrals. Events that were redriven and have no outcome yet are
//! read again, and nothing is handed out before they are back.

use std::collections::HashMap;

use evenkeel_model::{Position, Shard, Timestamp};

use super::Subscription;
use crate::{Pending, Remembered};

impl Subscription {
    pub(super) fn take_back(&mut self, now: Timestamp, remembered: Vec<Remembered>) {
        let mut done: Vec<Position> = Vec::new();
        let mut floors: HashMap<Shard, u64> = HashMap::new();
        for one in remembered {
            match one {
                Remembered::Done { at, mark, when } => {
                    if let Some(mark) = mark
                        && now.since(when) < self.policy.inbox
                    {
                        self.inbox.remember(mark, when);
                    }
                    self.suspects.opened().close(&at);
                    self.redrives.restore_end(&at);
                    self.restored.remove(&at);
                    done.push(at);
                }
                Remembered::Pending(pending) => {
                    self.suspects.opened().close(&pending.at);
                    self.take_back_pending(pending);
                }
                Remembered::Overdue { at, threshold } => {
                    let passed = self.policy.overdue_after.iter().filter(|t| **t <= threshold).count();
                    let known = self.restored_overdue.entry(at).or_insert(0);
                    *known = passed.max(*known);
                }
                Remembered::Progress { shard, below } => {
                    let floor = floors.entry(shard).or_insert(0);
                    *floor = below.max(*floor);
                }
                Remembered::Breaker(mark) => self.breakers.restore(&mark),
                Remembered::Paused(why) => self.paused = why,
                Remembered::Redriven(redriven) => {
                    self.suspects.opened().close(&redriven.at);
                    self.restored.remove(&redriven.at);
                    self.redrives.restore(Remembered::Redriven(redriven));
                }
                Remembered::Version(mark) => self.versions.take(&mark),
                Remembered::Open(open) => self.suspects.opened().take(&open),
                Remembered::Redrive(_) | Remembered::LettersClosed(_) => self.redrives.restore(one),
            }
        }
        self.inbox.restored();
        self.forget_versions();
        done.sort_unstable();
        let redrives = &self.redrives;
        let ended = |at: &Position| {
            !redrives.is_open(at)
                && (floors.get(&at.shard).is_some_and(|floor| at.offset < *floor) || done.binary_search(at).is_ok())
        };
        self.restored.retain(|at, _| !ended(at));
        self.restored_overdue.retain(|at, _| !ended(at));
        let suspects = self.suspects.restored(|at| !ended(at));
        self.redrives.restored();
        self.offsets.restore(&floors, done);
        if suspects > 0 {
            let what = "were open when the process died: each runs alone before anything new goes out";
            self.alarm("crash_suspects", format!("{suspects} events {what}"));
        }
    }

    fn take_back_pending(&mut self, pending: Pending) {
        if pending.overdue {
            self.restored_overdue.entry(pending.at.clone()).or_insert(0);
        }
        self.restored.insert(pending.at.clone(), pending);
    }
}
