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
//!
//! What it has written is put aside by and by (`sealing`): identities into a series on disk, in
//! which [`Journal::seen`] looks them up, all else into a snapshot, from which [`Journal::load`]
//! goes on. Neither is evidence: the journal is.

mod dead_letter;
mod envelope;
mod letters;
mod recall;
mod round;
mod snapshot;
mod sealing;
mod rounds;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, Commit, Journal, Letters, PortError};
use evenkeel_delivery::{Bring, Fact, Mark, Remembered};
use evenkeel_log::{AppendError, Appended, Log, Set, TopicSettings};
use evenkeel_model::{Clock, Shard, Timestamp, names, partition_for_key};
use tokio::sync::Mutex;

use crate::dead;
use crate::happenings::{DiskFull, JournalNotPutAside};
use crate::pages::{Pages, unreadable};
use rounds::Rounds;
use sealing::Sealer;

pub(crate) use dead_letter::place;
pub use dead_letter::record as dead_record;
pub(crate) use envelope::{Envelope, Seal, hash};
pub use recall::Recall;
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
    /// Where the records of events go that meet an open breaker (`fallback: { topic: … }`).
    pub fallback: Option<Arc<str>>,
    /// How long identities are remembered after their outcome; 7 d by default.
    pub inbox: Duration,
    /// After so many bytes of journal what it comes to is put aside: a start reads about so much,
    /// and identities of about so much are in memory; 16 MiB by default.
    pub seal_bytes: u64,
}

/// After so many bytes of journal what it comes to is put aside.
const SEAL_BYTES: u64 = 16 << 20;

impl JournalSettings {
    /// The defaults.
    pub fn new(subscription: impl Into<Arc<str>>) -> JournalSettings {
        JournalSettings {
            subscription: subscription.into(),
            effects: None,
            fallback: None,
            inbox: Duration::from_secs(7 * 24 * 3600),
            seal_bytes: SEAL_BYTES,
        }
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
    sealer: Sealer,
    rounds: Arc<Rounds>,
}

type Sequences = HashMap<Shard, u64>;

impl EmbeddedJournal {
    /// Opens the journal; creates the topics that it writes to (ledger, journal, dead letters)
    /// where they are missing, and returns when they are durable. The effects topic must exist.
    pub fn open(log: Log, settings: JournalSettings, clock: Arc<dyn Clock>) -> Result<EmbeddedJournal, PortError> {
        let outward = [("effects", &settings.effects), ("fallback", &settings.fallback)];
        for (what, topic) in outward {
            if let Some(topic) = topic.as_deref().filter(|t| log.topic(t).is_none()) {
                let name = &settings.subscription;
                return Err(PortError(format!("subscription `{name}`: its {what} topic `{topic}` does not exist")));
            }
        }
        let dead = dead::shard_of(&settings.subscription).topic;
        let wanted = [
            (names::LEDGER_TOPIC, 1),
            (names::JOURNAL_TOPIC, JOURNAL_PARTITIONS),
            (names::SNAPSHOTS_TOPIC, JOURNAL_PARTITIONS),
            (&*dead, 1),
        ];
        let mut creating = Vec::new();
        for (name, partitions) in wanted.into_iter().filter(|(name, _)| log.topic(name).is_none()) {
            let created = log.create_topic(name, TopicSettings::partitions(partitions));
            creating.push(created.map_err(|e| PortError(e.to_string()))?);
        }
        for created in creating {
            created.wait().map_err(|e| PortError(e.to_string()))?;
        }
        let shard = shard_of(&log, &settings.subscription)?;
        let sealer = Sealer::open(log.clone(), clock.clone(), shard, settings.inbox)?;
        let rounds = Arc::new(Rounds::new(settings.seal_bytes));
        Ok(EmbeddedJournal {
            log,
            clock,
            settings,
            sequences: Mutex::new(None),
            selections: letters::Selections::default(),
            sealer,
            rounds,
        })
    }

