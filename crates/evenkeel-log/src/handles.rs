//! Open segment files for readers: a few, the oldest closed first.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use crate::disk::Disk;
use crate::segment::walk::Files;
use crate::segment::{Segment, index_path, log_path};
use crate::state::{Gone, Place};
use crate::ticket::held;

/// How many segments are kept open; fewer where the process may open few files.
const OPEN_MAX: usize = 64;

/// A segment's partition, base and revision.
type Key = (Place, u64, u64);

/// The open ones, least recently opened first.
#[derive(Default)]
pub(crate) struct Handles(Mutex<VecDeque<(Key, Arc<Files>)>>);

impl Handles {
    /// The files of a segment, opened if need be.
    pub(crate) fn open(
        &self,
        disk: &dyn Disk,
        place: Place,
        folder: &str,
        segment: &Segment,
    ) -> io::Result<Arc<Files>> {
        let key = (place, segment.base, segment.revision);
        if let Some((_, files)) = held(&self.0).iter().find(|(k, _)| *k == key) {
            return Ok(files.clone());
        }
        let log = disk.open(&log_path(folder, segment.base, segment.revision), false)?;
        let index = match disk.open(&index_path(folder, segment.base, segment.revision), false) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?.into()),
        };
        let files = Arc::new(Files { log, index });
        let mut open = held(&self.0);
        open.push_back((key, files.clone()));
        // A segment takes two; a quarter of the process's files at most.
        while open.len() > OPEN_MAX.min(disk.files_max() / 8).max(1) {
            open.pop_front();
        }
        Ok(files)
    }

    /// Closes what is gone.
    pub(crate) fn close(&self, place: Place, what: Gone) {
        held(&self.0).retain(|((of, base, revision), _)| match what {
            Gone::Partition => *of != place,
            Gone::Segment { base: b, revision: r } => (*of, *base, *revision) != (place, b, r),
        });
    }
}
