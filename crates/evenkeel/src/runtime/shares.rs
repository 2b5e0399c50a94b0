//! A subscription whose partitions a group shares out over nodes: each partition that this node has is
//! run by an owner of its own, which begins and ends with it.
//!
//! What it does: takes what the group gives, opens it and starts its owner; lets go of what is asked
//! for, when its handlers have finished and all is journaled; kills what is lost; begins anew what
//! stopped by itself, from its journal. To the rest of the process it looks like one subscription: what
//! is asked of it goes to all partitions, and their answers are put together (`asking`).
//! What it does not do: decide who has what, or anything about events.
//!
//! Invariants: a partition is given up only when nothing of it is at a handler any more, or when it is
//! lost, or when the grace is over; at most one owner of a partition runs in this process.

mod asking;
mod parts;
mod troubles;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, Change, Membership, PortError};
use evenkeel_delivery::{Alarm, Command, HANDLER};
use evenkeel_model::Clock;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Interval;

use super::handle::{self, Drained, Reins, SubscriptionHandle};
use super::happening::Control;
use super::{Dependencies, SubscriptionSpec};
use crate::happenings::GroupChanged;
use parts::{Did, Parts};
use troubles::Troubles;

/// How often it is looked whether an owner stopped by itself.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Opens a partition: fences whoever had it, and reads its journal.
pub type Opener = Arc<dyn Fn(u32) -> BoxFuture<'static, Result<SubscriptionSpec, PortError>> + Send + Sync>;

/// A subscription whose partitions are shared out.
pub struct SharedSpec {
    /// Its name.
    pub name: Arc<str>,
    /// This node's part in the group.
    pub membership: Arc<dyn Membership>,
    /// Opens one of its partitions.
    pub open: Opener,
    /// How long handlers may still take when a partition is asked back.
    pub grace: Duration,
}

/// Joins in: runs every partition that the group gives to this node, until it is drained.
///
/// # Panics
/// When it is called outside a tokio runtime.
pub fn share_out(spec: SharedSpec, clock: Arc<dyn Clock>, seed: u64, dependencies: Dependencies) -> SubscriptionHandle {
    let (handle, reins) = handle::pair(spec.name.clone());
    let SharedSpec { membership, open, grace, .. } = spec;
    // One handler behind all its partitions: what one of them finds out counts for the others.
    let dependencies = dependencies.with_handler();
    let ground = parts::Ground {
        membership: membership.clone(),
        open,
        clock: clock.clone(),
        seed,
        dependencies: dependencies.clone(),
    };
    let parts = Parts::new(ground);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (asking, troubles) = (JoinSet::new(), Troubles::default());
    let shares = Shares { reins, membership, parts, grace, look, leaving: None, asking, dependencies, clock, troubles };
    let task = tokio::spawn(shares.run());
    handle.with_task(task.abort_handle())
}

struct Shares {
    reins: Reins,
    membership: Arc<dyn Membership>,
    parts: Parts,
    grace: Duration,
    look: Interval,
    leaving: Option<Leaving>,
    /// Questions that are being answered.
    asking: JoinSet<()>,
    dependencies: Dependencies,
    clock: Arc<dyn Clock>,
    troubles: Troubles,
}

/// On the way out.
struct Leaving {
    waiting: Vec<oneshot::Sender<Drained>>,
    unfinished: usize,
}

/// What can happen.
enum Happening {
    Changed(Change),
    Did(Did),
    Control(Control),
    Abandoned,
    Look,
}

impl Shares {
    async fn run(mut self) {
        // Where it begins in a partition is said when that is opened: nobody need wait for the group.
        self.reins.begin();
        loop {
            match self.next().await {
                Happening::Changed(change) => self.take_change(change),
                Happening::Did(did) => self.take_did(did),
                Happening::Control(control) => self.take_control(control),
                Happening::Look => self.parts.look(),
                Happening::Abandoned => break,
            }
            while self.asking.try_join_next().is_some() {}
            if self.leaving.is_some() && self.parts.is_empty() {
                break;
            }
        }
        self.leave().await;
    }

    async fn next(&mut self) -> Happening {
        tokio::select! {
            control = self.reins.control.recv() => control.map_or(Happening::Abandoned, Happening::Control),
            did = self.parts.did() => Happening::Did(did),
            change = self.membership.changed() => Happening::Changed(change),
            _ = self.look.tick() => Happening::Look,
        }
    }

    fn take_change(&mut self, change: Change) {
        if !matches!(change, Change::Trouble(_)) {
            GroupChanged { subscription: self.reins.name.to_string(), change: format!("{change:?}") }.tell();
        }
        match change {
            Change::Given(partitions) => {
                self.troubles.over();
                self.membership.took(&partitions);
                if self.leaving.is_some() {
                    return self.membership.gave_up(&partitions);
                }
                partitions.into_iter().for_each(|partition| self.parts.take(partition));
            }
            Change::Asked(partitions) => {
                for partition in partitions {
                    self.parts.let_go(partition, self.grace);
                }
            }
            Change::Lost(partitions) => {
                self.alarm(
                    "partitions_lost",
                    format!("the group gave partitions {partitions:?} to others: this node was not heard of in time"),
                );
                self.parts.kill(&partitions);
                self.membership.gave_up(&partitions);
            }
            Change::Trouble(what) => {
                if self.troubles.came(&what, self.clock.now()) {
                    self.alarm("broker_trouble", what);
                }
            }
        }
    }

    fn take_did(&mut self, did: Did) {
        match did {
            Did::Opened(partition, handle) => {
                let alarms = handle.alarms();
                self.parts.opened(partition, handle);
                self.parts.listen(alarms);
            }
            Did::Failed(partition, problem) => {
                self.alarm(
                    "partition_not_opened",
                    format!("partition {partition} cannot be opened: {problem}; it is tried again"),
                );
            }
            Did::LetGo(partition, drained) => {
                if let Some(leaving) = &mut self.leaving {
                    leaving.unfinished += drained.unfinished;
                }
                self.membership.gave_up(&[partition]);
            }
            Did::Alarm(alarm) => self.reins.alarm(alarm),
            Did::Stopped(partition, why) => {
                self.alarm(
                    "partition_begins_anew",
                    format!(
                        "partition {partition} stopped ({why}), and begins anew from its journal if it is still ours"
                    ),
                );
            }
        }
    }

    fn take_control(&mut self, control: Control) {
        let (grace, done) = match control {
            Control::Drain { grace, done } => (grace, done),
            Control::Command(Command::Breaker { dependency, force }) if dependency == HANDLER => {
                self.dependencies.force(self.clock.now(), HANDLER, &force);
                return;
            }
            control => {
                let trouble = self.troubles.standing(!self.parts.is_empty(), self.clock.now());
                return asking::ask(self.parts.running(), control, trouble, &mut self.asking);
            }
        };
        match &mut self.leaving {
            Some(leaving) => leaving.waiting.push(done),
            None => {
                self.leaving = Some(Leaving { waiting: vec![done], unfinished: 0 });
                self.parts.let_all_go(grace);
            }
        }
    }

    fn alarm(&self, code: &'static str, message: String) {
        self.reins.alarm(Alarm { code, message });
    }

    /// Leaving a group may wait for its broker: not on a thread that others need.
    async fn leave(self) {
        let Shares { membership, leaving, parts, .. } = self;
        drop(parts);
        let _ = tokio::task::spawn_blocking(move || drop(membership)).await;
        let Some(Leaving { waiting, unfinished }) = leaving else { return };
        for done in waiting {
            let _ = done.send(Drained { unfinished, stopped: None });
        }
    }
}

#[cfg(test)]
mod tests;
