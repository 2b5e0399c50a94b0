//! Opening a folder: from what is on the disk to the state that readers see.
//!
//! First a [`survey`], which changes nothing and gathers all damage that it meets: the newest
//! checkpoint that can be read; its segments, which must be there ([`restore`]); the groups behind
//! it, up to the first that does not fit ([`scan`]); whatever stands behind that place and tells of
//! it ([`behind`], [`lost`]). Where both checkpoints are lost, what they said is put together from the
//! rest ([`rescue`]). Only a log without damage is then made durable and rid of what
//! nothing refers to ([`settle`]); all of that can be done again after a crash in the middle.
//!
//! Invariant: a log that is damaged is not changed.

mod restore;
pub(crate) mod scan;
pub(crate) mod chain;
pub(crate) mod behind;
mod lost;
pub(crate) mod slots;
mod fresh;
mod rescue;
mod leftovers;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::calendar::Counted;
use crate::damage::met;
use crate::damage::note::{self, Noted};
use crate::disk::readonly::NoFile;
use crate::disk::{Disk, LockError, is_of_medium};
use crate::machine::Memory;
use crate::options::Options;
use crate::safeguard::Guards;
use crate::segment::append::{Dirty, Site};
use crate::segment::log_path;
use crate::state::State;
use crate::stats::Stats;
use crate::wal::files::WalFile;
use crate::wal::header::FileHeader;
use crate::wal::is_full;
use crate::wal::{BLOCK, FIRST_GROUP, Position};
use crate::write_back::{Access, Demand, WriteBack};
use crate::{Damage, DamageKind, OpenError};
use evenkeel_model::Shard;
use scan::End;
use slots::Slots;

/// What recovery found.
pub(crate) struct Recovered {
    pub(crate) state: State,
    /// The file to go on in, and where.
    pub(crate) file: WalFile,
    pub(crate) position: Position,
    /// Numbers and sizes of the write-ahead files that a slot may need.
    pub(crate) live: BTreeMap<u64, u64>,
    /// What the slots say, by generation modulo 2.
    pub(crate) slots: [Option<Position>; 2],
    /// Bytes of the write-ahead log that no checkpoint covers.
    pub(crate) unflushed: u64,
    pub(crate) write_back: WriteBack,
    pub(crate) times: Counted,
    /// Why nothing may be appended, if so.
    pub(crate) read_only: Option<String>,
    pub(crate) damage: Vec<Damage>,
}

/// What is on a disk.
pub(crate) struct Survey {
    pub(crate) slots: Slots,
    /// Everything whole before the first damage.
    pub(crate) state: State,
    /// Where the log ends; `None` when there is none yet.
    pub(crate) end: Option<End>,
    pub(crate) damage: Vec<Damage>,
    /// A note names segments that were damaged; what of them is damaged still is in `damage`.
    pub(crate) noted: bool,
}

/// Recovers the log on `disk`, or makes an empty one.
pub(crate) fn recover(disk: &Arc<dyn Disk>, options: &Options, stats: &Arc<Stats>) -> Result<Recovered, OpenError> {
    let site = Site { disk: &**disk, options, stats };
    let mut replay = Replay::new(Some(site));
    let Survey { slots, state, end, damage, noted } = read(&**disk, options.guards(), options.memory(), &mut replay)?;
    if !damage.is_empty() {
        return Err(OpenError::Corrupt { damage });
    }
    if noted {
        // An operator put a good copy there, or gave up what was lost.
        disk.remove(note::FILE).map_err(doing("removing", note::FILE))?;
    }
    match (slots.newest(), end) {
        (Some(_), Some(End { file: Some(file), position, bytes })) => {
            let times = Counted { extent: state.times, firsts: slots.times() };
            let recovered = Recovered {
                state,
                file,
                position,
                live: BTreeMap::new(),
                slots: slots.positions(),
                unflushed: bytes,
                write_back: replay.write_back,
                times,
                read_only: None,
                damage: Vec::new(),
            };
            settle(&**disk, options.guards(), recovered)
        }
        _ => fresh::make(disk, options, stats),
    }
}

