//! What waits durably is held aside before its topic lets go of it.
//!
//! Asks each subscription what it is owed, and lets [`Held`] copy and let go. Invariant: a
//! subscription that cannot answer keeps what it is owed where it is.

use std::sync::Arc;

use evenkeel_delivery::ports::PortError;
use evenkeel_delivery::{Alarm, Owed};
use evenkeel_log::Log;
use evenkeel_model::Shard;
use evenkeel_transport::{Held, Tended};

use super::SubscriptionHandle;
use crate::happenings::HeldAside;

/// A running subscription, and where it holds events aside.
#[derive(Clone)]
pub struct Keeper {
    /// The subscription.
    pub handle: SubscriptionHandle,
    /// What it holds aside.
    pub held: Arc<Held>,
}

impl Keeper {
    /// What of this is owed to it, and stands in the way.
    fn mine(&self, log: &Log, wanted: &[(Shard, u64)]) -> Vec<(Shard, u64)> {
        let owes = |(shard, upto): &&(Shard, u64)| {
            log.owed(shard).iter().any(|(holder, floor)| **holder == **self.handle.name() && floor < upto)
        };
        wanted.iter().filter(owes).cloned().collect()
    }

    async fn blocking(
        &self,
        wanted: Vec<(Shard, u64)>,
        work: impl FnOnce(&Held, &[Owed], &[(Shard, u64)]) -> Result<Tended, PortError> + Send + 'static,
    ) -> Result<Tended, PortError> {
        let name = self.handle.name();
        let ended = || PortError(format!("subscription `{name}` does not run, and keeps what it is owed"));
        let owed = self.handle.owed().await.ok_or_else(ended)?;
        let held = self.held.clone();
        let done = tokio::task::spawn_blocking(move || work(&held, &owed, &wanted)).await;
        done.unwrap_or_else(|broke| Err(PortError(broke.to_string())))
    }
}

/// Holds aside what stands in the way of retention and compaction, and lets go of what was held and
/// has ended since. `wanted` says up to where partitions might be emptied. An error is the last of
/// those that came up; the topics keep what was not held aside.
pub async fn tend(log: &Log, keepers: Vec<Keeper>, wanted: &[(Shard, u64)]) -> Result<(), PortError> {
    let mut outcome = Ok(());
    for keeper in keepers {
        let mine = keeper.mine(log, wanted);
        if mine.is_empty() && keeper.held.size().events == 0 {
            continue;
        }
        match keeper.blocking(mine, Held::tend).await {
            Ok(Tended { copied, full }) => {
                if copied > 0 {
                    HeldAside { subscription: keeper.handle.name().to_string(), copied }.tell();
                }
                if full {
                    keeper.handle.alarm(full_alarm(&keeper));
                }
            }
            Err(problem) => outcome = Err(problem),
        }
    }
    outcome
}

/// Holds aside whatever waits durably below these offsets, which are about to be deleted. An error
/// means that not all of it is safe, and says why.
pub async fn save(log: &Log, keepers: Vec<Keeper>, wanted: &[(Shard, u64)]) -> Result<(), PortError> {
    for keeper in keepers {
        let mine = keeper.mine(log, wanted);
        if mine.is_empty() || keeper.handle.owed().await.is_none() {
            continue;
        }
        if keeper.blocking(mine, Held::save).await?.full {
            return Err(PortError(full_alarm(&keeper).message));
        }
    }
    Ok(())
}

fn full_alarm(keeper: &Keeper) -> Alarm {
    let size = keeper.held.size();
    let message = format!(
        "parked events would have to be held aside, and find no room: {} events of {} bytes are, and `parking.held` is \
         {} bytes; their topic keeps them",
        size.events, size.bytes, size.bytes_max
    );
    Alarm { code: "held_full", message }
}
