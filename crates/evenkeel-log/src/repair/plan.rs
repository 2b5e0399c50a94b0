//! What a repair keeps and what it gives up. Reads only.

use evenkeel_model::Shard;

use super::{Live, Repaired};
use crate::control::Fact;
use crate::damage::joined;
use crate::disk::Disk;
use crate::machine::Memory;
use crate::recovery::{self, Survey, behind, doing, scan};
use crate::safeguard::Guards;
use crate::state::State;
use crate::verify;
use crate::wal::{FIRST_GROUP, number};
use crate::{Damage, DamageKind, OpenError};

/// More producer ids than are ever taken between two checkpoints.
const PRODUCERS_LEFT_OUT: i64 = 1 << 32;

/// More checkpoints than are ever made without a group that names one of them.
const CHECKPOINTS_LEFT_OUT: u64 = 1 << 32;

/// Where a repaired log begins: beyond everything that the damaged one may have called its own.
pub(super) struct Beginning {
    pub(super) live: Live,
    /// The number of its first group.
    pub(super) lsn: u64,
    /// The generation before that of its first checkpoint.
    pub(super) generation: u64,
    /// No slot says which bytes are on the medium.
    pub(super) unproven: bool,
}

/// The state that is kept, where it goes on, and what is given up.
pub(super) fn plan(disk: &dyn Disk, guards: Guards, memory: Memory) -> Result<(State, Beginning, Repaired), OpenError> {
    let survey = recovery::survey(disk, guards, memory)?;
    let damage = verify::look(disk, guards, &survey)?.damage;
    let Survey { slots, mut state, end, .. } = survey;
    if slots.newest().is_none() && damage.is_empty() {
        return Err(OpenError::Absent { folder: disk.name() });
    }
    let (end, newest) = (end.map_or(state.wal, |end| end.position), slots.newest().map(|slot| slot.generation));
    let (mut lsn, mut named, mut live) = (end.lsn.max(1), newest.unwrap_or(0), Live::new());
    for name in disk.list("wal").map_err(doing("listing", "wal"))? {
        let Some(number) = number(&name) else { continue };
        live.insert(number, 0);
        let Ok(file) = scan::open_file(disk, guards, number) else { continue };
        live.insert(number, file.header.size);
        for (_, header) in behind::groups(&file, guards, FIRST_GROUP)? {
            lsn = lsn.max(header.lsn + 1);
            named = named.max(header.generation);
        }
    }
    // A file that is lost lends its name to no other: a repair cut short would look like the log's end.
    live.entry(end.file).or_insert(0);
    let generation = match newest {
        // The slot that can be read stays until the other one is whole.
        Some(newest) => named + u64::from((named + 1) % 2 == newest % 2),
        // What the lost slots counted to, nothing tells; append times that they kept bear it.
        None => named + CHECKPOINTS_LEFT_OUT,
    };
    let lost = joined(damage.iter().flat_map(|d| d.lost.clone()).collect());
    let cut = joined(damage.iter().flat_map(|d| d.cut.clone()).collect());
    let epochs = raise_epochs(&mut state, &damage)?;
    Ok((state, Beginning { live, lsn, generation, unproven: newest.is_none() }, Repaired { damage, lost, cut, epochs }))
}

/// A cut partition gets a new leader epoch, since offsets behind the cut are given anew. Where
/// nothing tells which partitions were cut, all of them get one. Ids of producers that may have
/// been given out behind the cut are left out.
fn raise_epochs(state: &mut State, damage: &[Damage]) -> Result<Vec<(Shard, u32)>, OpenError> {
    let cutting: Vec<&Damage> = damage.iter().filter(|d| d.kind != DamageKind::Segment).collect();
    if cutting.iter().all(|d| d.exact && d.lost.is_empty() && d.cut.is_empty()) {
        return Ok(Vec::new());
    }
    state.machine.next_producer += PRODUCERS_LEFT_OUT;
    let all = cutting.iter().any(|d| !d.exact);
    let is_cut = |shard: &Shard| all || cutting.iter().any(|d| d.lost.iter().chain(&d.cut).any(|o| o.shard == *shard));
    let named = state
        .places()
        .map(|(place, topic, ends, _)| (place, Shard::new(topic.name.clone(), place.partition), ends.high_watermark));
    let mut raised = Vec::new();
    for (place, shard, from) in named.filter(|(_, shard, _)| is_cut(shard)).collect::<Vec<_>>() {
        let epoch = state.machine.at(place).map_or(0, |p| p.leader_epoch) + 1;
        state.learn(&Fact::Epoch { place, epoch, from }).map_err(|why| refused(&shard, why))?;
        raised.push((shard, epoch));
    }
    Ok(raised)
}

fn refused(shard: &Shard, why: String) -> OpenError {
    OpenError::Io { doing: format!("raising the leader epoch of {}-{}", shard.topic, shard.partition), why }
}
