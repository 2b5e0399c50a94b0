//! Reading records: from memory where the newest records are, from segments where the others are.
//!
//! A reader looks at the state under its lock, takes what it needs (batches by reference count,
//! or the segment's numbers), and decodes outside it. Only durable records are in the state, and of
//! transactions only what is committed comes out: nothing from the last stable offset on, no
//! markers, and no records of a transaction that was aborted.

mod batches;
mod reading;

use evenkeel_model::{Position, Shard, Stored, Timestamp};

use crate::batch::{Head, Malformed, Records};
use crate::engine::Shared;
use crate::machine::Aborts;
use crate::segment::Segment;
use crate::state::Place;
use crate::tail::Held;
use crate::{Ends, Isolation, Producer, ReadError, ReadLimit};

use bytes::Bytes;

pub(crate) use batches::read_batches;
pub(crate) use reading::Reading;

/// Where the records from some offset on are.
enum Source {
    /// Nowhere yet.
    End,
    /// In memory.
    Tail(Vec<Held>),
    /// On the disk, in this folder.
    Segment(Place, String, Segment),
}

/// What a reader sees of a partition.
#[derive(Default)]
struct View {
    ends: Ends,
    /// Nothing is seen from here on.
    end: u64,
    aborts: Aborts,
}

impl View {
    fn hides(&self, head: &Head) -> bool {
        let aborted = |p: Producer| head.is_transactional() && self.aborts.covers(p.id, head.base);
        head.is_control() || head.producer.is_some_and(aborted)
    }
}

/// Records from `from` on, at least one if there is one.
pub(crate) fn read(shared: &Shared, shard: &Shard, from: u64, limit: ReadLimit) -> Result<Vec<Stored>, ReadError> {
    let mut out = Collected { shard, limit, view: View::default(), bytes: 0, records: Vec::new() };
    let mut next = from;
    while !out.is_full() {
        let (source, view) = source(shared, shard, next, limit, Isolation::Committed)?;
        out.view = view;
        match source {
            Source::End => break,
            Source::Tail(batches) => {
                for batch in &batches {
                    // As below; and memory that groups come in is used again when nobody has a piece of it.
                    let bytes = Bytes::copy_from_slice(&batch.bytes);
                    out.take(&bytes, batch.appended, next).map_err(|e| in_memory(shard, batch.base, e))?;
                }
                // All of it may have been hidden.
                let Some(last) = batches.last() else { break };
                next = last.end();
            }
            Source::Segment(place, folder, segment) => {
                match read_segment(shared, place, &folder, &segment, &mut out, next) {
                    // Retention or compaction may have taken it in the meantime: the next look says so.
                    Err(ReadError::Io { .. } | ReadError::Corrupt { .. }) if is_gone(shared, shard, &segment)? => {}
                    // What was read before the damage is good; the next read says what is damaged.
                    Err(_) if !out.records.is_empty() => break,
                    done => {
                        let after = done?;
                        if after == next {
                            // Damage behind what was read: what is good is given, the next read says so.
                            break;
                        }
                        next = after;
                    }
                }
            }
        }
    }
    Ok(out.records)
}

fn source(
    shared: &Shared,
    shard: &Shard,
    from: u64,
    limit: ReadLimit,
    isolation: Isolation,
) -> Result<(Source, View), ReadError> {
    let state = shared.state();
    let (place, ends, partition) = state.find(shard)?;
    if from < ends.start {
        return Err(ReadError::BelowStart { start: ends.start });
    }
    if from > ends.high_watermark {
        return Err(ReadError::Beyond { end: ends.high_watermark });
    }
    let aborts = state.machine.at(place).map(|p| p.aborts.clone()).unwrap_or_default();
    let end = match isolation {
        Isolation::Committed => ends.last_stable,
        Isolation::Uncommitted => ends.high_watermark,
    };
    let view = View { ends, end, aborts };
    if from >= end {
        return Ok((Source::End, view));
    }
    if partition.tail.start().is_some_and(|start| start <= from) {
        let (mut records, mut bytes) = (0, 0);
        let enough = |held: &&Held| {
            let more = records < limit.records && bytes < limit.bytes && held.base < end;
            records += usize::try_from(held.end() - held.base.max(from)).unwrap_or(usize::MAX);
            bytes += held.bytes.len();
            more
        };
        return Ok((Source::Tail(partition.tail.from(from).take_while(enough).cloned().collect()), view));
    }
    let index = partition.segments.partition_point(|s| s.end <= from);
    match partition.segments.get(index) {
        Some(segment) => Ok((Source::Segment(place, state.folder(place), *segment), view)),
        None => Ok((Source::End, view)),
    }
}

