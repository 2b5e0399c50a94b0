//! An empty folder becomes a log; a folder that only lost its checkpoints does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::scan::{any_group, open_file};
use super::{Recovered, doing};
use crate::calendar::{Counted, Extent};
use crate::checkpoint::{Checkpoint, slot_path};
use crate::disk::Disk;
use crate::options::Options;
use crate::safeguard::{Guards, Safeguard};
use crate::state::State;
use crate::stats::Stats;
use crate::wal::files::Files;
use crate::wal::{FIRST_GROUP, Position, number, path};
use crate::write_back::WriteBack;
use crate::{Damage, DamageKind, OpenError};

/// A folder without a checkpoint that holds records all the same is damaged.
pub(super) fn check(disk: &dyn Disk, guards: Guards) -> Result<Option<Damage>, OpenError> {
    let lost = |what| Some(Damage::new(DamageKind::Checkpoint, "checkpoint.0", None, what));
    let partitions = disk.list("topics").map_err(doing("listing", "topics"))?;
    if let Some(partition) = partitions.first() {
        return Ok(lost(format!("neither slot can be read, but there is topics/{partition}")));
    }
    for name in disk.list("wal").map_err(doing("listing", "wal"))? {
        let Some(number) = number(&name) else { continue };
        let Ok(file) = open_file(disk, guards, number) else { continue };
        if any_group(&file, guards)? {
            return Ok(lost(format!("neither slot can be read, but wal/{name} holds groups")));
        }
    }
    Ok(None)
}

/// Makes an empty log: all names first, so that few flushes do. Until the first slot is durable,
/// doing it again starts from nothing.
pub(super) fn make(disk: &Arc<dyn Disk>, options: &Options, stats: &Arc<Stats>) -> Result<Recovered, OpenError> {
    for name in disk.list("wal").map_err(doing("listing", "wal"))? {
        if let Some(number) = number(&name) {
            disk.remove(&path(number)).map_err(doing("removing", &name))?;
        }
    }
    disk.create_folder("wal").map_err(doing("creating", "wal"))?;
    disk.create_folder("topics").map_err(doing("creating", "topics"))?;
    for generation in [0, 1] {
        let slot = slot_path(generation);
        disk.open(&slot, true).map_err(doing("creating", &slot))?;
    }
    let files = Files::new(disk.clone(), options.clone(), stats.clone(), BTreeMap::new());
    let file = files.next(0).map_err(doing("creating", "the first write-ahead file"))?;
    let guards = options.guards();
    if guards.on(Safeguard::FreshFolderSync) {
        disk.sync_folder("").map_err(doing("syncing", "the data folder"))?;
        stats.flushed();
    }
    let position = Position { file: file.header.number, at: FIRST_GROUP, lsn: 1, previous: 0 };
    let mut state = State::new(options.memory());
    state.wal = position;
    state.generation = 1;
    let checkpoint = Checkpoint {
        generation: 1,
        wal: position,
        last_at: state.last_at,
        times: Extent::default(),
        topics: Some(Vec::new()),
        partitions: Vec::new(),
        machine: Bytes::new(),
    };
    let slot = slot_path(1);
    crate::flusher::write_slot(&**disk, guards, stats, &checkpoint).map_err(doing("writing", &slot))?;
    let live = BTreeMap::from([(file.header.number, file.header.size)]);
    Ok(Recovered {
        state,
        file,
        position,
        live,
        slots: [None, Some(position)],
        unflushed: 0,
        write_back: WriteBack::default(),
        read_only: None,
        damage: Vec::new(),
        times: Counted { firsts: [None, Some(0)], ..Counted::default() },
    })
}
