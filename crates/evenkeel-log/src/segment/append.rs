//! Writing batches to the segments of one partition.
//!
//! [`Growing`] is one segment on its way: it writes, and has the device begin early with what was
//! written, so that a flush later finds little left to do. [`Appender`] strings segments
//! together for the write-back; compaction uses [`Growing`] alone, for a new revision.
//!
//! It writes at places that the lengths in [`Segment`] give, so that doing it again after a failure
//! or a restart gives the same files. Nothing it writes counts before a checkpoint says so.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use evenkeel_model::Timestamp;

use super::index::{ENTRY, Entry, STRIDE};
use super::{Segment, index_path, log_path};
use crate::calendar::{Part, Run};
use crate::disk::{Disk, File};
use crate::options::Options;
use crate::safeguard::Safeguard;
use crate::state::Place;
use crate::stats::Stats;
use crate::tail::Held;

/// The device is asked to begin with at least so many bytes of a segment at a time.
const START: u64 = 256 << 10;

/// What the cache keeps together.
const PAGE: u64 = 4096;

/// What everything that writes files needs.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) options: &'a Options,
    pub(crate) stats: &'a Stats,
}

/// A segment's log that was written and not flushed. Its index is derived and needs no flush.
#[derive(Clone)]
pub(crate) struct Dirty {
    log: Arc<dyn File>,
    /// What the device was not yet asked to begin with.
    left: Range<u64>,
    /// Where it is.
    path: Arc<str>,
    /// What was written since it was flushed last.
    fresh: Range<u64>,
}

impl Dirty {
    /// Has the device begin with what is left.
    pub(crate) fn start(&self) -> io::Result<()> {
        let Range { start, end } = self.left;
        if start < end { self.log.start_write_back(start, end - start) } else { Ok(()) }
    }

    /// What is to be flushed.
    pub(crate) fn file(&self) -> &dyn File {
        &*self.log
    }

    /// Where it is, and what of it was written since it was flushed last.
    pub(crate) fn fresh(&self) -> (&Arc<str>, &Range<u64>) {
        (&self.path, &self.fresh)
    }

    /// Makes it durable.
    pub(crate) fn flush(&self, site: Site<'_>) -> io::Result<()> {
        if site.options.guards().on(Safeguard::SegmentFlush) {
            self.log.flush()?;
            site.stats.flushed();
        }
        Ok(())
    }
}

/// One segment that is being written.
pub(crate) struct Growing {
    segment: Segment,
    log: Arc<dyn File>,
    index: Arc<dyn File>,
    /// The device was asked to begin with what stands before this.
    started: u64,
    path: Arc<str>,
    /// What stands before this was given away to be flushed.
    given: u64,
}

impl Growing {
    /// Goes on behind what `segment` says; its files are made if need be.
    pub(crate) fn open(site: Site<'_>, folder: &str, segment: Segment) -> io::Result<Growing> {
        let path = |of: fn(&str, u64, u64) -> String| of(folder, segment.base, segment.revision);
        let at: Arc<str> = path(log_path).into();
        let log = site.disk.open(&at, true)?.into();
        let index = site.disk.open(&path(index_path), true)?.into();
        let written = segment.log_bytes;
        Ok(Growing { segment, log, index, started: written, path: at, given: written })
    }

    /// Writes batches behind all others. Counts them only if all of them are written.
    pub(crate) fn write(&mut self, batches: &[Held]) -> io::Result<()> {
        let mut segment = self.segment;
        let mut entries = Vec::new();
        for batch in batches {
            note(&mut segment, &mut entries, batch.base, batch.end(), batch.appended, batch.bytes.len());
        }
        let parts: Vec<&[u8]> = batches.iter().map(|b| &*b.bytes).collect();
        self.log.write_parts_at(&parts, self.segment.log_bytes)?;
        if !entries.is_empty() {
            self.index.write_at(&entries, self.segment.index_bytes)?;
        }
        self.segment = segment;
        Ok(())
    }

