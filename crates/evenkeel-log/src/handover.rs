//! Who writes, and what waits to be written.
//!
//! A *turn* is the right to order one group. An appender that finds a turn free takes it and writes
//! itself, so that a log with little to do wakes nobody; otherwise the job stays here, and whoever
//! ends a turn hands over to a thread of the log ([`Handover::next_turn`]). As many turns may be
//! taken at once as the device gains from (`depth`).
//!
//! Invariants: while jobs wait, a turn is taken, or somebody was told to take one, or their own
//! appenders have yet to ask for one; what waits is bounded in bytes (a set that finds no room
//! waits at a *seat* in its own future, and seats are served in order); a job is taken once. It
//! knows nothing of groups, offsets and disks.

#[path = "handover/fair.rs"]
mod fair;

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Duration;

use self::fair::Fair;
use super::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Something that waits to be written.
pub(crate) trait Load {
    /// What it takes in a group.
    fn bytes(&self) -> usize;
    /// Jobs of one lane stay in order; lanes get equal shares.
    fn lane(&self) -> u64;
}

/// A job that could not be taken in.
pub(crate) enum Refused<J> {
    /// There is no room now.
    Full(J),
    /// There never will be, for this reason.
    Closed(J, String),
}

/// What a thread of the log is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has a turn: there is work.
    Taken,
    /// Nothing, for as long as it was ready to wait.
    Idle,
    /// Nothing, but it was asked to look again ([`Handover::nudge`]).
    Nudged,
    /// Nothing, and nothing will come.
    Closed,
}

/// The hand-over between appenders and the log's threads.
pub(crate) struct Handover<J> {
    pending: Mutex<Pending<J>>,
    told: Condvar,
    bytes_max: usize,
}

struct Pending<J> {
    jobs: Fair<J>,
    closed: Option<String>,
    /// Turns that are taken, and how many may be.
    turns: usize,
    depth: usize,
    /// Jobs that were put where the next turn finds them.
    joined: usize,
    /// Threads that wait to be told, and how many were.
    asleep: usize,
    told: usize,
    nudged: bool,
    next_seat: u64,
    /// Those of large sets, and those of small ones.
    seats: [BTreeMap<u64, Seat>; 2],
}

struct Seat {
    waker: Waker,
    bytes: usize,
    lane: u64,
}

impl<J: Load> Handover<J> {
    pub(crate) fn new(bytes_max: usize) -> Handover<J> {
        let pending = Pending {
            jobs: Fair::new(),
            closed: None,
            turns: 0,
            depth: 1,
            joined: 0,
            asleep: 0,
            told: 0,
            nudged: false,
            next_seat: 0,
            seats: Default::default(),
        };
        Handover { pending: Mutex::new(pending), told: Condvar::new(), bytes_max }
    }

    /// So many turns may be taken at once from now on.
    pub(crate) fn set_depth(&self, depth: usize) {
        self.held().depth = depth.max(1);
    }

    /// How many turns may be taken at once.
    pub(crate) fn depth(&self) -> usize {
        self.held().depth
    }

    /// Takes the job, or gives it back. Nobody is told: who offers asks for a turn, or tells.
    pub(crate) fn offer(&self, job: J) -> Result<(), Refused<J>> {
        self.held().push(job, u64::MAX, self.bytes_max)
    }

    /// Like [`Handover::offer`]; when there is no room, `waker` is woken when it is worth another try.
    pub(crate) fn offer_or_sit(&self, job: J, seat: &mut Option<u64>, waker: &Waker) -> Result<(), Refused<J>> {
        let mut pending = self.held();
        let (bytes, lane) = (job.bytes(), job.lane());
        let row = usize::from(is_small(bytes, self.bytes_max));
        let done = pending.push(job, seat.unwrap_or(u64::MAX), self.bytes_max);
        if matches!(done, Err(Refused::Full(_))) {
            let at = *seat.get_or_insert(pending.next_seat);
            pending.next_seat = pending.next_seat.max(at + 1);
            pending.seats[row].insert(at, Seat { waker: waker.clone(), bytes, lane });
        } else if let Some(at) = seat.take() {
            pending.seats[row].remove(&at);
        }
        done
    }

