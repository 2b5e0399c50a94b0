//! Reading groups: from a checkpoint to the end of the log, and the search for evidence behind it.
//!
//! The log ends at the first place where the next group of the chain does not stand. If a group
//! behind that place is whole and says that the missing one was complete (`durable`), the missing
//! one was acknowledged, and that is corruption; otherwise it is a torn tail, which nobody was
//! told of. A group that names a newer checkpoint than the one that was read says that a slot was
//! lost, and that is corruption too.

use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use evenkeel_model::Timestamp;

use super::{corrupt, doing};
use crate::OpenError;
use crate::batch::Head;
use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, File};
use crate::safeguard::{Guards, Safeguard};
use crate::state::{Place, State};
use crate::tail::Held;
use crate::wal::files::WalFile;
use crate::wal::header::{ENTRY_BYTES, FileHeader, GROUP_BYTES, GroupHeader, Kind, Unfit, VERSION};
use crate::wal::{BLOCK, FIRST_GROUP, Position, number, padded, path};

/// How much is looked through at once.
const CHUNK: u64 = 1 << 20;

/// Where the log ends.
pub(super) struct End {
    pub(super) file: WalFile,
    pub(super) position: Position,
    /// How much was read behind the checkpoint.
    pub(super) bytes: u64,
}

/// Applies all groups behind the checkpoint to `state`.
pub(super) fn run(
    disk: &dyn Disk,
    guards: Guards,
    checkpoint: &Checkpoint,
    state: &mut State,
) -> Result<End, OpenError> {
    let mut position = checkpoint.wal;
    let mut bytes = 0;
    let mut file = open_file(disk, guards, position.file)?;
    while let Some((header, group)) = group_at(&file, guards, position.at)? {
        let chained = header.previous == position.previous || !guards.on(Safeguard::Chain);
        if !chained || header.lsn != position.lsn {
            break;
        }
        let place = format!("{} byte {}", path(position.file), position.at);
        check_generation(guards, &header, checkpoint, &place)?;
        position.at += padded(group.len() as u64);
        bytes += padded(group.len() as u64);
        position.lsn += 1;
        position.previous = header.crc;
        state.last_at = state.last_at.max(Timestamp::from_micros(header.at_us));
        match header.kind {
            Kind::Data => apply(state, &header, &group.slice(GROUP_BYTES..)).map_err(|what| corrupt(&place, &what))?,
            Kind::Seal => {}
            Kind::Turn => {
                let mut payload = group.slice(GROUP_BYTES..);
                if payload.remaining() < 8 {
                    return Err(corrupt(&place, "it does not say where the log goes on"));
                }
                position.file = payload.get_u64_le();
                position.at = FIRST_GROUP;
                file = open_file(disk, guards, position.file)?;
            }
        }
    }
    look_behind(disk, guards, checkpoint, &file, position)?;
    Ok(End { file, position, bytes })
}

/// Makes the files that were read durable: they may only have been in the cache.
pub(super) fn make_durable(disk: &dyn Disk, guards: Guards, first: u64, last: u64) -> Result<(), OpenError> {
    if !guards.on(Safeguard::RecoveredFlush) {
        return Ok(());
    }
    for number in first..=last {
        let path = path(number);
        match disk.open(&path, false) {
            Ok(file) => file.flush().map_err(doing("flushing", &path))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(doing("opening", &path)(e)),
        }
    }
    Ok(())
}

