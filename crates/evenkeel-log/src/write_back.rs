//! Write-back: durable batches go from memory to their segments, long before a checkpoint.
//!
//! Batches are gathered per partition. A turn takes partitions that are worth a write, and when too
//! much waits the largest of the others, a little at a time, so that the device gets a steady stream
//! and appends never wait behind a burst. What was written may leave memory: readers find it in its segment, and
//! the write-ahead log still has it, so nothing here is flushed, and nothing counts before a
//! checkpoint ([`crate::flusher`]) has flushed what [`WriteBack::unflushed`] gives it.
//!
//! Recovery uses it too while it replays, so that replay needs no more memory than running does;
//! bytes beyond a checkpoint's lengths must be gone by then, since they would be written over.
//!
//! Invariants: a partition's batches are written in order; what was written and may be lost is
//! remembered until a checkpoint took it; the state is never locked during I/O.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::Retention;
use crate::calendar::Part;
use crate::options::Options;
use crate::retention::segment_bytes;
use crate::segment::Segment;
use crate::segment::append::{Appender, Dirty, Note, Site, Unflushed};
use crate::state::{Place, State, WORTH};
use crate::tail::Held;
use crate::ticket::held;

/// How much is taken from a partition at once.
const CHUNK_BYTES: usize = 1 << 20;
const CHUNK_BATCHES: usize = 1024;

/// So much that the device should begin with may wait for it to be told.
const BEGINNINGS: usize = 256;

/// So many partitions, or so many bytes, are noted in the state at once.
const NOTES: usize = 64;
const NOTED_BYTES: usize = 4 << 20;

/// How long somebody waits for memory before he looks again.
const RELIEF_PATIENCE: Duration = Duration::from_millis(10);

/// What a turn is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// The partitions that are worth it, and the largest others down to half of what may wait.
    Usual,
    /// As little as makes room for more.
    Relief,
    /// Everything of groups before this one.
    Before(u64),
}

/// Where the state is.
pub(crate) enum Access<'a> {
    /// Behind its lock; whoever waits for memory is told of each change.
    Shared(&'a RwLock<State>, &'a Relief),
    /// With whoever recovers it.
    Own(&'a mut State),
}

impl Access<'_> {
    fn look<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        match self {
            Access::Shared(state, _) => look(&state.read().unwrap_or_else(PoisonError::into_inner)),
            Access::Own(state) => look(state),
        }
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut State) -> R) -> R {
        match self {
            Access::Shared(state, relief) => {
                let changed = change(&mut state.write().unwrap_or_else(PoisonError::into_inner));
                relief.tell();
                changed
            }
            Access::Own(state) => change(state),
        }
    }
}

/// Where those wait for whom segments are too far behind.
#[derive(Default)]
pub(crate) struct Relief {
    waiting: Mutex<()>,
    told: Condvar,
}

impl Relief {
    /// Waits for news, for a little while, unless `there` is already what was waited for.
    pub(crate) fn wait(&self, there: impl Fn() -> bool) {
        let waiting = held(&self.waiting);
        if !there() {
            drop(self.told.wait_timeout(waiting, RELIEF_PATIENCE));
        }
    }

    fn tell(&self) {
        drop(held(&self.waiting));
        self.told.notify_all();
    }
}

/// What was written and not flushed, and where it goes on.
#[derive(Default)]
pub(crate) struct WriteBack {
    appenders: BTreeMap<Place, Used>,
    /// Of appenders that were given up.
    orphaned: Vec<Unflushed>,
    /// A partition's folder was made since the last checkpoint took what is unflushed.
    folders: bool,
    /// Segments that changed since [`WriteBack::forget_changes`].
    changed: BTreeMap<Place, Vec<Segment>>,
    /// What the device should begin with.
    beginnings: Vec<Dirty>,
    turns: u64,
}

/// An appender that is open.
struct Used {
    appender: Appender,
    /// The turn that used it last.
    turn: u64,
}

/// Some batches of a partition.
struct Chunk {
    folder: String,
    last: Option<Segment>,
    /// Of its topic: it says how large segments may be.
    retention: Retention,
    batches: Vec<Held>,
}

