//! The last things of a kind, so many and no more: an older one makes room.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A map that forgets what came first.
pub(super) struct Recent<K, V> {
    max: usize,
    kept: Mutex<Kept<K, V>>,
}

struct Kept<K, V> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(max: usize) -> Recent<K, V> {
        Recent { max, kept: Mutex::new(Kept { values: HashMap::new(), order: VecDeque::new() }) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a value; false when there was one already, which is replaced.
    pub(super) fn put(&self, key: K, value: V) -> bool {
        let mut kept = self.kept();
        let is_new = kept.values.insert(key.clone(), value).is_none();
        if is_new {
            kept.order.push_back(key);
        }
        while kept.order.len() > self.max {
            let Some(oldest) = kept.order.pop_front() else { break };
            kept.values.remove(&oldest);
        }
        is_new
    }

    /// Takes a value out.
    pub(super) fn take(&self, key: &K) -> Option<V> {
        let mut kept = self.kept();
        let taken = kept.values.remove(key);
        // Keys that were taken leave the line when they come to its front, or when it is twice too long.
        if kept.order.len() > 2 * kept.values.len() + 64 {
            let Kept { values, order } = &mut *kept;
            order.retain(|key| values.contains_key(key));
        }
        taken
    }

    /// Changes what is kept under a key, if anything is.
    pub(super) fn alter<R>(&self, key: &K, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.kept().values.get_mut(key).map(change)
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.kept().values.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept().values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    #[test]
    fn the_oldest_makes_room_and_what_was_taken_is_gone() {
        let recent = Recent::new(100);
        assert!(recent.put(0, "a") && !recent.put(0, "b"));
        assert_eq!(recent.take(&0), Some("b"));
        (1..=1_000).for_each(|n| {
            recent.put(n, "c");
        });
        assert_eq!((recent.take(&900), recent.take(&901)), (None, Some("c")));
        (901..=1_000).for_each(|n| {
            recent.take(&n);
        });
        assert!(recent.is_empty() && recent.kept().order.len() <= 100);
    }
}
