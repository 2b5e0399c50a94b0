//! The log without its checkpoints: both slots are lost, and everything else tells what they said.
//!
//! The control topic has the topics, the segments what each partition holds, the write-ahead files what
//! came last. All of it is read, so it takes as long as the log is large; it changes nothing. It is
//! never taken for the whole truth: what a slot alone knew (append times of batches without an index,
//! which revision of a segment counted) is guessed, so it is only read, and not repaired.
//!
//! Folders of version 1 are not looked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use evenkeel_model::{Shard, Timestamp};

use super::chain::Reader;
use super::lost::Later;
use super::scan::{entries, open_file};
use super::{doing, or_damage};
use crate::batch::Head;
use crate::calendar::Extent;
use crate::checkpoint::PartitionAt;
use crate::control::{self, Fact};
use crate::disk::Disk;
use crate::safeguard::Guards;
use crate::segment::index::{ENTRY, Index};
use crate::segment::sweep::{Sweep, Swept};
use crate::segment::{Segment, index_path, log_path, named, place_of};
use crate::state::{CONTROL, Place, State};
use crate::tail::Held;
use crate::wal::header::{GROUP_BYTES, GroupHeader};
use crate::wal::{FIRST_GROUP, Position, number, padded};
use crate::{Damage, Ends, Offsets, OpenError};

/// So large that the next checkpoint begins a file of append times of its own.
const TIMES_END: u64 = (1 << 40) - 1;

/// Takes what is there into an empty `state`; what is known to be missing goes into `damage`.
pub(super) fn run(disk: &dyn Disk, guards: Guards, state: &mut State, damage: &mut Damage) -> Result<(), OpenError> {
    let names = disk.list("topics").map_err(doing("listing", "topics"))?;
    let folders: BTreeMap<Place, String> =
        names.iter().filter_map(|name| Some((place_of(name)?, format!("topics/{name}")))).collect();
    let chain = newest_chain(disk, guards)?;
    let floors = floors(disk, guards, &chain)?;
    let mut facts = Vec::new();
    for (place, folder) in &folders {
        // Places are in order: the control topic comes first.
        if state.machine.at(*place).is_none() {
            continue;
        }
        let floor = floors.get(place).copied().unwrap_or(u64::MAX);
        let segments = segments(disk, guards, folder, floor)?;
        let begins = floors.get(place).copied();
        restore(disk, guards, state, (*place, begins), folder, segments, |bytes| {
            facts.extend(control::decode(bytes).unwrap_or_default());
        })?;
        if *place == CONTROL {
            learn(state, &facts);
        }
    }
    state.times = times(disk)?;
    replay(disk, guards, &chain, state, damage)?;
    begin(state, &facts);
    forget_before_starts(state, &mut damage.lost);
    Ok(())
}

/// Topics and producer ids. Compaction left only the newest fact of each kind, so that some lead nowhere.
fn learn(state: &mut State, facts: &[Fact]) {
    let of_topics = |fact: &&Fact| !matches!(fact, Fact::Started { .. } | Fact::Epoch { .. });
    for fact in facts.iter().filter(of_topics) {
        let _ = state.learn(fact);
    }
}

/// Where partitions begin, and their leader epochs, now that it is known where they end.
fn begin(state: &mut State, facts: &[Fact]) {
    for fact in facts {
        match fact {
            Fact::Started { .. } => drop(state.learn(fact)),
            Fact::Epoch { place, epoch, .. } => {
                if let Some(partition) = state.machine.at_mut(*place) {
                    partition.leader_epoch = partition.leader_epoch.max(*epoch);
                }
            }
            _ => {}
        }
    }
}

/// Nothing is lost of what retention took, even where the names of some segments are there again.
fn forget_before_starts(state: &State, lost: &mut Vec<Offsets>) {
    for offsets in lost.iter_mut() {
        let start = state.machine.find(&offsets.shard).map_or(0, |place| state.ends(place).start);
        offsets.from = offsets.from.max(start);
    }
    lost.retain(|offsets| offsets.to.is_none_or(|to| offsets.from < to));
}

