//! How consumers hear that something came: a count that grows, and how far each has heard it.

use std::sync::atomic::{AtomicU64, Ordering};

use evenkeel_delivery::ports::News;
use tokio::sync::watch;

/// Rings for all who listen.
pub(super) struct Bell(watch::Sender<u64>);

impl Bell {
    pub(super) fn new() -> Bell {
        Bell(watch::Sender::new(0))
    }

    pub(super) fn ring(&self) {
        self.0.send_modify(|n| *n += 1);
    }
}

/// One who listens; what rang before it came is news to it.
#[derive(Default)]
pub(super) struct Ear(AtomicU64);

impl Ear {
    /// Returns when the bell has rung since this was asked last.
    pub(super) async fn hear(&self, bell: &Bell) -> News {
        let heard = self.0.load(Ordering::SeqCst);
        // The bell outlives its listeners: it is never closed.
        let newest = bell.0.subscribe().wait_for(|n| *n > heard).await.map_or(heard, |n| *n);
        self.0.store(newest, Ordering::SeqCst);
        News::More
    }
}
