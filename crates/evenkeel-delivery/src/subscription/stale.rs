//! Stale events: older than the last completed one of their key.
//!
//! Looked at when an event's turn comes, first try or later: an event that failed, and whose key was
//! completed in a newer version meanwhile, is not tried again. An event of the *same* version is no older, and is
//! handled: two events may share a time, and losing one is worse than handling one twice (the inbox knows the
//! same event). An event without a version, or without a key, is handled.
//!
//! Invariants: only what was completed counts; a version is durable with, or before, the outcome that it came with; the
//! versions of so many keys are known as the policy says, those that were completed last.

use evenkeel_model::{FailureInfo, Outcome, Timestamp};

use super::Subscription;
use super::attempts::failure_info;
use super::endings::Ending;
use super::events::Slot;
use crate::{Arrival, Fact, Mark, Version, VersionMark};

/// The key and the version of an event.
pub(super) type Versioned = Option<(Mark, i128)>;

impl Subscription {
    /// What is known of the version of an event that arrives; what cannot be read is counted.
    pub(super) fn versioned(&mut self, now: Timestamp, arrival: &mut Arrival) -> Versioned {
        match std::mem::take(&mut arrival.version) {
            Version::None => None,
            Version::Known(version) => {
                let key = arrival.key.as_ref().filter(|_| self.policy.versions > 0)?;
                Some((Mark::of_key(&arrival.at.shard.topic, key), version))
            }
            Version::Unreadable(why) => {
                self.unversioned += 1;
                let at = &arrival.at;
                let place = format!("{}/{}@{}", at.shard.topic, at.shard.partition, at.offset);
                let what = format!("{place} has no version that can be read, and is handled: {why}");
                self.alarm_rarely(now, "version_unreadable", what);
                None
            }
        }
    }

    /// The newer version that was completed.
    pub(super) fn outdated_by(&self, slot: Slot) -> Option<i128> {
        let (key, version) = self.events[slot].luggage.version?;
        self.versions.get(&key).filter(|newest| version < *newest)
    }

    pub(super) fn end_stale(&mut self, now: Timestamp, slot: Slot, newest: i128) {
        let version = self.events[slot].luggage.version.map_or(0, |v| v.1);
        let message = format!("version {version} is older than {newest}, which was completed");
        let failure = Some(FailureInfo { message, ..failure_info(now, "stale") });
        self.end(now, slot, Ending { outcome: Outcome::Stale, failure, emitted: 0, acked: None });
    }

    /// It was completed: its version counts from now on.
    pub(super) fn note_version(&mut self, slot: Slot) {
        let Some((key, version)) = self.events[slot].luggage.version else { return };
        let mark = VersionMark { key, version: Some(version) };
        self.versions.take(&mark);
        self.rounds.say(Fact::Version(mark));
        self.forget_versions();
    }

    /// Keys beyond the policy's bound are forgotten, on the record.
    pub(super) fn forget_versions(&mut self) {
        while self.versions.len() > self.policy.versions
            && let Some(key) = self.versions.oldest()
        {
            let mark = VersionMark { key, version: None };
            self.versions.take(&mark);
            self.rounds.say(Fact::Version(mark));
        }
    }
}
