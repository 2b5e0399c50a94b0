//! Reading groups: from a checkpoint to the end of the log, and the search for evidence behind it.
//!
//! The log ends at the first place where the next group of the chain does not stand. If a group
//! behind that place is whole and says that the missing one was complete (`durable`), the missing
//! one was acknowledged, and that is damage; otherwise it is a torn tail, which nobody was told
//! of. So are groups behind a hole that nobody vouched for. A group that names a newer checkpoint
//! than the one that was read says that a slot was lost, and that is damage too.

use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use evenkeel_model::Timestamp;

use super::chain::Reader;
use super::lost::Later;
use super::{Replay, behind, corrupt, doing, lost, or_damage};
use crate::batch::Head;
use crate::checkpoint::{Checkpoint, slot_path};
use crate::disk::{Disk, File, is_of_medium};
use crate::safeguard::{Guards, Safeguard};
use crate::state::{Place, State};
use crate::tail::Held;
use crate::wal::files::WalFile;
use crate::wal::header::{ENTRY_BYTES, FileHeader, GROUP_BYTES, GroupHeader, Kind, Unfit};
use crate::wal::{BLOCK, FIRST_GROUP, Position, number, padded, path};
use crate::{Damage, DamageKind, OpenError};

/// Where the log ends.
pub(crate) struct End {
    /// The file that it ends in; `None` when that one is damaged.
    pub(crate) file: Option<WalFile>,
    pub(crate) position: Position,
    /// How much was read behind the checkpoint.
    pub(crate) bytes: u64,
}

/// The newest checkpoint that a group names, and where.
#[derive(Default)]
struct Named {
    generation: u64,
    place: String,
}

/// Applies all groups behind the checkpoint to `state`.
pub(super) fn run(
    disk: &dyn Disk,
    guards: Guards,
    checkpoint: &Checkpoint,
    state: &mut State,
    replay: &mut Replay<'_>,
    damage: &mut Vec<Damage>,
) -> Result<End, OpenError> {
    ahead(disk, checkpoint.wal.file)?;
    let mut chain = Chain::from(disk, guards, checkpoint);
    let broken = chain.follow(|header, payload| {
        if header.kind == Kind::Data
            && let Err(what) = apply(state, header, payload)
        {
            return Ok(Some(what));
        }
        state.last_at = state.last_at.max(Timestamp::from_micros(header.at_us));
        replay.relieve(state, || whole(disk, guards, checkpoint))?;
        Ok(None)
    })?;
    // What is behind the end was looked at when it was found whole.
    let later = if replay.checked == Some(chain.position) { Vec::new() } else { chain.look_behind()? };
    let vouching = chain.vouching(&later).map(|by| vouched(chain.position, by));
    let Chain { position, bytes, reader, named, .. } = chain;
    let file = reader.map(|r| r.file);
    if let Some(mut found) = broken.or(vouching) {
        lost::trace(disk, guards, state, file.as_ref(), position, &later, &mut found)?;
        damage.push(found);
    }
    if guards.on(Safeguard::Generation) && named.generation > checkpoint.generation {
        damage.push(outdated(checkpoint, &named));
    }
    state.wal = position;
    Ok(End { file, position, bytes })
}

/// Has the device begin with the files that are about to be read.
fn ahead(disk: &dyn Disk, from: u64) -> Result<(), OpenError> {
    let names = disk.list("wal").map_err(doing("listing", "wal"))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number(name)).filter(|n| *n >= from).collect();
    numbers.sort_unstable();
    disk.will_read(numbers.into_iter().map(path).collect());
    Ok(())
}

/// Where the log ends, when the groups behind the checkpoint show no damage. Applies none.
fn whole(disk: &dyn Disk, guards: Guards, checkpoint: &Checkpoint) -> Result<Option<Position>, OpenError> {
    let mut chain = Chain::from(disk, guards, checkpoint);
    let broken = chain.follow(|_, _| Ok(None))?;
    let later = chain.look_behind()?;
    let outdated = guards.on(Safeguard::Generation) && chain.named.generation > checkpoint.generation;
    let whole = broken.is_none() && chain.vouching(&later).is_none() && !outdated;
    Ok(whole.then_some(chain.position))
}

fn vouched(end: Position, by: &Later) -> Damage {
    let (lost, found) = (end.lsn, by.header.lsn);
    let what = format!("group {lost} is damaged, and group {found} at {} says that it was complete", by.place());
    Damage::new(DamageKind::WriteAhead, &path(end.file), Some(end.at), what)
}

