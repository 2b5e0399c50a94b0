//! Files that nothing refers to, after everything else has been understood.

use std::collections::BTreeMap;
use std::io;

use super::doing;
use super::scan::open_file;
use crate::OpenError;
use crate::disk::Disk;
use crate::safeguard::Guards;
use crate::segment::{index_path, log_path, named, place_of};
use crate::state::{Condemned, Gone, State};
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
    let mut found = Vec::new();
    for (place, _, _, partition) in state.places() {
        let folder = state.folder(place);
        for name in disk.list(&folder).map_err(doing("listing", &folder))? {
            let Some((base, revision)) = named(&name) else { continue };
            let counts = partition.segments.iter().find(|s| s.base == base).map(|s| s.revision);
            let what = Gone::Segment { base, revision };
            // What a group behind the checkpoint took away is still named by the slot that was read.
            let known = |c: &Condemned| (c.place, c.what) == (place, what);
            if counts == Some(revision) || state.condemned.iter().any(known) {
                continue;
            }
            let unfinished = counts.is_some_and(|counts| revision > counts);
            if base < partition.written && !unfinished {
                found.push(Condemned { place, folder: folder.clone(), what, since: Some(state.generation) });
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
    found.sort();
    found.dedup();
    state.condemned.extend(found);
    Ok(())
}

/// Condemns the folders of topics that were deleted. Only a name that holds a number which this log
/// has given away is believed to be one.
pub(super) fn topics(disk: &dyn Disk, state: &mut State) -> Result<(), OpenError> {
    for name in disk.list("topics").map_err(doing("listing", "topics"))? {
        let Some(place) = place_of(&name).filter(|p| p.topic < state.machine.topics.next_number()) else { continue };
        let condemned = |c: &Condemned| (c.place, c.what) == (place, Gone::Partition);
        if state.at(place).is_none() && !state.condemned.iter().any(condemned) {
            let (folder, since) = (format!("topics/{name}"), Some(state.generation));
            state.condemned.push(Condemned { place, folder, what: Gone::Partition, since });
        }
    }
    Ok(())
}

fn cut(disk: &dyn Disk, path: &str, bytes: u64) -> Result<(), OpenError> {
    let file = match disk.open(path, false) {
        // An index is derived; a log was looked for before.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(doing("opening", path))?,
    };
    if file.size().map_err(doing("measuring", path))? > bytes {
        file.set_size(bytes).map_err(doing("cutting", path))?;
    }
    Ok(())
}
