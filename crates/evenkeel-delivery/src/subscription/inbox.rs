//! The inbox: which events of this subscription had their outcome, for a time.
//!
//! In memory are those that the journal has not sealed yet; whoever reads looks the others up and
//! says so with the arrival. It knows marks and times, nothing of events. Invariant: a mark is
//! remembered until `keep` after its (latest) outcome, or until the round that it went into is
//! sealed, then gone.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::Mark;

/// A map by mark.
type ByMark<V> = HashMap<Mark, V, BuildHasherDefault<MarkHasher>>;

/// Marks are hashes already (SHA-256, cut): eight of their bytes are as good as a hash of them.
#[derive(Default)]
struct MarkHasher(u64);

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
    /// How many left the front of `by_time` since the beginning.
    gone: u64,
    /// How many of all that came are in a round that was sent, or came from the journal.
    sent: u64,
    /// Rounds that are not sealed, each with that number when it was sent.
    rounds: VecDeque<(u64, u64)>,
}

impl Inbox {
    pub(super) fn new(keep: Duration) -> Inbox {
        Inbox { keep, ended: ByMark::default(), by_time: VecDeque::new(), gone: 0, sent: 0, rounds: VecDeque::new() }
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
            self.drop_oldest(when, mark);
        }
    }

    fn drop_oldest(&mut self, when: Timestamp, mark: Mark) {
        self.by_time.pop_front();
        self.gone += 1;
        if self.ended.get(&mark) == Some(&when) {
            self.ended.remove(&mark);
        }
    }

    /// All that is remembered so far came from the journal.
    pub(super) fn restored(&mut self) {
        self.sent = self.by_time.len() as u64;
    }

    /// The next so many went into this round. Marks are remembered in the order of their outcomes,
    /// and so they go into rounds.
    pub(super) fn sent(&mut self, round: u64, marks: u64) {
        self.sent += marks;
        if marks > 0 {
            self.rounds.push_back((round, self.sent));
        }
    }

    /// What went into rounds up to this one is known elsewhere.
    pub(super) fn sealed(&mut self, round: u64) {
        let mut upto = 0;
        while let Some((_, sent)) = self.rounds.pop_front_if(|(number, _)| *number <= round) {
            upto = sent;
        }
        while self.gone < upto
            && let Some((when, mark)) = self.by_time.front().copied()
        {
            self.drop_oldest(when, mark);
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

    #[test]
    fn what_is_sealed_is_given_back_up_to_its_round_and_no_further() {
        let at = |s: i64| Timestamp::from_millis(s * 1000);
        let mut inbox = Inbox::new(Duration::from_secs(1000));
        let known = |inbox: &Inbox| (1..=6).filter(|n| inbox.knows(Mark([*n; 16]), at(20))).collect::<Vec<u8>>();
        (1..=2).for_each(|n| inbox.remember(Mark([n; 16]), at(i64::from(n))));
        inbox.restored();
        (3..=5).for_each(|n| inbox.remember(Mark([n; 16]), at(i64::from(n))));
        inbox.sent(1, 2);
        inbox.sent(2, 0);
        inbox.sent(3, 1);
        // Ended again, in no round yet: what is sealed of it is the older outcome.
        inbox.remember(Mark([3; 16]), at(9));
        inbox.sealed(0);
        assert_eq!(known(&inbox), [1, 2, 3, 4, 5]);
        inbox.sealed(2);
        assert_eq!(known(&inbox), [3, 5]);
        inbox.sealed(3);
        assert_eq!((known(&inbox), inbox.by_time.len()), (vec![3], 1));
    }
}
