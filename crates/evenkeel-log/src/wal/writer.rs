//! The owner of the write-ahead log: takes what is pending, assigns offsets, writes one group
//! with one synchronous write, makes it visible, and only then acknowledges.
//!
//! Invariants: one write is in flight at a time; offsets are assigned only to what will be in the
//! very next write; after a write that failed nothing is written any more.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use evenkeel_model::Timestamp;

use super::block::Aligned;
use super::files::WalFile;
use super::group::{Answer, Group};
use super::header::{GROUP_BYTES, GroupHeader, Kind};
use super::limits::{Limits, OnTheWay};
use super::{BLOCK, FIRST_GROUP, Position, padded};
use crate::AppendError;
use crate::engine::Shared;
use crate::machine::Machine;
use crate::queue::Job;
use crate::safeguard::Safeguard;
use crate::state::{Place, State};
use crate::tail::Held;
use crate::write_back::Demand;

/// How long a full disk is believed to be full.
const FULL_FOR: std::time::Duration = std::time::Duration::from_millis(250);

/// The one writer.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    file: WalFile,
    position: Position,
    buffer: Aligned,
    last_at: Timestamp,
    /// What the log has come to with all that got an offset.
    machine: Machine,
    on_the_way: OnTheWay,
    sealed: Option<u64>,
    full_until: Option<Timestamp>,
    /// Bytes that were written since the flusher was asked last.
    unflushed: u64,
}

/// What is to be said when the writer has done its turn.
pub(crate) enum Reply {
    /// What the group says.
    Tell(Answer),
    /// That its outcome is unknown.
    Withdraw(Answer, AppendError),
    /// That nothing of it was written.
    Refuse(Job, AppendError),
}

impl Reply {
    /// Says it.
    pub(crate) fn say(self) {
        match self {
            Reply::Tell(answer) => answer.tell(),
            Reply::Withdraw(answer, error) => answer.withdraw(error),
            Reply::Refuse(job, error) => job.refuse(error),
        }
    }
}

/// A group could not be given room.
enum NoRoom {
    /// The disk is full; nothing was written.
    Full,
    /// The log has stopped.
    Stopped(String),
}

impl Writer {
    /// Goes on at `position` in `file`; `unflushed` bytes before it are behind no checkpoint.
    pub(crate) fn new(shared: Arc<Shared>, file: WalFile, position: Position, unflushed: u64) -> Writer {
        let (last_at, machine) = {
            let state = shared.state();
            (state.last_at, state.machine.clone())
        };
        let buffer = Aligned::new();
        Writer {
            shared,
            file,
            position,
            buffer,
            last_at,
            machine,
            on_the_way: OnTheWay::default(),
            sealed: None,
            full_until: None,
            unflushed,
        }
    }

    /// Writes these jobs, in as many groups as they need. What is to be said is kept for later: who
    /// is woken may do anything.
    pub(crate) fn turn(&mut self, mut jobs: VecDeque<Job>) -> Vec<Reply> {
        let mut replies = Vec::with_capacity(jobs.len());
        while let Some(job) = jobs.front() {
            let (bytes, max) = (job.takes(&self.machine), self.shared.options.group_bytes_max - GROUP_BYTES);
            if bytes > max {
                jobs.pop_front().into_iter().for_each(|job| job.refuse(AppendError::TooLarge { bytes, max }));
                continue;
            }
            match self.make_room(group_bytes(bytes), job.own) {
                Ok(()) => {}
                Err(NoRoom::Full) => {
                    replies.extend(jobs.pop_front().map(|job| Reply::Refuse(job, AppendError::DiskFull)));
                    continue;
                }
                Err(NoRoom::Stopped(why)) => {
                    let stopped = |job| Reply::Refuse(job, AppendError::Stopped { why: why.clone() });
                    replies.extend(jobs.into_iter().map(stopped));
                    break;
                }
            }
            let group = self.gather(&mut jobs);
            self.commit(group, &mut replies);
        }
        replies
    }

