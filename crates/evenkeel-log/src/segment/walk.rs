//! Reading batches from a segment, with the time at which the log took each.
//!
//! Each batch is checked before it is believed. A small read touches a few index entries and the
//! batches that it returns, never the whole segment. Batches are slices of what one read of the
//! file gave, without a copy. An index that is missing, short or damaged is reported
//! ([`Lost::Index`]), so that the caller can have it derived anew and go on.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use evenkeel_model::Timestamp;

use super::index::{Entry, Index};
use super::{Segment, chunk};
use crate::batch::{self, HEAD_BYTES, Head};
use crate::disk::{File, is_of_medium};
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
    /// The index cannot be used. The log may be whole.
    Index,
}

/// The two files of a segment.
pub(crate) struct Files {
    pub(crate) log: Box<dyn File>,
    /// `None` when it is gone.
    pub(crate) index: Option<Arc<dyn File>>,
}

/// Walks over the batches of a segment, from the one that holds an offset.
pub(crate) struct Walk {
    files: Arc<Files>,
    segment: Segment,
    guards: Guards,
    position: u64,
    offset: u64,
    chunk: Bytes,
    chunk_at: u64,
    read: usize,
    times: Times,
}

impl Walk {
    /// Begins at the batch that holds `offset`, or a little before it. `bytes` is about what the
    /// caller wants to read.
    pub(crate) fn from(files: &Arc<Files>, segment: &Segment, guards: Guards, offset: u64, bytes: usize) -> Walk {
        let index = Index { file: files.index.clone(), segment: *segment, guards };
        let entry = index.partition_point(|e| e.offset <= offset).and_then(|n| {
            let number = n.checked_sub(1)?;
            Some((number, index.entry(number).filter(|e| e.position < segment.log_bytes)?))
        });
        let mut walk = Walk::plain(files, segment, guards, bytes);
        walk.times = match entry {
            Some((number, entry)) => {
                (walk.position, walk.offset) = (entry.position, entry.offset);
                Times::Indexed { index, run: Vec::new(), next: number, now: None }
            }
            None => Times::Lost,
        };
        walk
    }

    /// Begins at the segment's beginning and does without the index: append times are guessed from
    /// creation times, within what the checkpoint says of the segment.
    pub(crate) fn plain(files: &Arc<Files>, segment: &Segment, guards: Guards, bytes: usize) -> Walk {
        Walk {
            files: files.clone(),
            segment: *segment,
            guards,
            position: 0,
            offset: segment.base,
            chunk: Bytes::new(),
            chunk_at: 0,
            read: bytes.clamp(READ_MIN, READ_MAX),
            times: Times::Guessed(segment.first_at),
        }
    }

    /// The next batch; `None` at the segment's end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, Lost> {
        if self.position >= self.segment.log_bytes {
            return Ok(None);
        }
        let head = Head::parse(&self.bytes(HEAD_BYTES)?).map_err(|e| self.damaged(&e.to_string()))?;
        let position = self.position;
        // Compaction leaves gaps, between batches and within them.
        let dense = self.segment.revision == 0;
        let follows = if dense { head.base == self.offset && head.is_dense() } else { head.base >= self.offset };
        if !follows || head.end() > self.segment.end {
            return Err(self.damaged("a batch has an offset that does not belong there"));
        }
        let bytes = self.bytes(head.bytes)?;
        if self.guards.on(Safeguard::BatchChecksum)
            && let Err(e) = batch::verify(&bytes)
        {
            return Err(Lost::Damaged(position, e.to_string()));
        }
        let appended = self.times.of(&head, &self.segment).ok_or(Lost::Index)?;
        self.position += head.bytes as u64;
        self.offset = head.end();
        Ok(Some(Found { base: head.base, end: head.end(), appended, bytes }))
    }

    fn damaged(&self, what: &str) -> Lost {
        Lost::Damaged(self.position, what.to_owned())
    }

    /// Reads so much from the present position.
    fn read_chunk(&mut self, size: usize) -> Result<(), Lost> {
        match chunk::filled(size, |into| self.files.log.read_at(into, self.position)) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged("the file ends too early")),
            Err(e) if is_of_medium(&e) => Err(self.damaged(&format!("it cannot be read: {e}"))),
            Err(e) => Err(Lost::Io(e)),
            Ok(chunk) => {
                self.chunk = chunk;
                Ok(())
            }
        }
    }

    /// `count` bytes from the present position, within the segment.
    fn bytes(&mut self, count: usize) -> Result<Bytes, Lost> {
        let left = self.segment.log_bytes - self.position;
        if count as u64 > left {
            return Err(self.damaged("a batch reaches beyond the segment"));
        }
        let end = self.chunk_at + self.chunk.len() as u64;
        if self.position < self.chunk_at || self.position + count as u64 > end {
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(self.read.max(count));
            self.read_chunk(size).or_else(|lost| match lost {
                // A file that is too short, or damaged further on, may still hold what is asked for.
                Lost::Damaged(..) if size > count => self.read_chunk(count),
                lost => Err(lost),
            })?;
            self.chunk_at = self.position;
        }
        let from = usize::try_from(self.position - self.chunk_at).unwrap_or(usize::MAX);
        Ok(self.chunk.slice(from..from + count))
    }
}

/// Append times, in step with a walk.
enum Times {
    /// From the index.
    Indexed {
        index: Index,
        /// Entries that were read and not passed, the next one last.
        run: Vec<Entry>,
        /// The number of the next entry to read.
        next: u64,
        now: Option<Timestamp>,
    },
    /// From creation times: the latest so far.
    Guessed(Timestamp),
    /// The index is not what it should be.
    Lost,
}

impl Times {
    /// When the batch of that head was taken; `None` when the index cannot tell.
    fn of(&mut self, head: &Head, segment: &Segment) -> Option<Timestamp> {
        let told = match self {
            Times::Indexed { index, run, next, now } => indexed(index, run, next, now, head.base),
            Times::Guessed(latest) => {
                *latest = head.max_time.max(*latest).min(segment.last_at);
                Some(*latest)
            }
            Times::Lost => None,
        };
        if told.is_none() {
            *self = Times::Lost;
        }
        told
    }
}

fn indexed(
    index: &Index,
    run: &mut Vec<Entry>,
    next: &mut u64,
    now: &mut Option<Timestamp>,
    base: u64,
) -> Option<Timestamp> {
    loop {
        if run.is_empty() && *next < index.count() {
            *run = index.run(*next)?;
            *next += run.len() as u64;
            run.reverse();
        }
        match run.last() {
            Some(entry) if entry.offset <= base => {
                *now = Some(entry.appended);
                run.pop();
            }
            _ => return *now,
        }
    }
}