impl WriteBack {
    /// Writes what is demanded, and lets go of memory.
    pub(crate) fn turn(&mut self, site: Site<'_>, state: &mut Access<'_>, demand: Demand) -> io::Result<()> {
        self.turns += 1;
        let (places, before) = match demand {
            Demand::Usual => (state.look(|state| usual(state, site.options)), None),
            Demand::Relief => {
                let goal = site.options.unwritten_bytes_max.saturating_sub(site.options.write_back_bytes);
                (state.look(|state| worthy(state, goal)), None)
            }
            Demand::Before(lsn) => (state.look(State::waiting), Some(lsn)),
        };
        // A segment takes two; half of the process's files are for others.
        let most = site.options.open_segments_max.min(site.disk.files_max() / 4).max(1);
        let done = self.pass(site, state, places, (before, most));
        // After a checkpoint of many partitions it may be hundreds of thousands.
        while state.look(|state| state.evicts(site.options.tail_bytes)) {
            drop(state.change(|state| state.evict(site.options.tail_bytes)));
        }
        done
    }

    /// Writes these partitions, with so many of them open at most.
    fn pass(
        &mut self,
        site: Site<'_>,
        state: &mut Access<'_>,
        places: Vec<Place>,
        (before, most): (Option<u64>, usize),
    ) -> io::Result<()> {
        let mut notes = Vec::new();
        let mut done = Ok(());
        for place in places {
            done = self.write_place(site, state, place, before);
            notes.extend(self.note(place));
            if done.is_err() {
                self.give_up(place);
                break;
            }
            done = self.close_unused(site, most);
            if done.is_err() {
                break;
            }
            if notes.len() >= NOTES || notes.iter().map(|note| note.weight).sum::<usize>() >= NOTED_BYTES {
                let notes = std::mem::take(&mut notes);
                state.change(|state| state.note_written(notes));
            }
        }
        if !notes.is_empty() {
            state.change(|state| state.note_written(notes));
        }
        done
    }

    fn write_place(&mut self, site: Site<'_>, state: &Access<'_>, place: Place, before: Option<u64>) -> io::Result<()> {
        let mut first = true;
        loop {
            let from = self.appenders.get(&place).and_then(|used| used.appender.end());
            let Some(chunk) = state.look(|state| chunk(state, place, from, before.unwrap_or(u64::MAX))) else {
                return Ok(());
            };
            // What came meanwhile is worth more with what comes next, unless it has to be written now.
            if !first && before.is_none() && chunk.batches.iter().map(Held::weight).sum::<usize>() < WORTH {
                return Ok(());
            }
            first = false;
            let turn = self.turns;
            let used = match self.appenders.entry(place) {
                std::collections::btree_map::Entry::Occupied(used) => used.into_mut(),
                std::collections::btree_map::Entry::Vacant(free) => {
                    if chunk.last.is_none() {
                        site.disk.create_folder(&chunk.folder)?;
                        self.folders = true;
                    }
                    free.insert(Used { appender: Appender::new(site, place, chunk.folder, chunk.last)?, turn })
                }
            };
            used.turn = turn;
            let bytes_max = segment_bytes(&chunk.retention, site.options.segment_bytes);
            used.appender.write(site, bytes_max, &chunk.batches)?;
        }
    }

    /// What changed in the segments of a partition.
    fn note(&mut self, place: Place) -> Option<Note> {
        let appender = &mut self.appenders.get_mut(&place)?.appender;
        let note = appender.changed();
        self.beginnings.extend(appender.beginnings());
        merge(self.changed.entry(place).or_default(), &note.segments);
        Some(note)
    }

    /// How many turns there were.
    #[cfg(test)]
    pub(crate) fn turns(&self) -> u64 {
        self.turns
    }

    /// Has a partition's files opened again before the next write: somebody put others there.
    pub(crate) fn reopen(&mut self, place: Place) {
        self.give_up(place);
    }

    /// Forgets an appender, but not what it wrote.
    fn give_up(&mut self, place: Place) {
        if let Some(mut used) = self.appenders.remove(&place) {
            self.orphaned.push(used.appender.dirty());
        }
    }

    /// Keeps no more files open than may be: flushes and closes those that were not used for the
    /// longest time. (A file that is closed before it is flushed could take an error with it.)
    fn close_unused(&mut self, site: Site<'_>, most: usize) -> io::Result<()> {
        let Some(many) = self.appenders.len().checked_sub(most + 1) else { return Ok(()) };
        let mut by_use: Vec<_> = self.appenders.iter().map(|(place, used)| (used.turn, *place)).collect();
        by_use.sort_unstable();
        for (_, place) in by_use.into_iter().take(many + 1 + most / 4) {
            let Some(mut used) = self.appenders.remove(&place) else { continue };
            let unflushed = used.appender.dirty();
            for dirty in &unflushed.files {
                dirty.flush(site).map_err(flush_failed)?;
            }
            self.orphaned.push(Unflushed { files: Vec::new(), ..unflushed });
        }
        Ok(())
    }

