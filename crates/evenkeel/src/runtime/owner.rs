//! The task of one subscription: the one owner of its state.
//!
//! It waits for something to happen, tells the core, and does what the core asks. It decides
//! nothing. What takes time (reads, attempts, commits) runs in tasks that end with it.

mod taking;
mod acting;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{Journal, News, PortError, Source};
use evenkeel_delivery::{Action, Effects, Input, Policy, Subscription};
use evenkeel_model::Clock;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinError, JoinSet};

use super::SubscriptionSpec;
use super::attempt::Ground;
use super::committing::{Emitted, Letters};
use super::dependencies::{Dependencies, Membership};
use super::draining::{self, Draining};
use super::gathering::Gathering;
use super::give_way::give_way;
use super::handle::Reins;
use super::happening::{Batch, Happening};
use super::patience::Patience;
use super::payloads::Payloads;
use super::reading::Reading;
use super::runners::Runners;
use super::timer::Timer;

pub(super) struct Owner {
    reins: Reins,
    clock: Arc<dyn Clock>,
    source: Arc<dyn Source>,
    journal: Arc<dyn Journal>,
    ground: Arc<Ground>,
    effects: Effects,
    core: Subscription,
    actions: Vec<Action>,
    reading: Reading,
    /// What the read under way brings.
    fetched: (UnboundedSender<Batch>, UnboundedReceiver<Batch>),
    /// Reads wait this long, after one failed.
    read_after: Duration,
    changed: Pin<Box<dyn Future<Output = News> + Send>>,
    payloads: Payloads,
    emitted: Emitted,
    letters: Letters,
    runners: Runners,
    /// Kept for its room.
    inputs: Vec<Input>,
    /// Events that were handed out and did not come back.
    out: usize,
    gathering: Gathering,
    /// Rings when what was gathered has waited long enough.
    lingering: Timer,
    /// At most one read, one commit, and one look at the partitions.
    work: JoinSet<Happening>,
    /// Some of it was begun since this task gave its thread away.
    begun: bool,
    committing: bool,
    /// Handlers run in this process.
    here: bool,
    patience: Patience,
    /// The newest sealed round that the core was told of.
    sealed: u64,
    timer: Timer,
    /// Rings when the source is to be told what is no longer owed.
    settling: Timer,
    draining: Option<Draining>,
    /// Its parts in shared dependencies.
    memberships: Vec<Membership>,
}

impl Owner {
    pub(super) fn new(spec: SubscriptionSpec, clock: Arc<dyn Clock>, seed: u64, reins: Reins) -> Owner {
        let gathering = Gathering::new(spec.handler.batching());
        let here = !spec.handler.is_elsewhere();
        let ground = Ground {
            attempts_max: spec.policy.retry.attempts,
            fence: spec.fence,
            source: spec.source.clone(),
            handler: spec.handler,
            fallback: spec.fallback,
            clock: clock.clone(),
        };
        Owner {
            reins,
            ground: Arc::new(ground),
            effects: spec.policy.effects,
            payloads: Payloads::new(spec.policy.window),
            core: core(spec.policy, seed, here),
            timer: Timer::new(clock.clone()),
            settling: Timer::new(clock.clone()),
            lingering: Timer::new(clock.clone()),
            clock,
            source: spec.source,
            journal: spec.journal,
            actions: Vec::new(),
            reading: Reading::new(Vec::new()),
            fetched: tokio::sync::mpsc::unbounded_channel(),
            read_after: Duration::ZERO,
            changed: Box::pin(std::future::pending()),
            emitted: HashMap::new(),
            letters: HashMap::new(),
            runners: Runners::new(),
            inputs: Vec::new(),
            out: 0,
            gathering,
            work: JoinSet::new(),
            begun: false,
            committing: false,
            here,
            patience: Patience::default(),
            sealed: 0,
            draining: None,
            memberships: Vec::new(),
        }
    }

