//! What is worth a pass, and which segments go together. Pure.

use std::ops::Range;

use evenkeel_model::Timestamp;

use crate::segment::Segment;

/// How far compaction may look into a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Up to here an earlier pass has been.
    pub(crate) cleaned: u64,
    /// The last stable offset, or an owed one that is lower: records from there on stay.
    pub(crate) floor: u64,
    /// Segments that were appended to after this stay dirty.
    pub(crate) settled: Timestamp,
}

/// What there is to do in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dirt {
    /// Where a pass must end: one beyond the last segment that it may touch.
    pub(crate) end: u64,
    /// Bytes that a pass has been over.
    pub(crate) clean: u64,
    /// Bytes that it has not.
    pub(crate) dirty: u64,
}

impl Dirt {
    /// True when the dirty part is at least so many percent of what a pass would read.
    pub(crate) fn reaches(&self, percent: u8) -> bool {
        let (dirty, all) = (u128::from(self.dirty), u128::from(self.dirty) + u128::from(self.clean));
        dirty > 0 && dirty * 100 >= all * u128::from(percent)
    }
}

/// Weighs a partition's sealed segments.
pub(crate) fn dirt(segments: &[Segment], bounds: Bounds) -> Dirt {
    let sealed = &segments[..segments.len().saturating_sub(1)];
    let mut dirt = Dirt { end: bounds.cleaned, ..Dirt::default() };
    for segment in sealed {
        if segment.end <= bounds.cleaned {
            dirt.clean += segment.log_bytes;
        } else if segment.end <= bounds.floor && segment.last_at <= bounds.settled {
            dirt.dirty += segment.log_bytes;
            dirt.end = segment.end;
        } else {
            break;
        }
    }
    dirt
}

/// Neighbours that become one segment, each group of at most `bytes` as they are now. Segments
/// that begin at or beyond `until` stay out.
pub(crate) fn groups(segments: &[Segment], until: u64, bytes: u64) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut size = 0;
    for (number, segment) in segments.iter().enumerate().take_while(|(_, s)| s.base < until) {
        match groups.last_mut() {
            Some(group) if size + segment.log_bytes <= bytes => group.end = number + 1,
            _ => {
                groups.push(number..number + 1);
                size = 0;
            }
        }
        size += segment.log_bytes;
    }
    groups
}