    /// What the device should begin with, if it is enough by now.
    fn beginning(&mut self) -> Option<Dirty> {
        // The last page will be written again.
        let upto = self.segment.log_bytes / PAGE * PAGE;
        if upto < self.started + START {
            return None;
        }
        let dirty = Dirty { left: self.started..upto, ..self.dirty() };
        self.started = upto;
        Some(dirty)
    }

    /// What was written so far.
    pub(crate) fn segment(&self) -> Segment {
        self.segment
    }

    /// What must be flushed before a checkpoint counts it.
    pub(crate) fn dirty(&self) -> Dirty {
        let (log, path, end) = (self.log.clone(), self.path.clone(), self.segment.log_bytes);
        Dirty { log, left: self.started..end, path, fresh: self.given..end }
    }
}

/// Adds a batch to what is known of a segment, and its entry where it needs one.
pub(super) fn note(
    segment: &mut Segment,
    entries: &mut Vec<u8>,
    base: u64,
    end: u64,
    appended: Timestamp,
    bytes: usize,
) {
    let first = segment.log_bytes == 0;
    if first || segment.last_at != appended || segment.log_bytes >= segment.indexed + STRIDE {
        let entry = Entry { offset: base, position: segment.log_bytes, appended };
        entry.put(entries, segment.base);
        segment.indexed = segment.log_bytes;
        segment.index_bytes += ENTRY;
    }
    if first {
        segment.first_at = appended;
    }
    segment.log_bytes += bytes as u64;
    segment.end = end;
    segment.last_at = appended;
}

/// The segments of one partition on their way.
pub(crate) struct Appender {
    place: Place,
    folder: String,
    /// `None` until the first write.
    growing: Option<Growing>,
    /// Segments that changed and were not taken by [`Appender::changed`].
    changed: Vec<Segment>,
    /// Sealed, and not taken by [`Appender::dirty`].
    sealed: Vec<Dirty>,
    /// Something was written since [`Appender::dirty`].
    written: bool,
    /// What the device should begin with, and was not told yet.
    beginnings: Vec<Dirty>,
    /// What was written since [`Appender::changed`], by weight.
    weight: usize,
    /// When what was written since [`Appender::dirty`] was taken.
    times: Vec<Run>,
    /// A file was made since [`Appender::dirty`].
    created: bool,
}

impl Appender {
    /// Goes on behind `last`, the segment that still grows, if there is one.
    pub(crate) fn new(site: Site<'_>, place: Place, folder: String, last: Option<Segment>) -> io::Result<Appender> {
        let growing = last.map(|segment| Growing::open(site, &folder, segment)).transpose()?;
        Ok(Appender {
            place,
            folder,
            growing,
            changed: Vec::new(),
            sealed: Vec::new(),
            written: false,
            beginnings: Vec::new(),
            weight: 0,
            times: Vec::new(),
            created: false,
        })
    }

    /// Writes batches behind all others, in as many segments of at most `bytes_max` as they need.
    pub(crate) fn write(&mut self, site: Site<'_>, bytes_max: u64, mut batches: &[Held]) -> io::Result<()> {
        while let Some(first) = batches.first() {
            let fitting = self.growing.as_ref().map_or(0, |g| fitting(&g.segment, bytes_max, batches));
            let Some(growing) = self.growing.as_mut().filter(|_| fitting > 0) else {
                self.begin(site, first.base)?;
                continue;
            };
            growing.write(&batches[..fitting])?;
            self.written(&batches[..fitting]);
            batches = &batches[fitting..];
        }
        Ok(())
    }

    /// Notes what was written.
    fn written(&mut self, batches: &[Held]) {
        self.written = true;
        for batch in batches {
            self.weight += batch.weight();
            if self.times.last().is_none_or(|run| run.at != batch.appended) {
                self.times.push(Run { offset: batch.base, at: batch.appended });
            }
        }
    }

    /// Seals the segment that grows and begins the next.
    fn begin(&mut self, site: Site<'_>, base: u64) -> io::Result<()> {
        let next = Growing::open(site, &self.folder, Segment::at(base))?;
        self.created = true;
        if let Some(full) = self.growing.replace(next) {
            self.beginnings.push(full.dirty());
            self.sealed.push(full.dirty());
            self.changed.push(full.segment);
        }
        Ok(())
    }

