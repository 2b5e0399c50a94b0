//! An index against the batches of its segment. It is derived, so what is wrong is a note.

use super::Note;
use crate::disk::Disk;
use crate::safeguard::Guards;
use crate::segment::index::Index;
use crate::segment::{Segment, index_path};

/// Compares every entry with where batches begin: (offset, position), in order.
pub(super) fn look(
    disk: &dyn Disk,
    guards: Guards,
    folder: &str,
    segment: &Segment,
    starts: &[(u64, u64)],
) -> Option<Note> {
    let file = index_path(folder, segment.base, segment.revision);
    let note = |what: String| Some(Note { file: file.clone(), what });
    let opened = match disk.open(&file, false) {
        Ok(opened) => opened,
        Err(e) => return note(format!("it cannot be read: {e}")),
    };
    let index = Index { file: Some(opened.into()), segment: *segment, guards };
    for number in 0..index.count() {
        match index.entry(number) {
            None => return note(format!("entry {number} is damaged")),
            Some(entry) if starts.binary_search(&(entry.offset, entry.position)).is_err() => {
                return note(format!(
                    "entry {number} points at byte {}, where offset {} does not begin",
                    entry.position, entry.offset
                ));
            }
            Some(_) => {}
        }
    }
    None
}
