//! What the log's parts share, and its threads: one writes the write-ahead log when appenders do
//! not write it themselves ([`Pen`]), one writes segments back, one makes checkpoints.
//!
//! Each thread is a loop around one step ([`Pen::turn`], [`Flusher::turn`]); tests take the same
//! steps by hand. The log stops once, for good, with a reason.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use evenkeel_model::Clock;

use crate::compaction::Cleaner;
use crate::disk::Disk;
use crate::flusher::Flusher;
use crate::handles::Handles;
use crate::handover::{Handover, Turn};
use crate::options::Options;
use crate::queue::Job;
use crate::segment::append::Site;
use crate::state::State;
use crate::stats::Stats;
use crate::ticket::{Caller, News, held};
use crate::wal::files::Files;
use crate::wal::writer::{Reply, Writer, is_full};
use crate::write_back::{Access, Demand, WriteBack};
use crate::{AppendError, Damage};

/// How long the writer waits before it seals.
const SEAL_AFTER: Duration = Duration::from_millis(50);

/// How long the flusher waits on a full disk before it tries again.
const FULL_PAUSE: Duration = Duration::from_millis(500);

/// How long the log is idle before the rest of what waits in memory is written.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// What the log's parts share.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) files: Files,
    pub(crate) news: Arc<News>,
    pub(crate) handover: Handover<Job>,
    pub(crate) handles: Handles,
    pub(crate) cleaner: Mutex<Cleaner>,
    pub(crate) flusher: Mutex<Flusher>,
    pub(crate) write_back: Mutex<WriteBack>,
    pub(crate) bell: Bell,
    /// Wakes whoever writes back.
    pub(crate) write_bell: Bell,
    pub(crate) state: RwLock<State>,
    pub(crate) stopped: OnceLock<String>,
    /// Why it is only read, if it was opened so.
    pub(crate) read_only: Option<String>,
    pub(crate) damage: Vec<Damage>,
}

impl Shared {
    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the log has stopped, if it has.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.stopped.get().cloned()
    }

    /// Says so when the log is only read.
    pub(crate) fn writable(&self) -> Result<(), AppendError> {
        self.read_only.as_ref().map_or(Ok(()), |why| Err(AppendError::ReadOnly { why: why.clone() }))
    }

    /// Stops the log for good. Gives back the reason, which is that of the first who stopped it.
    pub(crate) fn stop(&self, why: &str) -> String {
        let why = self.stopped.get_or_init(|| why.to_owned()).clone();
        for job in self.handover.close(&why, true) {
            job.refuse(AppendError::Stopped { why: why.clone() });
        }
        self.news.end();
        self.bell.ring(|wanted| wanted.flush = true);
        self.write_bell.ring(|wanted| wanted.flush = true);
        why
    }

    /// Flushes and checkpoints now; a failure other than a full disk stops the log.
    pub(crate) fn flush(&self) -> io::Result<()> {
        if let Some(why) = self.stopped() {
            return Err(io::Error::other(why));
        }
        let (began, generation) = (self.clock.now(), self.state().generation);
        let done = held(&self.flusher).turn(self);
        if self.state().generation > generation {
            self.stats.checkpointed(began, self.clock.now());
        }
        if let Err(e) = &done
            && !is_full(e)
        {
            self.stop(&format!("writing segments and checkpoint failed: {e}"));
        }
        done
    }

    /// Writes what waits in memory to its segments; a failure other than a full disk stops the log.
    pub(crate) fn write_back(&self, demand: Demand) -> io::Result<()> {
        if let Some(why) = self.stopped() {
            return Err(io::Error::other(why));
        }
        let done = held(&self.write_back).turn(self.site(), &mut Access::Shared(&self.state), demand);
        if let Err(e) = &done
            && !is_full(e)
        {
            self.stop(&format!("writing segments failed: {e}"));
        }
        done
    }

    /// What writing files needs.
    pub(crate) fn site(&self) -> Site<'_> {
        Site { disk: &*self.disk, options: &self.options, stats: &self.stats }
    }

    /// Flushes until both slots have left the older files behind.
    pub(crate) fn flush_now(&self) -> io::Result<()> {
        self.flush()?;
        self.flush()
    }
}

/// What the flusher is asked for.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) flush: bool,
    pub(crate) prepare: bool,
    pub(crate) write: bool,
    pub(crate) close: bool,
}

