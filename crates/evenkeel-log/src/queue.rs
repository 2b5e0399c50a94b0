//! What waits for the writer: bounded in bytes, open to any number of producers.
//!
//! A set that finds no room waits in its own future, not here, and is woken when the writer has
//! taken what was pending. Nothing here blocks but [`Queue::take`], which only the writer calls.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::Shard;

use crate::batch::Head;
use crate::state::Place;
use crate::ticket::{Promise, held};
use crate::{AppendError, Appended, Change, Topic, TopicError, TopicSettings};

/// Something for the writer to do.
pub(crate) struct Job {
    pub(crate) work: Work,
    /// What it takes in a group.
    pub(crate) bytes: usize,
    /// True when it touches one of the node's own topics, which may use the headroom.
    pub(crate) own: bool,
}

/// What is to be done, and whom to tell.
pub(crate) enum Work {
    /// Append these, together.
    Append(Vec<Part>, Vec<Change>, Promise<Result<Appended, AppendError>>),
    /// Say something of a topic.
    Topic(Box<Declaration>, Promise<Result<Topic, TopicError>>),
    /// Give a producer its id.
    Producer(Promise<Result<i64, AppendError>>),
}

/// What is to be said of a topic.
pub(crate) enum Declaration {
    /// It is there, with these settings.
    Create(Arc<str>, TopicSettings),
}

/// A batch without its offset.
pub(crate) struct Part {
    pub(crate) place: Place,
    pub(crate) shard: Shard,
    /// That of `batch`; `None` when there are no records.
    pub(crate) head: Option<Head>,
    pub(crate) batch: Bytes,
}

impl Job {
    /// Says that nothing was written, or that nobody knows.
    pub(crate) fn refuse(self, error: AppendError) {
        match self.work {
            Work::Append(_, _, promise) => promise.keep(Err(error)),
            Work::Topic(_, promise) => promise.keep(Err(TopicError::Append(error))),
            Work::Producer(promise) => promise.keep(Err(error)),
        }
    }
}

/// What the writer found.
pub(crate) enum Taken {
    /// Work, in order.
    Jobs(VecDeque<Job>),
    /// Nothing for as long as it was ready to wait.
    Idle,
    /// Nothing, and nothing will come.
    Closed,
}

pub(crate) struct Queue {
    pending: Mutex<Pending>,
    arrived: Condvar,
    bytes_max: usize,
}

#[derive(Default)]
struct Pending {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: Option<String>,
    writer_waits: bool,
    next_seat: u64,
    seats: BTreeMap<u64, Waker>,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Queue {
        Queue { pending: Mutex::default(), arrived: Condvar::new(), bytes_max }
    }

    /// Takes the job, or gives it back when there is no room now. A closed queue refuses it.
    pub(crate) fn offer(&self, job: Job) -> Option<Job> {
        self.push(held(&self.pending), job).err().map(|(job, _)| job)
    }

    /// Like [`Queue::offer`]; when there is no room, `waker` is woken when it is worth another try.
    pub(crate) fn offer_or_wait(&self, job: Job, seat: &mut Option<u64>, waker: &Waker) -> Option<Job> {
        match self.push(held(&self.pending), job) {
            Ok(()) => None,
            Err((job, mut pending)) => {
                let at = *seat.get_or_insert(pending.next_seat);
                pending.next_seat = pending.next_seat.max(at + 1);
                pending.seats.insert(at, waker.clone());
                Some(job)
            }
        }
    }

    /// Nobody waits at this seat any more.
    pub(crate) fn leave(&self, seat: u64) {
        held(&self.pending).seats.remove(&seat);
    }

    fn push<'a>(&self, mut pending: MutexGuard<'a, Pending>, job: Job) -> Result<(), (Job, MutexGuard<'a, Pending>)> {
        if let Some(why) = &pending.closed {
            let why = why.clone();
            drop(pending);
            job.refuse(AppendError::Stopped { why });
            return Ok(());
        }
        if pending.bytes > 0 && pending.bytes + job.bytes > self.bytes_max {
            return Err((job, pending));
        }
        pending.bytes += job.bytes.max(1);
        pending.jobs.push_back(job);
        if pending.writer_waits {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// All pending jobs up to `bytes` (at least one); waits for the first, `patience` at most.
    pub(crate) fn take(&self, bytes: usize, patience: Option<Duration>) -> Taken {
        let mut pending = held(&self.pending);
        while pending.jobs.is_empty() {
            if pending.closed.is_some() {
                return Taken::Closed;
            }
            pending.writer_waits = true;
            let waited = match patience {
                Some(patience) => self.arrived.wait_timeout(pending, patience).map(|(p, t)| (p, t.timed_out())),
                None => Ok(self.arrived.wait(pending).map_or_else(|e| (e.into_inner(), false), |p| (p, false))),
            };
            let (woken, timed_out) = waited.unwrap_or_else(|e| {
                let (pending, timeout) = PoisonError::into_inner(e);
                (pending, timeout.timed_out())
            });
            pending = woken;
            pending.writer_waits = false;
            if timed_out && pending.jobs.is_empty() {
                return Taken::Idle;
            }
        }
        self.take_now(pending, bytes)
    }

    /// Like [`Queue::take`], without waiting.
    #[cfg(test)]
    pub(crate) fn try_take(&self, bytes: usize) -> VecDeque<Job> {
        match self.take_now(held(&self.pending), bytes) {
            Taken::Jobs(jobs) => jobs,
            Taken::Idle | Taken::Closed => VecDeque::new(),
        }
    }

    fn take_now(&self, mut pending: MutexGuard<'_, Pending>, bytes: usize) -> Taken {
        let mut taken = VecDeque::new();
        let mut size = 0;
        while let Some(job) = pending.jobs.front() {
            if !taken.is_empty() && size + job.bytes > bytes {
                break;
            }
            size += job.bytes;
            pending.bytes = pending.bytes.saturating_sub(job.bytes.max(1));
            taken.extend(pending.jobs.pop_front());
        }
        let seats = std::mem::take(&mut pending.seats);
        drop(pending);
        for waker in seats.into_values() {
            waker.wake();
        }
        Taken::Jobs(taken)
    }

    /// Refuses what comes from now on. With `refuse_pending` also what is pending.
    pub(crate) fn close(&self, why: &str, refuse_pending: bool) {
        let mut pending = held(&self.pending);
        pending.closed.get_or_insert_with(|| why.to_owned());
        let refused = if refuse_pending { std::mem::take(&mut pending.jobs) } else { VecDeque::new() };
        let seats = std::mem::take(&mut pending.seats);
        self.arrived.notify_all();
        drop(pending);
        for job in refused {
            job.refuse(AppendError::Stopped { why: why.to_owned() });
        }
        for waker in seats.into_values() {
            waker.wake();
        }
    }
}
