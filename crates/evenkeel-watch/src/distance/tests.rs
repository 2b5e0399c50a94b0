use std::time::Duration;

use super::{Pace, Sample, Track};
use crate::testing::START;

/// Samples ten seconds apart: end, position, activity.
fn pace(samples: impl IntoIterator<Item = (u64, u64, u64)>) -> Pace {
    let mut track = Track::default();
    for (n, (end, position, activity)) in samples.into_iter().enumerate() {
        let at = START + Duration::from_secs(10) * u32::try_from(n).unwrap();
        track.sample(Sample { at, end, position, activity });
    }
    track.pace()
}

#[test]
fn who_is_at_the_end_keeps_up_however_slow_the_topic() {
    assert_eq!(pace((0..30).map(|_| (7, 7, 3))), Pace::Good);
    assert_eq!(pace((0..30).map(|n| (n / 10, n / 10, n / 10))), Pace::Good);
}

#[test]
fn who_does_nothing_while_there_is_something_to_do_has_stopped() {
    assert_eq!(pace((0..30).map(|n| (n * 10, 5, 5))), Pace::Stopped);
    // Also when nothing new comes: the distance is not zero.
    assert_eq!(pace((0..30).map(|_| (10, 5, 5))), Pace::Stopped);
    // But an event that came just now is no reason to say so.
    assert_eq!(pace((0..30).map(|n| (if n < 28 { 5 } else { 6 }, 5, 5))), Pace::Good);
    assert_eq!(pace((0..5).map(|_| (10, 5, 5))), Pace::Good, "too early to tell");
}

#[test]
fn who_tries_and_ends_nothing_is_stalled() {
    assert_eq!(pace((0..30).map(|n| (10, 5, n))), Pace::Stalled);
    assert_eq!(pace((0..30).map(|n| (10, 5 + n / 29, n))), Pace::Good, "one ended");
}

#[test]
fn who_went_back_is_rewound_until_it_is_where_it_was() {
    let went_back = |position: fn(u64) -> u64| pace((0..30).map(|n| (100, position(n), n)));
    assert_eq!(went_back(|n| if n < 15 { 50 + n } else { 20 + n }), Pace::Rewound);
    assert_eq!(went_back(|n| if n < 15 { 50 + n } else { 40 + n }), Pace::Good);
}

#[test]
fn who_works_and_falls_back_all_the_time_is_behind() {
    assert_eq!(pace((0..30).map(|n| (n * 10 + 5, n * 5, n * 5))), Pace::Behind);
    assert_eq!(pace((0..30).map(|n| (n * 10 + 500, n * 15, n))), Pace::Good, "it catches up");
    assert_eq!(pace((0..30).map(|n| (n * 10 + 100, n * 10, n))), Pace::Good, "the distance stays");
    assert_eq!(
        pace((0..30).map(|n| (n * 10, if n == 3 { 30 } else { n * 5 }, n * 5))),
        Pace::Good,
        "it was at the end"
    );
}

#[test]
fn samples_closer_than_ten_seconds_are_one() {
    let mut track = Track::default();
    for n in 0..100_u64 {
        let at = START + Duration::from_secs(1) * u32::try_from(n).unwrap();
        track.sample(Sample { at, end: 10, position: 0, activity: 0 });
    }
    assert_eq!(track.0.len(), 10);
}