    /// Nobody waits at this seat any more.
    pub(crate) fn leave(&self, seat: u64) {
        let mut pending = self.held();
        pending.seats.iter_mut().for_each(|row| drop(row.remove(&seat)));
        let next = pending.served(self.bytes_max);
        drop(pending);
        next.into_iter().for_each(Waker::wake);
    }

    /// A turn, if one is free and there is work. Who has one calls [`Handover::take`] and, in the
    /// end, [`Handover::end_turns`].
    pub(crate) fn try_turn(&self) -> bool {
        self.held().turn()
    }

    /// Lets a thread of the log know that there is work, if it can do any now.
    pub(crate) fn tell(&self) {
        if self.held().tell_one() {
            self.told.notify_one();
        }
    }

    /// Makes a thread of the log look up from its sleep.
    pub(crate) fn nudge(&self) {
        self.held().nudged = true;
        self.told.notify_one();
    }

    /// How many jobs wait.
    pub(crate) fn waiting(&self) -> usize {
        self.held().waiting()
    }

    /// Their bytes.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.held().jobs.bytes()
    }

    /// Moves jobs of `bytes` in all, or one that is larger, to `into`.
    pub(crate) fn take(&self, bytes: usize, into: &mut VecDeque<J>) {
        let mut pending = self.held();
        pending.joined = 0;
        pending.jobs.take(bytes, into);
        let woken = pending.served(self.bytes_max);
        drop(pending);
        woken.into_iter().for_each(Waker::wake);
    }

    /// A job, and all that wait before it, for whoever can put them where the next turn finds them:
    /// only while no turn is free, so that there is a next one. Gives it back when it had better wait
    /// for its own turn, here. Who calls this keeps others from [`Handover::take`] until it is done.
    pub(crate) fn join(&self, bytes: usize, job: J, into: &mut VecDeque<J>) -> Result<(), J> {
        let mut pending = self.held();
        let sits = pending.seats.iter().any(|row| !row.is_empty());
        let fits = pending.jobs.can_take_all(bytes.saturating_sub(job.bytes()));
        if pending.closed.is_some() || pending.turns < pending.depth || sits || !fits {
            return Err(job);
        }
        pending.jobs.take(bytes, into);
        into.push_back(job);
        pending.joined += into.len();
        Ok(())
    }

    /// Of `coming` jobs that were to join, these wait here after all.
    pub(crate) fn unjoin(&self, coming: usize, jobs: VecDeque<J>) {
        let mut pending = self.held();
        pending.joined = pending.joined.saturating_sub(jobs.len().min(coming));
        pending.jobs.put_back(jobs);
    }

    /// Jobs that were taken and not used are the next ones again.
    pub(crate) fn put_back(&self, jobs: VecDeque<J>) {
        if !jobs.is_empty() {
            self.held().jobs.put_back(jobs);
        }
    }

    /// Gives turns back; if there is work, a thread of the log is told.
    pub(crate) fn end_turns(&self, turns: usize) {
        let mut pending = self.held();
        pending.turns = pending.turns.saturating_sub(turns);
        let all = pending.closed.is_some() && pending.turns == 0;
        let one = pending.tell_one();
        drop(pending);
        if all {
            self.told.notify_all();
        } else if one {
            self.told.notify_one();
        }
    }

    /// Somebody who had a turn panicked: nobody waits for turns to end any more. Only once it is closed.
    pub(crate) fn abandon(&self) {
        self.held().turns = 0;
        self.told.notify_all();
    }

    /// A turn for a thread of the log: waits for work, `patience` at most.
    pub(crate) fn next_turn(&self, patience: Option<Duration>) -> Turn {
        let mut pending = self.held();
        loop {
            if pending.turn() {
                return Turn::Taken;
            }
            if pending.closed.is_some() && pending.turns == 0 {
                return Turn::Closed;
            }
            if std::mem::take(&mut pending.nudged) {
                return Turn::Nudged;
            }
            pending.asleep += 1;
            pending.told = 0;
            let (woken, timed_out) = self.sleep(pending, patience);
            pending = woken;
            pending.asleep -= 1;
            pending.told = pending.told.saturating_sub(1);
            if timed_out && pending.turns == 0 && pending.waiting() == 0 && pending.closed.is_none() {
                return Turn::Idle;
            }
        }
    }

    fn sleep<'a>(
        &self,
        pending: MutexGuard<'a, Pending<J>>,
        patience: Option<Duration>,
    ) -> (MutexGuard<'a, Pending<J>>, bool) {
        match patience {
            Some(patience) => {
                let slept = self.told.wait_timeout(pending, patience);
                let (pending, timeout) = slept.unwrap_or_else(PoisonError::into_inner);
                (pending, timeout.timed_out())
            }
            None => (self.told.wait(pending).unwrap_or_else(PoisonError::into_inner), false),
        }
    }

    /// Refuses what comes from now on; gives back what waits, if it is not to be written.
    pub(crate) fn close(&self, why: &str, refuse_waiting: bool) -> VecDeque<J> {
        let mut pending = self.held();
        pending.closed.get_or_insert_with(|| why.to_owned());
        let mut refused = VecDeque::new();
        if refuse_waiting {
            pending.jobs.take(usize::MAX, &mut refused);
        }
        let seats = std::mem::take(&mut pending.seats);
        drop(pending);
        self.told.notify_all();
        seats.into_iter().flat_map(BTreeMap::into_values).for_each(|seat| seat.waker.wake());
        refused
    }

    fn held(&self) -> MutexGuard<'_, Pending<J>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Small sets have seats of their own, and the last quarter of the room.
