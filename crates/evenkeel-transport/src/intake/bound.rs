//! How many messages an intake holds at most: as many as its subscriptions can soon do something with.
//!
//! It follows their adaptive limits: what a slow handler cannot be given stays at the broker, for whoever can. It is
//! several times the limit, since of one key only one event is at the handler at a time, and since a message is held
//! from its receipt until its outcome is journaled. The configured prefetch bounds it. It knows no broker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many messages for each event that may be at the handler.
const FOR_EACH: usize = 16;
/// And at least so many: others of other keys behind one that takes its time.
const LEAST: usize = 64;

/// How many events may be at a subscription's handler now; 0 where nobody knows.
pub type Limit = Arc<dyn Fn() -> u32 + Send + Sync>;

/// The limits of those who read a topic.
#[derive(Default)]
pub(super) struct Bound(Mutex<BTreeMap<Arc<str>, Limit>>);

impl Bound {
    pub(super) fn follow(&self, subscription: &str, limit: Limit) {
        self.limits().insert(Arc::from(subscription), limit);
    }

    pub(super) fn forget(&self, subscription: &str) {
        self.limits().remove(subscription);
    }

    /// At most `prefetch`. Of several readers the one that can take most counts; while one is not known, all is wanted.
    pub(super) fn now(&self, prefetch: usize) -> usize {
        let limits = self.limits();
        let widest = limits.values().map(|limit| limit()).map(|limit| if limit == 0 { u32::MAX } else { limit }).max();
        let Some(limit) = widest else { return prefetch };
        FOR_EACH.saturating_mul(limit as usize).max(LEAST).min(prefetch)
    }

    fn limits(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Limit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_widest_reader_within_the_prefetch() {
        let bound = Bound::default();
        assert_eq!(bound.now(1000), 1000, "nobody says anything");
        bound.follow("slow", Arc::new(|| 1));
        assert_eq!((bound.now(1000), bound.now(10)), (64, 10));
        bound.follow("quick", Arc::new(|| 40));
        assert_eq!((bound.now(1000), bound.now(500)), (640, 500));
        bound.follow("new", Arc::new(|| 0));
        assert_eq!(bound.now(1000), 1000);
        bound.forget("new");
        bound.forget("quick");
        assert_eq!(bound.now(1000), 64);
    }
}
