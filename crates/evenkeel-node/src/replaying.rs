//! Replays: a window of a topic goes through a subscription's handler once more, beside the
//! subscription and without touching what it knows.
//!
//! A replay is a job: it is asked for, it runs, it can be looked at and stopped. Each event is
//! called for with the idempotency key that it always has; events that the handler returns are
//! dropped and counted. In `shadow` the calls say so (`evenkeel-shadow: true`), so that the handler
//! leaves its effects out. What comes of each call is compared with what the ledger says came of it
//! then. Invariants: nothing is journaled, settled or published; the order of a partition is kept;
//! a handler that keeps failing ends the replay. What was asked for, how far it is and how it ended are
//! on record (`kept`): a replay goes on after the node was killed, counts each event of its window once, and
//! calls once more for those whose end was not on record yet.

mod comparing;
mod kept;
mod job;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_model::{Outcome, Position, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Error, codes};
use crate::happenings::{ReplayGoesOn, ReplayUnfinished};
use crate::wiring::Wired;

pub(crate) use comparing::{Counts, Difference, Now};
pub(crate) use kept::settings;

/// Jobs that are remembered after their end.
const KEPT: usize = 50;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    wish: watch::Sender<Wish>,
    state: Mutex<Progress>,
}

/// What is wanted of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    GoOn,
    /// It rests: the node goes down, and its next life goes on with it.
    Rest,
    /// It ends.
    Stop,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) counts: Counts,
    /// The first events whose end is another one now.
    pub(crate) differences: Vec<Difference>,
    pub(crate) ended: Option<(Timestamp, Ended)>,
    /// By partition: everything of the window below has been counted.
    next: BTreeMap<u32, u64>,
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
    running: Mutex<JoinSet<()>>,
}

impl Replays {
    /// Those of a subscription.
    pub(crate) fn of(&self, subscription: &str) -> Vec<Arc<Replay>> {
        self.jobs().iter().filter(|job| *job.ask.subscription == *subscription).cloned().collect()
    }

    pub(crate) fn find(&self, subscription: &str, id: u64) -> Option<Arc<Replay>> {
        self.of(subscription).into_iter().find(|job| job.id == id)
    }

    fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Adds one, unless another one of its subscription is under way: then that one's number. Gives an ended
    /// one that is not remembered from here on.
    fn add(&self, job: Arc<Replay>) -> Result<Option<Arc<Replay>>, u64> {
        self.last.fetch_max(job.id, Ordering::SeqCst);
        let mut jobs = self.jobs();
        let of_its = |other: &&Arc<Replay>| other.ask.subscription == job.ask.subscription && !other.is_over();
        if let Some(running) = jobs.iter().find(of_its) {
            return Err(running.id);
        }
        let full = jobs.len() >= KEPT;
        let oldest = jobs.iter().position(|job| job.is_over()).filter(|_| full);
        let forgotten = oldest.map(|index| jobs.remove(index));
        jobs.push(job);
        Ok(forgotten)
    }

    fn run(&self, job: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn(job);
    }

    /// Lets all of them rest, since the node goes down: what is at a handler may take `grace`.
    pub(crate) async fn rest(&self, grace: Duration) {
        self.jobs().iter().for_each(|job| job.wish(Wish::Rest));
        let mut running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            ReplayUnfinished {}.tell();
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<Arc<Replay>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replay {
    fn new(id: u64, ask: Ask, began: Timestamp, state: Progress) -> Replay {
        Replay { id, ask, began, wish: watch::channel(Wish::GoOn).0, state: Mutex::new(state) }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.state().clone()
    }

    /// How many events of a partition's window are behind it.
    fn reached(&self, partition: u32) -> Option<u64> {
        self.state().next.get(&partition).copied()
    }

    fn is_over(&self) -> bool {
        self.state().ended.is_some()
    }

    fn wish(&self, wish: Wish) {
        // Who was stopped does not go on after a rest.
        self.wish.send_if_modified(|now| *now != Wish::Stop && std::mem::replace(now, wish) != wish);
    }

    fn wished(&self) -> Wish {
        *self.wish.borrow()
    }

    fn goes_on(&self) -> bool {
        self.wished() == Wish::GoOn
    }

    fn note(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.state());
    }

    fn failures(&self) -> u64 {
        self.state().counts.failed
    }

    /// Notes that nothing more of a partition is to come below `to`.
    fn passed(&self, partition: u32, to: u64) {
        self.state().next.insert(partition, to);
    }

    /// Notes what came of an event, and that it is behind.
    fn came(&self, at: &Position, id: &str, was: Option<Outcome>, now: Now, returned: u64) {
        self.note(|progress| {
            let Progress { counts, differences, next, .. } = progress;
            counts.returned += returned;
            let room = differences.len() < comparing::DIFFERENCES_MAX;
            differences.extend(counts.take(at, id, was, now).filter(|_| room));
            next.insert(at.shard.partition, at.offset + 1);
        });
    }

    fn state(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a replay, which is on record before this returns; one at a time for each subscription.
pub(crate) async fn begin(node: &Arc<Wired>, ask: Ask) -> Result<Arc<Replay>, Error> {
    let prepared = job::prepare(node, &ask).await?;
    let job = Arc::new(Replay::new(node.replays.number(), ask, node.clock.now(), Progress::default()));
    let forgotten = node.replays.add(job.clone()).map_err(|running| {
        let said = format!("replay {running} of `{}` is still running", job.ask.subscription);
        Error::new(codes::SUBSCRIPTION_IN_USE, said).hint("wait for it, or stop it")
    })?;
    if let Err(problem) = kept::keep(&node.log, &job, node.clock.now()).await {
        job.note(|progress| progress.ended = Some((node.clock.now(), Ended::Failed(problem.message.clone()))));
        return Err(problem);
    }
    if let Some(forgotten) = forgotten {
        kept::forget(&node.log, &forgotten, node.clock.now()).await?;
    }
    node.replays.run(job::run(node.clone(), job.clone(), prepared));
    Ok(job)
}

/// Ends a replay after the calls that are under way; it is on record that it does not go on.
pub(crate) async fn stop(node: &Wired, job: &Replay) -> Result<(), Error> {
    job.wish(Wish::Stop);
    kept::keep(&node.log, job, node.clock.now()).await
}

/// Goes on with those that were under way when the node went down, and knows the others again. On a damaged log
/// nothing runs.
pub(crate) async fn go_on(node: &Arc<Wired>) -> Result<(), Error> {
    if node.damaged().is_some() {
        return Ok(());
    }
    let log = node.log.clone();
    for job in crate::wiring::blocking(move || kept::all(&log)).await?? {
        let job = Arc::new(job);
        if node.replays.add(job.clone()).is_err() || job.is_over() {
            continue;
        }
        let events = job.progress().counts.events;
        let (subscription, replay) = (job.ask.subscription.to_string(), job.id.to_string());
        ReplayGoesOn { subscription, replay, events }.tell();
        match job::prepare(node, &job.ask).await {
            Ok(prepared) => node.replays.run(job::run(node.clone(), job, prepared)),
            Err(problem) => job::end(node, &job, Ended::Failed(problem.message)).await,
        }
    }
    Ok(())
}
