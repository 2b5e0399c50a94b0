//! The segments of one owner: looked up newest first, sealed, merged, and forgotten.
//!
//! One at a time seals or merges ([`Series::seal`] and [`Series::tidy`] wait for each other);
//! look-ups go on meanwhile, on the segments as they were.

use std::io;
use std::iter::Peekable;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use evenkeel_model::Timestamp;

use super::segment::Segment;
use super::writer::{UNFINISHED, Writer, range_of};
use super::{Sighting, VALUE_BYTES};
use crate::disk::Disk;
use crate::ticket::held;

/// So many neighbours of like size become one.
const MERGED: usize = 8;
/// Segments do not grow beyond so many marks: what is forgotten goes by whole segments.
const MARKS_MAX: u64 = 1 << 24;
/// Segments of fewer marks count as of like size.
const SMALL: u64 = 1 << 16;

/// Beyond so many segments neighbours become one whatever their sizes.
const SEGMENTS_MAX: usize = 48;

type Segments = Arc<Vec<Arc<Segment>>>;

/// The sightings of one owner.
pub struct Series {
    disk: Arc<dyn Disk>,
    folder: String,
    width: usize,
    /// By range, oldest first; ranges do not overlap.
    segments: RwLock<Segments>,
    turn: Mutex<()>,
    /// Held by whoever makes something of what is sealed.
    work: Mutex<()>,
    /// The longest time that somebody wants sightings remembered, in µs.
    keep: AtomicU64,
}

/// A page that a look-up needed is damaged: what was made of this range must be made again.
#[derive(Debug)]
pub struct Damaged {
    /// The range.
    pub range: Range<u64>,
    /// What the disk said.
    pub why: io::Error,
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the marks of {} to {} cannot be read: {}", self.range.start, self.range.end, self.why)
    }
}

impl std::error::Error for Damaged {}

/// What a series takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Marks that it remembers.
    pub marks: u64,
    /// Bytes of memory.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
}

impl Series {
    /// Opens what is there; what is no whole segment is taken away.
    pub fn open(disk: Arc<dyn Disk>, folder: String, width: usize) -> io::Result<Series> {
        let width = width.min(VALUE_BYTES);
        let mut found = Vec::new();
        for name in disk.list(&folder)? {
            let path = format!("{folder}/{name}");
            let Some(range) = range_of(&name) else {
                if name.ends_with(UNFINISHED) {
                    let _ = disk.remove(&path);
                }
                continue;
            };
            match Segment::open(&*disk, path.clone()) {
                Ok(segment) if segment.header.range == range && segment.header.width == width => found.push(segment),
                // It is derived: it will be made again.
                Ok(_) | Err(_) => drop(disk.remove(&path)),
            }
        }
        // A merge that was cut short leaves what it merged beside what it made.
        found.sort_by_key(|s| (s.header.range.start, std::cmp::Reverse(s.header.range.end)));
        let mut segments: Vec<Arc<Segment>> = Vec::new();
        for segment in found {
            if segments.last().is_none_or(|last| last.header.range.end <= segment.header.range.start) {
                segments.push(Arc::new(segment));
            } else {
                let _ = disk.remove(&segment.path);
            }
        }
        Ok(Series {
            disk,
            folder,
            width,
            segments: RwLock::new(Arc::new(segments)),
            turn: Mutex::default(),
            work: Mutex::default(),
            keep: AtomicU64::new(0),
        })
    }

    fn segments(&self) -> Segments {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, segments: Vec<Arc<Segment>>) {
        *self.segments.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(segments);
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        held(&self.turn)
    }

