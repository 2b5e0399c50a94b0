//! Takes what is durable in the write-ahead log into the segments, and checkpoints.
//!
//! Order: segments and indexes are written and flushed, new names are synced, then the slot is
//! written and flushed, and only then does the checkpoint count: memory is let go, and what
//! *both* slots have left behind is used again. A turn that fails for want of room changes
//! nothing that counts and is done again from the same place; any other failure stops the log.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use evenkeel_model::Timestamp;

use crate::Topic;
use crate::checkpoint::{Checkpoint, PartitionAt, slot_path};
use crate::disk::{Disk, File};
use crate::engine::Shared;
use crate::safeguard::{Guards, Safeguard};
use crate::segment::append::Appender;
use crate::segment::{Segment, folder, index_path, log_path};
use crate::state::{Condemned, Place, State};
use crate::stats::Stats;
use crate::tail::Held;
use crate::wal::Position;
use crate::wal::block::Aligned;

/// The state of the flusher: what each slot says.
pub(crate) struct Flusher {
    /// By generation modulo 2.
    slots: [Option<Position>; 2],
}

/// One moment of the log.
struct Moment {
    wal: Position,
    last_at: Timestamp,
    generation: u64,
    topics: Vec<(u32, Topic)>,
    partitions: Vec<Part>,
    condemned: usize,
}

struct Part {
    at: PartitionAt,
    folder: String,
    fresh: Vec<Held>,
}

impl Flusher {
    pub(crate) fn new(slots: [Option<Position>; 2]) -> Flusher {
        Flusher { slots }
    }

    /// Flushes and checkpoints all that is durable now, if there is anything new.
    pub(crate) fn turn(&mut self, shared: &Shared) -> io::Result<()> {
        let moment = moment(&shared.state());
        if self.slots == [Some(moment.wal); 2] && moment.condemned == 0 {
            return Ok(());
        }
        let changed = write_segments(shared, &moment.partitions)?;
        let checkpoint = moment.checkpoint(&changed);
        write_slot(&*shared.disk, shared.options.guards(), &shared.stats, &checkpoint)?;
        self.slots[usize::from(checkpoint.generation % 2 == 1)] = Some(checkpoint.wal);
        let gone = publish(shared, &checkpoint, &changed, moment.condemned);
        self.clean_up(shared, &gone)
    }

