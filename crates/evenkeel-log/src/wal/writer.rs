//! The owner of the write-ahead log: takes what waits, orders it ([`super::order`]), writes it with
//! one synchronous write, and lands it ([`super::flight`]): visible and answered, in order.
//!
//! Invariants: one at a time orders; as many groups are in the air as turns are taken
//! ([`crate::handover`]); after a write that failed nothing is acknowledged any more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use super::Position;
use super::files::WalFile;
use super::flight::{Flight, Landing, Launch};
use super::group::Answer;
use super::order::Order;
use crate::AppendError;
use crate::engine::Shared;
use crate::queue::Job;
use crate::ticket::held;

/// What goes into one group while more is waiting: larger ones are hardly faster, and keep those
/// behind them waiting.
pub(super) const GATHER_BYTES: usize = 1 << 20;

/// How often an appender tries to order its set itself, before it leaves that to the others.
const ORDER_SPINS: usize = 64;

/// The one writer, for whoever has a turn.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    order: Mutex<Order>,
    flight: Flight,
}

/// What is to be said when a turn is over.
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

/// A turn that was begun.
pub(crate) struct Begun {
    /// The group to write; `None` when nothing is to be written or answered in order.
    pub(crate) launch: Option<Launch>,
    pub(crate) replies: Vec<Reply>,
    /// How many sets it took.
    pub(crate) sets: usize,
    /// True when the log was sealed before.
    pub(crate) unsealed: bool,
    pub(crate) wants: Wants,
}

/// What the flusher should do soon.
pub(crate) struct Wants {
    next_file: bool,
    checkpoint: bool,
}

impl Writer {
    /// Goes on at `position` in `file`; `unflushed` bytes before it are behind no checkpoint.
    pub(crate) fn new(shared: Arc<Shared>, file: WalFile, position: Position, unflushed: u64) -> Writer {
        let flight = Flight::new(position.lsn - 1);
        let order = Mutex::new(Order::new(shared.clone(), file, position, unflushed));
        Writer { shared, order, flight }
    }

    /// Begins a turn: takes what waits, and orders it.
    pub(crate) fn begin(&self) -> Begun {
        let mut order = held(&self.order);
        let was_sealed = order.has_sealed();
        let mut jobs = VecDeque::new();
        let limit = GATHER_BYTES.min(self.shared.options.group_bytes_max);
        let (bytes, sets) = order.gathered();
        self.shared.handover.take(limit.saturating_sub(bytes), &mut jobs);
        let sets = sets + jobs.len();
        let mut replies = Vec::new();
        let launch = order.launch(&mut jobs, &self.flight, &mut replies);
        let sets = sets - jobs.len();
        self.shared.handover.put_back(jobs);
        order.note_use();
        let wants = Wants { next_file: order.wants_next_file(), checkpoint: order.wants_checkpoint() };
        Begun { launch, replies, sets, unsealed: was_sealed && !order.has_sealed(), wants }
    }

    /// Puts a job into the group that gathers while another is in the air, and all that wait before
    /// it; gives it back where it had better wait.
    pub(crate) fn join(&self, job: Job) -> Result<(), Job> {
        let Some(mut order) = self.order_soon() else { return Err(job) };
        let limit = GATHER_BYTES.min(self.shared.options.group_bytes_max);
        let (bytes, _) = order.gathered();
        let mut jobs = VecDeque::new();
        self.shared.handover.join(limit.saturating_sub(bytes), job, &mut jobs)?;
        let coming = jobs.len();
        order.gather_ahead(&mut jobs);
        if !jobs.is_empty() {
            self.shared.handover.unjoin(coming, jobs);
        }
        Ok(())
    }

    /// The right to order, unless whoever has it holds it for longer than it takes to order a few sets.
    fn order_soon(&self) -> Option<MutexGuard<'_, Order>> {
        for _ in 0..ORDER_SPINS {
            match self.order.try_lock() {
                Ok(order) => return Some(order),
                Err(TryLockError::Poisoned(_)) => return None,
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
        None
    }

    /// Takes a group that was written, or was not, out of the air.
    pub(crate) fn land(&self, launch: Launch, done: Result<(), String>) -> Landing {
        let landing = self.flight.land(&self.shared, launch, done);
        if let Some(why) = &landing.failed {
            self.shared.stop(why);
        }
        landing
    }

    /// A turn ended in a panic: what is in the air, and what gathers, is given up.
    pub(crate) fn give_up(&self, why: &str) {
        self.flight.give_up(why);
        let gathering = held(&self.order).give_up();
        // Whoever it wakes may append.
        drop(gathering);
    }

    /// Lets the flusher know when there is enough for it to do.
    pub(crate) fn ask_flusher(&self, wants: &Wants) {
        if self.shared.state().unwritten() >= self.shared.options.write_back_bytes {
            self.shared.write_bell.ring(|wanted| wanted.write = true);
        }
        if wants.next_file {
            self.shared.file_bell.ring(|wanted| wanted.prepare = true);
        }
        if wants.checkpoint {
            self.shared.bell.ring(|wanted| wanted.flush = true);
        }
    }

    /// Writes an empty group that vouches for the last one, unless there is no need.
    pub(crate) fn seal(&self) {
        held(&self.order).seal(&self.flight);
    }

    /// True when nothing is left to vouch for.
    pub(crate) fn is_sealed(&self) -> bool {
        let generation = self.shared.state().generation;
        held(&self.order).is_sealed(generation)
    }

    /// True when the next group fits into this file, whatever it is.
    #[cfg(test)]
    pub(crate) fn stays_in_file(&self) -> bool {
        held(&self.order).stays_in_file()
    }
}
