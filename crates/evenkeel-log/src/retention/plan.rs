//! What retention takes from one partition: a pure decision.
//!
//! Whole segments from the front, and never the one that still grows, nor past what is owed. A
//! hard limit whose topic lets the oldest expire is the one thing that goes past what is owed.

use evenkeel_model::Timestamp;

use crate::segment::Segment;
use crate::{AtLimit, Retention};

/// From this share of a hard limit on, in percent, a partition is nearly full.
pub(crate) const ALARM_PERCENT: u64 = 80;

/// What a partition holds, and what is owed of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighed<'a> {
    pub(crate) segments: &'a [Segment],
    /// All its bytes, those that are in no segment yet included.
    pub(crate) bytes: u64,
    /// The lowest offset that is owed.
    pub(crate) owed: u64,
}

/// Where a partition is to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) start: u64,
    pub(crate) segments: u64,
    pub(crate) bytes: u64,
    /// True when something goes that is owed.
    pub(crate) expires: bool,
    /// What the partition holds then, of batches.
    pub(crate) left: u64,
}

/// What goes, if anything does. `room` is what is to be appended at once: a hard limit that lets
/// the oldest expire makes room for it.
pub(crate) fn cut(weighed: Weighed<'_>, retention: &Retention, now: Timestamp, room: u64) -> Option<Cut> {
    let expire_above = match (retention.limit, retention.at_limit) {
        (Some(limit), AtLimit::Expire) => limit.saturating_sub(room),
        _ => u64::MAX,
    };
    let sealed = weighed.segments.len().saturating_sub(1);
    let mut left = weighed.bytes;
    let mut cut = Cut::default();
    for segment in &weighed.segments[..sealed] {
        let old = retention.age.is_some_and(|age| now.since(segment.last_at) > age);
        let large = retention.bytes.is_some_and(|max| left > max);
        let owed = segment.end > weighed.owed;
        if !(left > expire_above || (!owed && (old || large))) {
            break;
        }
        left = left.saturating_sub(segment.log_bytes);
        cut.start = segment.end;
        cut.segments += 1;
        cut.bytes += segment.log_bytes + segment.index_bytes;
        cut.expires |= owed;
        cut.left = left;
    }
    (cut.segments > 0).then_some(cut)
}

/// True when a partition of `bytes` has come near its hard limit.
pub(crate) fn is_nearly_full(bytes: u64, limit: u64) -> bool {
    u128::from(bytes) * 100 >= u128::from(limit) * u128::from(ALARM_PERCENT)
}

/// The size at which a segment is sealed: so small that a limit can be kept by whole segments.
pub(crate) fn segment_bytes(retention: &Retention, default: u64) -> u64 {
    let smallest = [retention.bytes, retention.limit].into_iter().flatten().min();
    smallest.map_or(default, |max| default.min((max / 8).max(1)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn segments() -> Vec<Segment> {
        let at = |n: u64| Segment {
            end: 10 * (n + 1),
            log_bytes: 100,
            index_bytes: 1,
            last_at: Timestamp::from_millis(1000 * i64::try_from(n).expect("small")),
            ..Segment::at(10 * n)
        };
        (0..4).map(at).collect()
    }

    fn removed(retention: Retention, owed: u64, room: u64) -> Option<Cut> {
        let segments = segments();
        let weighed = Weighed { segments: &segments, bytes: 420, owed };
        cut(weighed, &retention, Timestamp::from_millis(10_000), room)
    }

    fn start(retention: Retention, owed: u64) -> u64 {
        removed(retention, owed, 0).map_or(0, |r| r.start)
    }

    #[test]
    fn without_limits_nothing_goes() {
        assert_eq!(removed(Retention::default(), u64::MAX, 1000), None);
    }

    #[test]
    fn what_is_older_than_the_age_goes() {
        let age = |ms| Retention { age: Some(Duration::from_millis(ms)), ..Retention::default() };
        assert_eq!(start(age(8500), u64::MAX), 20);
        assert_eq!(start(age(9000), u64::MAX), 10, "as old as the age is not older");
        assert_eq!(start(age(0), u64::MAX), 30, "the segment that grows stays");
    }

    #[test]
    fn the_oldest_go_until_the_rest_is_small_enough_counting_what_is_in_no_segment_yet() {
        let bytes = |bytes| Retention { bytes: Some(bytes), ..Retention::default() };
        assert_eq!(start(bytes(420), u64::MAX), 0);
        assert_eq!(start(bytes(419), u64::MAX), 10);
        assert_eq!(start(bytes(320), u64::MAX), 10);
        assert_eq!(start(bytes(1), u64::MAX), 30);
        assert_eq!(removed(bytes(319), u64::MAX, 0).map(|r| (r.segments, r.bytes)), Some((2, 202)));
    }

    #[test]
    fn what_is_owed_stays_and_so_does_all_behind_it() {
        let both = Retention { age: Some(Duration::ZERO), bytes: Some(1), ..Retention::default() };
        assert_eq!(start(both, 19), 10);
        assert_eq!(start(both, 20), 20);
        assert_eq!(start(both, 0), 0);
    }

    #[test]
    fn a_limit_that_refuses_takes_nothing_away() {
        let limit = Retention { limit: Some(1), ..Retention::default() };
        assert_eq!(removed(limit, u64::MAX, 1000), None);
    }

    #[test]
    fn a_limit_that_expires_goes_past_what_is_owed_and_no_further_than_it_must() {
        let expire = |limit| Retention { limit: Some(limit), at_limit: AtLimit::Expire, ..Retention::default() };
        assert_eq!(removed(expire(420), 0, 0), None);
        let one = removed(expire(420), 5, 1).expect("room was asked for");
        assert_eq!((one.start, one.expires), (10, true));
        assert!(!removed(expire(420), 10, 1).expect("room was asked for").expires);
        assert_eq!(removed(expire(250), 0, 0).map(|r| r.start), Some(20));
    }

    #[test]
    fn a_partition_is_nearly_full_from_four_fifths_on() {
        assert!(!is_nearly_full(799, 1000) && is_nearly_full(800, 1000) && is_nearly_full(2000, 1000));
    }

    #[test]
    fn a_limit_makes_segments_so_small_that_it_can_be_kept() {
        let of = |bytes, limit| segment_bytes(&Retention { bytes, limit, ..Retention::default() }, 64);
        assert_eq!((of(None, None), of(Some(1000), None), of(Some(1000), Some(80))), (64, 64, 10));
        assert_eq!(of(Some(0), None), 1);
    }
}
