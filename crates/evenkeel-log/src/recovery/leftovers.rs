//! Files that nothing refers to, after everything else has been understood.

use std::collections::BTreeMap;

use super::doing;
use super::scan::open_file;
use crate::OpenError;
use crate::disk::Disk;
use crate::safeguard::Guards;
use crate::segment::{folder, index_path, log_path, named};
use crate::state::{Condemned, State};
use crate::wal::{number, path};

/// Takes away write-ahead files that no slot needs and no group refers to. Gives back the others.
pub(super) fn wal(disk: &dyn Disk, guards: Guards, oldest: u64, newest: u64) -> Result<BTreeMap<u64, u64>, OpenError> {
    let mut live = BTreeMap::new();
    for name in disk.list("wal").map_err(doing("listing", "wal"))? {
        let Some(number) = number(&name) else { continue };
        if number < oldest || number > newest {
            disk.remove(&path(number)).map_err(doing("removing", &name))?;
        } else if let Ok(file) = open_file(disk, guards, number) {
            live.insert(number, file.header.size);
        }
    }
    Ok(live)
}

/// Takes away segments and revisions that were begun after the checkpoint, and cuts what was added
/// to the one that grows: the groups behind the checkpoint hold it all. What retention took, and
/// revisions that were replaced, go when no slot names them any more.
pub(super) fn segments(disk: &dyn Disk, state: &mut State) -> Result<(), OpenError> {
    // What a group behind the checkpoint took away is still named by the slot that was read.
    let mut condemned = state.condemned.clone();
    for (place, topic, _, partition) in state.places() {
        let folder = folder(&topic.name, place.partition);
        let flushed = partition.written;
        for name in disk.list(&folder).map_err(doing("listing", &folder))? {
            let Some((base, revision)) = named(&name) else { continue };
            let counts = partition.segments.iter().find(|s| s.base == base).map(|s| s.revision);
            let named = |c: &Condemned| (c.place, c.base, c.revision) == (place, base, revision);
            if counts == Some(revision) || state.condemned.iter().any(named) {
                continue;
            }
            let unfinished = counts.is_some_and(|counts| revision > counts);
            if base < flushed && !unfinished {
                condemned.push(Condemned { place, base, revision, since: Some(state.generation) });
            } else {
                let path = format!("{folder}/{name}");
                disk.remove(&path).map_err(doing("removing", &path))?;
            }
        }
        if let Some(last) = partition.segments.last() {
            cut(disk, &log_path(&folder, last.base, last.revision), last.log_bytes)?;
            cut(disk, &index_path(&folder, last.base, last.revision), last.index_bytes)?;
        }
    }
    condemned.sort_by_key(|c: &Condemned| (c.place, c.base, c.revision));
    condemned.dedup_by_key(|c| (c.place, c.base, c.revision));
    state.condemned = condemned;
    Ok(())
}

fn cut(disk: &dyn Disk, path: &str, bytes: u64) -> Result<(), OpenError> {
    let file = disk.open(path, false).map_err(doing("opening", path))?;
    if file.size().map_err(doing("measuring", path))? > bytes {
        file.set_size(bytes).map_err(doing("cutting", path))?;
    }
    Ok(())
}
