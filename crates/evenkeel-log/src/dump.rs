//! Everything in a folder, piece by piece, whole or damaged: for people and for other programs.
//!
//! It shows more than a log would: groups of all write-ahead files, also those behind damage, and
//! every whole batch of a segment. In order: checkpoints, write-ahead files with their groups,
//! partitions with their segments. Memory does not grow with the folder.

mod part;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use evenkeel_model::{Record, Shard, Timestamp};

use crate::disk::Disk;
use crate::disk::readonly::ReadOnly;
use crate::recovery;
use crate::safeguard::Guards;
use crate::{Damage, Extent, OpenError, Options};
use part::Part;

/// One piece of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dumped {
    /// A checkpoint that can be read.
    Checkpoint {
        /// The slot's file.
        file: String,
        /// Counts checkpoints.
        generation: u64,
        /// The write-ahead file that the log goes on in.
        wal_file: String,
        /// The place in it.
        wal_at: u64,
        /// The number of the next group.
        group: u64,
        /// When the last group before it was taken.
        appended: Timestamp,
        /// The partitions that it counts on; topics that are not known have their number as name.
        partitions: Vec<Extent>,
    },
    /// A write-ahead file.
    WalFile {
        /// The file.
        file: String,
        /// Its size.
        bytes: u64,
        /// How many whole groups stand in it.
        groups: u64,
    },
    /// A whole group.
    Group {
        /// The write-ahead file.
        file: String,
        /// The place in it.
        at: u64,
        /// Counts groups.
        number: u64,
        /// `records`, `seal` or `turn`.
        kind: &'static str,
        /// When it was taken.
        appended: Timestamp,
        /// The newest group that was complete when it was submitted.
        durable: u64,
        /// The newest checkpoint at that time.
        generation: u64,
        /// Its checksum, and that of the group before.
        checksum: u32,
        /// The checksum of the group before it.
        previous: u32,
        /// How many batches it holds.
        entries: u32,
        /// The bytes of its payload.
        bytes: u32,
    },
    /// A batch, in a group or in a segment.
    Batch {
        /// The file.
        file: String,
        /// The place of the batch in its segment, or of its group in the write-ahead file.
        at: u64,
        /// The partition.
        shard: Shard,
        /// The offset of its first record.
        base: u64,
        /// One beyond that of its last.
        end: u64,
        /// Its bytes.
        bytes: usize,
    },
    /// A record of the batch before, when they were asked for.
    Record {
        /// The partition.
        shard: Shard,
        /// Its offset.
        offset: u64,
        /// It itself.
        record: Record,
    },
    /// Something that is damaged.
    Damaged(Damage),
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Show {
    /// The records of each batch.
    pub records: bool,
    /// Batches and records of this topic only.
    pub topic: Option<String>,
}

/// The pieces, one after the other.
pub struct Dump {
    disk: ReadOnly,
    guards: Guards,
    show: Show,
    names: HashMap<u32, Arc<str>>,
    parts: VecDeque<Part>,
    ready: VecDeque<Dumped>,
    _lock: Box<dyn Send + Sync>,
}

/// Dumps the log on `disk`. It must not be in use.
pub fn dump(disk: Arc<dyn Disk>, show: Show) -> Result<Dump, OpenError> {
    let lock = recovery::take(&*disk)?;
    let (disk, guards) = (ReadOnly(disk), Guards::default());
    let survey = recovery::survey(&disk, guards, Options::default().memory())?;
    let names = survey.state.places().map(|(place, topic, _, _)| (place.topic, topic.name.clone())).collect();
    let parts = part::all(&disk, &survey)?;
    let ready = survey.damage.into_iter().map(Dumped::Damaged).collect();
    Ok(Dump { disk, guards, show, names, parts, ready, _lock: lock })
}

impl Iterator for Dump {
    type Item = Dumped;

    fn next(&mut self) -> Option<Dumped> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let mut part = self.parts.pop_front()?;
            let mut out = part::Out { show: &self.show, names: &self.names, ready: &mut self.ready };
            if part.step(&self.disk, self.guards, &mut out) {
                self.parts.push_front(part);
            }
        }
    }
}
