//! Events that were in a batch that failed: each goes alone until it is known which was the reason.
//!
//! In memory only: a restart forgets them, and the next batch that fails finds them again.
//! Bounded: at the limit all are forgotten, for the same reason.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Answer, Call};
use evenkeel_model::{FailureClass, Verdict};

/// So many are remembered.
const SUSPECTS_MAX: usize = 100_000;

#[derive(Default)]
pub(in crate::http) struct Suspects(Mutex<HashSet<Mark>>);

impl Suspects {
    pub(in crate::http) fn has(&self, key: &Mark) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    pub(super) fn suspect(&self, keys: impl Iterator<Item = Mark>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(keys);
        if known.len() > SUSPECTS_MAX {
            known.clear();
        }
    }

    /// An event that got a verdict of its own is no suspect any more, unless it failed again.
    pub(in crate::http) fn judged(&self, calls: &[Call], answers: &[Answer]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return;
        }
        for (call, answer) in calls.iter().zip(answers) {
            let fails = |class| !matches!(class, FailureClass::Rejected | FailureClass::Gone);
            if !matches!(&answer.verdict, Verdict::Failed(failure) if fails(failure.class)) {
                known.remove(&call.key);
            }
        }
    }
}
