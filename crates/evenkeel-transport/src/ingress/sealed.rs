//! What was published and is not in memory any more: sealed on disk, by append time.
//!
//! Positions of the series are append times in microseconds, over all topics. It is derived: what
//! is missing is read from the topics again at the next start.

use std::ops::Range;
use std::sync::Arc;

use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::Log;
use evenkeel_log::seen::{Damaged, Series, Sighting, VALUE_BYTES};
use evenkeel_model::Timestamp;

use super::index::{Asked, Stored};
use crate::happenings::PublishedDamaged;

/// At most so many are remembered on disk, with 20 bits of memory for each (335 MB); beyond it
/// the oldest are forgotten.
const EVENTS_MAX: u64 = 1 << 27;

/// Its name under `seen/`; another whenever the hash of the contents is another.
const FOLDER: &str = "published";

/// The identities on disk.
pub(super) struct Sealed(Arc<Series>);

impl Sealed {
    pub(super) fn open(log: &Log) -> Result<Sealed, PortError> {
        let series = log.seen(FOLDER, VALUE_BYTES);
        Ok(Sealed(series.map_err(|e| PortError(format!("opening `seen/{FOLDER}`: {e}")))?))
    }

    /// What is known of each; nothing, while nothing is sealed.
    pub(super) fn find(&self, asked: &[Asked]) -> Result<Vec<Option<Stored>>, Damaged> {
        if self.0.end() == 0 {
            return Ok(Vec::new());
        }
        let marks: Vec<[u8; 16]> = asked.iter().map(|asked| asked.mark.0).collect();
        Ok(self.0.find_all(&marks)?.into_iter().map(|found| found.map(|s| stored(&s))).collect())
    }

    /// Makes durable what was appended before `upto` and is not sealed yet; `since`: where the
    /// window begins. False when a clock went back, and all of that time is sealed already.
    pub(super) fn seal(&self, since: Timestamp, upto: Timestamp, known: &[(Mark, Stored)]) -> Result<bool, PortError> {
        let from = self.0.end().max(position(since));
        let failed = |e: std::io::Error| PortError(format!("sealing what was published: {e}"));
        if from >= position(upto) {
            return Ok(false);
        }
        let sightings = known.iter().map(|(mark, stored)| sighting(*mark, stored)).collect();
        self.0.seal(from..position(upto), sightings).map_err(failed)?;
        self.0.tidy(since).map_err(failed)?;
        self.0.trim(EVENTS_MAX);
        Ok(true)
    }

    /// The times of which nothing is sealed, from `since` on.
    pub(super) fn gaps(&self, since: Timestamp) -> Vec<Range<Timestamp>> {
        let time = |at: u64| Timestamp::from_micros(i64::try_from(at).unwrap_or(i64::MAX));
        self.0.gaps(position(since)..u64::MAX).into_iter().map(|gap| time(gap.start)..time(gap.end)).collect()
    }

    /// What is sealed of these times cannot be read: it is let go.
    pub(super) fn give_up(&self, damaged: &Damaged) {
        PublishedDamaged { damaged: damaged.to_string() }.tell();
        self.0.drop_range(&damaged.range);
    }
}

/// Before 1970 nothing was published.
fn position(at: Timestamp) -> u64 {
    u64::try_from(at.micros()).unwrap_or(0)
}

fn sighting(mark: Mark, stored: &Stored) -> Sighting {
    let mut sighting = Sighting::new(mark.0, stored.at);
    sighting.value[..4].copy_from_slice(&stored.partition.to_le_bytes());
    sighting.value[4..12].copy_from_slice(&stored.offset.to_le_bytes());
    sighting.value[12..20].copy_from_slice(&stored.content.to_le_bytes());
    sighting
}

fn stored(sighting: &Sighting) -> Stored {
    let u64_at = |at: usize| sighting.value[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let partition = sighting.value.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    Stored { partition, offset: u64_at(4), content: u64_at(12), at: sighting.at }
}
