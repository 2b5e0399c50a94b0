//! Groups that are being written, and their landing: in any order on the medium, in the order of
//! their offsets for everybody else.
//!
//! Invariants: a group is visible, and answered, only when it and all before it are on the medium;
//! after one that failed none is. A group that only answers (refusals, repeats) lands like the
//! others, since its answers may rest on groups that are still in flight.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use bytes::Bytes;
use evenkeel_model::Timestamp;

use super::Position;
use super::group::Group;
use super::writer::Reply;
use crate::AppendError;
use crate::disk::File;
use crate::engine::Shared;
use crate::safeguard::{Guards, Safeguard};
use crate::ticket::held;

/// A group with its offsets, on its way to the medium.
pub(crate) struct Launch {
    /// Counts launches, from 1.
    pub(super) number: u64,
    pub(super) file: Arc<dyn File>,
    pub(super) at: u64,
    pub(super) bytes: Bytes,
    pub(super) group: Group,
    /// Where the log goes on behind it.
    pub(super) end: Position,
    pub(super) last_at: Timestamp,
}

impl Launch {
    /// What it takes on the medium.
    pub(crate) fn bytes(&self) -> u64 {
        if self.group.entries == 0 { 0 } else { self.bytes.len() as u64 }
    }

    /// Writes it. What is durable then counts when it has landed.
    pub(crate) fn write(&self, guards: Guards) -> Result<(), String> {
        if self.group.entries == 0 {
            return Ok(());
        }
        if let Some(why) = &self.group.broken {
            return Err(why.clone());
        }
        let done = if guards.on(Safeguard::GroupWrite) {
            self.file.write_durable(&self.bytes, self.at)
        } else {
            self.file.write_at(&self.bytes, self.at)
        };
        done.map_err(|e| format!("a write to the write-ahead log failed: {e}"))
    }
}

/// What came of a landing.
#[derive(Default)]
pub(crate) struct Landing {
    /// How many launches are over.
    pub(crate) turns: usize,
    pub(crate) replies: Vec<Reply>,
    /// Why the log must stop.
    pub(crate) failed: Option<String>,
}

/// What is in the air.
#[derive(Default)]
pub(super) struct Flight {
    air: Mutex<Air>,
    landed: Condvar,
    /// The newest group that is on the medium with all before it.
    durable: AtomicU64,
}

#[derive(Default)]
struct Air {
    launched: u64,
    landed: u64,
    /// Written before one that was launched earlier.
    early: BTreeMap<u64, (Launch, Result<(), String>)>,
    failed: Option<String>,
}

impl Flight {
    pub(super) fn new(durable: u64) -> Flight {
        Flight { durable: AtomicU64::new(durable), ..Flight::default() }
    }

    /// The number of the next launch.
    pub(super) fn launch(&self) -> u64 {
        let mut air = held(&self.air);
        air.launched += 1;
        air.launched
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// A group that was written while nothing else was in the air.
    pub(super) fn set_durable(&self, lsn: u64) {
        self.durable.store(lsn, Ordering::Release);
    }

    pub(super) fn is_empty(&self) -> bool {
        let air = held(&self.air);
        air.landed == air.launched
    }

    /// Waits until nothing is in the air.
    pub(super) fn wait_empty(&self) {
        let mut air = held(&self.air);
        while air.landed != air.launched {
            air = self.landed.wait(air).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A launch is over; makes it visible, and those that only waited for it.
    pub(super) fn land(&self, shared: &Shared, launch: Launch, done: Result<(), String>) -> Landing {
        let mut air = held(&self.air);
        let mut landing = Landing::default();
        if launch.number <= air.landed {
            landing.add(launch.group, &Err(air.failed.clone().unwrap_or_default()));
            return landing;
        }
        air.early.insert(launch.number, (launch, done));
        let mut next = air.landed + 1;
        while let Some((launch, done)) = air.early.remove(&next) {
            next += 1;
            let done = air.failed.clone().map_or(done, Err);
            let Launch { mut group, end, last_at, bytes, .. } = launch;
            let done = done.and_then(|()| self.publish(shared, &mut group, &bytes, (end, last_at)));
            landing.add(group, &done);
            if let Err(why) = done {
                air.failed.get_or_insert(why);
            }
        }
        air.landed = next - 1;
        drop(air);
        self.landed.notify_all();
        shared.news.advance(self.durable());
        landing
    }

    /// Somebody who has a turn will not land what was launched: nothing lands any more.
    pub(super) fn give_up(&self, why: &str) {
        let mut air = held(&self.air);
        air.failed.get_or_insert_with(|| why.to_owned());
        air.landed = air.launched;
        // Their promises, dropped unkept, say that the log has stopped.
        let early = std::mem::take(&mut air.early);
        drop(air);
        self.landed.notify_all();
        drop(early);
    }

    fn publish(
        &self,
        shared: &Shared,
        group: &mut Group,
        bytes: &Bytes,
        (end, last_at): (Position, Timestamp),
    ) -> Result<(), String> {
        if group.entries == 0 {
            return Ok(());
        }
        shared.stats.group(group.bytes);
        shared.stats.flushed();
        let mut entries = group.take_held(bytes).into_iter();
        {
            let mut state = shared.state_mut();
            let applied = entries.try_for_each(|(place, head, held)| state.apply(place, &head, held));
            applied.map_err(|why| format!("the log's state went astray: {why}"))?;
            state.wal = end;
            state.last_at = last_at;
        }
        self.set_durable(end.lsn - 1);
        Ok(())
    }
}

impl Landing {
    fn add(&mut self, group: Group, done: &Result<(), String>) {
        self.turns += 1;
        match done {
            Ok(()) => self.replies.extend(group.answers.into_iter().map(Reply::Tell)),
            Err(why) => {
                let stopped = |answer| Reply::Withdraw(answer, AppendError::Stopped { why: why.clone() });
                self.replies.extend(group.answers.into_iter().map(stopped));
                self.failed = Some(why.clone());
            }
        }
    }
}
