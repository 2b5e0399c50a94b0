//! Which version of each key was completed last: what makes an event stale.
//!
//! Invariants: what is known of a key never goes back; so many keys are known as whoever fills it says, those
//! that were completed last; that a key was forgotten is a fact too, so that a journal knows the same keys.

use std::collections::{BTreeMap, HashMap};

use crate::Mark;

/// A version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionMark {
    /// The key, in its topic ([`Mark::of_key`]).
    pub key: Mark,
    /// The newest completed version; `None`: it is forgotten.
    pub version: Option<i128>,
}

/// The newest completed version of each of the keys that were completed last.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    by_key: HashMap<Mark, (i128, u64)>,
    /// Oldest first.
    order: BTreeMap<u64, Mark>,
    next: u64,
}

impl Versions {
    /// Takes in the next one.
    pub fn take(&mut self, mark: &VersionMark) {
        let before = self.by_key.remove(&mark.key);
        if let Some((_, place)) = before {
            self.order.remove(&place);
        }
        if let Some(version) = mark.version {
            let newest = before.map_or(version, |(before, _)| before.max(version));
            self.by_key.insert(mark.key, (newest, self.next));
            self.order.insert(self.next, mark.key);
            self.next += 1;
        }
    }

    /// The newest version of a key.
    pub fn get(&self, key: &Mark) -> Option<i128> {
        self.by_key.get(key).map(|(version, _)| *version)
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// True when no key is known.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// The key that was completed longest ago.
    pub fn oldest(&self) -> Option<Mark> {
        self.order.first_key_value().map(|(_, key)| *key)
    }

    /// What says the same again, in order.
    pub fn marks(&self) -> impl Iterator<Item = VersionMark> {
        self.order.values().map(|key| VersionMark { key: *key, version: self.get(key) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(key: u8, version: i128) -> VersionMark {
        VersionMark { key: Mark([key; 16]), version: Some(version) }
    }

    #[test]
    fn a_version_never_goes_back_and_the_key_completed_longest_ago_is_the_oldest() {
        let mut versions = Versions::default();
        for (key, version) in [(1, 5), (2, 1), (1, 3), (3, -7)] {
            versions.take(&mark(key, version));
        }
        assert_eq!((versions.get(&Mark([1; 16])), versions.oldest()), (Some(5), Some(Mark([2; 16]))));
        versions.take(&VersionMark { key: Mark([2; 16]), version: None });
        let marks: Vec<_> = versions.marks().collect();
        assert_eq!(marks, [mark(1, 5), mark(3, -7)]);
        assert_eq!((versions.len(), versions.order.len()), (2, 2), "what is forgotten leaves nothing");
    }
}
