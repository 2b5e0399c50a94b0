//! The source of one partition of a topic.
//!
//! Invariants: only committed records are given, in the order of their offsets; what retention took
//! before it was read is given as expired, offset by offset, never skipped; the offsets of
//! transaction markers and of aborted records hold nothing and are passed over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, Delivered, Fetched, News, PortError, Source};
use evenkeel_model::{Clock, Position, Shard, Stored};
use evenkeel_transport::{From, Names, SourceSettings, deliver, taken};
use tokio::sync::Mutex as AsyncMutex;

use crate::Broker;
use crate::reading::{Ahead, Came, Reader};

/// A fetch waits so long for what is on its way, before it says that there is nothing yet.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// A fetch for something that must be there waits so long.
const ONE_RECORD: Duration = Duration::from_secs(15);

/// The ids of events that were given and have no outcome, for what is caused by them.
pub(crate) type Ids = Arc<Mutex<HashMap<u64, String>>>;

/// One partition of one topic, for one subscription.
pub(crate) struct KafkaSource {
    broker: Broker,
    clock: Arc<dyn Clock>,
    group: String,
    dead: String,
    shard: Shard,
    settings: SourceSettings,
    /// Where the subscription begins without progress.
    begin: u64,
    ids: Option<Ids>,
    reading: AsyncMutex<Reading>,
    looking: AsyncMutex<HashMap<Shard, Reader>>,
}

struct Reading {
    reader: Reader,
    /// Read, and not asked for yet.
    ahead: Option<Stored>,
    /// What [`Source::changed`] told of last.
    told: Option<u64>,
    names: Names,
}

/// What a source is made of.
pub(crate) struct Made {
    pub(crate) broker: Broker,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) group: String,
    pub(crate) dead: String,
    pub(crate) shard: Shard,
    pub(crate) settings: SourceSettings,
    pub(crate) reader: Reader,
    pub(crate) begin: u64,
    pub(crate) ids: Option<Ids>,
}

impl KafkaSource {
    pub(crate) fn new(made: Made) -> KafkaSource {
        let Made { broker, clock, group, dead, shard, settings, reader, begin, ids } = made;
        let reading = Reading { reader, ahead: None, told: None, names: Names::default() };
        KafkaSource {
            broker,
            clock,
            group,
            dead,
            shard,
            settings,
            begin,
            ids,
            reading: AsyncMutex::new(reading),
            looking: AsyncMutex::default(),
        }
    }

    async fn fetch_from(&self, from: u64, max: usize) -> Result<Fetched, PortError> {
        let mut reading = self.reading.lock().await;
        let Reading { reader, ahead, names, .. } = &mut *reading;
        let mut events: Vec<Arc<Delivered>> = Vec::new();
        let mut next = from;
        if ahead.as_ref().is_some_and(|one| one.at.offset < from || reader.next() != Some(one.at.offset + 1)) {
            *ahead = None;
        }
        if ahead.is_none() {
            reader.go(from)?;
        }
        while events.len() < max {
            let came = match ahead.take() {
                Some(one) => Came::One(one),
                None if events.is_empty() => reader.read(ON_ITS_WAY).await?,
                None => reader.poll()?,
            };
            match came {
                Came::One(one) => {
                    next = one.at.offset + 1;
                    events.push(Arc::new(deliver(&self.settings, one, names)));
                }
                Came::End | Came::Nothing => break,
                Came::OutOfRange => return self.taken(reader, next, max).await,
            }
        }
        self.note(&events);
        Ok((events, next))
    }

    /// Retention took what comes next: each of these offsets ends as expired.
    async fn taken(&self, reader: &mut Reader, from: u64, max: usize) -> Result<Fetched, PortError> {
        let (start, end) = reader.ends().await?;
        if from > end {
            let what = format!("offset {from} is read next, and the partition ends at {end}: the broker lost records");
            return Err(reader.failed("reading", &what));
        }
        let until = start.min(from.saturating_add(max as u64));
        Ok((
            (from..until).map(|offset| Arc::new(taken(Position { shard: self.shard.clone(), offset }))).collect(),
            until.max(from),
        ))
    }

    fn note(&self, events: &[Arc<Delivered>]) {
        let Some(ids) = &self.ids else { return };
        let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.extend(events.iter().map(|e| (e.arrival.at.offset, e.event.id.id.clone())));
    }

    async fn look(&self, at: &Position) -> Result<Option<Stored>, PortError> {
        let mut looking = self.looking.lock().await;
        if !looking.contains_key(&at.shard) {
            let clock = self.clock.clone();
            let reader = Reader::open(&self.broker, clock, &self.group, at.shard.clone(), Ahead::Little)?;
            looking.insert(at.shard.clone(), reader);
        }
        let Some(reader) = looking.get_mut(&at.shard) else { return Ok(None) };
        reader.go(at.offset)?;
        match reader.read(ONE_RECORD).await? {
            Came::One(one) if one.at.offset == at.offset => Ok(Some(one)),
            Came::One(_) | Came::End | Came::OutOfRange => Ok(None),
            Came::Nothing => Err(reader.failed("reading one record again", &"it did not come in time")),
        }
    }
}

impl Source for KafkaSource {
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>> {
        Box::pin(std::future::ready(Ok(vec![(self.shard.clone(), self.begin)])))
    }

    fn fetch(&self, _: &Shard, from: u64, max: usize) -> BoxFuture<'_, Result<Fetched, PortError>> {
        Box::pin(self.fetch_from(from, max))
    }

    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<Delivered>>, PortError>> {
        let at = at.clone();
        Box::pin(async move {
            let found = self.look(&at).await?;
            let found =
                if *at.shard.topic == *self.dead { found.and_then(evenkeel_transport::dead::original) } else { found };
            let found = found.map(|stored| Arc::new(deliver(&self.settings, stored, &mut Names::default())));
            Ok(found)
        })
    }

    fn changed(&self) -> BoxFuture<'_, News> {
        Box::pin(async move {
            loop {
                let mut bell = {
                    let mut reading = self.reading.lock().await;
                    let bell = reading.reader.bell();
                    if reading.reader.next().is_none() && reading.reader.go(self.begin).is_err() {
                        return News::More;
                    }
                    if reading.ahead.is_none() {
                        match reading.reader.poll() {
                            Ok(Came::One(one)) => reading.ahead = Some(one),
                            Ok(Came::End | Came::Nothing) => {}
                            // Whoever reads finds out.
                            Ok(Came::OutOfRange) | Err(_) => return News::More,
                        }
                    }
                    let offset = reading.ahead.as_ref().map(|one| one.at.offset);
                    if offset > reading.told {
                        reading.told = offset;
                        return News::More;
                    }
                    bell
                };
                // Its sender lives as long as this source.
                let _ = bell.changed().await;
            }
        })
    }

    fn settle(&self, _: &[(Shard, u64)]) {
        // The group's offsets go with the journal's transactions; the topic's retention is not ours.
    }
}

/// Where a subscription begins in a partition, when nobody has read of it.
pub(crate) async fn begins(reader: &Reader, from: &From, partition: u32) -> Result<u64, PortError> {
    let (start, end) = reader.ends().await?;
    Ok(match from {
        From::Earliest => start,
        From::Latest => end,
        From::Time(time) => reader.at_time(*time).await?.unwrap_or(end).max(start),
        From::Offset(offset) => (*offset).clamp(start, end),
        From::Offsets(offsets) => offsets.get(&partition).map_or(start, |offset| (*offset).clamp(start, end)),
    })
}
