//! Reading batches from a segment, with the time at which the log took each.
//!
//! Each batch is checked before it is believed. A small read touches a few index entries and the
//! batches that it returns, never the whole segment, unless the index is damaged.

use std::io;

use bytes::Bytes;
use evenkeel_model::Timestamp;

use super::Segment;
use super::index::{Entry, Index};
use crate::batch::{self, HEAD_BYTES, Head};
use crate::disk::File;
use crate::safeguard::{Guards, Safeguard};

/// The least and the most that one read of the log asks for.
const READ_MIN: usize = 16 << 10;
const READ_MAX: usize = 1 << 20;

/// A batch of a segment.
pub(crate) struct Found {
    pub(crate) base: u64,
    pub(crate) end: u64,
    pub(crate) appended: Timestamp,
    pub(crate) bytes: Bytes,
}

/// Why a walk stopped early.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The disk refused.
    Io(io::Error),
    /// The bytes at this position of the log are damaged.
    Damaged(u64, String),
}

/// The two files of a segment.
pub(crate) struct Files {
    pub(crate) log: Box<dyn File>,
    pub(crate) index: Box<dyn File>,
}

/// Walks over the batches of a segment, from the one that holds an offset.
pub(crate) struct Walk<'a> {
    files: &'a Files,
    segment: &'a Segment,
    guards: Guards,
    position: u64,
    offset: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
    read: usize,
    times: Times<'a>,
}

impl<'a> Walk<'a> {
    /// Begins at the batch that holds `offset`, or a little before it. `bytes` is about what the
    /// caller wants to read.
    pub(crate) fn from(files: &'a Files, segment: &'a Segment, guards: Guards, offset: u64, bytes: usize) -> Walk<'a> {
        let index = Index { file: &*files.index, segment, guards };
        let entry = index.partition_point(|e| e.offset <= offset).and_then(|n| {
            let number = n.checked_sub(1)?;
            Some((number, index.entry(number).filter(|e| e.position < segment.log_bytes)?))
        });
        let (position, start) = entry.map_or((0, segment.base), |(_, e)| (e.position, e.offset));
        let times = Times { index, run: Vec::new(), next: entry.map(|(n, _)| n), now: None };
        let read = bytes.clamp(READ_MIN, READ_MAX);
        Walk { files, segment, guards, position, offset: start, chunk: Vec::new(), chunk_at: 0, read, times }
    }

    /// The next batch; `None` at the segment's end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, Lost> {
        if self.position >= self.segment.log_bytes {
            return Ok(None);
        }
        let head = Head::parse(self.bytes(HEAD_BYTES)?).map_err(|e| self.damaged(&e.to_string()))?;
        let position = self.position;
        // Compaction leaves gaps, between batches and within them.
        let dense = self.segment.revision == 0;
        let follows = if dense { head.base == self.offset && head.is_dense() } else { head.base >= self.offset };
        if !follows || head.end() > self.segment.end {
            return Err(self.damaged("a batch has an offset that does not belong there"));
        }
        let guards = self.guards;
        let bytes = self.bytes(head.bytes)?;
        if guards.on(Safeguard::BatchChecksum)
            && let Err(e) = batch::verify(bytes)
        {
            return Err(Lost::Damaged(position, e.to_string()));
        }
        let bytes = Bytes::copy_from_slice(bytes);
        self.position += head.bytes as u64;
        self.offset = head.end();
        let appended = self.times.of(head.base).unwrap_or(head.max_time);
        Ok(Some(Found { base: head.base, end: head.end(), appended, bytes }))
    }

    fn damaged(&self, what: &str) -> Lost {
        Lost::Damaged(self.position, what.to_owned())
    }

    /// Reads so much from the present position.
    fn read_chunk(&mut self, size: usize) -> Result<(), Lost> {
        self.chunk.resize(size, 0);
        let read = self.files.log.read_at(&mut self.chunk, self.position);
        if read.is_err() {
            self.chunk.clear();
        }
        match read {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged("the file ends too early")),
            done => done.map_err(Lost::Io),
        }
    }

    /// `count` bytes from the present position, within the segment.
    fn bytes(&mut self, count: usize) -> Result<&[u8], Lost> {
        let left = self.segment.log_bytes - self.position;
        if count as u64 > left {
            return Err(self.damaged("a batch reaches beyond the segment"));
        }
        let end = self.chunk_at + self.chunk.len() as u64;
        if self.position < self.chunk_at || self.position + count as u64 > end {
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(self.read.max(count));
            self.read_chunk(size).or_else(|lost| match lost {
                // A file that is too short may still hold what is asked for.
                Lost::Damaged(..) if size > count => self.read_chunk(count),
                lost => Err(lost),
            })?;
            self.chunk_at = self.position;
        }
        let from = usize::try_from(self.position - self.chunk_at).unwrap_or(usize::MAX);
        Ok(&self.chunk[from..from + count])
    }
}

/// Append times, in step with a walk.
struct Times<'a> {
    index: Index<'a>,
    run: Vec<Entry>,
    /// The number of the next entry to load; `None` when the index is damaged.
    next: Option<u64>,
    now: Option<Timestamp>,
}

impl Times<'_> {
    fn of(&mut self, base: u64) -> Option<Timestamp> {
        loop {
            if self.run.is_empty() {
                match self.next? {
                    number if number < self.index.count() => {
                        let run = self.index.run(number);
                        self.next = run.as_ref().map(|run| number + run.len() as u64);
                        self.run = run.unwrap_or_default();
                        self.run.reverse();
                    }
                    _ => return self.now,
                }
            }
            match self.run.last() {
                Some(entry) if entry.offset <= base => {
                    self.now = Some(entry.appended);
                    self.run.pop();
                }
                Some(_) => return self.now,
                None => self.now = None,
            }
        }
    }
}
