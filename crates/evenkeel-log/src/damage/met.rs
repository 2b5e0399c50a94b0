//! Damage that a reader meets while the log runs.
//!
//! What does not match its checksum, or what the medium refuses to give, is read once more, past the page
//! cache, before it is believed: the whole segment, so that all offsets that are lost in it are known. Then
//! the log is only read, as if it had been opened so ([`Shared::damaged`]), and a note in the folder
//! ([`super::note`]) has the next open look there as well.

use std::io;

use evenkeel_model::Shard;

use super::{Damage, DamageKind, Offsets};
use crate::disk::{Disk, File, is_of_medium};
use crate::engine::Shared;
use crate::safeguard::Guards;
use crate::segment::sweep::{Sweep, Swept};
use crate::segment::{Segment, log_path};
use crate::state::Place;

/// What a second look at a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Second {
    /// It is whole: read again.
    Whole,
    /// It is damaged, or gone, or cannot be looked at: the first look stands.
    Same,
}

/// Looks at a segment once more, in which a reader met damage; if it is there, the log is told.
pub(crate) fn look_again(shared: &Shared, place: Place, folder: &str, segment: &Segment) -> Second {
    let path = log_path(folder, segment.base, segment.revision);
    if shared.damage().iter().any(|known| known.file == path) {
        return Second::Same;
    }
    let Some(shard) = shard_of(shared, place, segment) else { return Second::Same };
    match places(&*shared.disk, shared.options.guards(), folder, &shard, segment) {
        Ok(found) if found.is_empty() => Second::Whole,
        // Retention or compaction may have taken it in the meantime.
        Ok(found) if shard_of(shared, place, segment).is_some() => {
            shared.damaged(found);
            Second::Same
        }
        _ => Second::Same,
    }
}

/// The partition's name, while it has this segment.
fn shard_of(shared: &Shared, place: Place, segment: &Segment) -> Option<Shard> {
    let state = shared.state();
    let name = state.machine.topics.get(place.topic)?.topic.name.clone();
    let same = |s: &Segment| (s.base, s.revision) == (segment.base, segment.revision);
    state.at(place)?.segments.iter().any(same).then(|| Shard::new(name, place.partition))
}

/// The damaged places of a segment, from the medium.
pub(crate) fn places(
    disk: &dyn Disk,
    guards: Guards,
    folder: &str,
    shard: &Shard,
    segment: &Segment,
) -> io::Result<Vec<Damage>> {
    let path = log_path(folder, segment.base, segment.revision);
    let lost = |from, to| vec![Offsets { shard: shard.clone(), from, to: Some(to) }];
    let damage = |at, from, to, what: String| {
        let lost = if from < to { lost(from, to) } else { Vec::new() };
        Damage { lost, exact: true, ..Damage::new(DamageKind::Segment, &path, at, what) }
    };
    let (file, size) = match opened(disk, &path, segment) {
        Ok(opened) => opened,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(vec![damage(None, segment.base, segment.end, "the file is gone".to_owned())]);
        }
        Err(e) if is_of_medium(&e) => {
            return Ok(vec![damage(None, segment.base, segment.end, format!("it cannot be read: {e}"))]);
        }
        Err(e) => return Err(e),
    };
    let (mut found, mut next) = (Vec::new(), segment.base);
    for swept in Sweep::new(file, segment, guards)? {
        match swept {
            Swept::Batch { head, .. } => next = head.end(),
            Swept::Hole { position, from, to, what } => {
                found.push(damage(Some(position), from, to, what));
                next = to;
            }
        }
    }
    if found.is_empty() && size < segment.log_bytes {
        found.push(damage(Some(size), next, segment.end, "the file ends too early".to_owned()));
    }
    Ok(found)
}

/// The segment's file anew, without what the page cache holds of it, and its length.
fn opened(disk: &dyn Disk, path: &str, segment: &Segment) -> io::Result<(Box<dyn File>, u64)> {
    let file = disk.open(path, false)?;
    // On Linux that lets go of pages that are clean; elsewhere the second look is at memory again.
    file.start_write_back(0, segment.log_bytes)?;
    let size = file.size()?;
    Ok((file, size))
}