/// Reads everything that opening needs, changes nothing, and says what is damaged.
pub(crate) fn survey(disk: &dyn Disk, guards: Guards, memory: Memory) -> Result<Survey, OpenError> {
    read(disk, guards, memory, &mut Replay::new(None))
}

/// Writes batches to their segments while groups are replayed, so that memory stays bounded, and
/// only once it is known that nothing is damaged. (What it writes are bytes beyond the lengths that
/// the checkpoint gives.)
struct Replay<'a> {
    /// Where; `None` keeps everything in memory and changes nothing.
    site: Option<Site<'a>>,
    write_back: WriteBack,
    /// The rest of the log was found whole, up to here.
    checked: Option<Position>,
}

impl Replay<'_> {
    fn new(site: Option<Site<'_>>) -> Replay<'_> {
        Replay { site, write_back: WriteBack::default(), checked: None }
    }

    /// Lets go of memory if there is too much in it; before the first time `is_whole` is asked.
    fn relieve(
        &mut self,
        state: &mut State,
        is_whole: impl Fn() -> Result<Option<Position>, OpenError>,
    ) -> Result<(), OpenError> {
        let Some(site) = self.site.filter(|site| state.unwritten() > site.options.unwritten_bytes_max) else {
            return Ok(());
        };
        if self.checked.is_none() {
            self.checked = is_whole()?;
        }
        if self.checked.is_none() {
            self.site = None;
            return Ok(());
        }
        let done = self.write_back.turn(site, &mut Access::Own(state), Demand::Usual);
        // The device has enough to read; what it should begin with is told to it when the log is open,
        // unless that would keep many files open.
        let begun = match self.write_back.many_beginnings() {
            true => self.write_back.beginnings().iter().try_for_each(Dirty::start),
            false => Ok(()),
        };
        match done.and(begun) {
            Err(e) if is_full(&e) => {
                // Memory has to do, as it does for appends until the disk has room again.
                self.site = None;
                Ok(())
            }
            done => done.map_err(doing("writing", "segments")),
        }
    }
}

fn read(disk: &dyn Disk, guards: Guards, memory: Memory, replay: &mut Replay<'_>) -> Result<Survey, OpenError> {
    let slots = slots::read(disk, guards)?;
    let mut state = State::new(memory);
    let mut damage = Vec::new();
    let end = match slots.newest() {
        Some(newest) => {
            restore::run(disk, guards, newest, &mut state, &mut damage)?;
            replay.site = replay.site.filter(|_| damage.is_empty());
            Some(scan::run(disk, guards, newest, &mut state, replay, &mut damage)?)
        }
        None => {
            if let Some(mut lost) = fresh::check(disk, guards)? {
                rescue::run(disk, guards, &mut state, &mut lost)?;
                damage.push(lost);
            }
            None
        }
    };
    let noted = noted(disk, guards, &state, &mut damage)?;
    Ok(Survey { slots, state, end, damage, noted })
}

/// Looks at the segments that a reader found damaged while the log ran. True when there is a note of them.
fn noted(disk: &dyn Disk, guards: Guards, state: &State, damage: &mut Vec<Damage>) -> Result<bool, OpenError> {
    let noted = note::read(disk).map_err(doing("reading", note::FILE))?;
    if noted == Noted::Nothing {
        return Ok(false);
    }
    for (place, topic, _, partition) in state.places() {
        let shard = Shard::new(topic.name.clone(), place.partition);
        let folder = state.folder(place);
        for segment in &partition.segments {
            let path = log_path(&folder, segment.base, segment.revision);
            if noted.names(&path) && !damage.iter().any(|known| known.file == path) {
                let found = met::places(disk, guards, &folder, &shard, segment);
                damage.extend(found.map_err(doing("reading", &path))?);
            }
        }
    }
    Ok(true)
}

/// Takes the folder for this process.
pub(crate) fn lock(disk: &dyn Disk) -> Result<Box<dyn Send + Sync>, OpenError> {
    disk.lock().map_err(|e| match e {
        LockError::Held { pid } => OpenError::Locked { folder: disk.name(), pid },
        LockError::Io(e) => doing("taking the data folder", &disk.name())(e),
    })
}

