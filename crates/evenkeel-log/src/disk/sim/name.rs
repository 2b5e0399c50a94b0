//! Names of the simulated disk, and changes of them.

use std::collections::BTreeMap;

/// What a path stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Folder,
    File(usize),
}

/// A change of names that is not synced yet.
#[derive(Clone)]
pub(super) enum NameChange {
    Add(String, Name),
    Remove(String),
    Rename(String, String, Name),
}

impl NameChange {
    /// The folder that must be synced for it.
    pub(super) fn folder(&self) -> &str {
        match self {
            NameChange::Add(path, _) | NameChange::Remove(path) | NameChange::Rename(_, path, _) => parent(path),
        }
    }

    /// True when the change is about that path.
    pub(super) fn is_of(&self, path: &str) -> bool {
        match self {
            NameChange::Add(of, _) | NameChange::Remove(of) => of == path,
            NameChange::Rename(from, to, _) => from == path || to == path,
        }
    }

    pub(super) fn apply(self, names: &mut BTreeMap<String, Name>) {
        match self {
            NameChange::Add(path, name) => {
                names.insert(path, name);
            }
            NameChange::Remove(path) => {
                names.remove(&path);
            }
            NameChange::Rename(from, to, name) => {
                names.remove(&from);
                names.insert(to, name);
            }
        }
    }
}

/// The folder of a path; the root is empty.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
