//! The order of the log: one at a time, jobs become a group with offsets, room in a file, and a
//! place in the chain.
//!
//! A group gathers: appenders put their own sets into it while the one before is in the air (their
//! processor has them at hand), and whoever has the next turn completes it.
//!
//! Invariants: the next group's place, number and predecessor are known when the one before has
//! been ordered, whether it is on the medium or not; files change, and seals are written, only
//! while nothing is in the air and nothing gathers; what gathers has room where the log is.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use evenkeel_model::Timestamp;

use super::files::WalFile;
use super::flight::{Flight, Launch};
use super::group::Group;
use super::header::{GROUP_BYTES, GroupHeader, Kind};
use super::limits::{Limits, OnTheWay};
use super::room::Room;
use super::slab::Slabs;
use super::writer::{GATHER_BYTES, Reply};
use super::{BLOCK, FIRST_GROUP, Position, is_full, padded};
use crate::AppendError;
use crate::engine::Shared;
use crate::machine::Machine;
use crate::queue::Job;
use crate::safeguard::Safeguard;

/// How long a full disk is believed to be full.
pub(super) const FULL_FOR: Duration = Duration::from_millis(250);

/// Where the log goes on, for whoever has the turn.
pub(super) struct Order {
    shared: Arc<Shared>,
    file: WalFile,
    position: Position,
    last_at: Timestamp,
    /// What the log has come to with all that got an offset.
    machine: Machine,
    on_the_way: OnTheWay,
    sealed: Option<u64>,
    full_until: Option<Timestamp>,
    room: Room,
    /// Bytes that were ordered since the flusher was asked last.
    unflushed: u64,
    /// The next group, while it gathers.
    open: Option<Gathering>,
    slabs: Slabs,
}

/// A group that is not complete.
pub(super) struct Gathering {
    group: Group,
    buffer: BytesMut,
    /// Of its payload.
    bytes: usize,
    /// Sets that it took.
    sets: usize,
}

/// A group could not be given room.
enum NoRoom {
    /// It is larger than a group may be.
    Never,
    /// The disk is full; nothing was written.
    Full,
    /// The log has stopped.
    Stopped(String),
}

impl Order {
    /// Goes on at `position` in `file`; `unflushed` bytes before it are behind no checkpoint.
    pub(super) fn new(shared: Arc<Shared>, file: WalFile, position: Position, unflushed: u64) -> Order {
        let (last_at, machine) = {
            let state = shared.state();
            (state.last_at, state.machine.clone())
        };
        Order {
            shared,
            file,
            position,
            last_at,
            machine,
            on_the_way: OnTheWay::default(),
            sealed: None,
            full_until: None,
            room: Room::default(),
            unflushed,
            open: None,
            slabs: Slabs::default(),
        }
    }

    /// Completes the group that gathered, or makes a new one, with the first of these jobs, as many as
    /// fit. What cannot be is refused.
    pub(super) fn launch(
        &mut self,
        jobs: &mut VecDeque<Job>,
        flight: &Flight,
        replies: &mut Vec<Reply>,
    ) -> Option<Launch> {
        if self.open.is_none() {
            self.make_room_for_first(jobs, flight, replies);
        }
        while let Some(job) = jobs.pop_front() {
            if let Err(job) = self.gather(job) {
                jobs.push_front(job);
                break;
            }
        }
        let Gathering { mut group, mut buffer, .. } = self.open.take()?;
        group.broken = group.broken.or_else(|| self.shared.stopped());
        let (file, at) = (self.file.file.clone(), self.position.at);
        let mut bytes = Bytes::new();
        if group.entries > 0 {
            match self.chain(Kind::Data, group.entries, &mut buffer, flight.durable()) {
                Ok(()) => bytes = buffer.split().freeze(),
                Err(e) => group.broken = Some(e.to_string()),
            }
        }
        buffer.clear();
        self.slabs.put_back(buffer);
        let (end, last_at) = (self.position, self.last_at);
        Some(Launch { number: flight.launch(), file, at, bytes, group, end, last_at })
    }

    /// Takes a job into the next group, if it fits there; else gives it back.
    fn gather(&mut self, job: Job) -> Result<(), Job> {
        let bytes = self.open.as_ref().map_or(0, |open| open.bytes);
        let more = bytes + job.takes(&self.machine);
        let fits = self.position.at + group_bytes(more) <= self.limit(job.own);
        if !fits || (bytes > 0 && more > self.shared.options.group_bytes_max) {
            return Err(job);
        }
        if self.open.is_none() {
            self.open = Some(self.begin(GROUP_BYTES + more));
        }
        let Some(open) = &mut self.open else { return Err(job) };
        self.slabs.grow(&mut open.buffer, GROUP_BYTES + more);
        let mut limits = Limits { shared: &self.shared, on_the_way: &mut self.on_the_way };
        open.group.take(&mut self.machine, &mut limits, &mut open.buffer, job);
        (open.bytes, open.sets) = (more, open.sets + 1);
        Ok(())
    }

