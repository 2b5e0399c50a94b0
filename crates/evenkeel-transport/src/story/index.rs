//! Where the records of an event are, and those of what it caused: an index that can be deleted.
//!
//! A key (an id, a correlation, a causation, a cause) leads to the newest record that has it, and from each
//! record there is a way to the one before it: both are sightings of one series on disk, at 36 bytes and 20 bits
//! of memory for each record, and so is how far each partition was read. It is made by reading what the log
//! holds, and always a little behind: what came since is read directly. Invariants: a record that was indexed is
//! found by its keys as long as the log has it; what is found is checked against the record; without the index,
//! or where it is damaged, everything is read, and the answer is the same.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::seen::{Damaged, Series, Sighting, VALUE_BYTES};
use evenkeel_log::{Ends, Log, ReadError, ReadLimit};
use evenkeel_model::{Position, Shard, Stored, Timestamp, names};

use super::search::is_of_events;
use crate::pages::{Pages, unreadable};

/// The series' name: a folder of its own.
const NAME: &str = "story";
/// Sightings of one segment, about.
const SEALED_AT: usize = 500_000;
/// At most so many are remembered (335 MB of memory); beyond it the oldest are forgotten, and read for.
const SIGHTINGS_MAX: u64 = 1 << 27;
/// Of one key so many records are followed.
const FOLLOWED_MAX: usize = 10_000;