/// True when the segment is not what it was any more. One that still grows may have gone on.
fn is_gone(shared: &Shared, shard: &Shard, segment: &Segment) -> Result<bool, ReadError> {
    let same = |s: &Segment| (s.base, s.revision) == (segment.base, segment.revision);
    Ok(!shared.state().find(shard)?.2.segments.iter().any(same))
}

/// Reads from one segment; gives back where to go on.
fn read_segment(
    shared: &Shared,
    place: Place,
    folder: &str,
    segment: &Segment,
    out: &mut Collected<'_>,
    from: u64,
) -> Result<u64, ReadError> {
    let wanted = out.limit.bytes.min(out.limit.records.saturating_mul(1024));
    let mut reading = Reading::open(shared, place, folder.to_owned(), *segment, from, wanted)?;
    let mut next = from;
    while !out.is_full() {
        let found = match reading.next() {
            Ok(Some(found)) => found,
            Ok(None) => {
                if segment.revision > 0 {
                    // What is missing at its end is missing because of compaction.
                    next = next.max(segment.end);
                }
                break;
            }
            Err(lost) if out.records.is_empty() => return Err(lost),
            // What was read is good; the next read reports the damage.
            Err(_) => break,
        };
        if found.base >= out.view.end {
            return Ok(out.view.end.max(next));
        }
        if found.end > from {
            // A record must not keep all of what was read with it in memory.
            let batch = Bytes::copy_from_slice(&found.bytes);
            out.take(&batch, found.appended, from).map_err(|e| ReadError::Corrupt {
                place: format!("{} offset {}", reading.path, found.base),
                what: e.to_string(),
            })?;
        }
        next = next.max(found.end);
    }
    if next == from && out.records.is_empty() && segment.revision > 0 {
        // Written anew without what stood here.
        return Ok(segment.end);
    }
    if next == from && out.records.is_empty() {
        let place = format!("{} offset {from}", reading.path);
        return Err(ReadError::Corrupt { place, what: "the offset is not in its segment".to_owned() });
    }
    Ok(next)
}

/// The first offset that was appended at or after `time`.
pub(crate) fn offset_at(shared: &Shared, shard: &Shard, time: Timestamp) -> Result<Option<u64>, ReadError> {
    let start = shared.state().find(shard)?.1.start;
    // A partition may begin within a batch.
    Ok(batch_at(shared, shard, time)?.map(|offset| offset.max(start)))
}

/// The offset of the first batch that was appended at or after `time`.
fn batch_at(shared: &Shared, shard: &Shard, time: Timestamp) -> Result<Option<u64>, ReadError> {
    let (place, folder, segment) = {
        let state = shared.state();
        let (place, _, partition) = state.find(shard)?;
        let index = partition.segments.partition_point(|s| s.last_at < time);
        match partition.segments.get(index) {
            Some(segment) => (place, state.folder(place), *segment),
            None => return Ok(partition.tail.offset_at(time)),
        }
    };
    if segment.first_at >= time {
        return Ok(Some(segment.base));
    }
    let mut reading = Reading::open(shared, place, folder, segment, segment.base, 0)?;
    if let Some(offset) = reading.indexed_at(time)? {
        return Ok(Some(offset));
    }
    while let Some(found) = reading.next()? {
        if found.appended >= time {
            return Ok(Some(found.base));
        }
    }
    Ok(Some(segment.end))
}

struct Collected<'a> {
    shard: &'a Shard,
    limit: ReadLimit,
    view: View,
    bytes: usize,
    records: Vec<Stored>,
}

impl Collected<'_> {
    fn is_full(&self) -> bool {
        self.records.len() >= self.limit.records || (!self.records.is_empty() && self.bytes >= self.limit.bytes)
    }

    fn take(&mut self, batch: &Bytes, appended: Timestamp, from: u64) -> Result<(), Malformed> {
        if self.is_full() || self.view.hides(&Head::parse(batch)?) {
            return Ok(());
        }
        let mut records = Records::of(batch)?;
        records.skip_to(from)?;
        for record in records {
            let (offset, record) = record?;
            let lengths = [&record.key, &record.value].map(|b| b.as_ref().map_or(0, Bytes::len));
            let headers: usize =
                record.headers.iter().map(|h| h.name.len() + h.value.as_ref().map_or(0, Bytes::len)).sum();
            self.bytes += lengths[0] + lengths[1] + headers;
            self.records.push(Stored { at: Position { shard: self.shard.clone(), offset }, appended, record });
            if self.is_full() {
                break;
            }
        }
        Ok(())
    }
}

fn in_memory(shard: &Shard, base: u64, e: Malformed) -> ReadError {
    let place = format!("{}-{} offset {base} in memory", shard.topic, shard.partition);
    ReadError::Corrupt { place, what: e.to_string() }
}
