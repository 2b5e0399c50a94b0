//! A checkpoint for a disk that is full: what waits cannot be written, and yet what retention took
//! must go, or there would never be room again.
//!
//! It says what the newest slot says, the same place in the write-ahead log included, less the
//! segments that nobody reads any more; a replay from there comes to the same state. It writes
//! nothing but a slot, and only where the slot's file is long enough already.

use std::io;

use crate::checkpoint::{Checkpoint, PartitionAt, slot_path};
use crate::disk::Disk;
use crate::recovery::slots;
use crate::safeguard::Guards;
use crate::state::{Condemned, Gone, State};
use crate::wal::padded;

/// The next checkpoint, if it lets anything go and has room.
pub(super) fn checkpoint(disk: &dyn Disk, guards: Guards, state: &State) -> io::Result<Option<Checkpoint>> {
    let slots = slots::read(disk, guards).map_err(|e| io::Error::other(e.to_string()))?;
    // Version 1 has its topics elsewhere.
    let readable = slots.newest().filter(|newest| newest.generation == state.generation && newest.topics.is_some());
    let Some(newest) = readable else { return Ok(None) };
    let mut lean = Checkpoint { generation: newest.generation + 1, ..newest.clone() };
    lean.partitions.iter_mut().for_each(|at| reduce(state, at));
    let on_its_way = state.condemned.iter().any(|c| c.since.is_some());
    if lean.partitions == newest.partitions && !on_its_way {
        return Ok(None);
    }
    let room = disk.open(&slot_path(lean.generation), false)?.size()?;
    Ok((padded(lean.encode().len() as u64) <= room).then_some(lean))
}

/// True when this checkpoint still names what is condemned.
pub(super) fn names(checkpoint: &Checkpoint, condemned: &Condemned) -> bool {
    let Some(at) = checkpoint.partitions.iter().find(|at| at.place == condemned.place) else { return false };
    match condemned.what {
        Gone::Partition => !at.segments.is_empty(),
        Gone::Segment { base, revision } => at.segments.iter().any(|s| (s.base, s.revision) == (base, revision)),
    }
}

/// Leaves out the segments that are condemned because of where the partition begins now.
fn reduce(state: &State, at: &mut PartitionAt) {
    let (Some(machine), Some(kept)) = (state.machine.at(at.place), state.at(at.place)) else {
        at.segments.clear();
        return;
    };
    let start = machine.start.min(at.ends.high_watermark);
    at.ends.start = at.ends.start.max(start);
    at.segments
        .retain(|s| s.end > start || kept.segments.iter().any(|of| (of.base, of.revision) == (s.base, s.revision)));
}