    /// One beyond the last offset that was written.
    pub(crate) fn end(&self) -> Option<u64> {
        self.growing.as_ref().map(|g| g.segment.end)
    }

    /// What changed since the last call.
    pub(crate) fn changed(&mut self) -> Note {
        let mut segments = std::mem::take(&mut self.changed);
        segments.extend(self.growing.as_ref().map(Growing::segment));
        Note { place: self.place, segments, weight: std::mem::take(&mut self.weight) }
    }

    /// What the device should begin with by now.
    pub(crate) fn beginnings(&mut self) -> Vec<Dirty> {
        let mut beginnings = std::mem::take(&mut self.beginnings);
        beginnings.extend(self.growing.as_mut().and_then(Growing::beginning));
        beginnings
    }

    /// The times of what was written since the last [`Appender::dirty`].
    pub(crate) fn times(&self) -> Option<Part> {
        let part = |end| Part { place: self.place, generation: u64::MAX, end, runs: self.times.clone() };
        self.end().filter(|_| !self.times.is_empty()).map(part)
    }

    /// What must be flushed before a checkpoint counts what was written since the last call.
    pub(crate) fn dirty(&mut self) -> Unflushed {
        let mut files = std::mem::take(&mut self.sealed);
        if let Some(growing) = self.growing.as_mut().filter(|_| self.written) {
            files.push(growing.dirty());
            (growing.started, growing.given) = (growing.segment.log_bytes, growing.segment.log_bytes);
        }
        self.written = false;
        let folder = std::mem::take(&mut self.created).then(|| self.folder.clone());
        let times = self.times();
        self.times.clear();
        Unflushed { files, folder, times }
    }
}

/// How many of `batches`, from the first on, go into a segment; none behind a gap, where it has to be dense.
fn fitting(segment: &Segment, bytes_max: u64, batches: &[Held]) -> usize {
    if segment.revision == 0 && batches.first().is_some_and(|first| first.base != segment.end) {
        return 0;
    }
    let mut bytes = segment.log_bytes;
    let fits = |batch: &&Held| {
        let fits = bytes == 0 || bytes + batch.bytes.len() as u64 <= bytes_max;
        bytes += batch.bytes.len() as u64;
        fits
    };
    batches.iter().take_while(fits).count()
}

/// What was written to a partition and is not known to be on the medium.
pub(crate) struct Unflushed {
    pub(crate) files: Vec<Dirty>,
    /// Its folder, if it has new names.
    pub(crate) folder: Option<String>,
    /// When it was taken; a checkpoint keeps that.
    pub(crate) times: Option<Part>,
}

/// A partition's segments as they are now written.
pub(crate) struct Note {
    pub(crate) place: Place,
    /// Those that changed, the one that grows last.
    pub(crate) segments: Vec<Segment>,
    /// What waits no more, by weight.
    pub(crate) weight: usize,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use evenkeel_model::Timestamp;

    use super::{Held, Segment, fitting};

    fn batch(base: u64) -> Held {
        let bytes = Bytes::from(vec![0; 100]);
        Held { base, count: 10, appended: Timestamp::EPOCH, lsn: 1, bytes }
    }

    #[test]
    fn a_dense_segment_takes_no_batch_behind_a_gap_and_one_written_anew_does() {
        let dense = Segment { end: 50, log_bytes: 500, ..Segment::at(0) };
        assert_eq!(fitting(&dense, 1000, &[batch(50), batch(60)]), 2);
        assert_eq!(fitting(&dense, 1000, &[batch(60)]), 0, "offsets 50 to 59 would be missing in it");
        let anew = Segment { revision: 1, ..dense };
        assert_eq!(fitting(&anew, 1000, &[batch(60)]), 1);
    }

    #[test]
    fn a_segment_is_filled_to_its_size_and_takes_one_batch_however_large() {
        let almost = Segment { end: 50, log_bytes: 850, ..Segment::at(0) };
        assert_eq!(fitting(&almost, 1000, &[batch(50), batch(60)]), 1);
        assert_eq!(fitting(&Segment::at(50), 10, &[batch(50), batch(60)]), 1);
    }
}