    /// The snapshot, and what follows it.
    fn read(&self) -> Result<(Vec<Remembered>, Sequences), PortError> {
        let (name, shard) = (&self.settings.subscription, &self.sealer.shard);
        let snapshot = self.sealer.snapshot()?;
        self.sealer.fill(snapshot.upto)?;
        let mut recall = recall::Recall::new(self.clock.now() - self.settings.inbox);
        let mut sequences = Sequences::new();
        if let Some(kept) = snapshot.subscriptions.get(&**name) {
            recall.take(kept.remembered()?);
            sequences.extend(kept.sequences.clone());
        }
        let end = self.log.ends(shard).map_err(|e| unreadable(shard, &e))?.high_watermark;
        Pages::new(&self.log, shard.clone(), snapshot.upto, end).each(|stored| {
            if stored.record.key.as_deref() == Some(name.as_bytes()) {
                let read = sealing::read(stored)?;
                sequences.extend(read.envelope.seals.into_iter().map(|seal| (seal.shard, seal.sequence + 1)));
                recall.take(read.remembered);
                self.rounds.grew(stored.record.value.as_ref().map_or(0, bytes::Bytes::len));
            }
            Ok(())
        })?;
        Ok((recall.finish(), sequences))
    }

    /// When each of these was seen, by what is sealed. What is damaged there is made again.
    fn look_up(&self, marks: &[Mark]) -> Result<Vec<Option<Timestamp>>, PortError> {
        let marks: Vec<[u8; 16]> = marks.iter().map(|mark| mark.0).collect();
        loop {
            match self.sealer.series.find_all(&marks) {
                Ok(found) => return Ok(found.into_iter().map(|s| s.map(|s| s.at)).collect()),
                Err(damaged) => self.sealer.mend(&damaged)?,
            }
        }
    }

    /// Puts aside what was written, when that is much.
    fn seal_in_time(&self) {
        if !self.rounds.is_due() {
            return;
        }
        let (sealer, rounds) = (self.sealer.clone(), self.rounds.clone());
        let work = move || {
            let done = sealer.seal();
            if let Err(problem) = &done {
                JournalNotPutAside { problem: problem.to_string() }.tell();
            }
            rounds.sealed(done.unwrap_or_default());
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => work(),
        }
    }

    /// Commits these facts as one set or, when that is too large, as several.
    async fn commit_facts(&self, commit: &Commit, facts: &[Fact], next: &mut Sequences) -> Result<(), PortError> {
        let mut parts = vec![Cow::Borrowed(facts)];
        while let Some(part) = parts.pop() {
            let round = round::assemble(&self.log, &self.settings, commit, &part, next, self.clock.now())?;
            match self.append(round.set).await {
                Ok(appended) => {
                    let at = appended.placed.iter().find(|placed| placed.shard == self.sealer.shard);
                    self.rounds.wrote(commit.round.number, at.map_or(0, |placed| placed.base), round.journal_bytes);
                    next.extend(round.seals.into_iter().map(|seal| (seal.shard, seal.sequence + 1)));
                }
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
    async fn append(&self, set: Set) -> Result<Appended, AppendError> {
        loop {
            match self.log.append(set.clone()).await {
                Err(AppendError::DiskFull) => {
                    DiskFull { subscription: self.settings.subscription.to_string() }.tell();
                    tokio::time::sleep(FULL_DISK_PAUSE).await;
                }
                outcome => return outcome,
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
            self.seal_in_time();
            Ok(())
        })
    }

    fn letters(&self, wanted: Bring) -> BoxFuture<'_, Result<Letters, PortError>> {
        Box::pin(self.selections.next(&self.log, &self.settings.subscription, wanted))
    }

    fn seen<'a>(&'a self, marks: &'a [Mark]) -> BoxFuture<'a, Result<Vec<Option<Timestamp>>, PortError>> {
        Box::pin(std::future::ready(self.look_up(marks)))
    }

    fn sealed(&self) -> u64 {
        self.rounds.sealed_below(self.sealer.series.end())
    }
}

#[cfg(test)]
mod tests;