/// What records are found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'k> {
    /// An event's id.
    Id(&'k str),
    /// The `correlationid`.
    Correlation(&'k str),
    /// The `causationid`.
    Causation(&'k str),
    /// What handlers returned: `subscription;topic;partition;offset`.
    CausedBy(&'k str),
}

impl Key<'_> {
    /// Whether a record may have it; cheap, and never a no where it has.
    pub(super) fn may_be_of(self, stored: &Stored) -> bool {
        let record = &stored.record;
        let (name, text) = match self {
            Key::Id(text) => ("ce_id", text),
            Key::Correlation(text) => ("ce_correlationid", text),
            Key::Causation(text) => ("ce_causationid", text),
            Key::CausedBy(text) => (names::CAUSED_BY, text),
        };
        match record.header(name) {
            Some(value) => value.as_ref() == text.as_bytes(),
            // It may stand in the record's own JSON.
            None => name != names::CAUSED_BY && record.header("ce_id").is_none(),
        }
    }

    fn mark(self) -> Mark {
        match self {
            Key::Id(text) => Mark::of("story", "id", text),
            Key::Correlation(text) => Mark::of("story", "correlation", text),
            Key::Causation(text) => Mark::of("story", "causation", text),
            Key::CausedBy(text) => Mark::of("story", "caused-by", text),
        }
    }
}

/// The place of a record, and whether another one of the same key lies before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    topic: u32,
    partition: u32,
    offset: u64,
    has_before: bool,
}

impl Place {
    fn sighting(self, mark: Mark) -> Sighting {
        // What is newer is told by the order of segments, so that no clock can be wrong.
        let mut sighting = Sighting::new(mark.0, Timestamp::EPOCH);
        sighting.value[..4].copy_from_slice(&self.topic.to_le_bytes());
        sighting.value[4..8].copy_from_slice(&self.partition.to_le_bytes());
        sighting.value[8..16].copy_from_slice(&self.offset.to_le_bytes());
        sighting.value[16] = u8::from(self.has_before);
        sighting
    }

    fn of(sighting: &Sighting) -> Place {
        let u32_at = |at: usize| sighting.value[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let offset = sighting.value[8..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Place { topic: u32_at(0), partition: u32_at(4), offset, has_before: sighting.value[16] == 1 }
    }

    /// The mark of the way from this record to the one before it by this key.
    fn before(self, key: Mark) -> Mark {
        Mark::of("story-before", &key.to_hex(), &format!("{}/{}/{}", self.topic, self.partition, self.offset))
    }
}

fn cursor(topic: u32, partition: u32) -> Mark {
    Mark::of("story-cursor", &topic.to_string(), &partition.to_string())
}

/// The index of a log.
pub(super) struct Index {
    log: Log,
    series: Arc<Series>,
}

impl Index {
    pub(super) fn open(log: Log) -> Result<Index, PortError> {
        let series = log.seen(NAME, VALUE_BYTES).map_err(|e| PortError(format!("opening `seen/{NAME}`: {e}")))?;
        Ok(Index { log, series })
    }

    /// Takes in what came since the last time. Blocks. One at a time does it.
    pub(super) fn catch_up(&self) -> Result<(), PortError> {
        let Some(_turn) = self.series.work() else { return Ok(()) };
        // A segment that is gone takes all that came after it along: their ways lead through it.
        if let Some(gap) = self.series.gaps(0..self.series.end()).first() {
            self.series.drop_range(&(gap.start..u64::MAX));
        }
        let mut batch = Batch::default();
        let cut: Vec<(Shard, Ends)> = self.log.cut().into_iter().filter(|(shard, _)| is_of_events(shard)).collect();
        for (shard, ends) in &cut {
            let Some(topic) = self.log.topic_number(&shard.topic) else { continue };
            let from = self.cursor(topic, shard.partition)?.max(ends.start);
            let mut pages = Pages::new(&self.log, shard.clone(), from, ends.high_watermark);
            loop {
                let page = pages.next()?;
                let Some(last) = page.last() else { break };
                let next = last.at.offset + 1;
                self.add(&mut batch, topic, &page)?;
                let at = Place { topic, partition: shard.partition, offset: next, has_before: false };
                batch.cursors.insert((topic, shard.partition), at);
                if batch.heads.len() + batch.before.len() >= SEALED_AT {
                    self.seal(std::mem::take(&mut batch))?;
                }
            }
        }
        self.seal(batch)
    }

    fn cursor(&self, topic: u32, partition: u32) -> Result<u64, PortError> {
        let found = self.series.find(&cursor(topic, partition).0).map_err(|damaged| self.give_up(&damaged))?;
        Ok(found.map_or(0, |sighting| Place::of(&sighting).offset))
    }

    fn add(&self, batch: &mut Batch, topic: u32, page: &[Stored]) -> Result<(), PortError> {
        let found: Vec<(Mark, Place)> = page
            .iter()
            .flat_map(|stored| {
                let (partition, offset) = (stored.at.shard.partition, stored.at.offset);
                let place = Place { topic, partition, offset, has_before: false };
                marks(stored).into_iter().map(move |mark| (mark, place))
            })
            .collect();
        let asked: Vec<[u8; 16]> = found.iter().map(|(mark, _)| mark.0).collect();
        let known = self.series.find_all(&asked).map_err(|damaged| self.give_up(&damaged))?;
        for ((mark, place), known) in found.into_iter().zip(known) {
            let before = batch.heads.get(&mark).copied().or_else(|| known.as_ref().map(Place::of));
            batch.heads.insert(mark, Place { has_before: before.is_some(), ..place });
            batch.before.extend(before.map(|before| before.sighting(place.before(mark))));
        }
        Ok(())
    }

    fn seal(&self, batch: Batch) -> Result<(), PortError> {
        if batch.cursors.is_empty() {
            return Ok(());
        }
        let mut sightings: Vec<Sighting> = batch.heads.iter().map(|(mark, place)| place.sighting(*mark)).collect();
        sightings.extend(batch.before);
        sightings.extend(batch.cursors.iter().map(|((topic, partition), at)| at.sighting(cursor(*topic, *partition))));
        let at = self.series.end();
        let failed = |e: std::io::Error| PortError(format!("writing the index of stories: {e}"));
        self.series.seal(at..at + 1, sightings).map_err(failed)?;
        self.series.tidy(Timestamp::EPOCH).map_err(failed)?;
        self.series.trim(SIGHTINGS_MAX);
        Ok(())
    }

    /// The records that may have this key, from the index, and where reading must go on in each partition. In no
    /// order. What the log has lost meanwhile is left out.
    pub(super) fn find(&self, key: Key<'_>) -> Result<Vec<Stored>, PortError> {
        let topics: HashMap<u32, Arc<str>> =
            self.log.topics().into_iter().filter_map(|t| Some((self.log.topic_number(&t.name)?, t.name))).collect();
        let mark = key.mark();
        let look = |mark: Mark| self.series.find(&mark.0).map_err(|damaged| self.give_up(&damaged));
        let (mut found, mut met) = (Vec::new(), HashSet::new());
        let mut next = look(mark)?.as_ref().map(Place::of);
        while let Some(place) = next.filter(|place| found.len() < FOLLOWED_MAX && met.insert(*place)) {
            if let Some(topic) = topics.get(&place.topic) {
                found.extend(self.read(topic, place)?);
            }
            next = if place.has_before { look(place.before(mark))?.as_ref().map(Place::of) } else { None };
        }
        Ok(found)
    }

    fn read(&self, topic: &Arc<str>, place: Place) -> Result<Option<Stored>, PortError> {
        let shard = Shard::new(topic.clone(), place.partition);
        let read = match self.log.read(&shard, place.offset, ReadLimit::records(1)) {
            Ok(read) => read,
            // That it was never there is another answer than that it cannot be read.
            Err(e @ (ReadError::Corrupt { .. } | ReadError::Io { .. })) => return Err(unreadable(&shard, &e)),
            Err(_) => return Ok(None),
        };
        Ok(read.into_iter().next().filter(|stored| stored.at == Position { shard, offset: place.offset }))
    }

    /// Where what is not indexed begins.
    pub(super) fn read_up_to(&self, shard: &Shard) -> Result<u64, PortError> {
        let Some(topic) = self.log.topic_number(&shard.topic) else { return Ok(0) };
        self.cursor(topic, shard.partition)
    }

    /// What cannot be read is let go, with all that came after it.
    fn give_up(&self, damaged: &Damaged) -> PortError {
        self.series.drop_range(&(damaged.range.start..u64::MAX));
        PortError(format!("the index of stories: {damaged}"))
    }
}

/// What is not on disk yet.
#[derive(Default)]
struct Batch {
    heads: HashMap<Mark, Place>,
    before: Vec<Sighting>,
    cursors: HashMap<(u32, u32), Place>,
}

/// The keys of a record.
fn marks(stored: &Stored) -> Vec<Mark> {
    let record = &stored.record;
    let header = |name: &str| record.header(name).and_then(|value| str::from_utf8(value).ok());
    let mut marks = Vec::with_capacity(4);
    let (mut id, mut correlation, mut causation) = (None, None, None);
    if record.header("ce_id").is_none()
        && let Read::Event(event) | Read::Plain(event) = from_record(record, &stored.at)
    {
        (correlation, causation) = (event.extension("correlationid"), event.extension("causationid"));
        id = Some(event.id.id);
    }
    let text = |own: &Option<String>, name: &str| own.clone().or_else(|| header(name).map(ToOwned::to_owned));
    marks.extend(text(&id, "ce_id").map(|id| Key::Id(&id).mark()));
    marks.extend(text(&correlation, "ce_correlationid").map(|id| Key::Correlation(&id).mark()));
    marks.extend(text(&causation, "ce_causationid").map(|id| Key::Causation(&id).mark()));
    marks.extend(header(names::CAUSED_BY).map(|by| Key::CausedBy(by).mark()));
    marks
}
