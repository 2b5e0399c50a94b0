//! The bytes of a write-ahead file's header and of a group's header. All numbers little-endian.

use bytes::{Buf, BufMut};

use super::{BLOCK, FIRST_GROUP};
use crate::safeguard::{Guards, Safeguard};

/// The version of every format that this crate writes.
pub(crate) const VERSION: u16 = 2;

const FILE_MAGIC: &[u8; 8] = b"EVKWAL\r\n";
const GROUP_MAGIC: &[u8; 8] = b"EVKGROUP";

/// A file's header in bytes; a block holds it.
const FILE_BYTES: usize = 64;

/// A file has room for its headers, a group, and the turn to the next file.
pub(crate) const FILE_MIN: u64 = FIRST_GROUP + 2 * BLOCK;

/// No log counts groups or checkpoints so far.
pub(crate) const COUNT_MAX: u64 = 1 << 62;

/// A group's header in bytes; its entries follow at once.
pub(crate) const GROUP_BYTES: usize = 64;

/// Before each batch of a group: topic, partition, length.
pub(crate) const ENTRY_BYTES: usize = 12;

/// What a write-ahead file says of itself, twice: in its first and in its second block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) number: u64,
    pub(crate) size: u64,
    pub(crate) nonce: [u8; 16],
}

/// Why bytes are not the header, or the group, that should stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// They are something else, or damaged.
    Broken(&'static str),
    /// Whole, but of a later version.
    Newer(u16),
}

impl FileHeader {
    /// Both blocks.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut one = Vec::with_capacity(FILE_BYTES);
        one.put_slice(FILE_MAGIC);
        one.put_u16_le(VERSION);
        one.put_u16_le(0);
        one.put_u32_le(0);
        one.put_u64_le(self.number);
        one.put_u64_le(self.size);
        one.put_slice(&self.nonce);
        one.resize(FILE_BYTES, 0);
        let crc = crc32c::crc32c(&one);
        one[12..16].copy_from_slice(&crc.to_le_bytes());
        let mut both = one.clone();
        both.resize(BLOCK as usize, 0);
        both.extend_from_slice(&one);
        both.resize(2 * BLOCK as usize, 0);
        both
    }

    /// Reads one copy.
    pub(crate) fn decode(block: &[u8], number: u64, guards: Guards) -> Result<FileHeader, Unfit> {
        let Some(bytes) = block.get(..FILE_BYTES) else { return Err(Unfit::Broken("it is cut off")) };
        if &bytes[..8] != FILE_MAGIC {
            return Err(Unfit::Broken("no file header"));
        }
        let mut from = &bytes[8..];
        let version = from.get_u16_le();
        from.advance(2);
        let claimed = from.get_u32_le();
        let mut plain = bytes.to_vec();
        plain[12..16].fill(0);
        if guards.on(Safeguard::FileChecksum) && crc32c::crc32c(&plain) != claimed {
            return Err(Unfit::Broken("the file header does not match its checksum"));
        }
        if version > VERSION {
            return Err(Unfit::Newer(version));
        }
        let found = from.get_u64_le();
        let size = from.get_u64_le();
        let mut nonce = [0; 16];
        from.copy_to_slice(&mut nonce);
        if found != number {
            return Err(Unfit::Broken("the file header is that of another file"));
        }
        if size < FILE_MIN || !size.is_multiple_of(BLOCK) {
            return Err(Unfit::Broken("the file header has a size that no file has"));
        }
        Ok(FileHeader { number, size, nonce })
    }

    /// What every group's checksum at `at` in this file begins with.
    pub(crate) fn seed(&self, at: u64, guards: Guards) -> u32 {
        if !guards.on(Safeguard::GroupSeed) {
            return 0;
        }
        let crc = crc32c::crc32c(&self.nonce);
        let crc = crc32c::crc32c_append(crc, &self.number.to_le_bytes());
        crc32c::crc32c_append(crc, &at.to_le_bytes())
    }
}

/// What a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It holds records.
    Data,
    /// It only vouches for what stands before it.
    Seal,
    /// The log goes on in another file, whose number is the payload.
    Turn,
}

/// What stands before a group's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) kind: Kind,
    /// Over the seed, this header (with zeros here) and the payload.
    pub(crate) crc: u32,
    /// Counts the groups of the log, from 1.
    pub(crate) lsn: u64,
    /// The checksum of the group before.
    pub(crate) previous: u32,
    /// The payload's length.
    pub(crate) length: u32,
    /// The newest group that was complete when this one was submitted.
    pub(crate) durable: u64,
    /// The newest durable checkpoint.
    pub(crate) generation: u64,
    /// When the log took it, in microseconds since 1970.
    pub(crate) at_us: i64,
    /// How many entries the payload has.
    pub(crate) entries: u32,
}

impl GroupHeader {
    /// Writes the header in front of the payload in `group` (its first [`GROUP_BYTES`] are left
    /// free for it, and `length` bytes follow), and gives back the checksum.
    pub(crate) fn seal(&self, group: &mut [u8], seed: u32) -> u32 {
        let mut head = Vec::with_capacity(GROUP_BYTES);
        head.put_slice(GROUP_MAGIC);
        head.put_u16_le(VERSION);
        head.put_u16_le(self.kind as u16);
        head.put_u32_le(0);
        head.put_u64_le(self.lsn);
        head.put_u32_le(self.previous);
        head.put_u32_le(self.length);
        head.put_u64_le(self.durable);
        head.put_u64_le(self.generation);
        head.put_i64_le(self.at_us);
        head.put_u32_le(self.entries);
        head.put_u32_le(0);
        group[..GROUP_BYTES].copy_from_slice(&head);
        let crc = crc32c::crc32c_append(seed, &group[..GROUP_BYTES + self.length as usize]);
        group[12..16].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// Reads a header; the checksum is checked when the payload is there ([`GroupHeader::fits`]).
    pub(crate) fn decode(bytes: &[u8]) -> Option<(GroupHeader, u16)> {
        let bytes = bytes.get(..GROUP_BYTES)?;
        if &bytes[..8] != GROUP_MAGIC {
            return None;
        }
        let mut from = &bytes[8..];
        let version = from.get_u16_le();
        let kind = match from.get_u16_le() {
            0 => Kind::Data,
            1 => Kind::Seal,
            2 => Kind::Turn,
            _ if version > VERSION => Kind::Data,
            _ => return None,
        };
        let header = GroupHeader {
            kind,
            crc: from.get_u32_le(),
            lsn: from.get_u64_le(),
            previous: from.get_u32_le(),
            length: from.get_u32_le(),
            durable: from.get_u64_le(),
            generation: from.get_u64_le(),
            at_us: from.get_i64_le(),
            entries: from.get_u32_le(),
        };
        let is_counted = [header.lsn, header.durable, header.generation].into_iter().all(|n| n <= COUNT_MAX);
        is_counted.then_some((header, version))
    }

    /// True when header and payload in `group` match the checksum.
    pub(crate) fn fits(&self, group: &[u8], seed: u32) -> bool {
        let group = group.get(..GROUP_BYTES + self.length as usize);
        group.is_some_and(|group| GroupHeader::checksum(group, seed) == self.crc)
    }

    /// The checksum of a group's bytes, which begin with its whole header, up to where they end.
    pub(crate) fn checksum(group: &[u8], seed: u32) -> u32 {
        let crc = crc32c::crc32c_append(seed, &group[..12]);
        let crc = crc32c::crc32c_append(crc, &[0; 4]);
        crc32c::crc32c_append(crc, &group[16..])
    }
}