    /// Lets go of what no slot needs any more.
    fn clean_up(&self, shared: &Shared, gone: &[(String, Condemned)]) -> io::Result<()> {
        for (folder, condemned) in gone {
            let (base, revision) = (condemned.base, condemned.revision);
            for path in [log_path(folder, base, revision), index_path(folder, base, revision)] {
                match shared.disk.remove(&path) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
        }
        let files = self.slots.iter().flatten().map(|p| p.file);
        let unneeded = if shared.options.guards().on(Safeguard::BothSlots) {
            if self.slots.iter().any(Option::is_none) { None } else { files.min() }
        } else {
            files.max()
        };
        unneeded.map_or(Ok(()), |before| shared.files.release(before))
    }
}

fn moment(state: &State) -> Moment {
    let part = |(place, topic, partition): (Place, &crate::state::TopicState, &crate::state::Partition)| Part {
        at: PartitionAt {
            place,
            ends: partition.ends,
            leader_epoch: partition.leader_epoch,
            segments: partition.segments.clone(),
        },
        folder: folder(&topic.topic.name, place.partition),
        fresh: partition.tail.from(partition.flushed()).cloned().collect(),
    };
    let held_anything = |p: &Part| p.at.ends.high_watermark > 0;
    Moment {
        wal: state.wal,
        last_at: state.last_at,
        generation: state.generation,
        // The control topic is there without being said.
        topics: (0..).zip(state.topics.iter().map(|t| t.topic.clone())).skip(1).collect(),
        partitions: state.places().map(part).filter(held_anything).collect(),
        condemned: state.condemned.len(),
    }
}

impl Moment {
    fn checkpoint(&self, changed: &BTreeMap<Place, Vec<Segment>>) -> Checkpoint {
        let mut partitions: Vec<PartitionAt> = self.partitions.iter().map(|p| p.at.clone()).collect();
        for partition in &mut partitions {
            if let Some(segments) = changed.get(&partition.place) {
                merge(&mut partition.segments, segments);
            }
        }
        Checkpoint {
            generation: self.generation + 1,
            wal: self.wal,
            last_at: self.last_at,
            topics: Some(self.topics.clone()),
            partitions,
            machine: Bytes::new(),
        }
    }
}

/// Replaces the segment that grew, and adds those that are new.
fn merge(segments: &mut Vec<Segment>, changed: &[Segment]) {
    let Some(first) = changed.first() else { return };
    if segments.last().is_some_and(|last| last.base == first.base) {
        segments.pop();
    }
    segments.extend_from_slice(changed);
}

fn write_segments(shared: &Shared, parts: &[Part]) -> io::Result<BTreeMap<Place, Vec<Segment>>> {
    let mut changed = BTreeMap::new();
    let mut first = false;
    for part in parts.iter().filter(|p| !p.fresh.is_empty()) {
        if part.at.segments.is_empty() {
            shared.disk.create_folder(&part.folder)?;
            first = true;
        }
        let last = part.at.segments.last().copied();
        let mut appender = Appender::new(&*shared.disk, &shared.options, &shared.stats, part.folder.clone(), last);
        for batch in &part.fresh {
            appender.push(batch)?;
        }
        changed.insert(part.at.place, appender.finish()?);
    }
    if first && shared.options.guards().on(Safeguard::TopicsFolderSync) {
        shared.disk.sync_folder("topics")?;
        shared.stats.flushed();
    }
    Ok(changed)
}

/// Writes a slot, in place of the one before the newest, past the cache: a slot whose write failed
/// must not be readable after a restart without being on the medium.
pub(crate) fn write_slot(disk: &dyn Disk, guards: Guards, stats: &Stats, checkpoint: &Checkpoint) -> io::Result<()> {
    let mut bytes = Aligned::new();
    bytes.put(&checkpoint.encode());
    bytes.pad();
    let slot = open_slot(disk, guards, stats, &slot_path(checkpoint.generation))?;
    if guards.on(Safeguard::SlotWrite) {
        slot.write_durable(bytes.bytes(), 0)?;
    } else {
        slot.write_at(bytes.bytes(), 0)?;
    }
    stats.flushed();
    Ok(())
}

/// An empty log has both slots; one that somebody took away is made again.
fn open_slot(disk: &dyn Disk, guards: Guards, stats: &Stats, path: &str) -> io::Result<Box<dyn File>> {
    match disk.open(path, false) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let slot = disk.open(path, true)?;
    if guards.on(Safeguard::FreshFolderSync) {
        disk.sync_folder("")?;
        stats.flushed();
    }
    Ok(slot)
}

/// Makes a durable checkpoint count. Gives back the segments whose files may go.
fn publish(
    shared: &Shared,
    checkpoint: &Checkpoint,
    changed: &BTreeMap<Place, Vec<Segment>>,
    condemned: usize,
) -> Vec<(String, Condemned)> {
    let mut state = shared.state_mut();
    let state = &mut *state;
    state.generation = checkpoint.generation;
    for (place, segments) in changed {
        if let Some(partition) = state.at_mut(*place) {
            merge(&mut partition.segments, segments);
        }
    }
    state.evict(checkpoint.wal.lsn - 1, shared.options.tail_bytes);
    for condemned in state.condemned.iter_mut().take(condemned) {
        condemned.since.get_or_insert(checkpoint.generation);
    }
    let behind = u64::from(shared.options.guards().on(Safeguard::BothSlots));
    let unnamed = |c: &Condemned| c.since.is_some_and(|since| since + behind <= checkpoint.generation);
    let (gone, kept) = std::mem::take(&mut state.condemned).into_iter().partition(unnamed);
    state.condemned = kept;
    let name = |c: Condemned| {
        let topic = state.topics.get(c.place.topic as usize)?;
        Some((folder(&topic.topic.name, c.place.partition), c))
    };
    let gone: Vec<Condemned> = gone;
    gone.into_iter().filter_map(name).collect()
}
