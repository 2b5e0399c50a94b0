use std::time::Duration;

use evenkeel_model::Timestamp;

use super::{Seen, Tally, tally};
use crate::exclusion::Hidden;
use crate::objective::{Empty, Method, Part};
use crate::slices::Slices;
use crate::testing::{DAY, Dice, HOUR};

const MINUTE: Duration = Duration::from_secs(60);
/// A whole minute, hour and day.
const BEGIN: Timestamp = Timestamp::from_millis(1_794_960_000_000);

/// Ten minutes: all good, half bad, one of twenty bad, nothing, all bad, and nothing again.
fn ten_minutes() -> Slices {
    let mut slices = Slices::new(30 * DAY);
    for (minute, good, bad) in [(0, 20, 0), (1, 10, 10), (2, 19, 1), (4, 0, 5)] {
        let at = BEGIN + MINUTE * minute + Duration::from_secs(30);
        (0..good).for_each(|_| slices.add(at, true));
        (0..bad).for_each(|_| slices.add(at, false));
    }
    slices
}

fn over(method: Method, slices: &Slices, from: Timestamp, to: Timestamp) -> Tally {
    let part = Part { method, ..Part::default() };
    tally(Seen { part: &part, slices, hidden: &Hidden::default() }, to, from, to)
}

fn timeslices(slice: Duration, empty: Empty) -> Method {
    Method::Timeslices { slice, target: 0.95, empty }
}

#[test]
fn occurrences_are_bad_events_of_all_events() {
    let told = over(Method::Occurrences, &ten_minutes(), BEGIN, BEGIN + 10 * MINUTE);
    assert_eq!((told.trials, told.failures, told.error), (65, 16, Some(16.0 / 65.0)));
}

#[test]
fn timeslices_are_bad_slices_of_all_slices_however_many_events_they_had() {
    let end = BEGIN + 10 * MINUTE - Duration::from_secs(1);
    // Minute 2 has 95 % good: just enough. Minutes 1 and 4 are bad; 3 and 5 to 9 are empty.
    for (empty, failures, trials) in [(Empty::Good, 2, 10), (Empty::Bad, 8, 10), (Empty::Skipped, 2, 4)] {
        let told = over(timeslices(MINUTE, empty), &ten_minutes(), BEGIN, end);
        assert_eq!((told.failures, told.trials), (failures, trials), "{empty:?}");
        assert_eq!(told.error, Some(failures as f64 / trials as f64));
        assert_eq!(told.events.valid(), 65, "the events are told all the same");
    }
    // Slices of five minutes: 49 of 65 good in the first, none in the second.
    let told = over(timeslices(5 * MINUTE, Empty::Good), &ten_minutes(), BEGIN, end);
    assert_eq!((told.failures, told.trials), (1, 2));
}

#[test]
fn ratio_timeslices_are_the_mean_of_the_slices_ratios() {
    let end = BEGIN + 10 * MINUTE - Duration::from_secs(1);
    let mean = 0.5 + 0.05 + 1.0;
    for (empty, error) in [(Empty::Skipped, mean / 4.0), (Empty::Good, mean / 10.0), (Empty::Bad, (mean + 6.0) / 10.0)]
    {
        let told = over(Method::RatioTimeslices { slice: MINUTE, empty }, &ten_minutes(), BEGIN, end);
        assert!((told.error.unwrap() - error).abs() < 1e-12, "{empty:?}: {told:?}");
    }
}

#[test]
fn a_slice_in_which_the_window_begins_counts_whole() {
    let from = BEGIN + MINUTE + Duration::from_secs(45);
    let told = over(timeslices(MINUTE, Empty::Skipped), &ten_minutes(), from, BEGIN + 10 * MINUTE);
    assert_eq!((told.failures, told.trials), (2, 3), "minutes 1, 2 and 4");
}

#[test]
fn slices_before_the_first_event_are_nobodys_and_without_any_event_nobody_can_tell() {
    let told = over(timeslices(MINUTE, Empty::Good), &ten_minutes(), BEGIN - DAY, BEGIN + MINUTE);
    assert_eq!(told.trials, 2);
    for method in [Method::Occurrences, timeslices(MINUTE, Empty::Bad), timeslices(MINUTE, Empty::Good)] {
        assert_eq!(over(method, &Slices::new(DAY), BEGIN, BEGIN + HOUR).error, None);
    }
}

#[test]
fn slices_equal_a_count_of_every_event_one_by_one() {
    let (mut dice, mut slices, mut events) = (Dice(7), Slices::new(30 * DAY), Vec::new());
    for _ in 0..20_000 {
        let at = BEGIN + Duration::from_micros(dice.below(DAY.as_micros() as u64));
        let good = dice.below(8) != 0;
        slices.add(at, good);
        events.push((at, good));
    }
    for minutes in [1, 5, 7, 60] {
        let width = 60_000_000 * i64::from(minutes);
        let mut by_hand = std::collections::BTreeMap::<i64, (u64, u64)>::new();
        for (at, good) in &events {
            let slice = by_hand.entry(at.micros().div_euclid(width)).or_default();
            *(if *good { &mut slice.0 } else { &mut slice.1 }) += 1;
        }
        let bad = by_hand.values().filter(|(good, bad)| (*good as f64) < 0.95 * (good + bad) as f64).count();
        let told = over(timeslices(MINUTE * minutes, Empty::Skipped), &slices, BEGIN, BEGIN + DAY);
        assert_eq!((told.failures, told.trials), (bad as u64, by_hand.len() as u64), "{minutes} minutes");
        let mean =
            by_hand.values().map(|(good, bad)| *bad as f64 / (good + bad) as f64).sum::<f64>() / by_hand.len() as f64;
        let ratio = Method::RatioTimeslices { slice: MINUTE * minutes, empty: Empty::Skipped };
        assert!((over(ratio, &slices, BEGIN, BEGIN + DAY).error.unwrap() - mean).abs() < 1e-12);
    }
}