    /// Lives until it is drained, or until nobody holds a handle any more.
    pub(super) async fn run(mut self, dependencies: Dependencies) {
        if let Err(problem) = self.begin(&dependencies).await {
            self.stop(problem.to_string());
        }
        while !self.is_drained() {
            self.read_on();
            self.give_way().await;
            let happening = self.wait().await;
            if matches!(happening, Happening::Abandoned) {
                return;
            }
            if matches!(happening, Happening::Changed(_)) {
                self.watch().await;
            }
            let now = self.clock.now();
            self.take(now, happening);
            self.act();
            self.seal_on(now);
        }
        self.source.settle(&self.core.floors());
        let stopped = self.reins.stopped().cloned();
        if let Some(draining) = self.draining.take() {
            draining.finish(stopped);
        }
    }

    /// Takes back what the journal remembers, and finds where to read on.
    async fn begin(&mut self, dependencies: &Dependencies) -> Result<(), PortError> {
        let remembered = self.journal.load().await?;
        let shards = self.source.shards().await?;
        let now = self.clock.now();
        self.core.share_dependencies(dependencies.has_handler());
        self.core.restore(now, remembered);
        for shared in self.core.shared_dependencies() {
            let (name, control) = (self.reins.name.clone(), self.reins.sender.clone());
            self.memberships.push(dependencies.join(shared, name, control, self.clock.clone()));
        }
        let (known, new): (Vec<_>, Vec<_>) =
            shards.into_iter().partition(|(shard, _)| self.core.resume_at(shard, u64::MAX) < u64::MAX);
        // One that has begun was told of no event of a partition that came later.
        let (starts, later): (Vec<_>, Vec<_>) = match known.is_empty() {
            true => (new, Vec::new()),
            false => (known, new.into_iter().map(|(shard, _)| (shard, 0)).collect()),
        };
        let starts: Vec<_> = starts
            .into_iter()
            .map(|(shard, from)| {
                let at = self.core.resume_at(&shard, from);
                (shard, at)
            })
            .collect();
        // Before anything is read, so that retention holds what this subscription is owed.
        self.source.settle(&starts);
        self.source.settle(&later);
        self.reading = Reading::new(starts.clone());
        if !later.is_empty() {
            self.reading.hold(later, now);
        }
        self.watch().await;
        self.step(now, Input::Started(starts));
        // What waited when the process ended may be due.
        self.step(now, Input::Timer);
        self.act();
        if !self.committing {
            self.reins.begin();
        }
        Ok(())
    }

    /// What was begun here comes next on this thread, and no other thread may take it: it begins
    /// now, and this task goes on wherever a thread is free.
    async fn give_way(&mut self) {
        if std::mem::take(&mut self.begun) {
            give_way().await;
        }
    }

    async fn wait(&mut self) -> Happening {
        tokio::select! {
            control = self.reins.control.recv() =>
                control.map_or(Happening::Abandoned, Happening::Control),
            Some(done) = self.work.join_next() => done.unwrap_or_else(|e| broke(&e)),
            Some(batch) = self.fetched.1.recv() => Happening::Fetched(batch),
            () = self.runners.came() => Happening::Finished,
            () = self.patience.over() => Happening::PatienceOver,
            () = self.runners.slowed(), if self.here && self.patience.is_waiting() => Happening::PatienceOver,
            () = self.timer.rang() => Happening::Timer,
            () = self.lingering.rang() => Happening::LingerOver,
            () = self.settling.rang() => Happening::SettlingDue,
            news = &mut self.changed => Happening::Changed(news),
            () = draining::grace(&mut self.draining) => Happening::GraceOver,
        }
    }
}

fn core(policy: Policy, seed: u64, here: bool) -> Subscription {
    let mut core = Subscription::new(policy, seed);
    if here {
        core.runs_here();
    }
    core
}

fn broke(error: &JoinError) -> Happening {
    Happening::Broke(format!("a task of the subscription broke: {error}"))
}

impl Drop for Owner {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.reins.stop("the subscription's task panicked".to_owned());
        }
    }
}