    /// Gives away what the device should begin with: the caller lets go of this first, since asking
    /// may take as long as the device is busy.
    pub(crate) fn beginnings(&mut self) -> Vec<Dirty> {
        std::mem::take(&mut self.beginnings)
    }

    /// True when what the device should begin with keeps many files open.
    pub(crate) fn many_beginnings(&self) -> bool {
        self.beginnings.len() > BEGINNINGS
    }

    /// Gives away what must be flushed before a checkpoint may count what was written, and which
    /// segments changed.
    pub(crate) fn unflushed(&mut self) -> Written {
        let mut parts = std::mem::take(&mut self.orphaned);
        parts.extend(self.appenders.values_mut().map(|used| used.appender.dirty()));
        Written { parts, folders: std::mem::take(&mut self.folders), changed: std::mem::take(&mut self.changed) }
    }

    /// Takes back what a checkpoint could not make durable.
    pub(crate) fn give_back(&mut self, written: Written) {
        self.orphaned.extend(written.parts);
        self.folders |= written.folders;
    }

    /// The append times of a partition that no checkpoint keeps yet.
    pub(crate) fn times(&self, place: Place) -> Vec<Part> {
        let orphaned = self.orphaned.iter().filter_map(|part| part.times.clone());
        let open = self.appenders.get(&place).and_then(|used| used.appender.times());
        orphaned.filter(|part| part.place == place).chain(open).collect()
    }

    /// Forgets which segments changed, but not what must be flushed.
    pub(crate) fn forget_changes(&mut self) {
        self.changed.clear();
    }

    /// Closes the files of partitions that are gone.
    pub(crate) fn retain(&mut self, there: impl Fn(Place) -> bool) {
        self.appenders.retain(|place, _| there(*place));
    }
}

/// What a checkpoint has to make durable, and to say.
pub(crate) struct Written {
    pub(crate) parts: Vec<Unflushed>,
    /// The folder of partitions has new names.
    pub(crate) folders: bool,
    pub(crate) changed: BTreeMap<Place, Vec<Segment>>,
}

/// The partitions to write now that more has come. Mostly it is asked for nothing, after each group, so that must
/// cost nothing; and when too much waits, some more is written than has just come, so that the largest of many
/// partitions are not looked for each time.
fn usual(state: &State, options: &Options) -> Vec<Place> {
    let most = options.unwritten_bytes_max / 2;
    if state.unwritten() > most {
        worthy(state, most.saturating_sub(options.write_back_bytes))
    } else if state.has_worthy() {
        worthy(state, most)
    } else {
        Vec::new()
    }
}

/// The partitions to write now, the largest first: those that are worth it, and others until no
/// more than `goal` waits.
fn worthy(state: &State, goal: usize) -> Vec<Place> {
    let mut left = state.unwritten();
    let mut waiting: Vec<_> = state.waiting().into_iter().map(|place| (state.weight(place), place)).collect();
    waiting.sort_unstable_by(|a, b| b.cmp(a));
    let chosen = |(weight, place): (usize, Place)| {
        let chosen = weight >= WORTH || left > goal;
        left = left.saturating_sub(weight);
        chosen.then_some(place)
    };
    waiting.into_iter().map_while(chosen).collect()
}

/// The next batches of a partition behind `from`, of groups before `before`.
fn chunk(state: &State, place: Place, from: Option<u64>, before: u64) -> Option<Chunk> {
    let partition = state.at(place)?;
    let from = from.unwrap_or(partition.written);
    let mut bytes = 0;
    let taken = |held: &&Held| {
        let takes = held.lsn < before && bytes < CHUNK_BYTES;
        bytes += held.bytes.len();
        takes
    };
    let batches: Vec<Held> = partition.tail.from(from).take(CHUNK_BATCHES).take_while(taken).cloned().collect();
    let last = partition.segments.last().copied();
    let retention = state.machine.topics.get(place.topic).map(|entry| entry.topic.settings.retention);
    let retention = retention.unwrap_or_default();
    (!batches.is_empty()).then(|| Chunk { folder: state.folder(place), last, retention, batches })
}

/// Replaces the segment that grew, and adds those that are new.
pub(crate) fn merge(segments: &mut Vec<Segment>, changed: &[Segment]) {
    let Some(first) = changed.first() else { return };
    if segments.last().is_some_and(|last| last.base == first.base) {
        segments.pop();
    }
    segments.extend_from_slice(changed);
}

/// A flush that failed must not be taken for a write that can be done again, whatever it says.
pub(crate) fn flush_failed(e: io::Error) -> io::Error {
    io::Error::other(e.to_string())
}
