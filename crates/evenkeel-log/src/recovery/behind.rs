//! Looking for whole groups wherever a block may begin one, in time that grows with the file and
//! with nothing else, whatever the bytes claim to be.
//!
//! One pass keeps the checksum of everything up to each block. From two of these follows the
//! checksum of the blocks between, so that a claimed group costs at most two blocks to check,
//! however long it says it is.

#[cfg(test)]
mod tests;

use std::io;

use super::doing;
use crate::OpenError;
use crate::disk::is_of_medium;
use crate::safeguard::{Guards, Safeguard};
use crate::wal::files::WalFile;
use crate::wal::header::{GROUP_BYTES, GroupHeader, VERSION};
use crate::wal::{BLOCK, padded, path};

/// How much is read at once.
const CHUNK: u64 = 1 << 20;

/// A block that says it begins a group.
struct Claim {
    at: u64,
    header: GroupHeader,
    version: u16,
    /// The checksum of seed, header and what of the payload stands in its first block.
    begun: u32,
}

/// Every whole group of `file` at or behind `from`, with its place, in order.
pub(crate) fn groups(file: &WalFile, guards: Guards, from: u64) -> Result<Vec<(u64, GroupHeader)>, OpenError> {
    let (claims, sums) = claims(file, guards, from)?;
    let mut found = Vec::new();
    for claim in claims {
        if !claim.is_whole(file, guards, from, &sums)? {
            continue;
        }
        if claim.version > VERSION {
            return Err(OpenError::Version { file: path(file.header.number), found: claim.version });
        }
        found.push((claim.at, claim.header));
    }
    Ok(found)
}

/// All claims, and for each block the checksum of what stands between `from` and it.
fn claims(file: &WalFile, guards: Guards, from: u64) -> Result<(Vec<Claim>, Vec<u32>), OpenError> {
    let name = path(file.header.number);
    let (mut claims, mut sums, mut sum) = (Vec::new(), Vec::new(), 0);
    let mut chunk = Vec::new();
    let mut at = from;
    while at < file.header.size {
        let size = (file.header.size - at).min(CHUNK);
        chunk.resize(usize::try_from(size).unwrap_or(0), 0);
        read_around(file, &mut chunk, at).map_err(doing("reading", &name))?;
        for (index, block) in (0_u64..).zip(chunk.chunks(BLOCK as usize)) {
            sums.push(sum);
            sum = crc32c::crc32c_append(sum, block);
            claims.extend(claim(file, guards, at + index * BLOCK, block));
        }
        at += size;
    }
    sums.push(sum);
    Ok((claims, sums))
}

/// Reads, and where the medium cannot give back a block, has zeros in its place: no group stands there.
fn read_around(file: &WalFile, chunk: &mut [u8], at: u64) -> io::Result<()> {
    match file.file.read_at(chunk, at) {
        Err(e) if is_of_medium(&e) => {}
        read => return read,
    }
    for (index, block) in (0_u64..).zip(chunk.chunks_mut(BLOCK as usize)) {
        match file.file.read_at(block, at + index * BLOCK) {
            Err(e) if is_of_medium(&e) => block.fill(0),
            read => read?,
        }
    }
    Ok(())
}

fn claim(file: &WalFile, guards: Guards, at: u64, block: &[u8]) -> Option<Claim> {
    let (header, version) = GroupHeader::decode(block)?;
    let length = GROUP_BYTES as u64 + u64::from(header.length);
    if at + padded(length) > file.header.size {
        return None;
    }
    let here = usize::try_from(length).unwrap_or(usize::MAX).min(block.len());
    let begun = GroupHeader::checksum(&block[..here], file.header.seed(at, guards));
    Some(Claim { at, header, version, begun })
}

impl Claim {
    fn is_whole(&self, file: &WalFile, guards: Guards, from: u64, sums: &[u32]) -> Result<bool, OpenError> {
        if !guards.on(Safeguard::GroupChecksum) {
            return Ok(true);
        }
        let end = self.at + GROUP_BYTES as u64 + u64::from(self.header.length);
        if end <= self.at + BLOCK {
            return Ok(self.begun == self.header.crc);
        }
        let (second, last) = (self.at + BLOCK, end / BLOCK * BLOCK);
        let sum = |place: u64| usize::try_from((place - from) / BLOCK).ok().and_then(|i| sums.get(i)).copied();
        let (Some(before), Some(upto)) = (sum(second), sum(last)) else { return Ok(false) };
        let between = usize::try_from(last - second).unwrap_or(usize::MAX);
        let crc = match between {
            0 => self.begun,
            _ => crc32c::crc32c_combine(self.begun ^ before, upto, between),
        };
        let mut rest = vec![0; usize::try_from(end - last).unwrap_or(0)];
        read_around(file, &mut rest, last).map_err(doing("reading", &path(file.header.number)))?;
        Ok(crc32c::crc32c_append(crc, &rest) == self.header.crc)
    }
}
