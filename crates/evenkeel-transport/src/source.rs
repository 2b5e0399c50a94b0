//! The source of a subscription on the embedded log: its topic's records, as deliveries.
//!
//! Applies the filter, makes the mark, believes or does not believe the creation time. It keeps
//! no position: the caller says from where. It owes nothing to retention but what
//! [`Source::settle`] was told.
//!
//! Invariants: only durable records are given, in the order of their offsets; a record that is
//! not an event is given as such, never skipped, and so is an offset without a record; of a topic
//! that got more partitions, what was appended before is given first (`growth`);
//! [`Source::changed`] never misses an append that came after its last completion.

mod ahead;
mod attributes;
mod growth;
mod passed;
mod pick;
mod shared;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evenkeel_cloudevents::created;
use evenkeel_cloudevents::filter::Filter;
use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_delivery::ports::{BoxFuture, Delivered, News, PortError, Source};
use evenkeel_delivery::{Arrival, Screen, Version};
use evenkeel_log::{Log, ReadError, ReadLimit};
use evenkeel_model::{Event, EventId, Position, Record, Shard, Stored, Timestamp};

use tokio::sync::Notify;

use crate::held::Held;
use crate::intake::given_before;
use crate::pages::unreadable;
use crate::{dead, mark};
use ahead::Ahead;
pub use attributes::{Doubts, senseless};
use growth::Turns;
use passed::Passed;
pub use passed::taken;
pub use pick::Pick;
pub use shared::Names;

/// One fetch reads at most so many bytes (and at least one record).
const FETCH_BYTES: usize = 4 << 20;

/// One read brings so many events, if they are there, however few were asked for.
const AHEAD: usize = 512;

/// Where a subscription without progress begins.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum From {
    /// At the first record that is kept.
    #[default]
    Earliest,
    /// Behind the last durable record.
    Latest,
    /// At the first record that was appended at or after this time.
    Time(Timestamp),
    /// At this offset of every partition, or at its end if that comes first.
    Offset(u64),
    /// At these offsets; a partition that is not named begins at its first record.
    Offsets(BTreeMap<u32, u64>),
}

/// What a source reads, and for whom.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// The subscription's name: retention stops at what it still owes.
    pub subscription: Arc<str>,
    /// The subscription's uid, which goes into every mark.
    pub uid: String,
    /// The topic.
    pub topic: Arc<str>,
    /// Which events the handler wants; all, without one.
    pub filter: Option<Filter>,
    /// What identifies an event in place of its `id`; its `id`, without one, and where the event has none.
    pub identity: Option<Pick>,
    /// Which version of its key an event is; without one no event is stale.
    pub sequence: Option<Pick>,
    /// Where to begin without progress.
    pub from: From,
    /// A creation time this long before the append is still believed; 1 h by default.
    pub believe: Duration,
    /// How much of what waits durably may be held aside, so that its topic can let go of it; 0 by
    /// default: then the topic keeps it.
    pub held_bytes_max: u64,
    /// Of a topic that got more partitions, what was appended before comes first, so that a key
    /// that moved keeps its order; true by default. False for whoever reads partitions singly.
    pub growths_in_turn: bool,
    /// Which attributes of its events were told of; nothing, to begin with.
    pub doubts: Arc<Doubts>,
}

impl SourceSettings {
    /// All of `topic` from its beginning. The uid is the subscription's name.
    pub fn new(subscription: impl Into<Arc<str>>, topic: impl Into<Arc<str>>) -> SourceSettings {
        let subscription = subscription.into();
        SourceSettings {
            uid: subscription.to_string(),
            subscription,
            topic: topic.into(),
            filter: None,
            identity: None,
            sequence: None,
            from: From::default(),
            believe: Duration::from_secs(3600),
            held_bytes_max: 0,
            growths_in_turn: true,
            doubts: Arc::default(),
        }
    }
}

/// The records of one topic, for one subscription.
pub struct EmbeddedSource {
    log: Log,
    settings: SourceSettings,
    held: Arc<Held>,
    /// The partitions that were there when it was opened; a later one is read from its beginning.
    partitions: u32,
    noticed: Mutex<Noticed>,
    turns: Mutex<Turns>,
    /// A partition that was held back may go on.
    freed: Notify,
    ahead: Mutex<Ahead>,
}

/// What [`Source::changed`] has told of.
#[derive(Default)]
struct Noticed {
    version: u64,
    partitions: u32,
    ends: HashMap<u32, u64>,
}

impl EmbeddedSource {
    /// A source on a topic that exists.
    pub fn open(log: Log, settings: SourceSettings) -> Result<EmbeddedSource, PortError> {
        let topic = log.topic(&settings.topic).ok_or_else(|| {
            PortError(format!(
                "subscription `{}` reads topic `{}`, which does not exist",
                settings.subscription, settings.topic
            ))
        })?;
        let partitions = topic.partitions;
        let noticed = Mutex::new(Noticed { partitions, ..Noticed::default() });
        let held = Arc::new(Held::open(log.clone(), settings.subscription.clone(), settings.held_bytes_max)?);
        let (turns, freed) = (Mutex::default(), Notify::new());
        Ok(EmbeddedSource { log, settings, held, partitions, noticed, turns, freed, ahead: Mutex::default() })
    }

