//! The journal of a subscription on the embedded log: each round is one atomic set.
//!
//! A round becomes ledger records (one per partition), one journal record (what a restart needs,
//! and a seal on each of those ledger records), the events that handlers returned, and the dead
//! letters, all in one [`Set`] of the log. It decides nothing: what is in a round is the core's.
//!
//! Invariants: a round is there whole or not at all; ledger records of a partition are numbered
//! without a gap over restarts; an outcome that says that n events were returned is committed
//! with n events, or not at all. A round larger than a set may be is committed in parts, in the
//! order of its facts with progress last, each part true by itself.

mod dead_letter;
mod envelope;
mod letters;
mod recall;
mod round;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, Commit, Journal, Letters, PortError};
use evenkeel_delivery::{Bring, Fact, Remembered, decode_journal};
use evenkeel_log::{AppendError, Log, Set, TopicSettings};
use evenkeel_model::{Clock, Shard, names, partition_for_key};
use tokio::sync::Mutex;

use crate::dead;
use crate::pages::{Pages, unreadable};

pub(crate) use envelope::{Envelope, Seal, hash};
pub(crate) use round::CausedBy;

/// How many partitions the journal's topic gets: a start reads the one of its subscription.
pub const JOURNAL_PARTITIONS: u32 = 8;
/// How long to wait before asking a full disk again.
const FULL_DISK_PAUSE: Duration = Duration::from_millis(500);

/// Whose journal it is.
#[derive(Clone, Debug)]
pub struct JournalSettings {
    /// The subscription's name.
    pub subscription: Arc<str>,
    /// Where the events go that its handler returns (`effects: { mode: log, topic: … }`); without
    /// one they are left out, and the ledger says that none was emitted.
    pub effects: Option<Arc<str>>,
    /// How long identities are remembered after their outcome; 7 d by default.
    pub inbox: Duration,
}

impl JournalSettings {
    /// The defaults.
    pub fn new(subscription: impl Into<Arc<str>>) -> JournalSettings {
        JournalSettings { subscription: subscription.into(), effects: None, inbox: Duration::from_secs(7 * 24 * 3600) }
    }
}

/// A subscription's journal in the log itself.
pub struct EmbeddedJournal {
    log: Log,
    clock: Arc<dyn Clock>,
    settings: JournalSettings,
    /// The number of the next ledger record of each partition; `None` until loaded, and after a
    /// commit whose outcome is not known.
    sequences: Mutex<Option<Sequences>>,
    selections: letters::Selections,
}

type Sequences = HashMap<Shard, u64>;

impl EmbeddedJournal {
    /// Opens the journal; creates the topics that it writes to (ledger, journal, dead letters)
    /// where they are missing, and returns when they are durable. The effects topic must exist.
    pub fn open(log: Log, settings: JournalSettings, clock: Arc<dyn Clock>) -> Result<EmbeddedJournal, PortError> {
        if let Some(effects) = settings.effects.as_deref().filter(|t| log.topic(t).is_none()) {
            let name = &settings.subscription;
            return Err(PortError(format!("subscription `{name}`: its effects topic `{effects}` does not exist")));
        }
        let dead = dead::shard_of(&settings.subscription).topic;
        let wanted = [(names::LEDGER_TOPIC, 1), (names::JOURNAL_TOPIC, JOURNAL_PARTITIONS), (&*dead, 1)];
        let mut creating = Vec::new();
        for (name, partitions) in wanted.into_iter().filter(|(name, _)| log.topic(name).is_none()) {
            let created = log.create_topic(name, TopicSettings::partitions(partitions));
            creating.push(created.map_err(|e| PortError(e.to_string()))?);
        }
        for created in creating {
            created.wait().map_err(|e| PortError(e.to_string()))?;
        }
        Ok(EmbeddedJournal {
            log,
            clock,
            settings,
            sequences: Mutex::new(None),
            selections: letters::Selections::default(),
        })
    }

    fn shard(&self) -> Result<Shard, PortError> {
        shard_of(&self.log, &self.settings.subscription)
    }