    /// The newest sighting of this mark.
    pub fn find(&self, mark: &[u8; 16]) -> Result<Option<Sighting>, Damaged> {
        for segment in self.segments().iter().rev() {
            match segment.find(mark) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(why) => return Err(Damaged { range: segment.header.range.clone(), why }),
            }
        }
        Ok(None)
    }

    /// The newest sighting of each of these marks. Costs less than one after the other: what is
    /// asked of one segment is asked together, so that the memory's latency overlaps.
    pub fn find_all(&self, marks: &[[u8; 16]]) -> Result<Vec<Option<Sighting>>, Damaged> {
        let mut found = vec![None; marks.len()];
        for segment in self.segments().iter().rev() {
            let suspects = segment.suspects(marks);
            for number in suspects.into_iter().filter(|n| found[*n].is_none()).collect::<Vec<_>>() {
                let one = segment.find(&marks[number]);
                found[number] = one.map_err(|why| Damaged { range: segment.header.range.clone(), why })?;
            }
        }
        Ok(found)
    }

    /// Somebody wants sightings remembered for so long; the longest that anybody wanted.
    pub fn keep_for(&self, time: Duration) -> Duration {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let before = self.keep.fetch_max(micros, Ordering::Relaxed);
        Duration::from_micros(before.max(micros))
    }

    /// One beyond the newest position that something was made of.
    pub fn end(&self) -> u64 {
        self.segments().last().map_or(0, |s| s.header.range.end)
    }

    /// Only one at a time works on what is sealed here; `None` while another does.
    pub fn work(&self) -> Option<MutexGuard<'_, ()>> {
        match self.work.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// As [`Series::work`], and waits for its turn.
    pub fn work_in_turn(&self) -> MutexGuard<'_, ()> {
        held(&self.work)
    }

    /// Remembers what was made of this range, durably, in place of what the range held before.
    pub fn seal(&self, range: Range<u64>, mut sightings: Vec<Sighting>) -> io::Result<()> {
        let _turn = self.turn();
        self.make_folder()?;
        // The newest sighting of a mark comes first, and stays.
        sightings.sort_unstable_by(|a, b| (a.mark, b.at).cmp(&(b.mark, a.at)));
        sightings.dedup_by(|later, first| later.mark == first.mark);
        let mut writer = Writer::begin(&*self.disk, &self.folder, range.clone(), self.width, sightings.len())?;
        for sighting in &sightings {
            writer.push(sighting)?;
        }
        let segment = Arc::new(writer.finish()?);
        self.put(segment);
        Ok(())
    }

    /// Makes the folder, and its names up to the data folder durable.
    fn make_folder(&self) -> io::Result<()> {
        if !self.segments().is_empty() {
            return Ok(());
        }
        self.disk.create_folder(&self.folder)?;
        let above = self.folder.match_indices('/').map(|(at, _)| &self.folder[..at]);
        std::iter::once("").chain(above).try_for_each(|folder| self.disk.sync_folder(folder))
    }

    /// Puts a segment in the place of all that it overlaps.
    fn put(&self, segment: Arc<Segment>) {
        let range = segment.header.range.clone();
        let overlaps = |s: &Arc<Segment>| s.header.range.start < range.end && range.start < s.header.range.end;
        let before = self.segments();
        let (old, mut kept): (Vec<_>, Vec<_>) = before.iter().cloned().partition(overlaps);
        let path = segment.path.clone();
        kept.push(segment);
        kept.sort_by_key(|s| s.header.range.start);
        self.replace(kept);
        for segment in old.iter().filter(|s| s.path != path) {
            let _ = self.disk.remove(&segment.path);
        }
    }

    /// The parts of `within` that no segment was made of.
    pub fn gaps(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let (mut gaps, mut next) = (Vec::new(), within.start);
        for segment in self.segments().iter() {
            let range = &segment.header.range;
            if range.start > next {
                gaps.push(next..range.start.min(within.end));
            }
            next = next.max(range.end);
            if next >= within.end {
                break;
            }
        }
        if next < within.end {
            gaps.push(next..within.end);
        }
        gaps.retain(|gap| gap.start < gap.end);
        gaps
    }

    /// Lets go of the segments that were made of any of this range.
    pub fn drop_range(&self, range: &Range<u64>) {
        let _turn = self.turn();
        self.drop_segments(|s| s.header.range.start < range.end && range.start < s.header.range.end);
    }

    fn drop_segments(&self, gone: impl Fn(&Segment) -> bool) {
        let (old, kept): (Vec<_>, Vec<_>) = self.segments().iter().cloned().partition(|s| gone(s));
        if old.is_empty() {
            return;
        }
        self.replace(kept);
        for segment in old {
            // One that cannot be removed is found again at the next start, and is old then, too.
            let _ = self.disk.remove(&segment.path);
        }
    }

    /// Forgets the oldest segments while there are more marks than that.
    pub fn trim(&self, marks_max: u64) {
        let _turn = self.turn();
        let (mut left, mut from) = (marks_max, u64::MAX);
        for segment in self.segments().iter().rev() {
            let Some(less) = left.checked_sub(segment.header.count) else { break };
            (left, from) = (less, segment.header.range.start);
        }
        self.drop_segments(|s| s.header.range.start < from);
    }

    /// Forgets segments whose last sighting is older than `since`, and merges neighbours of like
    /// size while there are enough of them.
    pub fn tidy(&self, since: Timestamp) -> io::Result<()> {
        let _turn = self.turn();
        self.drop_segments(|s| s.header.count > 0 && s.header.times.1 < since);
        while let Some(run) = mergeable(&self.segments()) {
            let segment = self.merge(&self.segments()[run], since)?;
            self.put(Arc::new(segment));
        }
        Ok(())
    }

    fn merge(&self, run: &[Arc<Segment>], since: Timestamp) -> io::Result<Segment> {
        let range = run.first().map_or(0, |s| s.header.range.start)..run.last().map_or(0, |s| s.header.range.end);
        let expected: u64 = run.iter().map(|s| s.header.count).sum();
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        let mut writer = Writer::begin(&*self.disk, &self.folder, range, self.width, expected)?;
        let mut all: Vec<Peekable<Entries<'_>>> = run.iter().map(|s| Entries::of(s).peekable()).collect();
        loop {
            let first = all.iter_mut().filter_map(|entries| match entries.peek()? {
                Ok(sighting) => Some(sighting.mark),
                // Before all others, so that it is met at once.
                Err(_) => Some([0; 16]),
            });
            let Some(mark) = first.min() else { break };
            let mut newest: Option<Sighting> = None;
            for entries in &mut all {
                let here = entries.next_if(|next| next.as_ref().map_or(true, |s| s.mark == mark)).transpose()?;
                newest = newest.into_iter().chain(here).max_by_key(|s| s.at);
            }
            if let Some(sighting) = newest.filter(|s| s.at >= since) {
                writer.push(&sighting)?;
            }
        }
        writer.finish()
    }

    /// What it takes.
    pub fn memory(&self) -> Memory {
        let segments = self.segments();
        Memory {
            marks: segments.iter().map(|s| s.header.count).sum(),
            bytes: segments.iter().map(|s| s.memory() as u64).sum(),
            segments: segments.len() as u64,
        }
    }
}

