//! The log's handle: what callers hold.

#[cfg(test)]
mod steps;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use evenkeel_model::names::OWN_PREFIX;
use evenkeel_model::{Clock, Shard, Stored, Timestamp};

use crate::batch::{Head, MARKER_BYTES};
use crate::control::RECORD_BYTES;
use crate::disk::readonly::ReadOnly;
use crate::engine::{self, Bell, Shared};
use crate::flusher::Flusher;
use crate::handles::Handles;
use crate::handover::Handover;
use crate::machine::Session;
use crate::pen::{self, Pen, WRITERS_MAX};
use crate::queue::{Declaration, Job, Part, Work};
use crate::recovery::{self, Recovered};
use crate::safeguard::{Guards, Safeguard};
use crate::seen::Series;
use crate::state::Place;
use crate::stats::Stats;
use crate::ticket::{News, held, promise};
use crate::wal::files::Files;
use crate::wal::header::{ENTRY_BYTES, GROUP_BYTES};
use crate::wal::writer::Writer;
use crate::write_back::Relief;
use crate::{
    Append, AppendError, Appending, BatchLimit, Batches, Beyond, Creating, Damage, Data, Disk, Ends, Isolation, Naming,
    Open, OpenError, Options, Producer, ReadError, ReadLimit, Set, Topic, TopicError, TopicSettings, Warning, batch,
    read, retention, topic,
};

mod status;
mod upkeep;
mod seen;

pub use status::LogStatus;

/// A log; clones share it. The last one to go closes it.
#[derive(Clone)]
pub struct Log(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    pen: Arc<Pen>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn Send + Sync>>>,
    /// What was seen, by the name of its series.
    seen: Mutex<HashMap<String, Arc<Series>>>,
}

impl Log {
    /// Opens the log in a folder, recovers it, and starts its threads.
    pub fn open(disk: Arc<dyn Disk>, options: Options, clock: Arc<dyn Clock>) -> Result<Log, OpenError> {
        let log = Log::open_idle(disk, options, clock)?;
        log.0.start().map_err(|e| OpenError::Io { doing: "starting a thread".into(), why: e.to_string() })?;
        log.0.pen.start();
        Ok(log)
    }

    /// Opens without threads.
    pub(crate) fn open_idle(disk: Arc<dyn Disk>, options: Options, clock: Arc<dyn Clock>) -> Result<Log, OpenError> {
        let options = options.checked();
        let lock = recovery::lock(&*disk)?;
        let stats = Arc::new(Stats::default());
        let recovered = recovery::recover(&disk, &options, &stats)?;
        Ok(Log::of(disk, options, clock, stats, lock, recovered))
    }

    /// Opens a log for reading only, damaged or not: what is whole before the damage is served,
    /// appends say [`AppendError::ReadOnly`], and nothing in the folder is changed. Where
    /// [`Log::open`] would find nothing, every record is looked at.
    pub fn open_damaged(disk: Arc<dyn Disk>, options: Options, clock: Arc<dyn Clock>) -> Result<Log, OpenError> {
        let options = options.checked();
        let lock = recovery::lock(&*disk)?;
        let disk: Arc<dyn Disk> = Arc::new(ReadOnly(disk));
        let recovered = recovery::whole(&*disk, &options)?;
        let why = match recovered.damage.first() {
            Some(first) => format!("the log is damaged at {first}"),
            None => "it was opened for reading only".to_owned(),
        };
        let recovered = Recovered { read_only: Some(why.clone()), ..recovered };
        let log = Log::of(disk, options, clock, Arc::default(), lock, recovered);
        log.0.shared.stop(&why);
        Ok(log)
    }

    /// What is damaged: found when the log was opened with [`Log::open_damaged`], or by a reader since. A
    /// log of which this is not empty is only read.
    pub fn damage(&self) -> Vec<Damage> {
        self.0.shared.damage()
    }

