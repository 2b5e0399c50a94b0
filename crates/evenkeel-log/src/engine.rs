//! What the log's parts share, and its threads: one writes the write-ahead log when appenders do
//! not write it themselves ([`crate::pen`]), one writes segments back, one makes checkpoints.
//!
//! Each thread is a loop around one step ([`crate::pen::Pen::turn`], [`Flusher::turn`]); tests take the same
//! steps by hand. The log stops once, for good, with a reason.

use std::io;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::Duration;

use evenkeel_model::Clock;

use crate::compaction::Cleaner;
use crate::damage::note;
use crate::disk::Disk;
use crate::flusher::Flusher;
use crate::handles::Handles;
use crate::handover::Handover;
use crate::options::Options;
use crate::queue::Job;
use crate::segment::append::{Dirty, Site};
use crate::state::State;
use crate::stats::Stats;
use crate::ticket::{News, held};
use crate::wal::files::Files;
use crate::wal::is_full;
use crate::write_back::{Access, Demand, Relief, WriteBack, flush_failed};
use crate::{AppendError, Damage};

/// How long the flusher waits on a full disk before it tries again.
const FULL_PAUSE: Duration = Duration::from_millis(500);

/// How long the log is idle before the rest of what waits in memory is written.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// How often a writer asks for memory before it goes on without.
pub(crate) const RELIEF_ROUNDS: usize = 100;

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
    pub(crate) relief: Relief,
    pub(crate) bell: Bell,
    /// Wakes whoever makes the next write-ahead file.
    pub(crate) file_bell: Bell,
    /// Wakes whoever writes back.
    pub(crate) write_bell: Bell,
    pub(crate) state: RwLock<State>,
    pub(crate) stopped: OnceLock<String>,
    /// Why it is only read, if it was opened so or a reader met damage.
    pub(crate) read_only: OnceLock<String>,
    pub(crate) damage: RwLock<Vec<Damage>>,
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
        self.read_only.get().map_or(Ok(()), |why| Err(AppendError::ReadOnly { why: why.clone() }))
    }

    /// What is said of a set that was not taken since the log stopped for that reason.
    pub(crate) fn refusal(&self, why: &str) -> AppendError {
        self.writable().err().unwrap_or_else(|| AppendError::Stopped { why: why.to_owned() })
    }

    /// What is damaged, as far as it is known.
    pub(crate) fn damage(&self) -> Vec<Damage> {
        self.damage.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A reader met damage: from now on the log is only read, also after the next open.
    pub(crate) fn damaged(&self, found: Vec<Damage>) {
        let mut all = self.damage.write().unwrap_or_else(PoisonError::into_inner);
        if found.iter().all(|new| all.iter().any(|known| known.file == new.file)) {
            return;
        }
        all.extend(found);
        let why = format!("the log is damaged at {}", all[0]);
        let mut files: Vec<String> = all.iter().map(|damage| damage.file.clone()).collect();
        drop(all);
        let _ = self.read_only.set(why.clone());
        files.dedup();
        // Without a note a restart forgets it until somebody reads that record again; on a disk that takes no
        // note there is nothing more to be done about it.
        let _ = note::write(&*self.disk, self.options.guards(), &files);
        self.stop(&why);
    }

    /// Stops the log for good. Gives back the reason, which is that of the first who stopped it.
    pub(crate) fn stop(&self, why: &str) -> String {
        let why = self.stopped.get_or_init(|| why.to_owned()).clone();
        for job in self.handover.close(&why, true) {
            job.refuse(self.refusal(&why));
        }
        self.news.end();
        self.bell.ring(|wanted| wanted.flush = true);
        self.file_bell.ring(|wanted| wanted.prepare = true);
        self.files.hurry();
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
        let mut write_back = held(&self.write_back);
        let done = write_back.turn(self.site(), &mut Access::Shared(&self.state, &self.relief), demand);
        // An appender that helps itself leaves the device, which may be busy, to the thread.
        let beginnings = if demand == Demand::Relief { Vec::new() } else { write_back.beginnings() };
        drop(write_back);
        let begun = || beginnings.iter().try_for_each(Dirty::start).map_err(flush_failed);
        let done = done.and_then(|()| begun());
        if let Err(e) = &done
            && !is_full(e)
        {
            self.stop(&format!("writing segments failed: {e}"));
        }
        done
    }

    /// Returns when what segments are behind is bounded again: somebody else writes it, or the caller does.
    pub(crate) fn relieve(&self) -> io::Result<()> {
        let bounded = || self.state().unwritten() < self.options.unwritten_bytes_max;
        // A round that frees nothing must not become a loop without end.
        for _ in 0..RELIEF_ROUNDS {
            if bounded() {
                break;
            }
            let taken = matches!(self.write_back.try_lock(), Err(TryLockError::WouldBlock));
            if taken {
                self.relief.wait(|| bounded() || self.stopped().is_some());
            } else {
                self.write_back(Demand::Relief)?;
            }
        }
        Ok(())
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

/// The flusher's thread.
pub(crate) fn flush_loop(shared: &Arc<Shared>) {
    let _fuse = Fuse(shared.clone());
    let mut patience = None;
    loop {
        let wanted = shared.bell.wait(patience);
        if wanted.close || shared.stopped().is_some() {
            return;
        }
        if wanted.flush {
            let condemned = !shared.state().condemned.is_empty();
            let done = shared.flush().and_then(|()| if condemned { shared.flush() } else { Ok(()) });
            patience = done.is_err().then_some(FULL_PAUSE);
        }
    }
}

/// The thread that makes the next write-ahead file, apart from the flusher: a checkpoint may take longer
/// than the present file lasts.
pub(crate) fn file_loop(shared: &Arc<Shared>) {
    let _fuse = Fuse(shared.clone());
    loop {
        let wanted = shared.file_bell.wait(None);
        if wanted.close || shared.stopped().is_some() {
            return;
        }
        // The writer makes the file itself when it needs it, and then reports what is wrong.
        let _ = shared.files.prepare();
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
pub(crate) struct Fuse(pub(crate) Arc<Shared>);

impl Drop for Fuse {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("a thread of the log panicked");
        }
    }
}
