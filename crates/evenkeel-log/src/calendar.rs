//! When the log took what: the append times of all batches, over all partitions, in files of their
//! own, so that indexes are derived and need no flush.
//!
//! Each checkpoint appends one section with the times of what was written to segments since the one
//! before, and flushes one file, however many partitions there are. A slot says how far the files
//! count ([`Extent`]). They are read only to rebuild an index, or to carry on what lives of the
//! oldest file so that it can go; then they stay small beside the segments.
//!
//! Invariants: a partition's times are in the sections up to the newest checkpoint, or wait in the
//! write-back; a file goes only when no slot counts on it.

mod section;

use std::collections::BTreeMap;
use std::io;

use evenkeel_model::Timestamp;

pub(crate) use section::Part;

use crate::disk::{Disk, File, is_of_medium};
use crate::safeguard::Safeguard;
use crate::segment::append::Site;
use crate::state::Place;

/// From this offset on, batches were taken at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) offset: u64,
    pub(crate) at: Timestamp,
}

/// How far the files count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The oldest file that is needed.
    pub(crate) first: u64,
    /// The newest; 0 when there is none.
    pub(crate) file: u64,
    /// Where the next section of it goes.
    pub(crate) at: u64,
}

/// What the slots say of the files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// The newest slot.
    pub(crate) extent: Extent,
    /// The oldest file that each counts on, by generation modulo 2; `None` where there is no slot.
    pub(crate) firsts: [Option<u64>; 2],
}

/// The path of a file of times.
fn path(number: u64) -> String {
    format!("times/{number:016x}.times")
}

/// The number in a file's name.
pub(crate) fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".times").filter(|digits| digits.len() == 16).and_then(|d| u64::from_str_radix(d, 16).ok())
}

/// Appends a section and makes it durable. Gives back how far the files count then.
pub(crate) fn append(site: Site<'_>, extent: Extent, generation: u64, parts: &[Part]) -> io::Result<Extent> {
    if parts.is_empty() {
        return Ok(extent);
    }
    let guards = site.options.guards();
    let fresh = extent.file == 0 || extent.at >= file_bytes(site);
    let (file, at) = if fresh { (extent.file + 1, 0) } else { (extent.file, extent.at) };
    if extent.file == 0 {
        site.disk.create_folder("times")?;
    }
    let opened = site.disk.open(&path(file), fresh)?;
    let section = section::encode(generation, parts);
    opened.write_at(&section, at)?;
    if guards.on(Safeguard::TimesFlush) {
        opened.flush()?;
        site.stats.flushed();
    }
    if fresh && guards.on(Safeguard::TimesFolderSync) {
        site.disk.sync_folder("times")?;
        site.stats.flushed();
    }
    if extent.file == 0 && guards.on(Safeguard::TimesFolderSync) {
        site.disk.sync_folder("")?;
        site.stats.flushed();
    }
    Ok(Extent { first: extent.first.max(1), file, at: at + section.len() as u64 })
}

/// What still lives of the oldest file, if the files have become large beside segments of
/// `segment_bytes` in all; the caller appends it again and counts from the next file on.
pub(crate) fn carry(
    site: Site<'_>,
    extent: Extent,
    segment_bytes: u64,
    lives: impl Fn(&Part) -> bool,
) -> io::Result<Option<Vec<Part>>> {
    let files = (extent.file + 1).saturating_sub(extent.first);
    let most = (4 * file_bytes(site)).max(segment_bytes / 64);
    if files < 3 || (files - 1) * file_bytes(site) + extent.at < most {
        return Ok(None);
    }
    let mut parts = Vec::new();
    let _ = read_file(site, &path(extent.first), u64::MAX, |part| parts.extend(Some(part).filter(&lives)))?;
    Ok(Some(parts))
}

/// The parts that speak of a partition between two offsets.
pub(crate) fn of(site: Site<'_>, extent: Extent, place: Place, from: u64, to: u64) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let concerns = |part: &Part| part.place == place && part.end > from && part.first() < to;
    for number in extent.first.max(1)..=extent.file {
        let end = if number == extent.file { extent.at } else { u64::MAX };
        // What a damaged file does not say is missed below.
        let _ = read_file(site, &path(number), end, |part| parts.extend(Some(part).filter(&concerns)))?;
    }
    Ok(parts)
}

/// The runs of these parts, in order; none unless the parts leave no gap between two offsets.
pub(crate) fn joined(mut parts: Vec<Part>, from: u64, to: u64) -> Vec<Run> {
    parts.sort_by_key(|part| (part.generation, part.first()));
    let mut upto = from;
    let mut runs: BTreeMap<u64, Timestamp> = BTreeMap::new();
    for part in parts {
        if part.first() >= to {
            continue;
        }
        if part.first() > upto {
            return Vec::new();
        }
        upto = part.end;
        runs.split_off(&part.first());
        runs.extend(part.runs.iter().map(|run| (run.offset, run.at)));
    }
    let runs = runs.into_iter().map(|(offset, at)| Run { offset, at });
    if upto < to { Vec::new() } else { runs.collect() }
}

/// Gives `take` every part of a file up to `end`. False when the file is damaged or gone: what it
/// said is lost, and nothing is made up.
fn read_file(site: Site<'_>, path: &str, end: u64, mut take: impl FnMut(Part)) -> io::Result<bool> {
    let file = match site.disk.open(path, false) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let size = file.size()?.min(end);
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    match file.read_at(&mut bytes, 0) {
        Err(e) if is_of_medium(&e) => return Ok(false),
        read => read?,
    }
    let mut left = &bytes[..];
    while !left.is_empty() {
        let Some((parts, behind)) = section::decode(left, site.options.guards()) else { return Ok(end == u64::MAX) };
        parts.into_iter().for_each(&mut take);
        left = behind;
    }
    Ok(end == u64::MAX || size == end)
}

/// A file goes on in the next one behind this.
fn file_bytes(site: Site<'_>) -> u64 {
    site.options.segment_bytes / 16
}

/// Takes away files before `first`.
pub(crate) fn release(disk: &dyn Disk, first: u64) -> io::Result<()> {
    for name in disk.list("times")? {
        if number(&name).is_some_and(|number| number < first) {
            disk.remove(&format!("times/{name}"))?;
        }
    }
    Ok(())
}

/// Takes away what no slot counts on: what stands behind the newest slot's extent, and files before
/// both.
pub(crate) fn cut(disk: &dyn Disk, counted: &Counted) -> io::Result<()> {
    let extent = counted.extent;
    let first = counted.firsts.iter().flatten().copied().min().unwrap_or(0);
    for name in disk.list("times")? {
        let Some(number) = number(&name) else { continue };
        let path = format!("times/{name}");
        if number > extent.file || number < first {
            disk.remove(&path)?;
        } else if number == extent.file {
            cut_file(&*disk.open(&path, false)?, extent.at)?;
        }
    }
    Ok(())
}

fn cut_file(file: &dyn File, size: u64) -> io::Result<()> {
    if file.size()? > size { file.set_size(size) } else { Ok(()) }
}
