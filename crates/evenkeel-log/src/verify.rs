//! Holding a folder against all of its checksums, without changing it.
//!
//! What opening looks at, and everything besides: each batch of each segment, each index entry,
//! both slots, both copies of each write-ahead file's header. Damage concerns records; a note is
//! about what can be derived again or has a second copy.

mod indexes;
mod files;

use std::sync::Arc;

use crate::damage::joined;
use crate::disk::Disk;
use crate::disk::readonly::ReadOnly;
use crate::recovery::{self, Survey};
use crate::safeguard::Guards;
use crate::segment::sweep::{Sweep, Swept};
use crate::segment::{Segment, log_path};
use crate::{Damage, DamageKind, Ends, Offsets, OpenError, Options};
use evenkeel_model::Shard;

/// What a folder holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Records that are lost or cannot be trusted. None: the folder is whole.
    pub damage: Vec<Damage>,
    /// What is wrong and costs no record.
    pub notes: Vec<Note>,
    /// All partitions.
    pub partitions: Vec<Extent>,
    /// Groups of the write-ahead log that no checkpoint covers.
    pub groups: u64,
    /// Whole batches in segments.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Something about a file that costs no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file, relative to the data folder.
    pub file: String,
    /// What is wrong.
    pub what: String,
}

/// How much of a partition is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The partition.
    pub shard: Shard,
    /// Where it begins and ends.
    pub ends: Ends,
    /// How many segments it has.
    pub segments: usize,
    /// Bytes of batches in them.
    pub bytes: u64,
}

/// Verifies the log on `disk`. It must not be in use. Takes as long as reading all of it takes.
pub fn verify(disk: Arc<dyn Disk>) -> Result<Verified, OpenError> {
    run(disk, Guards::default())
}

fn run(disk: Arc<dyn Disk>, guards: Guards) -> Result<Verified, OpenError> {
    let _lock = recovery::take(&*disk)?;
    let disk = ReadOnly(disk);
    look(&disk, guards, &recovery::survey(&disk, guards, Options::default().memory())?)
}

/// Looks at everything that a survey did not look at.
pub(crate) fn look(disk: &dyn Disk, guards: Guards, survey: &Survey) -> Result<Verified, OpenError> {
    let Survey { slots, state, end, damage, .. } = survey;
    let mut verified = Verified { damage: damage.clone(), ..Verified::default() };
    if let (Some(newest), Some(end)) = (slots.newest(), end) {
        verified.groups = end.position.lsn.saturating_sub(newest.wal.lsn);
    }
    files::look(disk, guards, &mut verified)?;
    for (place, topic, ends, partition) in state.places() {
        let shard = Shard::new(topic.name.clone(), place.partition);
        let folder = state.folder(place);
        let segments = &partition.segments;
        segments.iter().for_each(|segment| verified.segment(disk, guards, &folder, &shard, segment));
        let bytes = segments.iter().map(|s| s.log_bytes).sum();
        verified.partitions.push(Extent { shard, ends, segments: segments.len(), bytes });
    }
    Ok(verified)
}

impl Verified {
    fn segment(&mut self, disk: &dyn Disk, guards: Guards, folder: &str, shard: &Shard, segment: &Segment) {
        let log = log_path(folder, segment.base, segment.revision);
        if self.damage.iter().any(|d| d.file == log) {
            return;
        }
        let sweep = disk.open(&log, false).and_then(|file| Sweep::new(file, segment, guards));
        let sweep = match sweep {
            Ok(sweep) => sweep,
            Err(e) => return self.damage.push(unreadable(&log, shard, segment, &e.to_string())),
        };
        let mut starts = Vec::new();
        for swept in sweep {
            match swept {
                Swept::Batch { position, head, bytes } => {
                    starts.push((head.base, position));
                    self.batches += 1;
                    self.records += u64::from(head.count);
                    self.bytes += bytes.len() as u64;
                }
                Swept::Hole { position, from, to, what } => {
                    self.damage.push(hole(&log, shard, position, from, to, what));
                }
            }
        }
        self.notes.extend(indexes::look(disk, guards, folder, segment, &starts));
    }
}

/// Damage within a segment.
pub(crate) fn hole(log: &str, shard: &Shard, position: u64, from: u64, to: u64, what: String) -> Damage {
    let lost = if from < to { vec![Offsets { shard: shard.clone(), from, to: Some(to) }] } else { Vec::new() };
    Damage { lost, exact: true, ..Damage::new(DamageKind::Segment, log, Some(position), what) }
}

/// A segment that cannot be read at all.
fn unreadable(log: &str, shard: &Shard, segment: &Segment, why: &str) -> Damage {
    let lost = joined(vec![Offsets { shard: shard.clone(), from: segment.base, to: Some(segment.end) }]);
    Damage { lost, exact: true, ..Damage::new(DamageKind::Segment, log, None, format!("it cannot be read: {why}")) }
}
