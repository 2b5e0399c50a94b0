//! Topics: names, partitions and retention.

use std::sync::Arc;
use std::time::Duration;

use crate::TopicError;

/// A topic that is durable in the control topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions it has.
    pub partitions: u32,
    /// What it was created with.
    pub settings: TopicSettings,
}

/// What a topic is created with, or configured to later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// How many partitions; 1 to 10,000.
    pub partitions: u32,
    /// What is kept.
    pub retention: Retention,
    /// Whether what is kept is compacted.
    pub cleanup: Cleanup,
}

impl TopicSettings {
    /// So many partitions, everything kept.
    pub fn partitions(partitions: u32) -> TopicSettings {
        TopicSettings { partitions, retention: Retention::default(), cleanup: Cleanup::default() }
    }
}

/// When whole sealed segments go, and what a partition may hold at all. Without limits everything
/// is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this may go.
    pub age: Option<Duration>,
    /// What a partition may hold, in bytes, before its oldest segments go.
    pub bytes: Option<u64>,
    /// What a partition may hold, in bytes, whatever is still owed.
    pub limit: Option<u64>,
    /// What happens there.
    pub at_limit: AtLimit,
}

/// What happens when a partition has reached its hard limit and what it holds is still owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtLimit {
    /// Appends are refused until there is room.
    #[default]
    Refuse,
    /// The oldest end goes although it is owed.
    Expire,
}

/// What cleaning does beside retention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cleanup {
    /// Nothing.
    #[default]
    Delete,
    /// Keeps only the newest record of each key.
    Compact {
        /// The share of bytes not yet compacted, in percent, from which on it is worth while.
        dirty_percent: u8,
        /// How long a tombstone is kept, so that slow readers see it.
        delete_retention: Duration,
        /// How long a record is left alone.
        min_lag: Duration,
    },
}

/// The most partitions that a topic may have.
pub(crate) const PARTITIONS_MAX: u32 = 10_000;

/// Checks a name and settings by Kafka's rules for topic names.
pub(crate) fn check(name: &str, settings: &TopicSettings) -> Result<(), TopicError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.chars().all(legal) {
        return Err(TopicError::BadName { name: name.to_owned() });
    }
    if settings.partitions == 0 || settings.partitions > PARTITIONS_MAX {
        return Err(TopicError::BadPartitions { name: name.to_owned(), partitions: settings.partitions });
    }
    Ok(())
}
