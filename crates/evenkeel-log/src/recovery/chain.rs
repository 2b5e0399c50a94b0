//! Reading groups in order, in large pieces: a group is a slice of the piece that it came in.

use bytes::Bytes;

use super::unreadable;
use crate::safeguard::{Guards, Safeguard};
use crate::wal::files::WalFile;
use crate::wal::header::{GROUP_BYTES, GroupHeader, VERSION};
use crate::wal::{BLOCK, padded, path};
use crate::{DamageKind, OpenError};

/// How much is read at once: a few of the largest groups that are usual, since one that reaches beyond
/// it is read again.
const CHUNK: u64 = 4 << 20;

/// A write-ahead file and the piece of it that was read last.
pub(crate) struct Reader {
    pub(crate) file: WalFile,
    guards: Guards,
    chunk: Bytes,
    chunk_at: u64,
}

impl Reader {
    pub(crate) fn new(file: WalFile, guards: Guards) -> Reader {
        Reader { file, guards, chunk: Bytes::new(), chunk_at: 0 }
    }

    /// The group at `at`, header and payload, if a whole one stands there.
    pub(crate) fn group(&mut self, at: u64) -> Result<Option<(GroupHeader, Bytes)>, OpenError> {
        let Some((header, version, group)) = self.claimed(at)? else { return Ok(None) };
        let seed = self.file.header.seed(at, self.guards);
        let fits = header.fits(&group, seed) || !self.guards.on(Safeguard::GroupChecksum);
        if fits && version > VERSION {
            return Err(OpenError::Version { file: path(self.file.header.number), found: version });
        }
        Ok(fits.then_some((header, group)))
    }

    /// What stands at `at` and has a group's header, whether its checksum fits or not.
    pub(crate) fn claimed(&mut self, at: u64) -> Result<Option<(GroupHeader, u16, Bytes)>, OpenError> {
        if at.saturating_add(BLOCK) > self.file.header.size {
            return Ok(None);
        }
        let Some((header, version)) = GroupHeader::decode(&self.bytes(at, BLOCK)?) else { return Ok(None) };
        let length = GROUP_BYTES as u64 + u64::from(header.length);
        if at + padded(length) > self.file.header.size {
            return Ok(None);
        }
        Ok(Some((header, version, self.bytes(at, length)?)))
    }

    fn read(&mut self, at: u64, count: u64) -> Result<Vec<u8>, OpenError> {
        // The piece before is used again when nobody holds a group of it.
        let before = std::mem::take(&mut self.chunk).try_into_mut();
        let mut chunk = before.map(Vec::from).unwrap_or_default();
        let read = self.file.file.read_into(&mut chunk, usize::try_from(count).unwrap_or(0), at);
        read.map_err(unreadable(DamageKind::WriteAhead, &path(self.file.header.number), Some(at)))?;
        Ok(chunk)
    }

    /// `count` bytes at `at`; the caller knows that they are in the file.
    fn bytes(&mut self, at: u64, count: u64) -> Result<Bytes, OpenError> {
        let end = self.chunk_at + self.chunk.len() as u64;
        if at < self.chunk_at || at + count > end {
            let size = CHUNK.max(padded(count)).min(self.file.header.size - at);
            let chunk = self.read(at, size).or_else(|e| match e {
                // What stands behind it may be what cannot be read.
                OpenError::Corrupt { .. } => self.read(at, count),
                e => Err(e),
            })?;
            (self.chunk, self.chunk_at) = (chunk.into(), at);
        }
        let from = usize::try_from(at - self.chunk_at).unwrap_or(usize::MAX);
        Ok(self.chunk.slice(from..from + usize::try_from(count).unwrap_or(0)))
    }
}
