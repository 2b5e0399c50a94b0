//! Retention, from time to time.
//!
//! Invariant: the log itself never lets go of what a subscription still owes; this only asks.

use std::time::Duration;

use evenkeel_log::Log;
use tokio::task::JoinHandle;

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

/// Applies the retention of all topics every so often.
///
/// # Panics
/// When it is called outside a tokio runtime.
pub fn retain(log: Log, every: Duration) -> RetentionTask {
    RetentionTask(tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let log = log.clone();
            // It removes files, which may take long.
            match tokio::task::spawn_blocking(move || log.retain()).await {
                Ok(Ok(gone)) if gone.segments > 0 => {
                    tracing::info!(segments = gone.segments, bytes = gone.bytes, "retention applied");
                }
                Ok(Err(problem)) => tracing::warn!(%problem, "retention could not be applied"),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
    }))
}