    /// Writes an empty group that vouches for the last one, unless one stands there already.
    pub(crate) fn seal(&mut self) {
        let generation = self.shared.state().generation;
        let fits = self.position.at + BLOCK <= self.file.end();
        if self.is_sealed(generation) || !fits || self.shared.stopped().is_some() {
            return;
        }
        if self.shared.options.guards().on(Safeguard::Sealing) && self.write_empty(Kind::Seal, &[]).is_ok() {
            self.publish(|_| {});
        }
        self.sealed = Some(generation);
    }

    /// Lets the flusher know when there is enough for it to do.
    pub(crate) fn ask_flusher(&mut self) {
        let prepare = self.position.at > self.file.header.size / 2 && !self.shared.files.is_prepared();
        let flush = self.unflushed >= self.shared.options.flush_bytes;
        if self.shared.state().unwritten() >= self.shared.options.write_back_bytes {
            self.shared.write_bell.ring(|wanted| wanted.write = true);
        }
        if flush {
            self.unflushed = 0;
        }
        if prepare || flush {
            self.shared.bell.ring(|wanted| {
                wanted.prepare |= prepare;
                wanted.flush |= flush;
            });
        }
    }

    /// True when nothing is left to vouch for.
    pub(crate) fn is_sealed(&self, generation: u64) -> bool {
        self.sealed == Some(generation) || self.position.lsn == 1
    }

    /// True when nothing was written since the last seal.
    pub(crate) fn has_sealed(&self) -> bool {
        self.sealed.is_some() || self.position.lsn == 1
    }

