//! Who should write: with little to do the appender itself, since waking a thread takes longer than
//! a write on many devices; under load the log's threads, which gather.
//!
//! [`crate::handover`] sees to it that nobody writes who may not; here is only who had better.
//! A task writes itself only where writes are quick, so that its executor is not held for longer
//! than a switch costs; a thread that would only sleep meanwhile always may.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::AppendError;
use crate::depth::Depth;
use crate::engine::{Fuse, Shared};
use crate::handover::{Handover, Turn};
use crate::queue::Job;
use crate::ticket::{Caller, held};
use crate::wal::writer::{Begun, Reply, Writer};

/// How long the log is idle before it seals.
const SEAL_AFTER: Duration = Duration::from_millis(50);

/// Groups of one set that make the log count as idle.
const ALONE: u32 = 4;

/// A task writes itself only where a write takes no longer than this, in microseconds.
const QUICK_US: u32 = 250;

/// How often a task that writes itself lets the other tasks of its thread go first.
const YIELD_EVERY: u32 = 8;

/// The right to write, and who should use it: with little to do the appender itself, since waking
/// a thread takes longer than many devices; under load the log's thread, which gathers.
pub(crate) struct Pen {
    shared: Arc<Shared>,
    writer: Writer,
    /// True while the log's thread is there to take over.
    threaded: AtomicBool,
    /// Groups in a row that held one set and left none waiting.
    alone: AtomicU32,
    /// What a write takes, in microseconds, smoothed.
    write_us: AtomicU32,
    written_here: AtomicU32,
    /// How many groups to write at once; `None` where that is fixed.
    depth: Option<Mutex<Depth>>,
}

/// The most groups that are written at the same time.
pub(crate) const WRITERS_MAX: usize = 4;

impl Pen {
    pub(crate) fn new(shared: Arc<Shared>, writer: Writer) -> Pen {
        let depth = shared.options.writers.is_none().then(|| Mutex::new(Depth::new(WRITERS_MAX)));
        Pen {
            shared,
            writer,
            threaded: AtomicBool::new(false),
            alone: AtomicU32::new(ALONE),
            write_us: AtomicU32::new(0),
            written_here: AtomicU32::new(0),
            depth,
        }
    }

    pub(crate) fn handover(&self) -> &Handover<Job> {
        &self.shared.handover
    }

    /// What is said of a set that was not taken.
    pub(crate) fn refusal(&self, why: &str) -> AppendError {
        self.shared.refusal(why)
    }

    /// From now on whoever appends may write, and a thread takes over.
    pub(crate) fn start(&self) {
        self.threaded.store(true, Ordering::Relaxed);
    }

    /// True when jobs gather anyway, so that the log's thread had better write.
    pub(crate) fn is_busy(&self) -> bool {
        self.alone.load(Ordering::Relaxed) < ALONE
    }

    /// True when a task should go to the end of its executor's queue before it writes: what the
    /// tasks before it append then goes into the same group.
    pub(crate) fn lets_others_first(&self) -> bool {
        let writes = self.written_here.fetch_add(1, Ordering::Relaxed);
        !self.is_busy() && writes.is_multiple_of(YIELD_EVERY)
    }

    /// Writes what waits, if it is the caller's turn and it may; otherwise the log's thread does.
    pub(crate) fn write_or_tell(&self, caller: Caller) {
        let quick = self.write_us.load(Ordering::Relaxed) <= QUICK_US;
        let crowd = self.is_busy() || self.handover().waiting() > 1;
        let here = match caller {
            Caller::Thread => true,
            Caller::Future => quick && !crowd,
        };
        if here && self.threaded.load(Ordering::Relaxed) && self.handover().try_turn() {
            self.turn();
        } else {
            self.handover().tell();
        }
    }

    /// Puts a job into the group that gathers while another is written, if there is one; else gives it
    /// back, to wait.
    pub(crate) fn join(&self, job: Job) -> Result<(), Job> {
        let guard = Abandon(self);
        let joined = self.writer.join(job);
        std::mem::forget(guard);
        joined
    }