/// A slot was lost. The one before it needs nothing that is gone, unless more than one was lost.
fn outdated(checkpoint: &Checkpoint, named: &Named) -> Damage {
    let (name, read, place) = (named.generation, checkpoint.generation, &named.place);
    let what = format!("the group at {place} names checkpoint {name}, and the newest that can be read is {read}");
    let damage = Damage::new(DamageKind::Checkpoint, &slot_path(name), None, what);
    Damage { exact: name == read + 1, ..damage }
}

/// The groups in order, and what is wrong with the first that is not.
struct Chain<'a> {
    disk: &'a dyn Disk,
    guards: Guards,
    /// Of the checkpoint that it begins at.
    generation: u64,
    position: Position,
    bytes: u64,
    /// The file at `position`; `None` when it cannot be read.
    reader: Option<Reader>,
    named: Named,
}

impl<'a> Chain<'a> {
    fn from(disk: &'a dyn Disk, guards: Guards, checkpoint: &Checkpoint) -> Chain<'a> {
        let Checkpoint { generation, wal: position, .. } = *checkpoint;
        Chain { disk, guards, generation, position, bytes: 0, reader: None, named: Named::default() }
    }

    /// Takes group after group; `take` may say why one cannot be. Gives back damage that is damage
    /// whatever stands behind it.
    fn follow(
        &mut self,
        mut take: impl FnMut(&GroupHeader, &Bytes) -> Result<Option<String>, OpenError>,
    ) -> Result<Option<Damage>, OpenError> {
        if let Some(damage) = self.begin()? {
            return Ok(Some(damage));
        }
        loop {
            let (header, payload) = match or_damage(self.next())? {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(None),
                Err(damage) => return Ok(Some(damage)),
            };
            let at = self.position.at;
            let nowhere = header.kind == Kind::Turn && payload.len() < 8;
            let why = if nowhere { Some("it does not say where the log goes on".to_owned()) } else { None };
            if let Some(what) = why.map_or_else(|| take(&header, &payload), |why| Ok(Some(why)))? {
                return Ok(Some(Damage::new(DamageKind::WriteAhead, &path(self.position.file), Some(at), what)));
            }
            self.note(&header, at);
            let length = padded(GROUP_BYTES as u64 + payload.len() as u64);
            self.bytes += length;
            self.position.at += length;
            self.position.lsn += 1;
            self.position.previous = header.crc;
            if header.kind != Kind::Turn && self.is_beyond_end() {
                let what = "it stands where only the turn to the next file does";
                return Ok(Some(Damage::new(DamageKind::WriteAhead, &path(self.position.file), Some(at), what)));
            }
            if header.kind == Kind::Turn {
                self.position.file = payload.clone().get_u64_le();
                self.position.at = FIRST_GROUP;
                if let Some(damage) = self.enter()? {
                    return Ok(Some(damage));
                }
            }
        }
    }

    /// The group that says that the missing one was complete.
    fn vouching<'l>(&self, later: &'l [Later]) -> Option<&'l Later> {
        let vouches = |l: &&Later| l.header.durable >= self.position.lsn && self.guards.on(Safeguard::Vouching);
        later.iter().find(vouches)
    }

    /// Opens the file that the checkpoint names; it must have the place that it goes on at.
    fn begin(&mut self) -> Result<Option<Damage>, OpenError> {
        let damage = self.enter()?;
        let Position { file, at, .. } = self.position;
        if damage.is_none() && self.is_beyond_end() {
            let what = format!("it says that the log goes on at byte {at} of {}, and no group can", path(file));
            return Ok(Some(Damage::new(DamageKind::Checkpoint, &slot_path(self.generation), None, what)));
        }
        Ok(damage)
    }

    /// True when no group but a turn can stand at the present position.
    fn is_beyond_end(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| self.position.at > reader.file.end())
    }

    /// Opens the file at the present position; damage when that cannot be read.
    fn enter(&mut self) -> Result<Option<Damage>, OpenError> {
        self.reader = None;
        match or_damage(open_file(self.disk, self.guards, self.position.file))? {
            Ok(file) => {
                self.reader = Some(Reader::new(file, self.guards));
                Ok(None)
            }
            Err(damage) => Ok(Some(damage)),
        }
    }

    /// The next group of the chain, with its payload, if it stands there.
    fn next(&mut self) -> Result<Option<(GroupHeader, Bytes)>, OpenError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let Some((header, group)) = reader.group(self.position.at)? else { return Ok(None) };
        let chained = header.previous == self.position.previous || !self.guards.on(Safeguard::Chain);
        let next = chained && header.lsn == self.position.lsn;
        Ok(next.then(|| (header, group.slice(GROUP_BYTES..))))
    }

    fn note(&mut self, header: &GroupHeader, at: u64) {
        if header.generation > self.named.generation {
            let place = format!("{} byte {at}", path(self.position.file));
            self.named = Named { generation: header.generation, place };
        }
    }

    /// All whole groups behind the end that are no leftover of what stood there before.
    fn look_behind(&mut self) -> Result<Vec<Later>, OpenError> {
        let mut later = Vec::new();
        let end = self.position;
        if let Some(reader) = &self.reader {
            later.extend(Later::all(&reader.file, self.guards, end.at)?);
        }
        for name in self.disk.list("wal").map_err(doing("listing", "wal"))? {
            let Some(number) = number(&name).filter(|n| *n > end.file) else { continue };
            if let Ok(file) = open_file(self.disk, self.guards, number) {
                later.extend(Later::all(&file, self.guards, FIRST_GROUP)?);
            }
        }
        for found in &later {
            if found.header.generation > self.named.generation {
                self.named = Named { generation: found.header.generation, place: found.place() };
            }
        }
        later.retain(|l| l.header.lsn >= end.lsn);
        later.sort_by_key(|l| l.header.lsn);
        Ok(later)
    }
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
pub(crate) fn open_file(disk: &dyn Disk, guards: Guards, number: u64) -> Result<WalFile, OpenError> {
    let path = path(number);
    let broken = |why: &str| corrupt(DamageKind::WriteAhead, &path, None, why);
    let file: Arc<dyn File> = match disk.open(&path, false) {
        Ok(file) => file.into(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(broken("the file is gone")),
        Err(e) => return Err(doing("opening", &path)(e)),
    };
    let size = file.size().map_err(doing("measuring", &path))?;
    let mut why = "no file header".to_owned();
    let mut block = vec![0; BLOCK as usize];
    for copy in (0..FIRST_GROUP).step_by(BLOCK as usize).filter(|_| size >= FIRST_GROUP) {
        match file.read_at(&mut block, copy) {
            Err(e) if is_of_medium(&e) => {
                why = format!("its header cannot be read: {e}");
                continue;
            }
            read => read.map_err(doing("reading", &path))?,
        }
        match FileHeader::decode(&block, number, guards) {
            Ok(header) if header.size <= size => return Ok(WalFile { header, file }),
            Ok(_) => "the file is shorter than its header says".clone_into(&mut why),
            Err(Unfit::Newer(found)) => return Err(OpenError::Version { file: path, found }),
            Err(Unfit::Broken(what)) => what.clone_into(&mut why),
        }
    }
    Err(broken(&why))
}

/// True when any group of this file can be read.
pub(super) fn any_group(file: &WalFile, guards: Guards) -> Result<bool, OpenError> {
    Ok(!behind::groups(file, guards, FIRST_GROUP)?.is_empty())
}

/// The entries of a group, as far as its bytes bear them out.
pub(crate) fn entries(
    header: &GroupHeader,
    payload: &Bytes,
) -> impl Iterator<Item = Result<(Place, Head, Bytes), String>> {
    let mut left = payload.clone();
    (0..header.entries).map(move |_| {
        if left.remaining() < ENTRY_BYTES {
            return Err("its entries are cut off".to_owned());
        }
        let place = Place { topic: left.get_u32_le(), partition: left.get_u32_le() };
        let length = left.get_u32_le() as usize;
        if length > left.remaining() {
            return Err("an entry is longer than its group".to_owned());
        }
        let bytes = left.split_to(length);
        let head = Head::parse(&bytes).map_err(|e| e.to_string())?;
        if head.bytes == length { Ok((place, head, bytes)) } else { Err("an entry is not one batch".to_owned()) }
    })
}

/// Makes a group's records visible, as the writer did.
fn apply(state: &mut State, header: &GroupHeader, payload: &Bytes) -> Result<(), String> {
    // All of it is understood before any of it counts.
    let entries: Vec<_> = entries(header, payload).collect::<Result<_, _>>()?;
    for (place, head, bytes) in entries {
        let appended = Timestamp::from_micros(header.at_us);
        state.apply(place, &head, Held { base: head.base, count: head.count, appended, lsn: header.lsn, bytes })?;
    }
    Ok(())
}