/// The segments of a partition that do not overlap: of each base the revision that is sure to be whole,
/// which is the oldest, unless what it was put together with is gone. A gap that reaches beyond the floor
/// ends them: names were lost there.
fn segments(disk: &dyn Disk, guards: Guards, folder: &str, floor: u64) -> Result<Vec<Segment>, OpenError> {
    let mut found: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for name in disk.list(folder).map_err(doing("listing", folder))? {
        if let Some((base, revision)) = named(&name).filter(|_| name.ends_with(".log")) {
            found.entry(base).or_default().insert(revision);
        }
    }
    let mut segments: Vec<Segment> = Vec::new();
    for (base, revisions) in &found {
        let end = segments.last().map_or(0, |last| last.end);
        if end > *base {
            continue;
        }
        if end < *base && *base > floor {
            break;
        }
        let measured = revisions.iter().map(|revision| measure(disk, guards, folder, (*base, *revision), floor));
        let mut measured = measured.filter(|segment| segment.end > *base);
        let Some(oldest) = measured.next() else { continue };
        let follows = found.contains_key(&oldest.end);
        let newer = measured.filter(|newer| !follows && newer.end > oldest.end).max_by_key(|newer| newer.end);
        segments.push(newer.unwrap_or(oldest));
    }
    Ok(segments)
}

/// A segment up to its last whole batch; empty when there is none. What is damaged from offset `floor` on,
/// and all behind it, comes from the write-ahead log: it may never have been flushed.
fn measure(disk: &dyn Disk, guards: Guards, folder: &str, (base, revision): (u64, u64), floor: u64) -> Segment {
    let mut segment = Segment { revision, ..Segment::at(base) };
    let opened = disk.open(&log_path(folder, base, revision), false);
    let all = opened.and_then(|file| {
        let log_bytes = file.size()?;
        Sweep::new(file, &Segment { log_bytes, end: u64::MAX / 2, ..segment }, guards)
    });
    let mut times: Option<(Timestamp, Timestamp)> = None;
    for swept in all.into_iter().flatten() {
        let (position, head, bytes) = match swept {
            Swept::Batch { position, head, bytes } => (position, head, bytes),
            Swept::Hole { from, .. } if from >= floor => break,
            Swept::Hole { .. } => continue,
        };
        segment.log_bytes = position + bytes.len() as u64;
        segment.end = head.end();
        let (first, last) = times.unwrap_or((head.max_time, head.max_time));
        times = Some((first.min(head.max_time), last.max(head.max_time)));
    }
    (segment.first_at, segment.last_at) = times.unwrap_or_default();
    note_index(disk, guards, folder, &mut segment);
    segment
}

/// Counts on the entries of the index that can be believed, from the first on.
fn note_index(disk: &dyn Disk, guards: Guards, folder: &str, segment: &mut Segment) {
    let Ok(file) = disk.open(&index_path(folder, segment.base, segment.revision), false) else { return };
    let count = file.size().unwrap_or(0) / ENTRY;
    let index = Index { file: Some(Arc::from(file)), segment: *segment, guards };
    for number in 0..count {
        let entry = index.entry(number);
        let follows = |position: u64| position < segment.log_bytes && (number == 0 || position > segment.indexed);
        let Some(entry) = entry.filter(|entry| follows(entry.position)) else { return };
        segment.index_bytes += ENTRY;
        segment.indexed = entry.position;
        if number == 0 {
            segment.first_at = entry.appended;
        }
        segment.last_at = entry.appended;
    }
}

/// Puts a partition in its place, and tells the machine of every batch, as it was told when they came.
/// Without segments it begins where the write-ahead log does.
fn restore(
    disk: &dyn Disk,
    guards: Guards,
    state: &mut State,
    (place, floor): (Place, Option<u64>),
    folder: &str,
    segments: Vec<Segment>,
    mut of_control: impl FnMut(&Bytes),
) -> Result<(), OpenError> {
    let start = segments.first().map(|s| s.base).or(floor).unwrap_or(0);
    let Some(partition) = state.machine.at_mut(place) else { return Ok(()) };
    partition.restore(Ends { start, high_watermark: start, last_stable: start }, 0);
    for segment in &segments {
        let path = log_path(folder, segment.base, segment.revision);
        let log = disk.open(&path, false).map_err(doing("opening", &path))?;
        for swept in Sweep::new(log, segment, guards).map_err(doing("measuring", &path))? {
            let Swept::Batch { head, bytes, .. } = swept else { continue };
            if place == CONTROL {
                of_control(&bytes);
            }
            // A marker that cannot be read decides nothing.
            let _ = state.machine.revisit(place, &head, &bytes, head.max_time);
        }
    }
    let Some(machine) = state.machine.at(place) else { return Ok(()) };
    let (ends, leader_epoch) = (Ends { start, high_watermark: machine.next, last_stable: start }, machine.leader_epoch);
    if let Some(kept) = state.at_mut(place) {
        kept.restore(&PartitionAt { place, ends, leader_epoch, cleaned: 0, plain: false, segments });
    }
    Ok(())
}

/// All files of append times, and none to go on in.
fn times(disk: &dyn Disk) -> Result<Extent, OpenError> {
    let names = disk.list("times").map_err(doing("listing", "times"))?;
    let numbers: BTreeSet<u64> = names.iter().filter_map(|name| crate::calendar::number(name)).collect();
    let ends = numbers.first().zip(numbers.last());
    Ok(ends.map_or_else(Extent::default, |(first, file)| Extent { first: *first, file: *file, at: TIMES_END }))
}