fn is_small(bytes: usize, bytes_max: usize) -> bool {
    bytes <= bytes_max / 64
}

fn has_room(held: usize, bytes: usize, bytes_max: usize) -> bool {
    let max = if is_small(bytes, bytes_max) { bytes_max } else { bytes_max / 4 * 3 };
    held == 0 || held + bytes <= max
}

impl<J: Load> Pending<J> {
    fn push(&mut self, job: J, seat: u64, bytes_max: usize) -> Result<(), Refused<J>> {
        if let Some(why) = &self.closed {
            return Err(Refused::Closed(job, why.clone()));
        }
        if self.overtakes(&job, seat, bytes_max) || !has_room(self.jobs.bytes(), job.bytes(), bytes_max) {
            return Err(Refused::Full(job));
        }
        self.jobs.push(job);
        Ok(())
    }

    /// True when somebody sat down earlier in the same row, or waits there with a job of this lane.
    fn overtakes(&self, job: &J, seat: u64, bytes_max: usize) -> bool {
        let row = usize::from(is_small(job.bytes(), bytes_max));
        let first = self.seats[row].keys().next();
        let mut others = self.seats[1 - row].range(..seat);
        first.is_some_and(|first| *first < seat) || others.any(|(_, other)| other.lane == job.lane())
    }

    /// Who sits first and now fits in, to be woken; they keep their seats until they are in.
    fn served(&mut self, bytes_max: usize) -> Vec<Waker> {
        let mut held = self.jobs.bytes();
        let mut woken = Vec::new();
        for row in self.seats.iter().rev() {
            for seat in row.values() {
                if !has_room(held, seat.bytes, bytes_max) {
                    break;
                }
                held += seat.bytes;
                woken.push(seat.waker.clone());
            }
        }
        woken
    }

    fn waiting(&self) -> usize {
        self.jobs.len() + self.joined
    }

    fn turn(&mut self) -> bool {
        let free = self.turns < self.depth && self.waiting() > 0;
        self.turns += usize::from(free);
        free
    }

    fn tell_one(&mut self) -> bool {
        let wanted = self.turns < self.depth && self.waiting() > 0 && self.asleep > self.told;
        self.told += usize::from(wanted);
        wanted
    }
}