    /// One turn, which the caller has taken: one group at most, and its answers.
    pub(crate) fn turn(&self) {
        let guard = Abandon(self);
        self.finish(self.writer.begin());
        // Whoever appends may be unwinding for reasons of his own.
        std::mem::forget(guard);
    }

    /// Writes what a turn ordered, and ends the turn.
    fn finish(&self, begun: Begun) {
        let Begun { launch, mut replies, sets, unsealed, wants } = begun;
        let mut turns = 1;
        if let Some(launch) = launch {
            let started = self.shared.clock.now();
            let done = launch.write(self.shared.options.guards());
            let ended = self.shared.clock.now();
            let took_us = u32::try_from(ended.since(started).as_micros()).unwrap_or(u32::MAX);
            let waiting = self.handover().waiting();
            self.learn(sets, waiting, took_us);
            self.go_deeper(ended, launch.bytes(), sets + waiting > 1);
            let landing = self.writer.land(launch, done);
            turns = landing.turns;
            replies.extend(landing.replies);
        }
        self.writer.ask_flusher(&wants);
        self.handover().end_turns(turns);
        if unsealed {
            // The log's thread sleeps until there is something to seal.
            self.handover().nudge();
        }
        replies.into_iter().for_each(Reply::say);
    }

    /// Has as many groups written at once as the device was seen to gain from.
    fn go_deeper(&self, now: Timestamp, bytes: u64, busy: bool) {
        let deeper = self.depth.as_ref().and_then(|depth| held(depth).landed(now, bytes, busy));
        if let Some(depth) = deeper {
            self.handover().set_depth(depth);
        }
    }

    fn learn(&self, sets: usize, waiting: usize, took_us: u32) {
        self.shared.stats.writes.took(u64::from(took_us));
        let alone = if sets <= 1 && waiting == 0 { self.alone.load(Ordering::Relaxed) } else { 0 };
        let more = if sets <= 1 { (alone + 1).min(ALONE) } else { 0 };
        self.alone.store(more, Ordering::Relaxed);
        let smooth = self.write_us.load(Ordering::Relaxed);
        self.write_us.store(smooth - smooth / 8 + took_us / 8, Ordering::Relaxed);
    }

    /// Writes an empty group that vouches for the last one.
    pub(crate) fn seal(&self) {
        self.writer.seal();
    }
}

/// Stops the log when a turn ends in a panic, whoever took it: everybody who waits is told.
struct Abandon<'a>(&'a Pen);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        let why = self.0.shared.stop("a writer of the log panicked");
        self.0.writer.give_up(&why);
        self.0.handover().abandon();
    }
}

/// Steps by hand.
#[cfg(test)]
impl Pen {
    /// True when nothing is left to vouch for.
    pub(crate) fn is_sealed(&self) -> bool {
        self.writer.is_sealed()
    }

    /// Begins a turn, if there is work and room for it where the log is: a group in the air, which
    /// [`Pen::finish_by_hand`] writes.
    pub(crate) fn begin_by_hand(&self) -> Option<Begun> {
        (self.writer.stays_in_file() && self.handover().try_turn()).then(|| self.writer.begin())
    }

    /// Writes a group that was begun.
    pub(crate) fn finish_by_hand(&self, begun: Begun) {
        self.finish(begun);
    }
}

/// A writer's thread. Whichever of them was up last seals what is idle; the others sleep.
pub(crate) fn write_loop(shared: &Arc<Shared>, pen: &Pen) {
    let _fuse = Fuse(shared.clone());
    let mut seen = 0;
    loop {
        let patience = (!pen.writer.is_sealed()).then_some(SEAL_AFTER);
        match shared.handover.next_turn(patience) {
            Turn::Taken => pen.turn(),
            Turn::Nudged => {}
            Turn::Idle => {
                // Appenders that write themselves do not come by here.
                let newest = shared.news.version();
                if std::mem::replace(&mut seen, newest) == newest {
                    pen.seal();
                }
            }
            Turn::Closed => return,
        }
    }
}
