//! An index made again, from the log and from the append times that checkpoints keep.

use std::io;
use std::sync::Arc;

use super::append::{Site, note};
use super::walk::{Files, Lost, Walk};
use super::{Segment, index_path};
use crate::calendar::Run;

/// How much of the log is read at once.
const READ: usize = 1 << 20;

/// Writes the index of `segment` anew. False when `runs` do not give the index that the segment had:
/// then its times are not known (version 1 kept them in the index alone).
pub(crate) fn index(
    site: Site<'_>,
    folder: &str,
    segment: &Segment,
    files: &Arc<Files>,
    runs: &[Run],
) -> Result<bool, Lost> {
    let mut made = Segment { revision: segment.revision, ..Segment::at(segment.base) };
    let mut entries = Vec::new();
    let mut walk = Walk::plain(files, segment, site.options.guards(), READ);
    while let Some(found) = walk.next()? {
        let run = runs.partition_point(|run| run.offset <= found.base).checked_sub(1);
        let Some(run) = run.and_then(|run| runs.get(run)) else { return Ok(false) };
        note(&mut made, &mut entries, found.base, found.end, run.at, found.bytes.len());
    }
    let shape = |s: &Segment| (s.log_bytes, s.index_bytes, s.indexed);
    if shape(&made) != shape(segment) {
        return Ok(false);
    }
    write(site, &index_path(folder, segment.base, segment.revision), &entries).map_err(Lost::Io)?;
    Ok(true)
}

fn write(site: Site<'_>, path: &str, entries: &[u8]) -> io::Result<()> {
    site.disk.open(path, true)?.write_at(entries, 0)
}