    fn begin(&mut self, bytes: usize) -> Gathering {
        self.last_at = self.last_at.max(self.shared.clock.now());
        let mut buffer = self.slabs.take(bytes);
        buffer.extend_from_slice(&[0; GROUP_BYTES]);
        Gathering { group: Group::new(self.last_at, self.position.lsn), buffer, bytes: 0, sets: 0 }
    }

    /// Takes jobs into the next group ahead of time, while another is in the air, as long as that needs
    /// no waiting. Those that do not fit stay in `jobs`.
    pub(super) fn gather_ahead(&mut self, jobs: &mut VecDeque<Job>) {
        let behind = self.shared.state().unwritten() >= self.shared.options.unwritten_bytes_max;
        if behind || self.shared.stopped().is_some() {
            return;
        }
        while let Some(job) = jobs.pop_front() {
            let alone = self.open.is_none() && job.bytes > GATHER_BYTES;
            let taken = if alone { Err(job) } else { self.gather(job) };
            if let Err(job) = taken {
                jobs.push_front(job);
                return;
            }
        }
    }

    /// What gathers: bytes, and sets.
    pub(super) fn gathered(&self) -> (usize, usize) {
        self.open.as_ref().map_or((0, 0), |open| (open.bytes, open.sets))
    }

    /// Gives away what gathers: its promises, dropped unkept, say that the log has stopped.
    pub(super) fn give_up(&mut self) -> Option<Gathering> {
        self.open.take()
    }

    /// Refuses jobs until there is one that has room.
    fn make_room_for_first(&mut self, jobs: &mut VecDeque<Job>, flight: &Flight, replies: &mut Vec<Reply>) {
        while let Some(job) = jobs.front() {
            let (bytes, max) = (job.takes(&self.machine), self.shared.options.group_bytes_max - GROUP_BYTES);
            let room =
                if bytes > max { Err(NoRoom::Never) } else { self.make_room(group_bytes(bytes), job.own, flight) };
            let error = match room {
                Ok(()) => return,
                Err(NoRoom::Never) => AppendError::TooLarge { bytes, max },
                Err(NoRoom::Full) => AppendError::DiskFull,
                Err(NoRoom::Stopped(why)) => AppendError::Stopped { why },
            };
            replies.extend(jobs.pop_front().map(|job| Reply::Refuse(job, error)));
        }
    }

    /// Makes sure that a group of `bytes` fits at the present position.
    fn make_room(&mut self, bytes: u64, own: bool, flight: &Flight) -> Result<(), NoRoom> {
        if let Some(why) = self.shared.stopped() {
            return Err(NoRoom::Stopped(why));
        }
        self.make_memory()?;
        if !own && self.room.is_short(&self.shared, bytes) {
            return Err(NoRoom::Full);
        }
        if self.position.at + bytes <= self.limit(own) {
            return Ok(());
        }
        let now = self.shared.clock.now();
        if self.full_until.is_some_and(|until| now < until) {
            return Err(NoRoom::Full);
        }
        match self.turn_to_next(bytes, flight) {
            Ok(()) => {
                self.full_until = None;
                Ok(())
            }
            Err(e) if is_full(&e) => {
                self.full_until = Some(now + FULL_FOR);
                // A checkpoint may let go of files.
                self.shared.bell.ring(|wanted| wanted.flush = true);
                Err(NoRoom::Full)
            }
            Err(e) => Err(NoRoom::Stopped(self.shared.stop(&format!("the write-ahead log failed: {e}")))),
        }
    }

    /// Waits until what segments are behind is bounded, by helping to write it.
    fn make_memory(&self) -> Result<(), NoRoom> {
        if self.shared.state().unwritten() < self.shared.options.unwritten_bytes_max {
            return Ok(());
        }
        match self.shared.relieve() {
            Ok(()) => Ok(()),
            Err(e) if is_full(&e) => Err(NoRoom::Full),
            Err(e) => Err(NoRoom::Stopped(self.shared.stop(&e.to_string()))),
        }
    }

    /// Where groups in this file must end: others than our own topics leave the headroom, unless
    /// the next file is there, and have nothing at all while there is too little room.
    fn limit(&self, own: bool) -> u64 {
        if !own && self.room.was_short() {
            return 0;
        }
        let headroom = self.shared.options.headroom_bytes.min(self.file.header.size / 4);
        let reserved = if own || self.shared.files.is_prepared() { 0 } else { headroom };
        self.file.end() - padded(reserved)
    }

    /// Goes on in the next file. An error of kind `StorageFull` left everything as it was.
    fn turn_to_next(&mut self, bytes: u64, flight: &Flight) -> io::Result<()> {
        let options = &self.shared.options;
        // Until both slots have left enough behind; mostly the flusher is about to.
        for _ in 0..3 {
            if self.shared.files.live_bytes() + options.wal_file_bytes <= options.wal_bytes_max {
                break;
            }
            self.shared.flush()?;
        }
        let next = self.shared.files.next(bytes)?;
        flight.wait_empty();
        if let Some(why) = self.shared.stopped() {
            return Err(io::Error::other(why));
        }
        self.write_empty(Kind::Turn, &next.header.number.to_le_bytes(), flight).map_err(not_full)?;
        self.position.file = next.header.number;
        self.position.at = FIRST_GROUP;
        self.file = next;
        self.publish();
        Ok(())
    }

