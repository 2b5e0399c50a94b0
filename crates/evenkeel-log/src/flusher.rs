//! Checkpoints: what the write-ahead log holds is made durable in the segments, and a slot says so.
//!
//! Order: what is not written yet is written ([`crate::write_back`]); the device begins with all
//! of it before the first flush waits, so that a journaling file system commits once; segments and
//! indexes are flushed, new names are synced, the slot is written and flushed, and only then does
//! the checkpoint count, and what *both* slots have left behind is used again. A turn that fails
//! for want of room while it writes changes nothing that counts, but for what may go ([`lean`]), and is
//! done again; any other failure stops the log.

mod cached;
mod lean;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use evenkeel_model::Timestamp;

use self::cached::Cached;
use crate::calendar::{self, Counted, Extent, Part, Run};
use crate::checkpoint::{Checkpoint, PartitionAt, slot_path};
use crate::disk::{Disk, File};
use crate::engine::Shared;
use crate::machine::Snapshot;
use crate::safeguard::{Guards, Safeguard};
use crate::segment::append::{Dirty, Site};
use crate::segment::{Segment, index_path, log_path};
use crate::state::{Condemned, Gone, Place, State};
use crate::stats::Stats;
use crate::ticket::held;
use crate::wal::Position;
use crate::wal::block::Aligned;
use crate::wal::is_full;
use crate::write_back::{Access, Demand, Written, flush_failed, merge};
use crate::{Ends, Topic};

/// The state of the flusher: what each slot says.
pub(crate) struct Flusher {
    /// By generation modulo 2.
    slots: [Option<Position>; 2],
    times: Counted,
    cached: Cached,
}

/// One moment of the log.
struct Moment {
    wal: Position,
    last_at: Timestamp,
    generation: u64,
    topics: Vec<(u32, Topic)>,
    partitions: Vec<PartitionAt>,
    machine: Snapshot,
    condemned: usize,
}

impl Flusher {
    pub(crate) fn new(slots: [Option<Position>; 2], times: Counted) -> Flusher {
        Flusher { slots, times, cached: Cached::default() }
    }

    /// Checkpoints all that is durable now, if there is anything new.
    pub(crate) fn turn(&mut self, shared: &Shared) -> io::Result<()> {
        let (moment, written, extent) = match self.write_all(shared) {
            Ok(None) => return Ok(()),
            Ok(Some(all)) => all,
            Err(e) if is_full(&e) => {
                // Once for each slot; what neither names any more goes.
                self.let_go(shared)?;
                self.let_go(shared)?;
                return Err(e);
            }
            Err(e) => return Err(e),
        };
        make_durable(shared.site(), &written).map_err(flush_failed)?;
        let checkpoint = moment.checkpoint(&written.changed, extent);
        write_slot(&*shared.disk, shared.options.guards(), &shared.stats, &checkpoint).map_err(flush_failed)?;
        self.count(&checkpoint);
        let condemned = moment.condemned;
        let gone = publish(shared, checkpoint.generation, |number, _| number < condemned);
        let files = written.parts.iter().flat_map(|part| &part.files);
        self.cached.flushed(&*shared.disk, files, shared.options.cached_bytes);
        self.clean_up(shared, &gone)
    }

    /// Notes what the slot says that was just written.
    fn count(&mut self, checkpoint: &Checkpoint) {
        let slot = usize::from(checkpoint.generation % 2 == 1);
        self.slots[slot] = Some(checkpoint.wal);
        self.times.extent = checkpoint.times;
        self.times.firsts[slot] = Some(checkpoint.times.first);
    }

    /// On a full disk: a checkpoint that only lets go ([`lean`]).
    fn let_go(&mut self, shared: &Shared) -> io::Result<()> {
        let guards = shared.options.guards();
        let Some(checkpoint) = lean::checkpoint(&*shared.disk, guards, &shared.state())? else { return Ok(()) };
        write_slot(&*shared.disk, guards, &shared.stats, &checkpoint).map_err(flush_failed)?;
        self.count(&checkpoint);
        let gone = publish(shared, checkpoint.generation, |_, condemned| !lean::names(&checkpoint, condemned));
        self.clean_up(shared, &gone)
    }

    /// Writes all that is durable at one moment, and keeps when it was taken. Write-back goes on
    /// behind it meanwhile.
    fn write_all(&self, shared: &Shared) -> io::Result<Option<(Moment, Written, Extent)>> {
        let mut write_back = held(&shared.write_back);
        write_back.forget_changes();
        let moment = moment(&shared.state());
        if self.slots == [Some(moment.wal); 2] && moment.condemned == 0 {
            return Ok(None);
        }
        write_back.turn(
            shared.site(),
            &mut Access::Shared(&shared.state, &shared.relief),
            Demand::Before(moment.wal.lsn),
        )?;
        // What the slot will name is flushed, although it may have been deleted meanwhile.
        let named: BTreeSet<Place> = moment.partitions.iter().map(|at| at.place).collect();
        let state = shared.state();
        write_back.retain(|place| named.contains(&place) || state.at(place).is_some());
        drop(state);
        let written = write_back.unflushed();
        match self.keep_times(shared, &moment, &written) {
            Ok(extent) => Ok(Some((moment, written, extent))),
            Err(e) => {
                write_back.give_back(written);
                Err(e)
            }
        }
    }