/// Wakes the flusher.
#[derive(Default)]
pub(crate) struct Bell {
    wanted: Mutex<Wanted>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self, want: impl FnOnce(&mut Wanted)) {
        want(&mut held(&self.wanted));
        self.rung.notify_one();
    }

    fn wait(&self, patience: Option<Duration>) -> Wanted {
        let mut wanted = held(&self.wanted);
        while !(wanted.flush || wanted.prepare || wanted.write || wanted.close) {
            match patience {
                Some(patience) => {
                    let woken = self.rung.wait_timeout(wanted, patience).unwrap_or_else(PoisonError::into_inner);
                    wanted = woken.0;
                    if woken.1.timed_out() {
                        wanted.flush = true;
                    }
                }
                None => wanted = self.rung.wait(wanted).unwrap_or_else(PoisonError::into_inner),
            }
        }
        std::mem::take(&mut wanted)
    }
}

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
    writer: Mutex<Writer>,
    /// True while the log's thread is there to take over.
    threaded: AtomicBool,
    /// Groups in a row that held one set and left none waiting.
    alone: AtomicU32,
    /// What a write takes, in microseconds, smoothed.
    write_us: AtomicU32,
    written_here: AtomicU32,
}

impl Pen {
    pub(crate) fn new(shared: Arc<Shared>, writer: Writer) -> Pen {
        Pen {
            shared,
            writer: Mutex::new(writer),
            threaded: AtomicBool::new(false),
            alone: AtomicU32::new(ALONE),
            write_us: AtomicU32::new(0),
            written_here: AtomicU32::new(0),
        }
    }

    pub(crate) fn handover(&self) -> &Handover<Job> {
        &self.shared.handover
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

    /// One turn, which the caller has taken: one group at most, and its answers.
    pub(crate) fn turn(&self) {
        let mut jobs = VecDeque::new();
        let mut writer = held(&self.writer);
        self.handover().take(self.shared.options.group_bytes_max, &mut jobs);
        let sets = jobs.len();
        let started = self.shared.clock.now();
        let was_sealed = writer.has_sealed();
        let replies = writer.turn(jobs);
        let took = self.shared.clock.now().since(started);
        let unsealed = was_sealed && !writer.has_sealed();
        writer.ask_flusher();
        drop(writer);
        self.learn(sets, u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.handover().end_turns(1);
        if unsealed {
            // The log's thread sleeps until there is something to seal.
            self.handover().nudge();
        }
        replies.into_iter().for_each(Reply::say);
    }

    fn learn(&self, sets: usize, took_us: u32) {
        self.shared.stats.writes.took(u64::from(took_us));
        let alone = if sets <= 1 && self.handover().waiting() == 0 { self.alone.load(Ordering::Relaxed) } else { 0 };
        let more = if sets <= 1 { (alone + 1).min(ALONE) } else { 0 };
        self.alone.store(more, Ordering::Relaxed);
        let smooth = self.write_us.load(Ordering::Relaxed);
        self.write_us.store(smooth - smooth / 8 + took_us / 8, Ordering::Relaxed);
    }

    /// Writes an empty group that vouches for the last one.
    pub(crate) fn seal(&self) {
        held(&self.writer).seal();
    }

    fn is_sealed(&self) -> bool {
        let generation = self.shared.state().generation;
        held(&self.writer).is_sealed(generation)
    }
}

/// The writer's thread.
pub(crate) fn write_loop(shared: &Arc<Shared>, pen: &Pen) {
    let _fuse = Fuse(shared.clone());
    let mut seen = 0;
    loop {
        let patience = if pen.is_sealed() { None } else { Some(SEAL_AFTER) };
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

/// The flusher's thread.
pub(crate) fn flush_loop(shared: &Arc<Shared>) {
    let _fuse = Fuse(shared.clone());
    let mut patience = None;
    loop {
        let wanted = shared.bell.wait(patience);
        if wanted.close || shared.stopped().is_some() {
            return;
        }
        if wanted.prepare {
            // The writer makes the file itself when it needs it, and then reports what is wrong.
            let _ = shared.files.prepare();
        }
        if wanted.flush {
            let condemned = !shared.state().condemned.is_empty();
            let done = shared.flush().and_then(|()| if condemned { shared.flush() } else { Ok(()) });
            patience = done.is_err().then_some(FULL_PAUSE);
        }
    }
}

/// The thread that writes back. What is left when the log falls idle is written a little later, so
/// that memory is let go; then it sleeps.
pub(crate) fn write_back_loop(shared: &Arc<Shared>) {
    let _fuse = Fuse(shared.clone());
    let mut patience = None;
    loop {
        let wanted = shared.write_bell.wait(patience);
        if wanted.close || shared.stopped().is_some() {
            return;
        }
        let demand = if wanted.flush { Demand::Before(u64::MAX) } else { Demand::Usual };
        let done = shared.write_back(demand);
        let left = shared.state().unwritten() > 0;
        patience = if done.is_err() { Some(FULL_PAUSE) } else { left.then_some(IDLE_AFTER) };
    }
}

/// Stops the log when its thread panics, so that nobody waits for ever.
struct Fuse(Arc<Shared>);

impl Drop for Fuse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("a thread of the log panicked");
        }
    }
}
