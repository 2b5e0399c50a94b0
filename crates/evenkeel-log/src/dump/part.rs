//! The pieces of a folder, one file at a time, one group or batch at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use evenkeel_model::{Shard, Timestamp};

use super::{Dumped, Show};
use crate::batch::{Head, Records};
use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::recovery::chain::Reader;
use crate::recovery::{Survey, behind, doing, scan};
use crate::safeguard::Guards;
use crate::segment::sweep::{Sweep, Swept};
use crate::segment::{Segment, log_path};
use crate::state::Place;
use crate::verify::hole;
use crate::wal::header::{GROUP_BYTES, GroupHeader, Kind};
use crate::wal::{FIRST_GROUP, number, path};
use crate::{Damage, DamageKind, Extent, OpenError};

/// What is still to be dumped.
pub(super) enum Part {
    Slot(Box<Checkpoint>),
    Wal(u64),
    Groups(Reader, VecDeque<(u64, GroupHeader)>),
    /// With its partition's folder.
    Segment(Shard, String, Segment),
    Batches(Shard, String, Box<Sweep>),
}

/// Where the pieces go.
pub(super) struct Out<'a> {
    pub(super) show: &'a Show,
    /// Topics by number.
    pub(super) names: &'a HashMap<u32, Arc<str>>,
    pub(super) ready: &'a mut VecDeque<Dumped>,
}

/// All parts of a folder.
pub(super) fn all(disk: &dyn Disk, survey: &Survey) -> Result<VecDeque<Part>, OpenError> {
    let mut parts: VecDeque<Part> = survey.slots.all().map(|c| Part::Slot(Box::new(c.clone()))).collect();
    let mut files: Vec<u64> =
        disk.list("wal").map_err(doing("listing", "wal"))?.iter().filter_map(|name| number(name)).collect();
    files.sort_unstable();
    parts.extend(files.into_iter().map(Part::Wal));
    for (place, topic, _, partition) in survey.state.places() {
        let shard = Shard::new(topic.name.clone(), place.partition);
        let folder = survey.state.folder(place);
        parts.extend(partition.segments.iter().map(|s| Part::Segment(shard.clone(), folder.clone(), *s)));
    }
    Ok(parts)
}

impl Part {
    /// One step; true when there is more of it.
    pub(super) fn step(&mut self, disk: &dyn Disk, guards: Guards, out: &mut Out<'_>) -> bool {
        match self {
            Part::Slot(checkpoint) => {
                out.checkpoint(checkpoint);
                false
            }
            Part::Wal(number) => match groups(disk, guards, *number) {
                Ok((reader, groups)) => {
                    let (file, bytes) = (path(*number), reader.file.header.size);
                    out.ready.push_back(Dumped::WalFile { file, bytes, groups: groups.len() as u64 });
                    *self = Part::Groups(reader, groups);
                    true
                }
                Err(e) => out.failed(DamageKind::WriteAhead, &path(*number), &e.to_string()),
            },
            Part::Groups(reader, groups) => {
                let Some((at, _)) = groups.pop_front() else { return false };
                if let Ok(Some((header, group))) = reader.group(at) {
                    out.group(reader.file.header.number, at, &header, &group.slice(GROUP_BYTES..));
                }
                true
            }
            Part::Segment(shard, folder, segment) => {
                if !out.shows(&shard.topic) {
                    return false;
                }
                let log = log_path(folder, segment.base, segment.revision);
                match disk.open(&log, false).and_then(|file| Sweep::new(file, segment, guards)) {
                    Ok(sweep) => {
                        *self = Part::Batches(shard.clone(), log, Box::new(sweep));
                        true
                    }
                    Err(e) => out.failed(DamageKind::Segment, &log, &format!("it cannot be read: {e}")),
                }
            }
            Part::Batches(shard, log, sweep) => {
                match sweep.next() {
                    Some(Swept::Batch { position, head, bytes }) => out.batch(log, position, shard, &head, &bytes),
                    Some(Swept::Hole { position, from, to, what }) => {
                        out.ready.push_back(Dumped::Damaged(hole(log, shard, position, from, to, what)));
                    }
                    None => return false,
                }
                true
            }
        }
    }
}

type Groups = (Reader, VecDeque<(u64, GroupHeader)>);

fn groups(disk: &dyn Disk, guards: Guards, number: u64) -> Result<Groups, OpenError> {
    let file = scan::open_file(disk, guards, number)?;
    let groups = behind::groups(&file, guards, FIRST_GROUP)?;
    Ok((Reader::new(file, guards), groups.into()))
}

impl Out<'_> {
    fn failed(&mut self, kind: DamageKind, file: &str, what: &str) -> bool {
        let known = self.ready.iter().any(|d| matches!(d, Dumped::Damaged(d) if d.file == file));
        if !known {
            self.ready.push_back(Dumped::Damaged(Damage::new(kind, file, None, what)));
        }
        false
    }

    fn shows(&self, topic: &str) -> bool {
        self.show.topic.as_deref().is_none_or(|shown| shown == topic)
    }

    fn shard(&self, place: Place) -> Shard {
        match self.names.get(&place.topic) {
            Some(name) => Shard::new(name.clone(), place.partition),
            None => Shard::new(format!("topic number {}", place.topic), place.partition),
        }
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        let extent = |p: &crate::checkpoint::PartitionAt| Extent {
            shard: self.shard(p.place),
            ends: p.ends,
            segments: p.segments.len(),
            bytes: p.segments.iter().map(|s| s.log_bytes).sum(),
        };
        self.ready.push_back(Dumped::Checkpoint {
            file: crate::checkpoint::slot_path(checkpoint.generation),
            generation: checkpoint.generation,
            wal_file: path(checkpoint.wal.file),
            wal_at: checkpoint.wal.at,
            group: checkpoint.wal.lsn,
            appended: checkpoint.last_at,
            partitions: checkpoint.partitions.iter().map(extent).collect(),
        });
    }

    fn group(&mut self, number: u64, at: u64, header: &GroupHeader, payload: &Bytes) {
        let file = path(number);
        self.ready.push_back(Dumped::Group {
            file: file.clone(),
            at,
            number: header.lsn,
            kind: match header.kind {
                Kind::Data => "records",
                Kind::Seal => "seal",
                Kind::Turn => "turn",
            },
            appended: Timestamp::from_micros(header.at_us),
            durable: header.durable,
            generation: header.generation,
            checksum: header.crc,
            previous: header.previous,
            entries: header.entries,
            bytes: header.length,
        });
        for (place, head, bytes) in scan::entries(header, payload).map_while(Result::ok) {
            let shard = self.shard(place);
            if self.shows(&shard.topic) {
                self.batch(&file, at, &shard, &head, &bytes);
            }
        }
    }

    fn batch(&mut self, file: &str, at: u64, shard: &Shard, head: &Head, bytes: &Bytes) {
        let (shard, base, end) = (shard.clone(), head.base, head.end());
        self.ready.push_back(Dumped::Batch {
            file: file.to_owned(),
            at,
            shard: shard.clone(),
            base,
            end,
            bytes: bytes.len(),
        });
        if self.show.records
            && let Ok(records) = Records::of(bytes)
        {
            for (offset, record) in records.map_while(Result::ok) {
                self.ready.push_back(Dumped::Record { shard: shard.clone(), offset, record });
            }
        }
    }
}