    /// Puts the parts together.
    pub(crate) fn of(
        disk: Arc<dyn Disk>,
        options: Options,
        clock: Arc<dyn Clock>,
        stats: Arc<Stats>,
        lock: Box<dyn Send + Sync>,
        recovered: Recovered,
    ) -> Log {
        let Recovered { state, file, position, live, slots, unflushed, write_back, times, read_only, damage } =
            recovered;
        let files = Files::new(disk.clone(), options.clone(), stats.clone(), live);
        let handover = Handover::new(options.pending_bytes_max);
        let news = Arc::new(News::default());
        news.advance(position.lsn - 1);
        let shared = Arc::new(Shared {
            disk,
            options,
            clock,
            stats,
            files,
            news,
            handover,
            handles: Handles::default(),
            cleaner: Mutex::default(),
            flusher: Mutex::new(Flusher::new(slots, times)),
            write_back: Mutex::new(write_back),
            relief: Relief::default(),
            bell: Bell::default(),
            file_bell: Bell::default(),
            write_bell: Bell::default(),
            state: RwLock::new(state),
            stopped: OnceLock::new(),
            read_only: read_only.map_or_else(OnceLock::new, OnceLock::from),
            damage: RwLock::new(damage),
        });
        shared.handover.set_depth(shared.options.writers.unwrap_or(1));
        let pen = Arc::new(Pen::new(shared.clone(), Writer::new(shared.clone(), file, position, unflushed)));
        Log(Arc::new(Handle {
            shared,
            pen,
            threads: Mutex::default(),
            lock: Mutex::new(Some(lock)),
            seen: Mutex::default(),
        }))
    }

    /// Appends a set: all of it becomes durable and visible at once, or none of it.
    ///
    /// Sets of which one was awaited before the other was appended stand in that order; the order
    /// of others is open. A set without records completes at once and is placed at the ends. What is
    /// handed back writes the set when it is first polled or waited for and the log is idle; until
    /// then, or until it is dropped, the set may wait.
    pub fn append(&self, set: Set) -> Appending {
        match self.0.job(set) {
            Ok((work, ticket)) => Appending::submit(&self.0.pen, work, ticket),
            Err(e) => Appending::ready(Err(e)),
        }
    }

    /// Creates a topic; one that is there with equal settings is left as it is. The future says
    /// [`TopicError::Differs`] when it is there with others.
    pub fn create_topic(&self, name: &str, settings: TopicSettings) -> Result<Creating, TopicError> {
        topic::check(name, &settings)?;
        self.declare(Declaration::Create(name.into(), settings))
    }

    /// An id that no producer ever had.
    pub fn new_producer(&self) -> Naming {
        let (promise, ticket) = promise();
        let job = Job { work: Work::Producer(promise), bytes: RECORD_BYTES, own: true };
        Naming::submit(&self.0.pen, job, ticket)
    }

    /// The transactions that are open, the oldest first.
    pub fn transactions(&self) -> Vec<Open> {
        let state = self.0.shared.state();
        let shard = |place: Place| Shard::new(state.name(place.topic), place.partition);
        let open = |(producer, session): (Producer, &Session)| {
            let partitions = session.open.iter().map(|(place, first)| (shard(*place), *first)).collect();
            Open { producer, since: session.since, partitions }
        };
        let mut all: Vec<Open> = state.machine.transactions().map(open).collect();
        all.sort_by_key(|open| (open.since, open.producer));
        all
    }

    /// All topics, in the order in which they were created; the first is `evenkeel.control`.
    pub fn topics(&self) -> Vec<Topic> {
        self.0.shared.state().machine.topics.iter().map(|(_, entry)| entry.topic.clone()).collect()
    }

    /// The topic of that name.
    pub fn topic(&self, name: &str) -> Option<Topic> {
        self.0.shared.state().topic(name).cloned()
    }

