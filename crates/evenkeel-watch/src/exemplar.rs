//! One recent event for each bucket of a histogram, so that a slow bucket leads to an event.
//!
//! Invariants: at most one event for each bucket of [`BUCKET_BOUNDS_US`] and one beyond them; its value lies in
//! its bucket exactly; it is replaced by a later event once it is a second old.

use std::time::Duration;

use evenkeel_model::{Position, Shard, Timestamp};

use crate::snapshot::BUCKET_BOUNDS_US;

/// An event of a bucket is kept for so long before the next one takes its place.
const KEPT: Duration = Duration::from_secs(1);

/// An event that stands for its bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemplar {
    /// Where it is.
    pub at: Position,
    /// When it ended.
    pub when: Timestamp,
    /// Its value, in microseconds.
    pub us: u64,
}

/// One event for each bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exemplars(Vec<Option<Exemplar>>);

impl Exemplars {
    pub(crate) fn see(&mut self, shard: &Shard, offset: u64, when: Timestamp, us: u64) {
        if self.0.is_empty() {
            self.0.resize(BUCKET_BOUNDS_US.len() + 1, None);
        }
        let bucket = &mut self.0[BUCKET_BOUNDS_US.partition_point(|bound| *bound < us)];
        if bucket.as_ref().is_none_or(|kept| when.since(kept.when) >= KEPT) {
            *bucket = Some(Exemplar { at: Position { shard: shard.clone(), offset }, when, us });
        }
    }

    /// Those that there are, by the number of their bucket.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, &Exemplar)> {
        self.0.iter().enumerate().filter_map(|(bucket, kept)| Some((bucket, kept.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_keeps_one_event_for_a_second_and_its_value_lies_in_the_bucket() {
        let shard = Shard::new("orders", 3);
        let at = Timestamp::from_millis(1_795_000_000_000);
        let mut exemplars = Exemplars::default();
        exemplars.see(&shard, 1, at, 5_000);
        exemplars.see(&shard, 2, at + Duration::from_millis(999), 4_000);
        exemplars.see(&shard, 3, at, 5_001);
        exemplars.see(&shard, 4, at, u64::MAX);
        let seen = |e: &Exemplars| e.each().map(|(bucket, kept)| (bucket, kept.at.offset)).collect::<Vec<_>>();
        assert_eq!(seen(&exemplars), [(0, 1), (1, 3), (BUCKET_BOUNDS_US.len(), 4)]);
        exemplars.see(&shard, 5, at + KEPT, 100);
        assert_eq!(seen(&exemplars)[0], (0, 5), "it is a second old");
    }
}
