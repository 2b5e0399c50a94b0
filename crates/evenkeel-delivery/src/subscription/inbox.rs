//! The inbox: which events of this subscription had their outcome, for a time.
//!
//! In memory; the journal gives it back after a restart. It knows marks and times, nothing of
//! events. Invariant: a mark is remembered until `keep` after its (latest) outcome, then gone.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::Mark;

/// A map by mark.
pub(super) type ByMark<V> = HashMap<Mark, V, BuildHasherDefault<MarkHasher>>;

/// Marks are hashes already (SHA-256, cut): eight of their bytes are as good as a hash of them.
#[derive(Default)]
pub(super) struct MarkHasher(u64);

impl Hasher for MarkHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*last);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug)]
pub(super) struct Inbox {
    keep: Duration,
    ended: ByMark<Timestamp>,
    by_time: VecDeque<(Timestamp, Mark)>,
}

impl Inbox {
    pub(super) fn new(keep: Duration) -> Inbox {
        Inbox { keep, ended: ByMark::default(), by_time: VecDeque::new() }
    }

    /// Remembers that the event of this mark had its outcome at `when`.
    pub(super) fn remember(&mut self, mark: Mark, when: Timestamp) {
        self.ended.insert(mark, when);
        self.by_time.push_back((when, mark));
    }

    /// True when an event of this mark had its outcome, not longer ago than `keep`.
    pub(super) fn knows(&self, mark: Mark, now: Timestamp) -> bool {
        self.ended.get(&mark).is_some_and(|when| now.since(*when) < self.keep)
    }

    /// Forgets what is older than `keep`; costs what it forgets.
    pub(super) fn forget(&mut self, now: Timestamp) {
        while let Some((when, mark)) = self.by_time.front().copied() {
            if now.since(when) < self.keep {
                return;
            }
            self.by_time.pop_front();
            if self.ended.get(&mark) == Some(&when) {
                self.ended.remove(&mark);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_known_until_its_time_is_up_and_its_memory_is_given_back() {
        let at = |s: i64| Timestamp::from_millis(s * 1000);
        let mut inbox = Inbox::new(Duration::from_secs(10));
        inbox.remember(Mark([1; 16]), at(0));
        inbox.remember(Mark([2; 16]), at(5));
        assert!(inbox.knows(Mark([1; 16]), at(9)));
        assert!(!inbox.knows(Mark([1; 16]), at(10)), "its time is up, forgotten or not");
        inbox.forget(at(12));
        assert!(inbox.knows(Mark([2; 16]), at(12)));
        assert_eq!((inbox.ended.len(), inbox.by_time.len()), (1, 1));
        assert!(!inbox.knows(Mark([3; 16]), at(12)));
    }
}