    /// Durable records from the first at or after `from`; none when `from` is the end. May give
    /// fewer than asked for, but never none while there are any.
    pub fn read(&self, shard: &Shard, from: u64, limit: ReadLimit) -> Result<Vec<Stored>, ReadError> {
        read::read(&self.0.shared, shard, from, limit).inspect_err(|e| self.met(e))
    }

    /// Durable batches as they are kept, from the one that holds `from` on, without a copy: markers
    /// and what was aborted are among them, and the aborted ranges beside them. None when `from` is
    /// the end; the first one is given also when it is larger than the limit.
    pub fn read_batches(
        &self,
        shard: &Shard,
        from: u64,
        limit: BatchLimit,
        isolation: Isolation,
    ) -> Result<Batches, ReadError> {
        read::read_batches(&self.0.shared, shard, from, limit, isolation).inspect_err(|e| self.met(e))
    }

    /// Where the partition begins and ends.
    pub fn ends(&self, shard: &Shard) -> Result<Ends, ReadError> {
        Ok(self.0.shared.state().find(shard)?.1)
    }

    /// The ends of all partitions at one moment between two groups.
    pub fn cut(&self) -> Vec<(Shard, Ends)> {
        let state = self.0.shared.state();
        let cut = state.places().map(|(place, topic, ends, _)| (Shard::new(topic.name.clone(), place.partition), ends));
        cut.collect()
    }

    /// The first offset that was appended at or after `time`; `None` when there is none yet.
    pub fn offset_at(&self, shard: &Shard, time: Timestamp) -> Result<Option<u64>, ReadError> {
        read::offset_at(&self.0.shared, shard, time).inspect_err(|e| self.met(e))
    }

    /// From now on `holder` owes what is at or above these floors: retention stops there. Floors
    /// of partitions that are not named stay as they are. Kept in memory: say it again after a
    /// start, before the first [`Log::retain`].
    pub fn owe(&self, holder: &str, floors: &[(Shard, u64)]) {
        retention::owe(&self.0.shared, holder, floors);
    }

    /// Nothing is owed to `holder` any more: it is gone.
    pub fn release(&self, holder: &str) {
        self.0.shared.state_mut().owed.remove(holder);
    }

    /// The newest durable group; grows with each that holds records.
    pub fn version(&self) -> u64 {
        self.0.shared.news.version()
    }

    /// Waits for a group newer than `version`.
    pub fn beyond(&self, version: u64) -> Beyond {
        Beyond { news: self.0.shared.news.clone(), version, place: None }
    }

    /// What makes "on the medium" doubtful here: ask when it has been open for a while, too.
    pub fn warnings(&self) -> Vec<Warning> {
        let shared = &self.0.shared;
        let quick = crate::warning::of_writes(&shared.stats.writes.read());
        shared.disk.warning().into_iter().chain(quick).collect()
    }

    /// Writes what is pending, checkpoints, seals, and stops the threads; the folder is free then.
    /// Appends say `Stopped` from here on, reads go on.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Log {
    fn met(&self, e: &ReadError) {
        if matches!(e, ReadError::Corrupt { .. }) {
            self.0.shared.stats.met_damage();
        }
    }

    /// Checkpoints until both slots say the same.
    pub(crate) fn checkpoint_twice(&self) -> std::io::Result<()> {
        self.0.shared.flush_now()
    }
}

type Submission = (Job, crate::ticket::Ticket<Result<crate::Appended, AppendError>>);

impl Handle {
    /// Starts the threads.
    fn start(&self) -> std::io::Result<()> {
        // One more than may write: it goes on while another wakes whom it has answered.
        for _ in 0..=self.shared.options.writers.unwrap_or(WRITERS_MAX).min(WRITERS_MAX) {
            let (shared, pen) = (self.shared.clone(), self.pen.clone());
            self.spawn("evenkeel-wal", move || pen::write_loop(&shared, &pen))?;
        }
        self.behind("evenkeel-files", engine::file_loop)?;
        self.behind("evenkeel-flush", engine::flush_loop)?;
        self.behind("evenkeel-segment", engine::write_back_loop)
    }

