//! For your own tests: a disk in memory that loses power when told, and clocks that you move.
//!
//! ```
//! use std::sync::Arc;
//! use evenkeel::testing::{SimDisk, TokioClock};
//! use evenkeel::{Evenkeel, Timestamp};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = SimDisk::new(7);
//! // Under `#[tokio::test(start_paused = true)]` this clock follows tokio's virtual time, so
//! // that hours of retries pass in no time.
//! let clock = Arc::new(TokioClock::at(Timestamp::from_millis(1_700_000_000_000)));
//! let shop = Evenkeel::builder().disk(Arc::new(disk.clone())).clock(clock).topic("orders", 1).start().await?;
//! disk.cut_power();
//! drop(shop);
//! // Start again on `disk`: everything that was acknowledged is there.
//! # Ok(())
//! # }
//! ```

pub use evenkeel_log::sim::SimDisk;
pub use evenkeel_model::ManualClock;

use evenkeel_model::{Clock, Timestamp};
use tokio::time::Instant;

use crate::Evenkeel;

/// Ends every subscription at once, as if the process had died, and returns when they are gone.
/// Then cut the power of the disk, or kill it, and start again on it.
pub async fn kill(evenkeel: &Evenkeel) {
    for (handle, _) in &evenkeel.running {
        handle.kill().await;
    }
}

/// A clock that goes as tokio's does: with `start_paused`, it stands still until everything
/// waits, then leaps to the next timer.
#[derive(Debug)]
pub struct TokioClock {
    epoch: Timestamp,
    started: Instant,
}

impl TokioClock {
    /// A clock that says `epoch` now.
    pub fn at(epoch: Timestamp) -> TokioClock {
        TokioClock { epoch, started: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.epoch + self.started.elapsed()
    }
}
