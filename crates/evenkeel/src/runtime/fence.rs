//! The number that grows with each owner of a subscription.
//!
//! Over the embedded log it is an id that the log gives to nobody else and never twice, over
//! restarts too: ids of producers only grow. No clock has a part in it.

use evenkeel_delivery::ports::PortError;
use evenkeel_log::Log;

/// A fence greater than all that this log gave before, durably.
pub async fn new_fence(log: &Log) -> Result<u64, PortError> {
    let id = log.new_producer().await.map_err(|e| PortError(format!("no fence for the calls: {e}")))?;
    Ok(u64::try_from(id).unwrap_or(0).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use evenkeel_log::sim::SimDisk;
    use evenkeel_log::{Log, Options};
    use evenkeel_model::SystemClock;

    use super::new_fence;

    #[tokio::test]
    async fn a_fence_grows_over_restarts() {
        let disk = Arc::new(SimDisk::new(1));
        let mut last = 0;
        for _ in 0..3 {
            let log = Log::open(disk.clone(), Options::default(), Arc::new(SystemClock::new())).unwrap();
            let fence = new_fence(&log).await.unwrap();
            assert!(fence > last, "{fence} after {last}");
            last = fence;
            log.close();
        }
    }
}