    /// Starts a thread whose work nobody waits for.
    fn behind(&self, name: &str, work: fn(&Arc<Shared>)) -> std::io::Result<()> {
        let shared = self.shared.clone();
        self.spawn(name, move || {
            shared.disk.work_behind();
            work(&shared);
        })
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        held(&self.threads).push(thread::Builder::new().name(name.into()).spawn(run)?);
        Ok(())
    }

    /// Resolves and encodes a set.
    fn job(&self, set: Set) -> Result<Submission, AppendError> {
        self.shared.writable()?;
        let mut parts = Vec::with_capacity(set.appends.len());
        let (mut bytes, mut own) = (set.changes.len() * RECORD_BYTES, !set.changes.is_empty());
        for Append { shard, data } in set.appends {
            let (place, spare) = self.place(&shard)?;
            let (head, batch) = encoded(data, self.shared.options.guards())?;
            own |= shard.topic.starts_with(OWN_PREFIX);
            if let Some(head) = &head {
                let marker = if head.is_transactional() && !set.changes.is_empty() { MARKER_BYTES } else { 0 };
                bytes += ENTRY_BYTES + batch.len() + marker + spare;
            }
            parts.push(Part { place, shard, head, batch });
        }
        let max = self.shared.options.group_bytes_max;
        if bytes + GROUP_BYTES > max {
            return Err(AppendError::TooLarge { bytes, max: max - GROUP_BYTES });
        }
        let (promise, ticket) = promise();
        Ok((Job { work: Work::Append(parts, set.changes, promise), bytes, own }, ticket))
    }

    /// The partition's place, and the room in a group that a hard limit may need beside the batch.
    fn place(&self, shard: &Shard) -> Result<(Place, usize), AppendError> {
        let state = self.shared.state();
        let place = state.machine.find(shard).map_err(|partitions| AppendError::no_place(shard, partitions))?;
        let limited = state.machine.topics.get(place.topic).is_some_and(|e| e.topic.settings.retention.limit.is_some());
        Ok((place, if limited { RECORD_BYTES } else { 0 }))
    }

    fn close(&self) {
        let mut threads = held(&self.threads);
        let Some(lock) = held(&self.lock).take() else { return };
        self.shared.handover.close("it was closed", false);
        self.shared.bell.ring(|wanted| wanted.close = true);
        self.shared.file_bell.ring(|wanted| wanted.close = true);
        self.shared.files.hurry();
        self.shared.write_bell.ring(|wanted| wanted.close = true);
        if threads.iter().any(|t| t.thread().id() == thread::current().id()) {
            // A waker dropped the last handle on one of our own threads, which cannot wait for
            // itself. What is pending is written; the next open recovers instead of us sealing.
            return;
        }
        for thread in threads.drain(..) {
            // A thread that panicked has stopped the log; there is no more to be done about it.
            let _ = thread.join();
        }
        // What cannot be flushed now is still in the write-ahead log.
        let _ = self.shared.flush();
        self.pen.seal();
        self.shared.news.end();
        drop(lock);
    }
}

/// One batch of it, without an offset; no head when there are no records.
fn encoded(data: Data, guards: Guards) -> Result<(Option<Head>, Bytes), AppendError> {
    let invalid = |e: batch::Malformed| AppendError::InvalidBatch { why: e.to_string() };
    match data {
        Data::Records(records) if records.is_empty() => Ok((None, Bytes::new())),
        Data::Records(records) => {
            let batch = Bytes::from(batch::encode(&records));
            Ok((Some(Head::parse(&batch).map_err(invalid)?), batch))
        }
        Data::Batch(batch) => {
            let checked = if guards.on(Safeguard::SentChecksum) { batch::check(&batch) } else { Head::parse(&batch) };
            Ok((Some(checked.map_err(invalid)?), batch))
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}
