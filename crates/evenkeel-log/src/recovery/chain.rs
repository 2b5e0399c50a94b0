//! Reading groups in order, in large pieces: a group is a slice of the piece that it came in.

use bytes::Bytes;

use super::doing;
use crate::OpenError;
use crate::safeguard::{Guards, Safeguard};
use crate::wal::files::WalFile;
use crate::wal::header::{GROUP_BYTES, GroupHeader, VERSION};
use crate::wal::{BLOCK, padded, path};

/// How much is read at once.
pub(crate) const CHUNK: u64 = 1 << 20;

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

    /// `count` bytes at `at`; the caller knows that they are in the file.
    fn bytes(&mut self, at: u64, count: u64) -> Result<Bytes, OpenError> {
        let end = self.chunk_at + self.chunk.len() as u64;
        if at < self.chunk_at || at + count > end {
            let size = CHUNK.max(padded(count)).min(self.file.header.size - at);
            let mut chunk = vec![0; usize::try_from(size).unwrap_or(0)];
            let doing = "reading";
            let name = path(self.file.header.number);
            self.file.file.read_at(&mut chunk, at).map_err(self::doing(doing, &name))?;
            (self.chunk, self.chunk_at) = (chunk.into(), at);
        }
        let from = usize::try_from(at - self.chunk_at).unwrap_or(usize::MAX);
        Ok(self.chunk.slice(from..from + usize::try_from(count).unwrap_or(0)))
    }
}