/// Takes a folder that must hold a log already.
pub(crate) fn take(disk: &dyn Disk) -> Result<Box<dyn Send + Sync>, OpenError> {
    let names = disk.list("").map_err(doing("listing", &disk.name()))?;
    let known = |name: &String| ["checkpoint.0", "checkpoint.1", "wal", "topics"].contains(&name.as_str());
    if names.iter().any(known) { lock(disk) } else { Err(OpenError::Absent { folder: disk.name() }) }
}

/// What can be read of a log, and what is damaged; nothing is changed, and nothing can be appended.
pub(crate) fn whole(disk: &dyn Disk, options: &Options) -> Result<Recovered, OpenError> {
    let mut survey = survey(disk, options.guards(), options.memory())?;
    if survey.slots.newest().is_none() && survey.damage.is_empty() {
        return Err(OpenError::Absent { folder: disk.name() });
    }
    if survey.damage.is_empty() {
        survey.damage = crate::verify::look(disk, options.guards(), &survey)?.damage;
    }
    let Survey { slots, state, end, damage, .. } = survey;
    let header = FileHeader { number: 0, size: FIRST_GROUP + BLOCK, nonce: [0; 16] };
    let position = end.as_ref().map_or(state.wal, |e| e.position);
    let extent = state.times;
    Ok(Recovered {
        state,
        file: WalFile { header, file: Arc::new(NoFile) },
        position: Position { lsn: position.lsn.max(1), ..position },
        live: BTreeMap::new(),
        slots: slots.positions(),
        unflushed: 0,
        write_back: WriteBack::default(),
        times: Counted { extent, firsts: slots.times() },
        read_only: None,
        damage,
    })
}

/// Makes what was read durable, and takes away what nothing refers to.
fn settle(disk: &dyn Disk, guards: Guards, mut recovered: Recovered) -> Result<Recovered, OpenError> {
    let Recovered { state, position, slots, live, .. } = &mut recovered;
    let newest = slots[usize::from(state.generation % 2 == 1)].map_or(position.file, |p| p.file);
    let oldest = slots.iter().flatten().map(|p| p.file).min().unwrap_or(newest);
    scan::make_durable(disk, guards, newest, position.file)?;
    slots::make_durable(disk, guards, state.generation)?;
    *live = leftovers::wal(disk, guards, oldest, position.file)?;
    leftovers::segments(disk, state)?;
    leftovers::topics(disk, state)?;
    crate::calendar::cut(disk, &recovered.times).map_err(doing("cutting", "times"))?;
    Ok(recovered)
}

/// Damage as an error, for what cannot go on.
fn corrupt(kind: DamageKind, file: &str, at: Option<u64>, what: impl Into<String>) -> OpenError {
    OpenError::Corrupt { damage: vec![Damage::new(kind, file, at, what)] }
}

/// Reading failed: damage, where the medium is to blame.
fn unreadable<'a>(kind: DamageKind, file: &'a str, at: Option<u64>) -> impl Fn(io::Error) -> OpenError + 'a {
    move |e| match is_of_medium(&e) {
        true => corrupt(kind, file, at, format!("it cannot be read: {e}")),
        false => doing("reading", file)(e),
    }
}

/// What was read; or what is damaged, where it is that.
fn or_damage<T>(read: Result<T, OpenError>) -> Result<Result<T, Damage>, OpenError> {
    match read {
        Ok(read) => Ok(Ok(read)),
        Err(OpenError::Corrupt { damage }) if damage.len() == 1 => Ok(Err(damage[0].clone())),
        Err(e) => Err(e),
    }
}

/// An I/O error with what was being done.
pub(crate) fn doing<'a>(verb: &'a str, path: &'a str) -> impl Fn(io::Error) -> OpenError + 'a {
    move |e| OpenError::Io { doing: format!("{verb} `{path}`"), why: e.to_string() }
}
