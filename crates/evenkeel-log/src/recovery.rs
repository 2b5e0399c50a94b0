//! Opening a folder: from what is on the disk to the state that readers see.
//!
//! In order: the newest checkpoint that can be read, with the topics (in version 1 these are in the
//! control topic's segments); the other partitions' segments, which must be there; the groups
//! behind the checkpoint, up to the first that does not fit ([`scan`]). Nothing is changed before all of it has been understood;
//! then what was read back is made durable, and leftovers that nothing refers to go. All of it can
//! be done again after a crash in the middle.

mod fresh;
mod leftovers;
mod scan;
mod slots;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::OpenError;
use crate::checkpoint::Checkpoint;
use crate::control::{self, Fact};
use crate::disk::Disk;
use crate::options::Options;
use crate::safeguard::Guards;
use crate::segment::append::Site;
use crate::segment::walk::{Files, Lost, Walk};
use crate::segment::{folder, index_path, log_path};
use crate::state::{CONTROL, State};
use crate::stats::Stats;
use crate::wal::Position;
use crate::wal::files::WalFile;
use crate::write_back::{Access, Demand, WriteBack};

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
}

/// Recovers the log on `disk`, or makes an empty one.
pub(crate) fn recover(disk: &Arc<dyn Disk>, options: &Options, stats: &Arc<Stats>) -> Result<Recovered, OpenError> {
    let guards = options.guards();
    let slots = slots::read(&**disk, guards)?;
    let Some(newest) = slots.newest() else {
        fresh::check(&**disk, guards)?;
        return fresh::make(disk, options, stats);
    };
    let mut state = State::new();
    restore(&**disk, guards, newest, &mut state)?;
    let end = scan::run(&**disk, guards, newest, &mut state)?;
    let positions = slots.positions();
    scan::make_durable(&**disk, guards, newest.wal.file, end.position.file)?;
    slots::make_durable(&**disk, guards, newest.generation)?;
    let oldest = positions.iter().flatten().map(|p| p.file).min().unwrap_or(newest.wal.file);
    let live = leftovers::wal(&**disk, guards, oldest, end.position.file)?;
    leftovers::segments(&**disk, &mut state)?;
    state.wal = end.position;
    let mut write_back = WriteBack::default();
    if state.unwritten() > options.unwritten_bytes_max {
        let site = Site { disk: &**disk, options, stats };
        let done = write_back.turn(site, &mut Access::Own(&mut state), Demand::Usual);
        done.map_err(doing("writing", "segments"))?;
    }
    Ok(Recovered {
        state,
        file: end.file,
        position: end.position,
        live,
        slots: positions,
        unflushed: end.bytes,
        write_back,
    })
}

/// Takes the partitions as the checkpoint has them, the control topic first.
fn restore(disk: &dyn Disk, guards: Guards, checkpoint: &Checkpoint, state: &mut State) -> Result<(), OpenError> {
    state.generation = checkpoint.generation;
    state.last_at = checkpoint.last_at;
    for (number, topic) in checkpoint.topics.iter().flatten().cloned() {
        state.learn(&Fact::Created { number, topic }).map_err(|what| corrupt("the checkpoint", &what))?;
    }
    let (control, others): (Vec<_>, Vec<_>) = checkpoint.partitions.iter().partition(|p| p.place == CONTROL);
    for partition in control.into_iter().chain(others) {
        let place = partition.place;
        let known = state.machine.topics.get(place.topic).map(|entry| entry.topic.name.clone());
        let (Some(name), Some(machine)) = (known, state.machine.at_mut(place)) else {
            let what = format!("it names partition {}-{}, which no topic has", place.topic, place.partition);
            return Err(corrupt("the checkpoint", &what));
        };
        machine.restore(partition.ends, partition.leader_epoch);
        if let Some(at) = state.at_mut(place) {
            at.segments.clone_from(&partition.segments);
            at.written = partition.ends.high_watermark;
        }
        let folder = folder(&name, place.partition);
        for segment in &partition.segments {
            must_hold(disk, &log_path(&folder, segment.base, segment.revision), segment.log_bytes)?;
            must_hold(disk, &index_path(&folder, segment.base, segment.revision), segment.index_bytes)?;
            if place == CONTROL && checkpoint.topics.is_none() {
                read_topics(disk, guards, &folder, segment, state)?;
            }
        }
    }
    Ok(())
}

fn must_hold(disk: &dyn Disk, path: &str, bytes: u64) -> Result<(), OpenError> {
    let size = match disk.open(path, false) {
        Ok(file) => file.size().map_err(doing("measuring", path))?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(corrupt(path, "the file is gone")),
        Err(e) => return Err(doing("opening", path)(e)),
    };
    if size < bytes {
        return Err(corrupt(path, &format!("it has {size} bytes, and the checkpoint counts on {bytes}")));
    }
    Ok(())
}

fn read_topics(
    disk: &dyn Disk,
    guards: Guards,
    folder: &str,
    segment: &crate::segment::Segment,
    state: &mut State,
) -> Result<(), OpenError> {
    let path = log_path(folder, segment.base, segment.revision);
    let log = disk.open(&path, false).map_err(doing("opening", &path))?;
    let index =
        disk.open(&index_path(folder, segment.base, segment.revision), false).map_err(doing("opening", &path))?;
    let files = Files { log, index };
    let mut walk = Walk::from(&files, segment, guards, segment.base, 1 << 20);
    loop {
        match walk.next() {
            Ok(Some(found)) => add_topics(state, &found.bytes).map_err(|what| corrupt(&path, &what))?,
            Ok(None) => return Ok(()),
            Err(Lost::Io(e)) => return Err(doing("reading", &path)(e)),
            Err(Lost::Damaged(at, what)) => return Err(corrupt(&format!("{path} byte {at}"), &what)),
        }
    }
}

/// Learns what a batch of the control topic states that a checkpoint of version 1 covers.
fn add_topics(state: &mut State, batch: &Bytes) -> Result<(), String> {
    for fact in control::decode(batch)? {
        state.learn(&fact)?;
    }
    Ok(())
}

fn corrupt(place: &str, what: &str) -> OpenError {
    OpenError::Corrupt { place: place.to_owned(), what: what.to_owned() }
}

/// An I/O error with what was being done.
pub(crate) fn doing<'a>(verb: &'a str, path: &'a str) -> impl Fn(io::Error) -> OpenError + 'a {
    move |e| OpenError::Io { doing: format!("{verb} `{path}`"), why: e.to_string() }
}