    /// Keeps when what was written was taken, and what still lives of the oldest times.
    fn keep_times(&self, shared: &Shared, moment: &Moment, written: &Written) -> io::Result<Extent> {
        let site = shared.site();
        let mut parts: Vec<Part> = written.parts.iter().filter_map(|part| part.times.clone()).collect();
        parts.iter_mut().for_each(|part| part.generation = moment.generation + 1);
        let bytes = moment.partitions.iter().flat_map(|p| &p.segments).map(|s| s.log_bytes).sum();
        let begins: BTreeMap<Place, u64> =
            moment.partitions.iter().filter_map(|p| Some((p.place, p.segments.first()?.base))).collect();
        let lives = |part: &Part| begins.get(&part.place).is_some_and(|base| part.end > *base);
        let carried = calendar::carry(site, self.times.extent, bytes, lives)?;
        let first = self.times.extent.first + u64::from(carried.is_some());
        parts.extend(carried.into_iter().flatten());
        let extent = calendar::append(site, self.times.extent, moment.generation + 1, &parts)?;
        Ok(Extent { first: extent.first.max(first), ..extent })
    }

    /// The append times of a segment's batches, as checkpoints and the write-back know them.
    pub(crate) fn times_of(&self, shared: &Shared, place: Place, segment: &Segment) -> io::Result<Vec<Run>> {
        let mut parts = calendar::of(shared.site(), self.times.extent, place, segment.base, segment.end)?;
        parts.extend(held(&shared.write_back).times(place));
        Ok(calendar::joined(parts, segment.base, segment.end))
    }

    /// Lets go of what no slot needs any more.
    fn clean_up(&self, shared: &Shared, gone: &[Condemned]) -> io::Result<()> {
        for condemned in gone {
            shared.handles.close(condemned.place, condemned.what);
            remove(&*shared.disk, condemned)?;
        }
        if let [Some(one), Some(other)] = self.times.firsts
            && one.min(other) > 1
        {
            calendar::release(&*shared.disk, one.min(other))?;
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
    let part = |(place, _, ends, partition): (Place, &Topic, Ends, &crate::state::Partition)| PartitionAt {
        place,
        ends,
        leader_epoch: state.machine.at(place).map_or(0, |p| p.leader_epoch),
        cleaned: partition.cleaned,
        plain: partition.plain,
        segments: partition.segments.clone(),
    };
    let held_anything = |p: &PartitionAt| p.ends.high_watermark > 0 || p.leader_epoch > 0;
    Moment {
        wal: state.wal,
        last_at: state.last_at,
        generation: state.generation,
        // The control topic is there without being said.
        topics: state.machine.topics.iter().map(|(number, entry)| (number, entry.topic.clone())).skip(1).collect(),
        partitions: state.places().map(part).filter(held_anything).collect(),
        machine: state.machine.snapshot(),
        condemned: state.condemned.len(),
    }
}

impl Moment {
    fn checkpoint(&self, changed: &BTreeMap<Place, Vec<Segment>>, times: Extent) -> Checkpoint {
        let mut partitions = self.partitions.clone();
        for partition in &mut partitions {
            if let Some(segments) = changed.get(&partition.place) {
                merge(&mut partition.segments, segments);
            }
        }
        Checkpoint {
            generation: self.generation + 1,
            wal: self.wal,
            last_at: self.last_at,
            times,
            topics: Some(self.topics.clone()),
            partitions,
            machine: self.machine.encode().into(),
        }
    }
}

/// Makes durable what was written, and the names of new files and folders.
fn make_durable(site: Site<'_>, written: &Written) -> io::Result<()> {
    let files = || written.parts.iter().flat_map(|part| &part.files);
    files().try_for_each(|file| file.start())?;
    let guards = site.options.guards();
    if guards.on(Safeguard::SegmentFlush) {
        let files: Vec<&dyn File> = files().map(Dirty::file).collect();
        site.disk.flush_files(&files)?;
        files.iter().for_each(|_| site.stats.flushed());
    }
    for folder in written.parts.iter().filter_map(|part| part.folder.as_ref()) {
        if guards.on(Safeguard::SegmentFolderSync) {
            site.disk.sync_folder(folder)?;
            site.stats.flushed();
        }
    }
    if written.folders && guards.on(Safeguard::TopicsFolderSync) {
        site.disk.sync_folder("topics")?;
        site.stats.flushed();
    }
    Ok(())
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

/// Makes a durable checkpoint count, which does not name what `unnamed` says of the condemned. Gives
/// back what may go.
fn publish(shared: &Shared, generation: u64, unnamed: impl Fn(usize, &Condemned) -> bool) -> Vec<Condemned> {
    let mut state = shared.state_mut();
    let state = &mut *state;
    state.generation = generation;
    for (number, condemned) in state.condemned.iter_mut().enumerate() {
        if unnamed(number, condemned) {
            condemned.since.get_or_insert(generation);
        }
    }
    let behind = u64::from(shared.options.guards().on(Safeguard::BothSlots));
    let unnamed = |c: &Condemned| c.since.is_some_and(|since| since + behind <= generation);
    let (gone, kept) = std::mem::take(&mut state.condemned).into_iter().partition(unnamed);
    state.condemned = kept;
    gone
}

/// Takes away what no slot names any more.
fn remove(disk: &dyn Disk, condemned: &Condemned) -> io::Result<()> {
    let gone = |done: io::Result<()>| match done {
        // Compaction may have put a file there just now; the next start takes it away.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
        done => done,
    };
    let folder = &condemned.folder;
    match condemned.what {
        Gone::Segment { base, revision } => {
            gone(disk.remove(&log_path(folder, base, revision)))?;
            gone(disk.remove(&index_path(folder, base, revision)))
        }
        Gone::Partition => {
            for name in disk.list(folder)? {
                gone(disk.remove(&format!("{folder}/{name}")))?;
            }
            gone(disk.remove_folder(folder))
        }
    }
}