/// Opens a write-ahead file whose header, or its copy, can be read.
pub(super) fn open_file(disk: &dyn Disk, guards: Guards, number: u64) -> Result<WalFile, OpenError> {
    let path = path(number);
    let file: Arc<dyn File> = match disk.open(&path, false) {
        Ok(file) => file.into(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(corrupt(&path, "the file is gone")),
        Err(e) => return Err(doing("opening", &path)(e)),
    };
    let size = file.size().map_err(doing("measuring", &path))?;
    let mut blocks = vec![0; usize::try_from(FIRST_GROUP).unwrap_or(0)];
    if size >= FIRST_GROUP {
        file.read_at(&mut blocks, 0).map_err(doing("reading", &path))?;
    }
    let mut why = "no file header";
    for block in blocks.chunks_exact(BLOCK as usize) {
        match FileHeader::decode(block, number, guards) {
            Ok(header) if header.size <= size => return Ok(WalFile { header, file }),
            Ok(_) => why = "the file is shorter than its header says",
            Err(Unfit::Newer(found)) => return Err(OpenError::Version { file: path, found }),
            Err(Unfit::Broken(what)) => why = what,
        }
    }
    Err(corrupt(&path, why))
}

/// True when any group of this file can be read.
pub(super) fn any_group(file: &WalFile, guards: Guards) -> Result<bool, OpenError> {
    let mut found = false;
    for_each_group(file, guards, FIRST_GROUP, |_, _| {
        found = true;
        Ok(())
    })?;
    Ok(found)
}

/// The group at `at`, if a whole one stands there.
fn group_at(file: &WalFile, guards: Guards, at: u64) -> Result<Option<(GroupHeader, Bytes)>, OpenError> {
    let path = path(file.header.number);
    if at + BLOCK > file.header.size {
        return Ok(None);
    }
    let mut group = vec![0; BLOCK as usize];
    file.file.read_at(&mut group, at).map_err(doing("reading", &path))?;
    let Some((header, version)) = GroupHeader::decode(&group) else { return Ok(None) };
    let length = GROUP_BYTES as u64 + u64::from(header.length);
    if at + padded(length) > file.header.size {
        return Ok(None);
    }
    group.resize(usize::try_from(length).unwrap_or(0), 0);
    if length > BLOCK {
        file.file.read_at(&mut group[BLOCK as usize..], at + BLOCK).map_err(doing("reading", &path))?;
    }
    let fits = header.fits(&group, file.header.seed(at, guards)) || !guards.on(Safeguard::GroupChecksum);
    if fits && version > VERSION {
        return Err(OpenError::Version { file: path, found: version });
    }
    Ok(fits.then(|| (header, Bytes::from(group))))
}

/// Looks for evidence that the log went on behind `end`.
fn look_behind(
    disk: &dyn Disk,
    guards: Guards,
    checkpoint: &Checkpoint,
    file: &WalFile,
    end: Position,
) -> Result<(), OpenError> {
    let broken = format!("{} byte {}", path(end.file), end.at);
    let look = |place: String, header: &GroupHeader| {
        if guards.on(Safeguard::Vouching) && header.durable >= end.lsn {
            let (lost, found) = (end.lsn, header.lsn);
            let what = format!("group {lost} is damaged, and group {found} at {place} says that it was complete");
            return Err(corrupt(&broken, &what));
        }
        check_generation(guards, header, checkpoint, &place)
    };
    for_each_group(file, guards, end.at, |at, header| look(format!("{} byte {at}", path(end.file)), header))?;
    for name in disk.list("wal").map_err(doing("listing", "wal"))? {
        let Some(number) = number(&name).filter(|n| *n > end.file) else { continue };
        if let Ok(later) = open_file(disk, guards, number) {
            let place = |at: u64| format!("{} byte {at}", path(number));
            for_each_group(&later, guards, FIRST_GROUP, |at, header| look(place(at), header))?;
        }
    }
    Ok(())
}

fn check_generation(
    guards: Guards,
    header: &GroupHeader,
    checkpoint: &Checkpoint,
    place: &str,
) -> Result<(), OpenError> {
    if guards.on(Safeguard::Generation) && header.generation > checkpoint.generation {
        let (named, read) = (header.generation, checkpoint.generation);
        let what = format!("the group at {place} names checkpoint {named}, and the newest that can be read is {read}");
        return Err(corrupt("the checkpoint", &what));
    }
    Ok(())
}

/// Every whole group of `file` at or behind `from`, wherever a block begins with one.
fn for_each_group(
    file: &WalFile,
    guards: Guards,
    from: u64,
    mut each: impl FnMut(u64, &GroupHeader) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let mut chunk = Vec::new();
    let mut at = from;
    while at < file.header.size {
        let size = (file.header.size - at).min(CHUNK);
        chunk.resize(usize::try_from(size).unwrap_or(0), 0);
        file.file.read_at(&mut chunk, at).map_err(doing("reading", &path(file.header.number)))?;
        for (index, block) in (0_u64..).zip(chunk.chunks(BLOCK as usize)) {
            let place = at + index * BLOCK;
            if GroupHeader::decode(block).is_some()
                && let Some((header, _)) = group_at(file, guards, place)?
            {
                each(place, &header)?;
            }
        }
        at += size;
    }
    Ok(())
}

/// Makes a group's records visible, as the writer did.
fn apply(state: &mut State, header: &GroupHeader, payload: &Bytes) -> Result<(), String> {
    let mut left = payload.clone();
    for _ in 0..header.entries {
        if left.remaining() < ENTRY_BYTES {
            return Err("its entries are cut off".to_owned());
        }
        let place = Place { topic: left.get_u32_le(), partition: left.get_u32_le() };
        let length = left.get_u32_le() as usize;
        if length > left.remaining() {
            return Err("an entry is longer than its group".to_owned());
        }
        let bytes = Bytes::copy_from_slice(&left.split_to(length));
        let head = Head::parse(&bytes).map_err(|e| e.to_string())?;
        if head.bytes != length {
            return Err("an entry is longer than its batch".to_owned());
        }
        let appended = Timestamp::from_micros(header.at_us);
        state.apply(place, Held { base: head.base, count: head.count, appended, lsn: header.lsn, bytes })?;
    }
    Ok(())
}
