//! The way out: who waits for it, and how long the handlers may still take.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::handle::Drained;

/// How long the journal may take for the last rounds, once the handlers' grace is over.
const COMMIT_GRACE: Duration = Duration::from_secs(10);

pub(super) struct Draining {
    waiting: Vec<oneshot::Sender<Drained>>,
    grace: Pin<Box<Sleep>>,
    phase: Phase,
    unfinished: usize,
}

/// How far a drain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Attempts may finish.
    Finishing,
    /// The grace is over; what was decided is committed.
    Committing,
    /// The journal did not answer either.
    GivenUp,
}

impl Draining {
    pub(super) fn new(grace: Duration, done: oneshot::Sender<Drained>) -> Draining {
        let grace = Box::pin(tokio::time::sleep(grace));
        Draining { waiting: vec![done], grace, phase: Phase::Finishing, unfinished: 0 }
    }

    /// Somebody else waits for it too.
    pub(super) fn join(&mut self, done: oneshot::Sender<Drained>) {
        self.waiting.push(done);
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// The time of this phase is over, with that many attempts unfinished.
    pub(super) fn advance(&mut self, unfinished: usize) {
        self.phase = match self.phase {
            Phase::Finishing => {
                self.unfinished = unfinished;
                self.grace = Box::pin(tokio::time::sleep(COMMIT_GRACE));
                Phase::Committing
            }
            Phase::Committing | Phase::GivenUp => Phase::GivenUp,
        };
    }

    /// Tells everybody who waits.
    pub(super) fn finish(self, stopped: Option<String>) {
        for done in self.waiting {
            let _ = done.send(Drained { unfinished: self.unfinished, stopped: stopped.clone() });
        }
    }
}

/// Completes when the time of the drain's phase is over; never, while there is no drain.
pub(super) async fn grace(draining: &mut Option<Draining>) {
    match draining {
        Some(draining) if draining.phase != Phase::GivenUp => draining.grace.as_mut().await,
        _ => std::future::pending().await,
    }
}