    fn read(&self) -> Result<(Vec<Remembered>, Sequences), PortError> {
        let shard = self.shard()?;
        let end = self.log.ends(&shard).map_err(|e| unreadable(&shard, &e))?.high_watermark;
        let mut recall = recall::Recall::new(self.clock.now() - self.settings.inbox);
        let mut sequences = Sequences::new();
        Pages::new(&self.log, shard.clone(), 0, end).each(|stored| {
            if stored.record.key.as_deref() != Some(self.settings.subscription.as_bytes()) {
                return Ok(());
            }
            let damaged = |what: &dyn std::fmt::Display| {
                PortError(format!("{}/{} offset {}: {what}", shard.topic, shard.partition, stored.at.offset))
            };
            let envelope = Envelope::decode(stored.record.value.as_deref().unwrap_or_default())
                .ok_or_else(|| damaged(&"not a journal record that this version can read"))?;
            sequences.extend(envelope.seals.iter().map(|seal| (seal.shard.clone(), seal.sequence + 1)));
            let remembered = decode_journal(&envelope.facts).map_err(|e| damaged(&e))?;
            recall.take(remembered);
            Ok(())
        })?;
        Ok((recall.finish(), sequences))
    }

    /// Commits these facts as one set or, when that is too large, as several.
    async fn commit_facts(&self, commit: &Commit, facts: &[Fact], next: &mut Sequences) -> Result<(), PortError> {
        let mut parts = vec![Cow::Borrowed(facts)];
        while let Some(part) = parts.pop() {
            let round = round::assemble(&self.log, &self.settings, commit, &part, next, self.clock.now())?;
            match self.append(round.set).await {
                Ok(()) => next.extend(round.seals.into_iter().map(|seal| (seal.shard, seal.sequence + 1))),
                Err(AppendError::TooLarge { .. }) if part.len() > 1 => {
                    let (first, second) = halves(part.into_owned());
                    parts.push(Cow::Owned(second));
                    parts.push(Cow::Owned(first));
                }
                Err(e) => {
                    let name = &self.settings.subscription;
                    return Err(PortError(format!("round {} of `{name}`: {e}", commit.round.number)));
                }
            }
        }
        Ok(())
    }

    /// Appends; while the disk is full it waits, since then nothing was written and nothing is
    /// lost by waiting.
    async fn append(&self, set: Set) -> Result<(), AppendError> {
        loop {
            match self.log.append(set.clone()).await {
                Err(AppendError::DiskFull) => {
                    tracing::warn!(subscription = &*self.settings.subscription, "the disk is full; a round waits");
                    tokio::time::sleep(FULL_DISK_PAUSE).await;
                }
                outcome => return outcome.map(|_| ()),
            }
        }
    }
}

/// Two parts, each in its order; progress follows what it counts.
fn halves(facts: Vec<Fact>) -> (Vec<Fact>, Vec<Fact>) {
    let (progress, mut first): (Vec<Fact>, Vec<Fact>) =
        facts.into_iter().partition(|f| matches!(f, Fact::Progress { .. }));
    first.extend(progress);
    let second = first.split_off(first.len() / 2);
    (first, second)
}

/// The partition of the journal's topic in which a subscription's rounds are.
pub(crate) fn shard_of(log: &Log, subscription: &str) -> Result<Shard, PortError> {
    let topic = log.topic(names::JOURNAL_TOPIC);
    let topic = topic.ok_or_else(|| PortError(format!("topic `{}` does not exist", names::JOURNAL_TOPIC)))?;
    Ok(Shard::new(topic.name, partition_for_key(subscription.as_bytes(), topic.partitions)))
}

impl Journal for EmbeddedJournal {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        Box::pin(async move {
            let mut sequences = self.sequences.lock().await;
            let (remembered, next) = self.read()?;
            *sequences = Some(next);
            Ok(remembered)
        })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let mut sequences = self.sequences.lock().await;
            // Taken out, and put back only when the outcome is known: a number is never used twice.
            let mut next = sequences.take().ok_or_else(|| {
                PortError(format!(
                    "the journal of `{}` must be loaded before it is written",
                    self.settings.subscription
                ))
            })?;
            self.commit_facts(&commit, &commit.round.facts, &mut next).await?;
            *sequences = Some(next);
            Ok(())
        })
    }

    fn letters(&self, wanted: Bring) -> BoxFuture<'_, Result<Letters, PortError>> {
        Box::pin(self.selections.next(&self.log, &self.settings.subscription, wanted))
    }
}

#[cfg(test)]
mod tests;