    /// Writes an empty group that vouches for the last one, unless one stands there already or
    /// something is in the air. At the end of a file that is the turn to the next one.
    pub(super) fn seal(&mut self, flight: &Flight) {
        let generation = self.shared.state().generation;
        let busy = self.open.is_some() || !flight.is_empty();
        if self.is_sealed(generation) || busy || self.shared.stopped().is_some() {
            return;
        }
        if self.shared.options.guards().on(Safeguard::Sealing) {
            let file = self.position.file;
            if self.make_room(BLOCK, true, flight).is_err() {
                return;
            }
            if self.position.file == file && self.write_empty(Kind::Seal, &[], flight).is_ok() {
                self.publish();
            }
        }
        self.sealed = Some(generation);
        self.slabs.rest();
    }

    /// True when nothing is left to vouch for.
    pub(super) fn is_sealed(&self, generation: u64) -> bool {
        self.sealed == Some(generation) || self.position.lsn == 1
    }

    /// True when nothing was ordered since the last seal.
    pub(super) fn has_sealed(&self) -> bool {
        self.sealed.is_some() || self.position.lsn == 1
    }

    /// Lets whoever makes the next file know how much of this one is used.
    pub(super) fn note_use(&self) {
        self.shared.files.used(self.position.at, self.file.header.size);
    }

    /// True when half of this file is used, and the next one is not there.
    pub(super) fn wants_next_file(&self) -> bool {
        self.position.at > self.file.header.size / 2 && !self.shared.files.is_prepared()
    }

    /// True, once, when enough was ordered for a checkpoint.
    pub(super) fn wants_checkpoint(&mut self) -> bool {
        let wanted = self.unflushed >= self.shared.options.flush_bytes;
        if wanted {
            self.unflushed = 0;
        }
        wanted
    }

    /// True when the next group fits into this file, whatever it is.
    #[cfg(test)]
    pub(super) fn stays_in_file(&self) -> bool {
        self.position.at + group_bytes(self.shared.options.group_bytes_max) <= self.limit(false)
    }

    fn publish(&mut self) {
        let mut state = self.shared.state_mut();
        state.wal = self.position;
        state.last_at = self.last_at;
    }

    /// Writes a group without entries, while nothing else is in the air.
    fn write_empty(&mut self, kind: Kind, payload: &[u8], flight: &Flight) -> io::Result<()> {
        let mut buffer = self.slabs.take(BLOCK as usize);
        buffer.extend_from_slice(&[0; GROUP_BYTES]);
        buffer.extend_from_slice(payload);
        let (file, at) = (self.file.file.clone(), self.position.at);
        self.chain(kind, 0, &mut buffer, flight.durable())?;
        let done = if self.shared.options.guards().on(Safeguard::GroupWrite) {
            file.write_durable(&buffer, at)
        } else {
            file.write_at(&buffer, at)
        };
        buffer.clear();
        self.slabs.put_back(buffer);
        match &done {
            Ok(()) => flight.set_durable(self.position.lsn - 1),
            Err(e) => drop(self.shared.stop(&format!("a write to the write-ahead log failed: {e}"))),
        }
        self.shared.stats.flushed();
        done
    }

    /// Gives the group in the buffer its header, and moves on behind it.
    fn chain(&mut self, kind: Kind, entries: u32, buffer: &mut BytesMut, durable: u64) -> io::Result<()> {
        let guards = self.shared.options.guards();
        let length = buffer.len() - GROUP_BYTES;
        let header = GroupHeader {
            kind,
            crc: 0,
            lsn: self.position.lsn,
            previous: self.position.previous,
            length: u32::try_from(length).map_err(|_| io::Error::other("a group of more than 4 GiB"))?,
            durable,
            generation: self.shared.state().generation,
            at_us: self.last_at.micros(),
            entries,
        };
        buffer.resize(buffer.len().next_multiple_of(BLOCK as usize), 0);
        let seed = self.file.header.seed(self.position.at, guards);
        let crc = header.seal(buffer, seed);
        self.position.at += buffer.len() as u64;
        self.unflushed += buffer.len() as u64;
        self.room.ordered(buffer.len() as u64);
        self.position.lsn += 1;
        self.position.previous = crc;
        self.sealed = None;
        Ok(())
    }
}

/// What a group with such a payload takes in the file.
fn group_bytes(payload: usize) -> u64 {
    padded((GROUP_BYTES + payload) as u64)
}

/// A write to room that was there before must not fail for want of room.
fn not_full(e: io::Error) -> io::Error {
    if is_full(&e) { io::Error::other(e.to_string()) } else { e }
}
