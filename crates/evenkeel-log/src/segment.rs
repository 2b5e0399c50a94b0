//! Segments: what the flusher takes out of the write-ahead log, one folder per partition.
//!
//! `<base>.log` holds Kafka batches and nothing else; `<base>.index` says where batches begin and
//! when the log took them. A segment that was written anew (compaction) has a higher revision, and
//! files of its own, `<base>.<revision>.log`; a checkpoint says which one counts. Lengths come from
//! the checkpoint, never from the file system: bytes beyond them do not exist. [`append`] writes, [`walk`] reads, [`index`] has the entries,
//! [`rebuild`] derives them anew.

pub(crate) mod append;
pub(crate) mod index;
pub(crate) mod sweep;
pub(crate) mod rebuild;
mod chunk;
pub(crate) mod walk;

use evenkeel_model::Timestamp;

use crate::batch::HEAD_BYTES;
use crate::state::Place;

/// So much of a topic's name is in its folders' names.
const NAME_MAX: usize = 200;

/// No segment has more, whatever the settings: sums over many stay numbers.
const BYTES_MAX: u64 = 1 << 40;

/// A segment as a checkpoint knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The offset of its first record.
    pub(crate) base: u64,
    /// Counts how often it was written anew; offsets are dense in revision 0 only.
    pub(crate) revision: u64,
    /// One beyond the offset of its last record.
    pub(crate) end: u64,
    /// The bytes of its batches.
    pub(crate) log_bytes: u64,
    /// The bytes of its index.
    pub(crate) index_bytes: u64,
    /// When its first batch was appended.
    pub(crate) first_at: Timestamp,
    /// When its last batch was appended.
    pub(crate) last_at: Timestamp,
    /// Where in the log its last index entry points.
    pub(crate) indexed: u64,
}

impl Segment {
    /// An empty one.
    pub(crate) fn at(base: u64) -> Segment {
        Segment {
            base,
            revision: 0,
            end: base,
            log_bytes: 0,
            index_bytes: 0,
            first_at: Timestamp::EPOCH,
            last_at: Timestamp::EPOCH,
            indexed: 0,
        }
    }

    /// True when its numbers fit each other: an index has whole entries, one for a batch at most.
    pub(crate) fn is_sound(&self) -> bool {
        let entries = self.index_bytes / index::ENTRY;
        let indexed = self.indexed == 0 || self.indexed < self.log_bytes;
        self.base <= self.end
            && self.log_bytes <= BYTES_MAX
            && self.index_bytes.is_multiple_of(index::ENTRY)
            && entries <= self.log_bytes.div_ceil(HEAD_BYTES as u64)
            && indexed
    }
}

/// The folder of a partition: for people by name, and by the topic's number, since a name may be
/// used again. Long names are cut, so that a file system takes them.
pub(crate) fn folder(topic: &str, place: Place) -> String {
    let name: String = topic.chars().take(NAME_MAX).collect();
    format!("topics/{name}-{}@{:x}", place.partition, place.topic)
}

/// The folder of a partition that was there in version 1.
pub(crate) fn plain_folder(topic: &str, partition: u32) -> String {
    format!("topics/{topic}-{partition}")
}

/// Which partition a name in `topics` is of; `None` for names of version 1, and of others.
pub(crate) fn place_of(name: &str) -> Option<Place> {
    let (name, topic) = name.rsplit_once('@')?;
    let (_, partition) = name.rsplit_once('-')?;
    Some(Place { topic: u32::from_str_radix(topic, 16).ok()?, partition: partition.parse().ok()? })
}

/// The batches of that revision of the segment that begins at `base`.
pub(crate) fn log_path(folder: &str, base: u64, revision: u64) -> String {
    path(folder, base, revision, "log")
}

/// Its index.
pub(crate) fn index_path(folder: &str, base: u64, revision: u64) -> String {
    path(folder, base, revision, "index")
}

fn path(folder: &str, base: u64, revision: u64, suffix: &str) -> String {
    match revision {
        0 => format!("{folder}/{base:020}.{suffix}"),
        _ => format!("{folder}/{base:020}.{revision}.{suffix}"),
    }
}

/// The base and the revision in the name of a segment's file.
pub(crate) fn named(name: &str) -> Option<(u64, u64)> {
    let mut parts = name.split('.');
    let base = parts.next().filter(|digits| digits.len() == 20)?.parse().ok()?;
    match (parts.next()?, parts.next(), parts.next()) {
        ("log" | "index", None, None) => Some((base, 0)),
        (revision, Some("log" | "index"), None) => Some((base, revision.parse().ok().filter(|r| *r > 0)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{folder, index_path, log_path, named, place_of};
    use crate::state::Place;

    #[test]
    fn a_folders_name_is_its_own_and_fits_a_file_system() {
        let place = Place { topic: 0x1c, partition: 3 };
        assert_eq!(folder("orders", place), "topics/orders-3@1c");
        assert_eq!(place_of("orders-3@1c"), Some(place));
        let place = Place { topic: u32::MAX, partition: 9999 };
        let long = folder(&"n".repeat(249), place);
        assert!(long.len() <= 255 && place_of(&long["topics/".len()..]) == Some(place));
        let others = ["orders-3", "orders@1c", "orders-x@1c", "orders-3@", "orders-3@1c.bak"];
        assert!(others.iter().all(|name| place_of(name).is_none()));
    }

    #[test]
    fn a_files_name_tells_base_and_revision() {
        assert_eq!(log_path("f", 7, 0), "f/00000000000000000007.log");
        assert_eq!(index_path("f", 7, 3), "f/00000000000000000007.3.index");
        assert_eq!(named("00000000000000000007.log"), Some((7, 0)));
        assert_eq!(named("00000000000000000007.3.index"), Some((7, 3)));
        let others = ["7.log", "00000000000000000007", "00000000000000000007.0.log", "00000000000000000007.1.2.log"];
        assert!(others.iter().all(|name| named(name).is_none()));
    }
}