/// The smallest run of neighbours that may become one: of like size, and together not too large.
fn mergeable(segments: &[Arc<Segment>]) -> Option<Range<usize>> {
    let counts: Vec<u64> = segments.iter().map(|s| s.header.count).collect();
    let touching: Vec<bool> =
        segments.windows(2).map(|pair| pair[0].header.range.end == pair[1].header.range.start).collect();
    let runs = counts.windows(MERGED).enumerate().filter(|(at, run)| {
        let (least, most) = run.iter().fold((u64::MAX, 0), |(l, m), n| (l.min(*n), m.max(*n)));
        let alike = most <= least.max(SMALL) * 4 || segments.len() > SEGMENTS_MAX;
        alike && run.iter().sum::<u64>() <= MARKS_MAX && touching[*at..*at + MERGED - 1].iter().all(|t| *t)
    });
    runs.min_by_key(|(_, run)| run.iter().sum::<u64>()).map(|(at, _)| at..at + MERGED)
}

/// The entries of a segment, in their order.
struct Entries<'a> {
    segment: &'a Segment,
    page: std::vec::IntoIter<Sighting>,
    next: u64,
}

impl<'a> Entries<'a> {
    fn of(segment: &'a Segment) -> Entries<'a> {
        Entries { segment, page: Vec::new().into_iter(), next: 0 }
    }
}

impl Iterator for Entries<'_> {
    type Item = io::Result<Sighting>;

    fn next(&mut self) -> Option<io::Result<Sighting>> {
        if let Some(sighting) = self.page.next() {
            return Some(Ok(sighting));
        }
        match self.segment.page(self.next) {
            Ok(page) => self.page = page.into_iter(),
            Err(e) => return Some(Err(e)),
        }
        self.next += 1;
        self.page.next().map(Ok)
    }
}
