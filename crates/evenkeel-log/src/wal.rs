//! The write-ahead log: numbered files of aligned, chained, checksummed groups.
//!
//! [`header`] has the bytes, [`block`] and [`slab`] the aligned memory, [`files`] the files ahead of and behind
//! the writer; [`group`] turns sets into a group, [`order`] gives it its place, [`writer`] writes it, and
//! [`flight`] lands it. A group that is valid and vouches for another (`durable`) proves that the other
//! was complete.

pub(crate) mod block;
pub(crate) mod header;
pub(crate) mod files;
mod group;
mod limits;
mod pace;
mod room;
mod slab;
mod order;
mod flight;
pub(crate) mod writer;

/// Writes begin and end at multiples of this.
pub(crate) const BLOCK: u64 = 4096;

/// A file's header and its copy.
pub(crate) const FIRST_GROUP: u64 = 2 * BLOCK;

/// Where the log goes on: what recovery needs to read from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The file's number, from 1.
    pub(crate) file: u64,
    /// The place of the next group in it.
    pub(crate) at: u64,
    /// The next group's number, from 1.
    pub(crate) lsn: u64,
    /// The checksum of the group before it; 0 before the first.
    pub(crate) previous: u32,
}

/// The path of a write-ahead file.
pub(crate) fn path(number: u64) -> String {
    format!("wal/{number:016x}.wal")
}

/// The number in a write-ahead file's name.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    if digits.len() == 16 { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// `bytes`, rounded up to whole blocks.
pub(crate) fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

/// True when the disk has no room.
pub(crate) fn is_full(e: &std::io::Error) -> bool {
    matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