    /// What is held aside for its subscription.
    pub fn held(&self) -> Arc<Held> {
        self.held.clone()
    }

    fn begins(&self, shard: &Shard) -> Result<u64, ReadError> {
        let ends = self.log.ends(shard)?;
        if shard.partition >= self.partitions {
            return Ok(ends.start);
        }
        let at = |offset: u64| offset.clamp(ends.start, ends.last_stable);
        Ok(match &self.settings.from {
            From::Earliest => ends.start,
            // What an open transaction may still commit counts as later.
            From::Latest => ends.last_stable,
            From::Time(time) => self.log.offset_at(shard, *time)?.unwrap_or(ends.last_stable),
            From::Offset(offset) => at(*offset),
            From::Offsets(offsets) => offsets.get(&shard.partition).map_or(ends.start, |offset| at(*offset)),
        })
    }

    fn fetch_from(&self, shard: &Shard, from: u64, max: usize) -> Result<(Vec<Arc<Delivered>>, u64), PortError> {
        let ahead = || self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ahead().take(shard.partition, from, max);
        let (events, next) = match known {
            Some(known) => known,
            None => {
                let (events, next) = self.read(shard, from, max.max(AHEAD))?;
                ahead().keep(shard.partition, events, next, max)
            }
        };
        // What is kept ahead was not given: for the turns of partitions it was not read.
        self.reach(shard, next);
        Ok((events, next))
    }

    fn read(&self, shard: &Shard, from: u64, max: usize) -> Result<(Vec<Arc<Delivered>>, u64), PortError> {
        let limit = ReadLimit { records: max, bytes: FETCH_BYTES };
        let (ends, records) = loop {
            // Looked at before the read, so that what is missing below it is missing for good.
            let ends = self.log.ends(shard).map_err(|e| unreadable(shard, &e))?;
            match self.log.read(shard, from.max(ends.start), limit) {
                // Retention took more in the meantime.
                Err(ReadError::BelowStart { start }) if start > ends.start => {}
                read => break (ends, read.map_err(|e| unreadable(shard, &e))?),
            }
        };
        // Looked at after the log itself: what it lets go of was held aside before.
        let held = self.held.between(shard, from..from.saturating_add(max as u64))?;
        // Looked at after the read: whatever was read was appended after the growths that are seen now.
        let until = self.until(shard, from);
        if from >= until {
            return Ok((Vec::new(), from));
        }
        let (mut passed, mut names) = (Passed::from(shard, ends, from, max), Names::default());
        passed.held = held.into_iter().map(|(at, stored)| (at, deliver(&self.settings, stored, &mut names))).collect();
        for stored in records {
            passed.gap_to(stored.at.offset.min(until), Some(stored.appended));
            if passed.is_full() || stored.at.offset >= until {
                break;
            }
            passed.push(Arc::new(deliver(&self.settings, stored, &mut names)));
        }
        if passed.is_empty() {
            passed.gap_to(ends.last_stable.min(until), None);
        }
        Ok(passed.fetched())
    }

    /// Before which offset that partition may be read, now that it was read up to `from`.
    fn until(&self, shard: &Shard, from: u64) -> u64 {
        if !self.settings.growths_in_turn {
            return u64::MAX;
        }
        self.reach(shard, from);
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.until(shard.partition, &self.log.growths(&shard.topic))
    }

    fn reach(&self, shard: &Shard, next: u64) {
        let growths = self.log.growths(&shard.topic);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.reach(shard.partition, next, &growths) {
            self.freed.notify_one();
        }
    }

    /// The partitions that are there now; a topic that is gone keeps those that it had.
    fn partitions(&self) -> u32 {
        self.log.topic(&self.settings.topic).map_or(self.partitions, |topic| topic.partitions)
    }

    fn shard(&self, partition: u32) -> Shard {
        Shard { topic: self.settings.topic.clone(), partition }
    }

    /// The record as it was, if this is a dead letter of this subscription's.
    fn original(&self, stored: Stored) -> Option<Stored> {
        if stored.at.shard != dead::shard_of(&self.settings.subscription) {
            return Some(stored);
        }
        dead::original(stored)
    }

    /// What has changed since this was asked last.
    fn news(&self, version: u64) -> Option<News> {
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        noticed.version = version;
        let partitions = self.partitions();
        let mut grown = false;
        for partition in 0..partitions {
            let end = self.log.ends(&self.shard(partition)).map_or(0, |ends| ends.high_watermark);
            grown |= noticed.ends.insert(partition, end) != Some(end);
        }
        match std::mem::replace(&mut noticed.partitions, partitions) {
            before if before < partitions => Some(News::Shards),
            _ => grown.then_some(News::More),
        }
    }
}

