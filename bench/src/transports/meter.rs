//! Counts events, and the time from the first of them to the last.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use evenkeel::{Clock, SystemClock};
use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Handler};
use evenkeel_model::Verdict;
use tokio::sync::Notify;

/// A clone counts the same events.
#[derive(Clone)]
pub(super) struct Meter(Arc<Counted>);

struct Counted {
    clock: SystemClock,
    first_us: AtomicI64,
    last_us: AtomicI64,
    count: AtomicU64,
    wanted: u64,
    all: Notify,
}

impl Meter {
    pub(super) fn new(wanted: u64) -> Meter {
        let (first_us, last_us, count) = (AtomicI64::new(0), AtomicI64::new(0), AtomicU64::new(0));
        Meter(Arc::new(Counted { clock: SystemClock::new(), first_us, last_us, count, wanted, all: Notify::new() }))
    }

    /// The first event is there.
    pub(super) fn begins(&self) {
        let now = self.0.clock.now().micros();
        let _ = self.0.first_us.compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// So many more are done with.
    pub(super) fn done(&self, more: u64) {
        let count = self.0.count.fetch_add(more, Ordering::SeqCst) + more;
        if count >= self.0.wanted {
            let now = self.0.clock.now().micros();
            let _ = self.0.last_us.compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
            self.0.all.notify_one();
        }
    }

    /// Waits for the last one. Events a second.
    pub(super) async fn rate(&self) -> f64 {
        while self.0.count.load(Ordering::SeqCst) < self.0.wanted {
            self.0.all.notified().await;
        }
        let took = self.0.last_us.load(Ordering::SeqCst) - self.0.first_us.load(Ordering::SeqCst);
        self.0.wanted as f64 / (took.max(1) as f64 / 1e6)
    }
}

/// A handler that does nothing.
pub(super) struct Nothing(pub(super) Meter);

impl Handler for Nothing {
    fn handle(&self, _: Call) -> BoxFuture<'static, Answer> {
        self.0.begins();
        Box::pin(std::future::ready(Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None }))
    }
}