/// Takes from the write-ahead log what no segment holds.
fn replay(
    disk: &dyn Disk,
    guards: Guards,
    chain: &[Later],
    state: &mut State,
    damage: &mut Damage,
) -> Result<(), OpenError> {
    each(disk, guards, chain, |group, header, payload| {
        let at = Timestamp::from_micros(header.at_us);
        for (place, head, bytes) in entries(header, payload).map_while(Result::ok) {
            take(
                state,
                place,
                &head,
                Held { base: head.base, count: head.count, appended: at, lsn: header.lsn, bytes },
                damage,
            );
        }
        state.last_at = state.last_at.max(at);
        let length = padded(GROUP_BYTES as u64 + u64::from(header.length));
        let (at, lsn) = (group.at + length, header.lsn + 1);
        state.wal = Position { file: group.file, at, lsn, previous: header.crc };
    })
}

/// The lowest offset of each partition that the write-ahead log has.
fn floors(disk: &dyn Disk, guards: Guards, chain: &[Later]) -> Result<BTreeMap<Place, u64>, OpenError> {
    let mut floors = BTreeMap::new();
    each(disk, guards, chain, |_, header, payload| {
        for (place, head, _) in entries(header, payload).map_while(Result::ok) {
            floors.entry(place).or_insert(head.base);
        }
    })?;
    Ok(floors)
}

/// Gives `take` each group of the chain, with its payload.
fn each(
    disk: &dyn Disk,
    guards: Guards,
    chain: &[Later],
    mut take: impl FnMut(&Later, &GroupHeader, &Bytes),
) -> Result<(), OpenError> {
    let mut open: Option<(u64, Reader)> = None;
    for group in chain {
        let reader = match &mut open {
            Some((number, reader)) if *number == group.file => reader,
            _ => &mut open.insert((group.file, Reader::new(open_file(disk, guards, group.file)?, guards))).1,
        };
        let Ok(Some((header, bytes))) = or_damage(reader.group(group.at))? else { break };
        take(group, &header, &bytes.slice(GROUP_BYTES..));
    }
    Ok(())
}

/// Takes one entry, unless a segment has it. What is missing before it is lost, unless compaction took it.
fn take(state: &mut State, place: Place, head: &Head, held: Held, damage: &mut Damage) {
    let compacted = state.at(place).and_then(|kept| kept.segments.last()).is_some_and(|last| last.revision > 0);
    let shard = Shard::new(state.name(place.topic), place.partition);
    let Some(partition) = state.machine.at_mut(place).filter(|partition| head.base >= partition.next) else { return };
    let next = std::mem::replace(&mut partition.next, head.base);
    if head.base > next && !compacted {
        damage.lost.push(Offsets { shard, from: next, to: Some(head.base) });
    }
    if let Err(why) = state.apply(place, head, held) {
        damage.what = format!("{}; {why}", damage.what);
    }
}

/// The whole groups at the end of the write-ahead log that follow each other. Files before them may be
/// used again already; what stands behind a group that was never complete does not count.
fn newest_chain(disk: &dyn Disk, guards: Guards) -> Result<Vec<Later>, OpenError> {
    let mut groups = Vec::new();
    for name in disk.list("wal").map_err(doing("listing", "wal"))? {
        let Some(number) = number(&name) else { continue };
        if let Ok(file) = or_damage(open_file(disk, guards, number))? {
            groups.extend(Later::all(&file, guards, FIRST_GROUP)?);
        }
    }
    groups.sort_by_key(|group| (group.header.lsn, group.file, group.at));
    // Of a number there may be several: what a power cut left of a group that was in the air stays where it
    // is until it is written over.
    let mut chains: Vec<Vec<Later>> = Vec::new();
    let mut ends: HashMap<(u64, u32), usize> = HashMap::new();
    for group in groups {
        let GroupHeader { lsn, previous, crc, .. } = group.header;
        let chain = ends.remove(&(lsn.saturating_sub(1), previous)).unwrap_or(chains.len());
        ends.insert((lsn, crc), chain);
        match chains.get_mut(chain) {
            Some(chain) => chain.push(group),
            None => chains.push(vec![group]),
        }
    }
    let counts = |chain: &Vec<Later>| chain.first().is_some_and(|first| first.header.durable + 1 >= first.header.lsn);
    let newest = chains.into_iter().filter(counts).max_by_key(|chain| chain.last().map(|last| last.header.lsn));
    Ok(newest.unwrap_or_default())
}
