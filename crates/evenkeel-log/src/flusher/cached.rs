//! What of the segments stays in the file system's cache: the newest, for readers that fell behind the tail.
//!
//! A cache that grows takes fresh memory for each page, which costs more than the copy into it (on virtual
//! machines several times as much), and takes it from others. So what was flushed longest ago is let
//! go of, and its memory used again. It is advice: readers find it on the disk.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::disk::Disk;
use crate::segment::append::Dirty;

/// So many parts are remembered; of small ones beyond it memory is let go of early.
const PARTS_MAX: usize = 4096;

/// What was flushed and may be in the cache, the oldest first.
#[derive(Default)]
pub(super) struct Cached {
    parts: VecDeque<(Arc<str>, Range<u64>)>,
    bytes: u64,
}

impl Cached {
    /// These were flushed; of all that was, no more than `max` bytes stay.
    pub(super) fn flushed<'a>(&mut self, disk: &dyn Disk, files: impl Iterator<Item = &'a Dirty>, max: u64) {
        for (path, part) in files.map(Dirty::fresh) {
            self.bytes += part.end - part.start;
            self.parts.push_back((path.clone(), part.clone()));
        }
        while self.bytes > max || self.parts.len() > PARTS_MAX {
            let Some((path, part)) = self.parts.pop_front() else { break };
            self.bytes -= part.end - part.start;
            disk.forget(&path, part.start, part.end - part.start);
        }
    }
}
