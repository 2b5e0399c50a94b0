//! One alarm clock: rings at the last time that was asked for.
//!
//! The clock of the product and tokio's may drift apart, so that a sleep may end early; then the
//! rest is slept again. Asking for another time costs nothing unless it is earlier than the
//! sleep under way. Invariant: it never rings before its time by the product's clock.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Clock, Timestamp};
use tokio::time::Sleep;

/// The longest single sleep; longer waits are made of several.
const NAP_MAX: Duration = Duration::from_secs(600);

pub(super) struct Timer {
    clock: Arc<dyn Clock>,
    wanted: Option<Timestamp>,
    nap: Option<(Timestamp, Pin<Box<Sleep>>)>,
}

impl Timer {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Timer {
        Timer { clock, wanted: None, nap: None }
    }

    /// Ring at `at`, and not at what was asked for before.
    pub(super) fn want(&mut self, at: Timestamp) {
        self.wanted = Some(at);
        if self.nap.as_ref().is_some_and(|(until, _)| *until > at) {
            self.nap = None;
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.wanted.is_some()
    }

    /// Completes when the time has come; never, while none is wanted. Safe to be dropped.
    pub(super) async fn rang(&mut self) {
        let Some(wanted) = self.wanted else { return std::future::pending().await };
        loop {
            if let Some((_, nap)) = &mut self.nap {
                nap.as_mut().await;
                self.nap = None;
            }
            let now = self.clock.now();
            if now >= wanted {
                self.wanted = None;
                return;
            }
            let left = wanted.since(now).min(NAP_MAX);
            // Tokio counts in milliseconds: a shorter nap would spin.
            let nap = tokio::time::sleep(left.max(Duration::from_millis(1)));
            self.nap = Some((now + left, Box::pin(nap)));
        }
    }
}
