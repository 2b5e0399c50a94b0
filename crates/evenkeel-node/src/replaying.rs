//! Replays: a window of a topic goes through a subscription's handler once more, beside the
//! subscription and without touching what it knows.
//!
//! A replay is a job: it is asked for, it runs, it can be looked at and stopped. Each event is
//! called for with the idempotency key that it always has; events that the handler returns are
//! dropped and counted. In `shadow` the calls say so (`evenkeel-shadow: true`), so that the handler
//! leaves its effects out. What comes of each call is compared with what the ledger says came of it
//! then. Invariants: nothing is journaled, settled or published; the order of a partition is kept;
//! a handler that keeps failing ends the replay. It does not outlive the node.

mod comparing;
mod job;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use evenkeel_model::{Position, Timestamp};

use crate::error::{Error, codes};
use crate::wiring::Wired;

pub(crate) use comparing::{Counts, Difference, Now};

/// Jobs that are remembered after their end.
const KEPT: usize = 50;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) subscription: Arc<str>,
    /// Of each partition, from where to where.
    pub(crate) window: Vec<(u32, u64, u64)>,
    pub(crate) shadow: bool,
    /// It ends when so many events have failed.
    pub(crate) failures_max: u64,
}

/// A job, as everybody sees it.
pub(crate) struct Replay {
    pub(crate) id: u64,
    pub(crate) ask: Ask,
    pub(crate) began: Timestamp,
    stop: AtomicBool,
    state: Mutex<Progress>,
}

/// How far a job is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) counts: Counts,
    /// The first events whose end is another one now.
    pub(crate) differences: Vec<Difference>,
    pub(crate) ended: Option<(Timestamp, Ended)>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    Stopped,
    /// It gave up; why.
    Failed(String),
}

/// All jobs of this node, the newest last.
#[derive(Default)]
pub(crate) struct Replays {
    jobs: Mutex<Vec<Arc<Replay>>>,
    last: AtomicU64,
}

impl Replays {
    /// Those of a subscription.
    pub(crate) fn of(&self, subscription: &str) -> Vec<Arc<Replay>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().filter(|job| *job.ask.subscription == *subscription).cloned().collect()
    }

    pub(crate) fn find(&self, subscription: &str, id: u64) -> Option<Arc<Replay>> {
        self.of(subscription).into_iter().find(|job| job.id == id)
    }

    fn add(&self, ask: Ask, began: Timestamp) -> Arc<Replay> {
        let id = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        let job = Arc::new(Replay { id, ask, began, stop: AtomicBool::new(false), state: Mutex::default() });
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.len() >= KEPT {
            let oldest = jobs.iter().position(|job| job.progress().ended.is_some());
            oldest.map(|index| jobs.remove(index));
        }
        jobs.push(job.clone());
        job
    }
}

impl Replay {
    pub(crate) fn progress(&self) -> Progress {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// After the calls that are under way.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn note(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn failures(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).counts.failed
    }

    /// Notes what came of an event.
    fn came(&self, at: &Position, id: &str, was: Option<evenkeel_model::Outcome>, now: Now, returned: u64) {
        self.note(|progress| {
            let Progress { counts, differences, .. } = progress;
            counts.returned += returned;
            let room = differences.len() < comparing::DIFFERENCES_MAX;
            differences.extend(counts.take(at, id, was, now).filter(|_| room));
        });
    }
}

/// Begins a replay; one at a time for each subscription.
pub(crate) async fn begin(node: &Arc<Wired>, ask: Ask) -> Result<Arc<Replay>, Error> {
    if let Some(running) = node.replays.of(&ask.subscription).iter().find(|job| job.progress().ended.is_none()) {
        let (name, id) = (&ask.subscription, running.id);
        return Err(Error::new(codes::SUBSCRIPTION_IN_USE, format!("replay {id} of `{name}` is still running"))
            .hint("wait for it, or stop it"));
    }
    let prepared = job::prepare(node, &ask).await?;
    let job = node.replays.add(ask, node.clock.now());
    tokio::spawn(job::run(node.clone(), job.clone(), prepared));
    Ok(job)
}