/// A record as the runtime gets it: read as an event, screened by the filter, with its mark, its
/// creation time and its version. `names` holds what most events of a fetch have in common.
pub fn deliver(settings: &SourceSettings, stored: Stored, names: &mut Names) -> Delivered {
    let Stored { at, appended, record } = stored;
    let (event, plain, problem) = match from_record(&record, &at) {
        Read::Event(event) => (event, false, None),
        Read::Plain(event) => (event, true, None),
        Read::NotAnEvent(problem) => (nameless(&at), true, Some(problem.to_string())),
    };
    let created = created(&event, record.created, appended, settings.believe);
    let screen = match problem {
        Some(problem) => Screen::NotAnEvent(problem),
        None if settings.filter.as_ref().is_some_and(|f| !f.matches(&event)) => Screen::Filtered,
        None => Screen::Wanted,
    };
    let nothing = matches!(screen, Screen::NotAnEvent(_));
    let mut name = |text: &str| names.get(if nothing { "" } else { text });
    let arrival = Arrival {
        key: record.key.clone(),
        mark: mark(&settings.uid, &identity(settings, &event, &record, plain)),
        created,
        expires: attributes::expires(settings, &event),
        bytes: record.value.as_ref().map_or(0, |value| u32::try_from(value.len()).unwrap_or(u32::MAX)),
        priority: attributes::priority(settings, &event),
        kind: name(&event.kind),
        source: name(&event.id.source),
        version: settings.sequence.as_ref().filter(|_| !nothing).map_or(Version::None, |s| s.version(&event, &record)),
        given_before: given_before(&record),
        screen,
        at,
    };
    Delivered { arrival, appended, event, record }
}

/// What identifies an event in this subscription. A plain record has no source but the topic: its
/// place is not part of an identity that it brings along.
fn identity<'e>(settings: &SourceSettings, event: &'e Event, record: &Record, plain: bool) -> Cow<'e, EventId> {
    let found = settings.identity.as_ref().and_then(|pick| pick.text(event, record)).filter(|id| !id.is_empty());
    match found {
        Some(id) if plain => Cow::Owned(EventId { source: format!("/{}", settings.topic), id }),
        Some(id) => Cow::Owned(EventId { source: event.id.source.clone(), id }),
        None => Cow::Borrowed(&event.id),
    }
}

/// Stands for a record that is not an event; only its place identifies it.
fn nameless(at: &Position) -> Event {
    Event::new(format!("/{}/{}", at.shard.topic, at.shard.partition), at.offset.to_string(), "")
}

impl Source for EmbeddedSource {
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>> {
        let begins = |partition| {
            let shard = self.shard(partition);
            let from = self.begins(&shard).map_err(|e| unreadable(&shard, &e))?;
            Ok((shard, from))
        };
        let shards = (0..self.partitions()).map(begins).collect();
        Box::pin(std::future::ready(shards))
    }

    fn fetch(
        &self,
        shard: &Shard,
        from: u64,
        max: usize,
    ) -> BoxFuture<'_, Result<(Vec<Arc<Delivered>>, u64), PortError>> {
        Box::pin(std::future::ready(self.fetch_from(shard, from, max)))
    }

    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<Delivered>>, PortError>> {
        let found = match self.log.read(&at.shard, at.offset, ReadLimit { records: 1, bytes: FETCH_BYTES }) {
            Ok(records) => {
                Ok(records.into_iter().next().filter(|r| r.at.offset == at.offset).and_then(|r| self.original(r)))
            }
            Err(ReadError::BelowStart { .. } | ReadError::Beyond { .. }) => Ok(None),
            Err(e) => Err(unreadable(&at.shard, &e)),
        };
        let found = found.and_then(|found| found.map_or_else(|| self.held.get(at), |stored| Ok(Some(stored))));
        Box::pin(std::future::ready(
            found.map(|r| r.map(|stored| Arc::new(deliver(&self.settings, stored, &mut Names::default())))),
        ))
    }

    fn changed(&self) -> BoxFuture<'_, News> {
        Box::pin(async move {
            loop {
                let before = self.noticed.lock().unwrap_or_else(PoisonError::into_inner).version;
                let version = tokio::select! {
                    version = self.log.beyond(before) => version,
                    () = self.freed.notified() => return News::More,
                };
                if let Some(news) = self.news(version) {
                    return news;
                }
                if version == before {
                    // The log has stopped: there will be no more, and asking again would spin.
                    std::future::pending::<()>().await;
                }
            }
        })
    }

    fn settle(&self, floors: &[(Shard, u64)]) {
        let floors: Vec<(Shard, u64)> =
            floors.iter().map(|(shard, floor)| (shard.clone(), self.held.floor(shard, *floor))).collect();
        self.log.owe(&self.settings.subscription, &floors);
    }
}

#[cfg(test)]
mod tests;
