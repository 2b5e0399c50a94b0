//! Writing batches to the segments of one partition.
//!
//! It writes at places that the checkpoint's lengths give, so that doing it again after a failure
//! or a restart gives the same files. Nothing it writes counts before a checkpoint says so.

use std::io;

use super::index::{Entry, STRIDE};
use super::{Segment, index_path, log_path};
use crate::disk::{Disk, File};
use crate::options::Options;
use crate::safeguard::Safeguard;
use crate::stats::Stats;
use crate::tail::Held;

/// How much is gathered before it is written.
const GATHER: usize = 1 << 20;

/// A partition's segments as they will be after the next checkpoint.
pub(crate) struct Appender<'a> {
    disk: &'a dyn Disk,
    options: &'a Options,
    stats: &'a Stats,
    folder: String,
    segments: Vec<Segment>,
    open: Option<Open>,
    created: bool,
}

struct Open {
    log: Box<dyn File>,
    index: Box<dyn File>,
    /// Not yet written, and where it goes.
    log_bytes: Vec<u8>,
    log_at: u64,
    index_bytes: Vec<u8>,
    index_at: u64,
}

impl<'a> Appender<'a> {
    /// Goes on behind `last`, the segment that still grows, if there is one.
    pub(crate) fn new(
        disk: &'a dyn Disk,
        options: &'a Options,
        stats: &'a Stats,
        folder: String,
        last: Option<Segment>,
    ) -> Appender<'a> {
        Appender { disk, options, stats, folder, segments: last.into_iter().collect(), open: None, created: false }
    }

    /// Writes a batch behind all others.
    pub(crate) fn push(&mut self, held: &Held) -> io::Result<()> {
        let full = self
            .segments
            .last()
            .is_none_or(|s| s.log_bytes > 0 && s.log_bytes + held.bytes.len() as u64 > self.options.segment_bytes);
        if full {
            self.finish_open()?;
            self.segments.push(Segment::at(held.base));
        }
        let Some(segment) = self.segments.last_mut() else { return Ok(()) };
        if self.open.is_none() {
            let path = |of: fn(&str, u64, u64) -> String| of(&self.folder, segment.base, segment.revision);
            self.created |= segment.log_bytes == 0;
            let (log, index) = (self.disk.open(&path(log_path), true)?, self.disk.open(&path(index_path), true)?);
            let (log_at, index_at) = (segment.log_bytes, segment.index_bytes);
            self.open = Some(Open { log, index, log_bytes: Vec::new(), log_at, index_bytes: Vec::new(), index_at });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let first = segment.log_bytes == 0;
        if first || segment.last_at != held.appended || segment.log_bytes >= segment.indexed + STRIDE {
            let entry = Entry { offset: held.base, position: segment.log_bytes, appended: held.appended };
            entry.put(&mut open.index_bytes, segment.base);
            segment.indexed = segment.log_bytes;
            segment.index_bytes += super::index::ENTRY;
        }
        if first {
            segment.first_at = held.appended;
        }
        open.log_bytes.extend_from_slice(&held.bytes);
        segment.log_bytes += held.bytes.len() as u64;
        segment.end = held.end();
        segment.last_at = held.appended;
        if open.log_bytes.len() >= GATHER { open.write() } else { Ok(()) }
    }

    /// Makes all of it durable. Gives back the segments that changed or are new.
    pub(crate) fn finish(mut self) -> io::Result<Vec<Segment>> {
        self.finish_open()?;
        if self.created && self.options.guards().on(Safeguard::SegmentFolderSync) {
            self.disk.sync_folder(&self.folder)?;
            self.stats.flushed();
        }
        Ok(self.segments)
    }

    fn finish_open(&mut self) -> io::Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.write()?;
        let guards = self.options.guards();
        if guards.on(Safeguard::SegmentFlush) {
            open.log.flush()?;
            self.stats.flushed();
        }
        if guards.on(Safeguard::IndexFlush) {
            open.index.flush()?;
            self.stats.flushed();
        }
        Ok(())
    }
}

impl Open {
    fn write(&mut self) -> io::Result<()> {
        self.log.write_at(&self.log_bytes, self.log_at)?;
        self.index.write_at(&self.index_bytes, self.index_at)?;
        self.log_at += self.log_bytes.len() as u64;
        self.index_at += self.index_bytes.len() as u64;
        self.log_bytes.clear();
        self.index_bytes.clear();
        Ok(())
    }
}
