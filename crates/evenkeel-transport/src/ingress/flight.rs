//! An append on its way, and the identities that it claims: followed to the end, whoever waits.

use std::sync::{Arc, Mutex};

use evenkeel_log::{AppendError, Appended, Appending};
use tokio::sync::watch;

use super::held;
use super::index::{Asked, Index, Stored};

/// A new event of a batch, and where in the set it went.
pub(super) struct Claim {
    /// Its number in the batch.
    pub(super) event: usize,
    pub(super) asked: Asked,
    /// Which append of the set, and which record of that.
    pub(super) slot: usize,
    pub(super) nth: u64,
}

/// An append that is not over yet. Dropped before that (the caller went away), it goes on by
/// itself, so that no claim outlives its append.
pub(super) struct Flight(Option<(Claims, Appending)>);

struct Claims {
    index: Arc<Mutex<Index>>,
    claims: Vec<Claim>,
    /// Dropped when all is settled: whoever waits for one of the claims asks again.
    _done: watch::Sender<()>,
}

impl Flight {
    pub(super) fn new(
        index: Arc<Mutex<Index>>,
        claims: Vec<Claim>,
        appending: Appending,
        done: watch::Sender<()>,
    ) -> Flight {
        Flight(Some((Claims { index, claims, _done: done }, appending)))
    }

    /// Waits for the append, then settles the claims.
    pub(super) async fn land(mut self) -> Result<Appended, AppendError> {
        let Some((_, appending)) = &mut self.0 else {
            return Err(AppendError::Stopped { why: "the append was awaited twice".to_owned() });
        };
        let outcome = appending.await;
        if let Some((claims, _)) = self.0.take() {
            claims.settle(&outcome);
        }
        outcome
    }
}

impl Claims {
    fn settle(self, outcome: &Result<Appended, AppendError>) {
        let mut index = held(&self.index);
        for claim in &self.claims {
            match outcome {
                Err(_) => index.release(&claim.asked.mark),
                Ok(appended) => {
                    let placed = &appended.placed[claim.slot];
                    let stored = Stored {
                        content: claim.asked.content,
                        partition: placed.shard.partition,
                        offset: placed.base + claim.nth,
                        at: appended.at,
                    };
                    index.store(claim.asked.mark, stored);
                }
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let Some((claims, appending)) = self.0.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { claims.settle(&appending.await) })),
            Err(_) => claims.settle(&appending.wait()),
        }
    }
}
