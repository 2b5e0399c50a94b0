//! Every whole batch of a segment, damage or not, and the holes between them.
//!
//! It trusts no index: behind a damaged batch it looks at every byte for the next one that is
//! whole. Readers use [`super::walk`]; this is for verify, dump and repair.

use std::io;

use bytes::Bytes;

use super::Segment;
use crate::batch::{self, HEAD_BYTES, Head};
use crate::disk::File;
use crate::safeguard::{Guards, Safeguard};

/// How much is read at once.
const CHUNK: u64 = 1 << 20;

/// What is skipped where the disk refuses to read.
const SKIP: u64 = 4096;

/// What stands next in a segment.
#[derive(Debug)]
pub(crate) enum Swept {
    /// A whole batch.
    Batch { position: u64, head: Head, bytes: Bytes },
    /// Bytes that are no batch, and the offsets that are missing for it.
    Hole { position: u64, from: u64, to: u64, what: String },
}

/// Goes over one segment.
pub(crate) struct Sweep {
    file: Box<dyn File>,
    guards: Guards,
    /// One beyond the last byte that is there.
    length: u64,
    /// One beyond the last offset.
    end: u64,
    /// Compaction leaves gaps on purpose.
    dense: bool,
    position: u64,
    offset: u64,
    chunk: Bytes,
    chunk_at: u64,
}

impl Sweep {
    /// Over `segment`, whose batches are in `file`.
    pub(crate) fn new(file: Box<dyn File>, segment: &Segment, guards: Guards) -> io::Result<Sweep> {
        let length = file.size()?.min(segment.log_bytes);
        let (end, offset, dense) = (segment.end, segment.base, segment.revision == 0);
        Ok(Sweep { file, guards, length, end, dense, position: 0, offset, chunk: Bytes::new(), chunk_at: 0 })
    }

    /// The batch at `position`, if a whole one stands there that belongs there.
    fn batch(&mut self, position: u64) -> Result<(Head, Bytes), String> {
        let head = self.bytes(position, HEAD_BYTES as u64)?;
        let head = Head::parse(&head).map_err(|e| e.to_string())?;
        if head.base < self.offset || head.end() > self.end || (self.dense && !head.is_dense()) {
            return Err("a batch has an offset that does not belong there".to_owned());
        }
        let bytes = self.bytes(position, head.bytes as u64)?;
        if self.guards.on(Safeguard::BatchChecksum) {
            batch::verify(&bytes).map_err(|e| e.to_string())?;
        }
        Ok((head, bytes))
    }

    fn bytes(&mut self, position: u64, count: u64) -> Result<Bytes, String> {
        if count > self.length.saturating_sub(position) {
            return Err("a batch reaches beyond the segment".to_owned());
        }
        let end = self.chunk_at + self.chunk.len() as u64;
        if position < self.chunk_at || position + count > end {
            let size = CHUNK.max(count).min(self.length - position);
            let mut chunk = vec![0; usize::try_from(size).unwrap_or(0)];
            self.file.read_at(&mut chunk, position).map_err(|e| e.to_string())?;
            (self.chunk, self.chunk_at) = (chunk.into(), position);
        }
        let from = usize::try_from(position - self.chunk_at).unwrap_or(usize::MAX);
        Ok(self.chunk.slice(from..from + usize::try_from(count).unwrap_or(0)))
    }

    /// The first whole batch behind `position`.
    fn resume(&mut self, position: u64) -> Option<u64> {
        let mut at = position + 1;
        while at + (HEAD_BYTES as u64) <= self.length {
            let size = (self.length - at).min(SKIP + HEAD_BYTES as u64);
            let Ok(bytes) = self.bytes(at, size) else {
                at += SKIP;
                continue;
            };
            for (place, head) in (at..).zip(bytes.windows(HEAD_BYTES)) {
                if head[16] == 2 && self.batch(place).is_ok() {
                    return Some(place);
                }
            }
            at += size - (HEAD_BYTES as u64 - 1);
        }
        None
    }

    fn hole(&mut self, what: String) -> Swept {
        let (position, from) = (self.position, self.offset);
        match self.resume(position) {
            Some(at) => {
                self.position = at;
                self.offset = self.batch(at).map_or(self.end, |(head, _)| head.base);
            }
            None => (self.position, self.offset) = (self.length, self.end),
        }
        Swept::Hole { position, from, to: self.offset, what }
    }
}

impl Iterator for Sweep {
    type Item = Swept;

    fn next(&mut self) -> Option<Swept> {
        if self.position >= self.length {
            let missing = self.offset < self.end && self.dense;
            return missing.then(|| self.hole("the file ends too early".to_owned()));
        }
        match self.batch(self.position) {
            Ok((head, _)) if self.dense && head.base > self.offset => {
                let (position, from) = (self.position, self.offset);
                self.offset = head.base;
                let what = format!("offset {from} should stand here, and {} does", head.base);
                Some(Swept::Hole { position, from, to: head.base, what })
            }
            Ok((head, bytes)) => {
                let position = self.position;
                self.position += head.bytes as u64;
                self.offset = head.end();
                Some(Swept::Batch { position, head, bytes })
            }
            Err(what) => Some(self.hole(what)),
        }
    }
}
