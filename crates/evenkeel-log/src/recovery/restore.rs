//! The partitions as the checkpoint has them, the control topic first.
//!
//! It looks at names and sizes of segments, never into them, but for those of the control topic:
//! opening takes no longer for a log that holds more.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::doing;
use crate::checkpoint::{Checkpoint, PartitionAt, slot_path};
use crate::control::{self, Fact};
use crate::damage::joined;
use crate::disk::{Disk, is_of_medium};
use crate::safeguard::Guards;
use crate::segment::sweep::{Sweep, Swept};
use crate::segment::walk::{Files, Lost, Walk};
use crate::segment::{Segment, log_path};
use crate::state::{CONTROL, Place, State};
use crate::{Damage, DamageKind, Offsets, OpenError};
use evenkeel_model::Shard;

/// Takes the checkpoint's partitions into `state`; segments that are gone or short are damage.
pub(super) fn run(
    disk: &dyn Disk,
    guards: Guards,
    checkpoint: &Checkpoint,
    state: &mut State,
    damage: &mut Vec<Damage>,
) -> Result<(), OpenError> {
    state.generation = checkpoint.generation;
    state.last_at = checkpoint.last_at;
    state.wal = checkpoint.wal;
    state.times = checkpoint.times;
    for (number, topic) in checkpoint.topics.iter().flatten().cloned() {
        if let Err(what) = state.learn(&Fact::Created { number, topic }) {
            damage.push(Damage::new(DamageKind::Checkpoint, &slot_path(checkpoint.generation), None, what));
        }
    }
    let (control, others): (Vec<_>, Vec<_>) = checkpoint.partitions.iter().partition(|p| p.place == CONTROL);
    for partition in control.into_iter().chain(others) {
        if !take(partition, state) {
            if damage.is_empty() {
                let place = partition.place;
                let what = format!("it names partition {}-{}, which no topic has", place.topic, place.partition);
                let slot = slot_path(checkpoint.generation);
                damage.push(Damage::new(DamageKind::Checkpoint, &slot, None, what));
            }
            continue;
        }
        let Some((folder, shard)) = folder_of(state, partition.place) else { continue };
        for segment in &partition.segments {
            let found = missing(disk, guards, &folder, &shard, segment)?;
            let whole = found.is_none();
            damage.extend(found);
            if whole && partition.place == CONTROL && checkpoint.topics.is_none() {
                damage.extend(read_topics(disk, guards, &folder, segment, state)?);
            }
        }
    }
    if let Err(what) = state.machine.restore(&checkpoint.machine)
        && damage.is_empty()
    {
        damage.push(Damage::new(DamageKind::Checkpoint, &slot_path(checkpoint.generation), None, what));
    }
    Ok(())
}

/// Takes one partition; false when there is no such partition.
fn take(partition: &PartitionAt, state: &mut State) -> bool {
    let Some(machine) = state.machine.at_mut(partition.place) else { return false };
    machine.restore(partition.ends, partition.leader_epoch);
    if let Some(at) = state.at_mut(partition.place) {
        at.restore(partition);
    }
    true
}

/// Folder and name of a partition that is there.
fn folder_of(state: &State, place: Place) -> Option<(String, Shard)> {
    let name = &state.machine.topics.get(place.topic)?.topic.name;
    Some((state.folder(place), Shard::new(name.clone(), place.partition)))
}

/// What a segment's log lacks of what the checkpoint counts on.
fn missing(
    disk: &dyn Disk,
    guards: Guards,
    folder: &str,
    shard: &Shard,
    segment: &Segment,
) -> Result<Option<Damage>, OpenError> {
    let log = log_path(folder, segment.base, segment.revision);
    let Some(what) = lacks(disk, &log, segment.log_bytes)? else { return Ok(None) };
    let mut damage = Damage::new(DamageKind::Segment, &log, None, what);
    damage.lost = joined(holes(disk, guards, &log, shard, segment));
    damage.exact = true;
    Ok(Some(damage))
}

fn lacks(disk: &dyn Disk, path: &str, bytes: u64) -> Result<Option<String>, OpenError> {
    let size = match disk.open(path, false) {
        Ok(file) => file.size().map_err(doing("measuring", path))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Some("the file is gone".to_owned())),
        Err(e) if is_of_medium(&e) => return Ok(Some(format!("the file cannot be opened: {e}"))),
        Err(e) => return Err(doing("opening", path)(e)),
    };
    let what = || format!("it has {size} bytes, and the checkpoint counts on {bytes}");
    Ok((size < bytes).then(what))
}

/// The offsets of a segment that cannot be read.
fn holes(disk: &dyn Disk, guards: Guards, log: &str, shard: &Shard, segment: &Segment) -> Vec<Offsets> {
    let all = Offsets { shard: shard.clone(), from: segment.base, to: Some(segment.end) };
    let Ok(sweep) = disk.open(log, false).and_then(|file| Sweep::new(file, segment, guards)) else { return vec![all] };
    let hole = |swept| match swept {
        Swept::Hole { from, to, .. } if from < to => Some(Offsets { shard: shard.clone(), from, to: Some(to) }),
        _ => None,
    };
    sweep.filter_map(hole).collect()
}

fn read_topics(
    disk: &dyn Disk,
    guards: Guards,
    folder: &str,
    segment: &Segment,
    state: &mut State,
) -> Result<Option<Damage>, OpenError> {
    let path = log_path(folder, segment.base, segment.revision);
    let log = disk.open(&path, false).map_err(doing("opening", &path))?;
    let mut walk = Walk::plain(&Arc::new(Files { log, index: None }), segment, guards, 1 << 20);
    let mut until = segment.base;
    let (at, what) = loop {
        match walk.next() {
            Ok(Some(found)) => match add_topics(state, &found.bytes) {
                Ok(()) => until = found.end,
                Err(what) => break (None, what),
            },
            Ok(None) => return Ok(None),
            Err(Lost::Io(e)) => return Err(doing("reading", &path)(e)),
            Err(Lost::Index) => break (None, "its index is lost".to_owned()),
            Err(Lost::Damaged(at, what)) => break (Some(at), what),
        }
    };
    let shard = Shard::new(evenkeel_model::names::CONTROL_TOPIC, 0);
    let lost = vec![Offsets { shard, from: until, to: Some(segment.end) }];
    Ok(Some(Damage { lost, ..Damage::new(DamageKind::Segment, &path, at, what) }))
}

/// Learns what a batch of the control topic states that a checkpoint of version 1 covers.
fn add_topics(state: &mut State, batch: &Bytes) -> Result<(), String> {
    control::decode(batch)?.iter().try_for_each(|fact| state.learn(fact))
}
