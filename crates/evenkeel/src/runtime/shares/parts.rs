//! The partitions that this node has, and how far each of them is.
//!
//! What takes time runs in tasks that end with this. Invariant: what a task of a partition says counts
//! only while that partition is still in the state in which the task was begun (`turn`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::Alarm;
use evenkeel_delivery::ports::{Membership, PortError};
use evenkeel_model::Clock;
use tokio::sync::{broadcast, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::Opener;
use crate::runtime::handle::{Drained, SubscriptionHandle};
use crate::runtime::{Dependencies, SubscriptionSpec, start_sharing};

/// Between two times that a partition is tried to be opened.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Before the group is asked again whether a partition is ours.
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What all partitions have in common.
pub(super) struct Ground {
    pub(super) membership: Arc<dyn Membership>,
    pub(super) open: Opener,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: u64,
    pub(super) dependencies: Dependencies,
}

impl Ground {
    /// Takes it from whoever has it; not (`None`) while the group does not say that it is ours.
    async fn open(&self, partition: u32) -> Result<Option<SubscriptionSpec>, PortError> {
        if !self.membership.is_ours(partition).await? {
            return Ok(None);
        }
        (self.open)(partition).await.map(Some)
    }
}

/// What came of it.
pub(super) enum Did {
    Opened(u32, SubscriptionHandle),
    /// It goes on trying.
    Failed(u32, String),
    /// Nothing of it is at a handler.
    LetGo(u32, Drained),
    Alarm(Alarm),
    /// It begins anew.
    Stopped(u32, String),
}

/// How far a partition is.
enum Part {
    Opening(AbortHandle),
    Running(SubscriptionHandle),
    LettingGo(SubscriptionHandle),
}

pub(super) struct Parts {
    ground: Arc<Ground>,
    all: BTreeMap<u32, (u64, Part)>,
    /// Counts the changes of state.
    turns: u64,
    work: JoinSet<()>,
    said: mpsc::UnboundedSender<(Option<(u32, u64)>, Did)>,
    heard: mpsc::UnboundedReceiver<(Option<(u32, u64)>, Did)>,
}

impl Parts {
    pub(super) fn new(ground: Ground) -> Parts {
        let (said, heard) = mpsc::unbounded_channel();
        Parts { ground: Arc::new(ground), all: BTreeMap::new(), turns: 0, work: JoinSet::new(), said, heard }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those that run.
    pub(super) fn running(&self) -> Vec<(u32, SubscriptionHandle)> {
        let running = |(partition, (_, part)): (&u32, &(u64, Part))| match part {
            Part::Running(handle) | Part::LettingGo(handle) => Some((*partition, handle.clone())),
            Part::Opening(_) => None,
        };
        self.all.iter().filter_map(running).collect()
    }

    /// The next thing that came of a partition.
    pub(super) async fn did(&mut self) -> Did {
        loop {
            while self.work.try_join_next().is_some() {}
            // Never closed: this holds a sender.
            let Some((of, did)) = self.heard.recv().await else { continue };
            let Some((partition, turn)) = of else { return did };
            if self.all.get(&partition).is_none_or(|(now, _)| *now != turn) {
                continue;
            }
            if matches!(did, Did::LetGo(..)) {
                self.all.remove(&partition);
            }
            return did;
        }
    }

    /// Opens a partition, until it is open.
    pub(super) fn take(&mut self, partition: u32) {
        if self.all.contains_key(&partition) {
            return;
        }
        self.turns += 1;
        let (turn, said, ground) = (self.turns, self.said.clone(), self.ground.clone());
        let opening = async move {
            loop {
                match ground.open(partition).await {
                    Ok(None) => tokio::time::sleep(ASKED_AGAIN_AFTER).await,
                    Ok(Some(spec)) => {
                        let (clock, dependencies) = (ground.clock.clone(), ground.dependencies.clone());
                        let seed = ground.seed ^ u64::from(partition).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        let handle = start_sharing(spec, clock, seed, dependencies);
                        let _ = said.send((Some((partition, turn)), Did::Opened(partition, handle)));
                        return;
                    }
                    Err(problem) => {
                        let failed = Did::Failed(partition, problem.to_string());
                        let _ = said.send((Some((partition, turn)), failed));
                        tokio::time::sleep(AGAIN_AFTER).await;
                    }
                }
            }
        };
        let opening = self.work.spawn(opening);
        self.all.insert(partition, (turn, Part::Opening(opening)));
    }

    pub(super) fn opened(&mut self, partition: u32, handle: SubscriptionHandle) {
        if let Some((_, part)) = self.all.get_mut(&partition) {
            *part = Part::Running(handle);
        }
    }

    /// Passes the alarms of a partition on.
    pub(super) fn listen(&mut self, mut alarms: broadcast::Receiver<Alarm>) {
        let said = self.said.clone();
        self.work.spawn(async move {
            loop {
                match alarms.recv().await {
                    Ok(alarm) => drop(said.send((None, Did::Alarm(alarm)))),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
    }

    /// Finishes what is at its handlers, and lets go.
    pub(super) fn let_go(&mut self, partition: u32, grace: Duration) {
        self.turns += 1;
        let (turn, said) = (self.turns, self.said.clone());
        let handle = match self.all.remove(&partition) {
            Some((_, Part::Running(handle))) => Some(handle),
            Some((turn, Part::LettingGo(handle))) => {
                return drop(self.all.insert(partition, (turn, Part::LettingGo(handle))));
            }
            Some((_, Part::Opening(opening))) => {
                opening.abort();
                None
            }
            None => None,
        };
        let Some(handle) = handle else {
            let _ = said.send((None, Did::LetGo(partition, Drained::default())));
            return;
        };
        self.all.insert(partition, (turn, Part::LettingGo(handle.clone())));
        self.work.spawn(async move {
            let drained = handle.drain(grace).await;
            let _ = said.send((Some((partition, turn)), Did::LetGo(partition, drained)));
        });
    }

    pub(super) fn let_all_go(&mut self, grace: Duration) {
        let all: Vec<u32> = self.all.keys().copied().collect();
        all.into_iter().for_each(|partition| self.let_go(partition, grace));
    }

    /// Somebody else has them: what is at a handler is not waited for, and is journaled by nobody here.
    pub(super) fn kill(&mut self, partitions: &[u32]) {
        for partition in partitions {
            match self.all.remove(partition) {
                Some((_, Part::Opening(opening))) => opening.abort(),
                Some((_, Part::Running(handle) | Part::LettingGo(handle))) => {
                    self.work.spawn(async move { handle.kill().await });
                }
                None => {}
            }
        }
    }

    /// Begins anew what stopped by itself: it was fenced, or its broker was away.
    pub(super) fn look(&mut self) {
        for (partition, handle) in self.running() {
            let Some(why) = handle.is_stopped() else { continue };
            if !matches!(self.all.get(&partition), Some((_, Part::Running(_)))) {
                continue;
            }
            self.kill(&[partition]);
            let _ = self.said.send((None, Did::Stopped(partition, why)));
            self.take(partition);
        }
    }
}
