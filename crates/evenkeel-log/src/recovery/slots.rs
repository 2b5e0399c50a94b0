//! The two checkpoint slots at open.

use std::io;

use super::doing;
use crate::OpenError;
use crate::checkpoint::{Checkpoint, slot_path};
use crate::disk::{Disk, is_of_medium};
use crate::safeguard::{Guards, Safeguard};
use crate::wal::Position;
use crate::wal::header::Unfit;

/// The slots that can be read, by generation modulo 2.
pub(crate) struct Slots([Option<Checkpoint>; 2]);

/// Reads both; one that is damaged counts as absent (the groups tell whether it was needed).
pub(crate) fn read(disk: &dyn Disk, guards: Guards) -> Result<Slots, OpenError> {
    Ok(Slots([slot(disk, guards, 0)?, slot(disk, guards, 1)?]))
}

fn slot(disk: &dyn Disk, guards: Guards, which: u64) -> Result<Option<Checkpoint>, OpenError> {
    let path = slot_path(which);
    let file = match disk.open(&path, false) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound || is_of_medium(&e) => return Ok(None),
        Err(e) => return Err(doing("opening", &path)(e)),
    };
    let size = file.size().map_err(doing("measuring", &path))?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    match file.read_at(&mut bytes, 0) {
        Err(e) if is_of_medium(&e) => return Ok(None),
        read => read.map_err(doing("reading", &path))?,
    }
    match Checkpoint::decode(&bytes, guards) {
        Ok(checkpoint) if checkpoint.generation % 2 == which => Ok(Some(checkpoint)),
        Ok(_) | Err(Unfit::Broken(_)) => Ok(None),
        Err(Unfit::Newer(found)) => Err(OpenError::Version { file: path, found }),
    }
}

/// What was read may only have been in the cache: flushed before anything builds on it.
pub(super) fn make_durable(disk: &dyn Disk, guards: Guards, generation: u64) -> Result<(), OpenError> {
    if guards.on(Safeguard::RecoveredFlush) {
        let path = slot_path(generation);
        let file = disk.open(&path, false).map_err(doing("opening", &path))?;
        file.flush().map_err(doing("flushing", &path))?;
    }
    Ok(())
}

impl Slots {
    /// Those that can be read.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Checkpoint> {
        self.0.iter().flatten()
    }

    pub(crate) fn newest(&self) -> Option<&Checkpoint> {
        self.0.iter().flatten().max_by_key(|c| c.generation)
    }

    /// The oldest file of append times that each counts on.
    pub(crate) fn times(&self) -> [Option<u64>; 2] {
        [0, 1].map(|i: usize| self.0[i].as_ref().map(|c| c.times.first))
    }

    pub(crate) fn positions(&self) -> [Option<Position>; 2] {
        [0, 1].map(|i: usize| self.0[i].as_ref().map(|c| c.wal))
    }
}