    /// Makes sure that a group of `bytes` fits at the present position.
    fn make_room(&mut self, bytes: u64, own: bool) -> Result<(), NoRoom> {
        if let Some(why) = self.shared.stopped() {
            return Err(NoRoom::Stopped(why));
        }
        self.make_memory()?;
        if self.position.at + bytes <= self.limit(own) {
            return Ok(());
        }
        let now = self.shared.clock.now();
        if self.full_until.is_some_and(|until| now < until) {
            return Err(NoRoom::Full);
        }
        match self.turn_to_next(bytes) {
            Ok(()) => {
                self.full_until = None;
                Ok(())
            }
            Err(e) if is_full(&e) => {
                self.full_until = Some(now + FULL_FOR);
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
        match self.shared.write_back(Demand::Usual) {
            Ok(()) => Ok(()),
            Err(e) if is_full(&e) => Err(NoRoom::Full),
            Err(e) => Err(NoRoom::Stopped(self.shared.stop(&e.to_string()))),
        }
    }

    /// Where groups in this file must end: others than our own topics leave the headroom, unless
    /// the next file is there.
    fn limit(&self, own: bool) -> u64 {
        let headroom = self.shared.options.headroom_bytes.min(self.file.header.size / 4);
        let reserved = if own || self.shared.files.is_prepared() { 0 } else { headroom };
        self.file.end() - padded(reserved)
    }

    /// Goes on in the next file. An error of kind `StorageFull` left everything as it was.
    fn turn_to_next(&mut self, bytes: u64) -> io::Result<()> {
        let options = &self.shared.options;
        if self.shared.files.live_bytes() + options.wal_file_bytes > options.wal_bytes_max {
            self.shared.flush_now()?;
        }
        let next = self.shared.files.next(bytes)?;
        self.write_empty(Kind::Turn, &next.header.number.to_le_bytes()).map_err(not_full)?;
        self.position.file = next.header.number;
        self.position.at = FIRST_GROUP;
        self.file = next;
        self.publish(|_| {});
        Ok(())
    }

    /// Takes from the front what fits into one group, and gives it offsets.
    fn gather(&mut self, jobs: &mut VecDeque<Job>) -> Group {
        self.last_at = self.last_at.max(self.shared.clock.now());
        let max = self.shared.options.group_bytes_max;
        self.buffer.clear(usize::try_from(padded(max.min(jobs.iter().map(|j| j.bytes).sum()) as u64)).unwrap_or(0));
        self.buffer.put(&[0; GROUP_BYTES]);
        let mut group = Group::new(self.last_at, self.position.lsn);
        let mut bytes = 0;
        while let Some(job) = jobs.front() {
            let more = bytes + job.takes(&self.machine);
            let fits = self.position.at + group_bytes(more) <= self.limit(job.own);
            if bytes > 0 && (more > max || !fits) {
                break;
            }
            bytes = more;
            let Some(job) = jobs.pop_front() else { break };
            let mut limits = Limits { shared: &self.shared, on_the_way: &mut self.on_the_way };
            group.take(&mut self.machine, &mut limits, &mut self.buffer, job);
        }
        group
    }

    /// Writes the group and makes it visible.
    fn commit(&mut self, group: Group, replies: &mut Vec<Reply>) {
        let Group { at, entries, bytes, held, answers, broken, .. } = group;
        if entries > 0
            && let Err(why) = broken.map_or(Ok(()), Err).and_then(|()| self.make_durable(at, entries, bytes, held))
        {
            let why = self.shared.stop(&why);
            let stopped = |answer| Reply::Withdraw(answer, AppendError::Stopped { why: why.clone() });
            replies.extend(answers.into_iter().map(stopped));
        } else {
            replies.extend(answers.into_iter().map(Reply::Tell));
        }
    }

    fn make_durable(
        &mut self,
        at: Timestamp,
        entries: u32,
        bytes: u64,
        held: Vec<(Place, Held)>,
    ) -> Result<(), String> {
        self.write(Kind::Data, entries, at).map_err(|e| format!("a write to the write-ahead log failed: {e}"))?;
        self.sealed = None;
        self.shared.stats.group(bytes);
        let mut applied = Ok(());
        self.publish(|state| applied = held.into_iter().try_for_each(|(place, held)| state.apply(place, held)));
        applied.map_err(|why| format!("the log's state went astray: {why}"))?;
        self.shared.news.advance(self.position.lsn - 1);
        Ok(())
    }

    fn publish(&mut self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.state_mut();
        change(&mut state);
        state.wal = self.position;
        state.last_at = self.last_at;
    }

    fn write_empty(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        self.buffer.clear(BLOCK as usize);
        self.buffer.put(&[0; GROUP_BYTES]);
        self.buffer.put(payload);
        let done = self.write(kind, 0, self.last_at);
        if let Err(e) = &done {
            self.shared.stop(&format!("a write to the write-ahead log failed: {e}"));
        }
        done
    }

    /// Writes what the buffer holds as one group, and moves on behind it.
    fn write(&mut self, kind: Kind, entries: u32, at: Timestamp) -> io::Result<()> {
        let guards = self.shared.options.guards();
        let length = self.buffer.bytes().len() - GROUP_BYTES;
        let header = GroupHeader {
            kind,
            crc: 0,
            lsn: self.position.lsn,
            previous: self.position.previous,
            length: u32::try_from(length).map_err(|_| io::Error::other("a group of more than 4 GiB"))?,
            durable: self.position.lsn - 1,
            generation: self.shared.state().generation,
            at_us: at.micros(),
            entries,
        };
        self.buffer.pad();
        let seed = self.file.header.seed(self.position.at, guards);
        let crc = header.seal(self.buffer.bytes_mut(), seed);
        if guards.on(Safeguard::GroupWrite) {
            self.file.file.write_durable(self.buffer.bytes(), self.position.at)?;
        } else {
            self.file.file.write_at(self.buffer.bytes(), self.position.at)?;
        }
        self.shared.stats.flushed();
        self.position.at += self.buffer.bytes().len() as u64;
        self.unflushed += self.buffer.bytes().len() as u64;
        self.position.lsn += 1;
        self.position.previous = crc;
        Ok(())
    }
}

/// What a group with such a payload takes in the file.
fn group_bytes(payload: usize) -> u64 {
    padded((GROUP_BYTES + payload) as u64)
}

/// True when the disk has no room.
pub(crate) fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A write to room that was there before must not fail for want of room.
fn not_full(e: io::Error) -> io::Error {
    if is_full(&e) { io::Error::other(e.to_string()) } else { e }
}
