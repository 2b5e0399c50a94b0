//! Retention, from time to time.
//!
//! Invariant: the log itself never lets go of what a subscription still owes; this only asks, after
//! what waits for long was held aside (`holding`).

use std::time::Duration;

use evenkeel_log::Log;
use tokio::task::JoinHandle;

use super::holding::{Keeper, tend};
use crate::happenings::{Compacted, CompactionFailed, NotHeldAside, RetentionApplied, RetentionFailed};

/// What one step of compaction may read and write.
const STEP_BYTES: u64 = 8 << 20;
/// Between two steps, so that compaction leaves the disk to others: about 80 MB/s at most.
const BETWEEN_STEPS: Duration = Duration::from_millis(100);

/// A task that applies retention until it is dropped.
pub struct RetentionTask(JoinHandle<()>);

impl RetentionTask {
    /// Stops asking.
    pub fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for RetentionTask {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Applies the retention of all topics every so often, and compacts those that say so. Before, the
/// subscriptions that `keepers` names hold aside what is parked and would go.
///
/// # Panics
/// When it is called outside a tokio runtime.
pub fn retain(log: Log, every: Duration, keepers: impl Fn() -> Vec<Keeper> + Send + 'static) -> RetentionTask {
    RetentionTask(tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            if let Err(problem) = tend(&log, keepers(), &log.wanted()).await {
                NotHeldAside { problem: problem.to_string() }.tell();
            }
            let_go(&log).await;
            while compact(&log).await {
                tokio::time::sleep(BETWEEN_STEPS).await;
            }
        }
    }))
}

/// It waits for a group to be durable, so it may not hold up the runtime.
async fn let_go(log: &Log) {
    let log = log.clone();
    match tokio::task::spawn_blocking(move || log.retain()).await {
        Ok(Ok(gone)) if gone.segments > 0 => {
            let (segments, bytes, expired) = (gone.segments, gone.bytes, gone.expired);
            RetentionApplied { segments, bytes, expired }.tell();
        }
        Ok(Err(problem)) => RetentionFailed { problem: problem.to_string() }.tell(),
        Ok(Ok(_)) | Err(_) => {}
    }
}

/// One step; true when there is more to do.
async fn compact(log: &Log) -> bool {
    let log = log.clone();
    let Ok(cleaned) = tokio::task::spawn_blocking(move || log.clean(STEP_BYTES)).await else { return false };
    for problem in &cleaned.problems {
        CompactionFailed { problem: problem.clone() }.tell();
    }
    if cleaned.passes > 0 {
        Compacted { passes: cleaned.passes, segments: cleaned.segments, freed: cleaned.freed }.tell();
    }
    cleaned.more && cleaned.problems.is_empty()
}
