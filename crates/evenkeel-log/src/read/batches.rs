//! Reading batches as they are kept, for whoever passes them on: no copy, no decoding.
//!
//! From memory they are shared by reference count; from the disk one read fills one buffer, which
//! is sliced. A batch is given whole, also when the offset that was asked for lies inside it, and
//! the first one also when it is larger than the limit.

use super::{Reading, Source, source};
use crate::engine::Shared;
use crate::segment::Segment;
use crate::segment::walk::Found;
use crate::state::Place;
use crate::tail::Held;
use crate::{BatchLimit, Batches, Isolation, ReadError, ReadLimit, Slice};
use evenkeel_model::Shard;

/// Batches from the one that holds `from` on; none when `from` is the end.
pub(crate) fn read_batches(
    shared: &Shared,
    shard: &Shard,
    from: u64,
    limit: BatchLimit,
    isolation: Isolation,
) -> Result<Batches, ReadError> {
    let mut out = Taken { limit, bytes: 0, batches: Batches::default(), full: false };
    let mut next = from;
    let mut aborts = None;
    while !out.full {
        let left = ReadLimit { records: usize::MAX, bytes: limit.bytes.saturating_sub(out.bytes).max(1) };
        let (source, view) = match source(shared, shard, next, left, isolation) {
            Ok(found) => found,
            // What was read is good; the next read says what is wrong.
            Err(_) if next > from => break,
            Err(e) => return Err(e),
        };
        out.batches.ends = view.ends;
        let end = view.end;
        aborts.get_or_insert(view.aborts);
        match source {
            Source::End => break,
            Source::Tail(batches) => {
                batches.into_iter().for_each(|held| out.take(of_memory(held)));
                break;
            }
            Source::Segment(place, folder, segment) => match out.segment(shared, (place, folder, segment), next, end) {
                Ok(after) if after > next => next = after,
                Ok(_) => break,
                // Retention may have taken it in the meantime: the next look says so.
                Err(_) if shared.state().find(shard)?.1.start > next => {}
                Err(_) if next > from => break,
                Err(e) => return Err(e),
            },
        }
    }
    let Taken { mut batches, .. } = out;
    if isolation == Isolation::Committed
        && let (Some(first), Some(last), Some(aborts)) = (batches.batches.first(), batches.batches.last(), aborts)
    {
        batches.aborted = aborts.within(first.base, last.end);
    }
    Ok(batches)
}

struct Taken {
    limit: BatchLimit,
    bytes: usize,
    batches: Batches,
    /// The next batch would be too much.
    full: bool,
}

impl Taken {
    fn take(&mut self, slice: Slice) {
        let fits = self.bytes + slice.bytes.len() <= self.limit.bytes || self.batches.batches.is_empty();
        self.full |= !fits;
        if !self.full {
            self.bytes += slice.bytes.len();
            self.batches.batches.push(slice);
        }
    }

    /// Takes batches of one segment, before `end`; gives back where to go on.
    fn segment(
        &mut self,
        shared: &Shared,
        (place, folder, segment): (Place, String, Segment),
        from: u64,
        end: u64,
    ) -> Result<u64, ReadError> {
        let wanted = self.limit.bytes.saturating_sub(self.bytes);
        let mut reading = Reading::open(shared, place, folder, segment, from, wanted)?;
        let mut next = from;
        while !self.full {
            match reading.next() {
                Ok(Some(found)) if found.base < end => {
                    next = found.end;
                    self.take(of_segment(found));
                }
                Ok(Some(_)) => {
                    self.full = true;
                    return Ok(next);
                }
                // A segment that was compacted may end behind its last batch.
                Ok(None) => return Ok(segment.end.max(next)),
                Err(e) if next == from => return Err(e),
                Err(_) => {
                    self.full = true;
                    return Ok(next);
                }
            }
        }
        Ok(next)
    }
}

fn of_memory(held: Held) -> Slice {
    Slice { base: held.base, end: held.end(), appended: held.appended, bytes: held.bytes }
}

fn of_segment(found: Found) -> Slice {
    Slice { base: found.base, end: found.end, appended: found.appended, bytes: found.bytes }
}
