//! A damaged segment written anew, without what is lost: a new revision, with a gap in it.
//!
//! The old files stay until both slots name the new revision; a crash before that leaves files
//! that nothing refers to.

use std::io;
use std::sync::Arc;

use evenkeel_model::Timestamp;

use crate::calendar::{self, Run};
use crate::disk::File;
use crate::safeguard::{Guards, Safeguard};
use crate::segment::append::{Growing, Site};
use crate::segment::index::Index;
use crate::segment::sweep::{Sweep, Swept};
use crate::segment::{Segment, index_path, log_path};
use crate::state::State;
use crate::tail::Held;

/// How much is gathered before it is written.
const GATHER: usize = 1 << 20;

/// Writes the segment that `file` is a part of anew, if there is one, and has `state` name it.
pub(super) fn rewrite(site: Site<'_>, state: &mut State, file: &str) -> io::Result<()> {
    let named = state.places().find_map(|(place, _, _, partition)| {
        let folder = state.folder(place);
        let is_it = |s: &&Segment| [log_path, index_path].iter().any(|path| path(&folder, s.base, s.revision) == file);
        partition.segments.iter().find(is_it).map(|segment| (place, folder.clone(), *segment))
    });
    let Some((place, folder, old)) = named else { return Ok(()) };
    let parts = calendar::of(site, state.times, place, old.base, old.end)?;
    let runs = calendar::joined(parts, old.base, old.end);
    let times = Times::of(site, &folder, &old, runs);
    let new = write(site, &folder, &old, &times)?;
    if let Some(partition) = state.at_mut(place) {
        partition.segments.iter_mut().filter(|s| s.base == old.base).for_each(|s| *s = new);
    }
    Ok(())
}

/// Makes everything durable that `state` names: it may only have been in the cache.
pub(super) fn make_durable(site: Site<'_>, state: &State) -> io::Result<()> {
    let guards = site.options.guards();
    for (place, _, _, partition) in state.places() {
        let folder = state.folder(place);
        for segment in partition.segments.iter().filter(|_| guards.on(Safeguard::RecoveredFlush)) {
            match site.disk.open(&log_path(&folder, segment.base, segment.revision), false) {
                Ok(log) => log.flush()?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        if !partition.segments.is_empty() && guards.on(Safeguard::SegmentFolderSync) {
            site.disk.sync_folder(&folder)?;
        }
    }
    site.disk.create_folder("topics")?;
    if guards.on(Safeguard::TopicsFolderSync) { site.disk.sync_folder("topics") } else { Ok(()) }
}

fn write(site: Site<'_>, folder: &str, old: &Segment, times: &Times) -> io::Result<Segment> {
    site.disk.create_folder(folder)?;
    let fresh = Segment { revision: old.revision + 1, ..Segment::at(old.base) };
    let mut growing = Growing::open(site, folder, fresh)?;
    let (mut gathered, mut bytes) = (Vec::new(), 0);
    for held in whole(site, folder, old, times)? {
        bytes += held.bytes.len();
        gathered.push(held);
        if bytes >= GATHER {
            growing.write(&gathered)?;
            (gathered, bytes) = (Vec::new(), 0);
        }
    }
    growing.write(&gathered)?;
    growing.dirty().flush(site)?;
    if site.options.guards().on(Safeguard::SegmentFolderSync) {
        site.disk.sync_folder(folder)?;
        site.disk.sync_folder("topics")?;
    }
    let new = Segment { end: old.end, ..growing.segment() };
    Ok(match new.log_bytes {
        0 => Segment { first_at: old.first_at, last_at: old.last_at, ..new },
        _ => new,
    })
}

/// The whole batches of a segment; none when its log is gone.
fn whole<'a>(
    site: Site<'_>,
    folder: &str,
    old: &Segment,
    times: &'a Times,
) -> io::Result<impl Iterator<Item = Held> + 'a> {
    let sweep = match site.disk.open(&log_path(folder, old.base, old.revision), false) {
        Ok(log) => Some(Sweep::new(log, old, site.options.guards())?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(e),
    };
    let batch = |swept| match swept {
        Swept::Batch { head, bytes, .. } => {
            let appended = times.of_batch(head.base, head.max_time);
            Some(Held { base: head.base, count: head.count, appended, lsn: 0, bytes })
        }
        Swept::Hole { .. } => None,
    };
    Ok(sweep.into_iter().flatten().filter_map(batch))
}

/// When the batches of a segment were taken, from whatever still tells.
struct Times {
    /// What checkpoints kept; none where that is not all of it.
    runs: Vec<Run>,
    index: Option<Arc<dyn File>>,
    segment: Segment,
    guards: Guards,
}

impl Times {
    fn of(site: Site<'_>, folder: &str, old: &Segment, runs: Vec<Run>) -> Times {
        let index = site.disk.open(&index_path(folder, old.base, old.revision), false).ok().map(Arc::from);
        Times { runs, index, segment: *old, guards: site.options.guards() }
    }

    /// The creation time stands in where nothing tells.
    fn of_batch(&self, base: u64, created: Timestamp) -> Timestamp {
        let entry = || {
            let index = Index { file: self.index.clone(), segment: self.segment, guards: self.guards };
            let number = index.partition_point(|e| e.offset <= base)?.checked_sub(1)?;
            index.entry(number).map(|entry| entry.appended)
        };
        let bounded = || created.clamp(self.segment.first_at, self.segment.last_at.max(self.segment.first_at));
        let run = self.runs.partition_point(|run| run.offset <= base).checked_sub(1).map(|at| self.runs[at].at);
        run.or_else(entry).unwrap_or_else(bounded)
    }
}
