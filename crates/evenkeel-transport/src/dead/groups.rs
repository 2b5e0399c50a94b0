//! Dead letters grouped by what killed them: one group for each fingerprint and reason.
//!
//! Pure. Memory: one entry for each group, and at most [`KEYS_MAX`] key hashes in each.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use evenkeel_model::Timestamp;

use super::DeadLetter;

/// So many different keys of a group are counted; a group that reaches it has at least so many.
pub const KEYS_MAX: usize = 10_000;
/// So many handler versions and types of a group are named.
const NAMES_MAX: usize = 8;

/// Dead letters that died alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Failures alike share it.
    pub fingerprint: String,
    /// Why they ended.
    pub reason: String,
    /// The class of the failure.
    pub class: String,
    /// The newest one's message.
    pub message: String,
    /// How many.
    pub count: u64,
    /// Of how many keys, up to [`KEYS_MAX`].
    pub keys: usize,
    /// When the first and the last of them died.
    pub first_died_at: Timestamp,
    /// See [`Group::first_died_at`].
    pub last_died_at: Timestamp,
    /// The handler's versions, sorted.
    pub versions: Vec<String>,
    /// The CloudEvents types, sorted.
    pub types: Vec<String>,
    /// The newest one's place among the dead letters.
    pub sample: u64,
}

/// Groups in the making.
#[derive(Default)]
pub struct Groups {
    index: HashMap<(String, String), usize>,
    all: Vec<Growing>,
}

/// A group, with what is counted once.
struct Growing {
    group: Group,
    keys: HashSet<u64>,
    versions: BTreeSet<String>,
    types: BTreeSet<String>,
}

impl Groups {
    /// Adds a letter.
    pub fn add(&mut self, letter: &DeadLetter) {
        let name = (letter.fingerprint.clone(), letter.reason.clone());
        let next = self.all.len();
        let index = *self.index.entry(name).or_insert(next);
        if index == next {
            self.all.push(begin(letter));
        }
        let Growing { group, keys, versions, types } = &mut self.all[index];
        group.count += 1;
        group.last_died_at = letter.appended;
        group.message.clone_from(&letter.message);
        group.sample = letter.at.offset;
        if keys.len() < KEYS_MAX {
            let mut hasher = DefaultHasher::new();
            letter.key.hash(&mut hasher);
            keys.insert(hasher.finish());
        }
        for (names, name) in [(versions, &letter.handler_version), (types, &letter.kind)] {
            if names.len() < NAMES_MAX && !name.is_empty() {
                names.insert(name.clone());
            }
        }
    }

    /// The groups, the largest first.
    pub fn finish(self) -> Vec<Group> {
        let finished = self.all.into_iter().map(|growing| Group {
            keys: growing.keys.len(),
            versions: growing.versions.into_iter().collect(),
            types: growing.types.into_iter().collect(),
            ..growing.group
        });
        let mut groups: Vec<Group> = finished.collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.first_died_at.cmp(&b.first_died_at)));
        groups
    }
}

fn begin(letter: &DeadLetter) -> Growing {
    let group = Group {
        fingerprint: letter.fingerprint.clone(),
        reason: letter.reason.clone(),
        class: letter.class.clone(),
        message: String::new(),
        count: 0,
        keys: 0,
        first_died_at: letter.appended,
        last_died_at: letter.appended,
        versions: Vec::new(),
        types: Vec::new(),
        sample: letter.at.offset,
    };
    Growing { group, keys: HashSet::new(), versions: BTreeSet::new(), types: BTreeSet::new() }
}
