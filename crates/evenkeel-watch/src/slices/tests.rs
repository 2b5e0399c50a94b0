use std::time::Duration;

use evenkeel_model::Timestamp;

use super::{FINE, Slices};
use crate::testing::{DAY, Dice, HOUR, START};

/// All events, counted one by one, from a second on that is rounded down as the slices promise.
fn by_hand(events: &[(Timestamp, bool)], now: Timestamp, length: Duration) -> (u64, u64) {
    let unit = if length > FINE { 60_000_000 } else { 1_000_000 };
    let from = (now - length).micros().div_euclid(unit) * unit;
    let inside = events.iter().filter(|(at, _)| at.micros() >= from && *at <= now);
    inside.fold((0, 0), |(good, bad), (_, ok)| (good + u64::from(*ok), bad + u64::from(!ok)))
}

#[test]
fn every_window_equals_the_count_of_its_events_one_by_one() {
    let mut dice = Dice(1);
    let mut slices = Slices::new(30 * DAY);
    let mut events = Vec::new();
    for _ in 0..40_000 {
        // Out of order, dense in the last day.
        let span = if dice.below(2) == 0 { 31 * DAY } else { DAY };
        let at = START - Duration::from_micros(dice.below(span.as_micros() as u64));
        let good = dice.below(10) != 0;
        slices.add(at, good);
        events.push((at, good));
    }
    slices.forget(START);
    for seconds in [1, 2, 10, 59, 60, 61, 300, 3_599, 3_600, 7_199, 7_261, 21_600, 86_400, 259_200, 2_592_000] {
        let length = Duration::from_secs(seconds);
        let counts = slices.window(START, length);
        assert_eq!((counts.good, counts.bad), by_hand(&events, START, length), "window of {seconds} s");
    }
}

#[test]
fn a_month_of_every_second_takes_bounded_memory() {
    let mut slices = Slices::new(30 * DAY);
    for second in 0..200_000 {
        slices.add(START + Duration::from_secs(second), true);
    }
    let last = START + Duration::from_secs(199_999);
    assert!(slices.kept() <= 4 * 3600 + 200_000 / 60 + 1, "{} slices", slices.kept());
    slices.forget(last);
    assert!(slices.kept() <= 2 * 3600 + 121 + 60 + 200_000 / 60 + 1, "{} slices", slices.kept());
    assert_eq!(slices.window(last, 30 * DAY).good, 200_000);
}

#[test]
fn times_at_the_ends_of_time_neither_panic_nor_push_out_the_present() {
    let mut slices = Slices::new(DAY);
    for us in [i64::MIN, i64::MAX, -1, 0] {
        slices.add(Timestamp::from_micros(us), false);
    }
    slices.add(START, true);
    slices.forget(START);
    let counts = slices.window(START, DAY);
    assert_eq!((counts.good, counts.bad), (1, 0));
    for now in [Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX)] {
        slices.window(now, DAY);
    }
}

#[test]
fn a_run_of_bad_events_begins_after_the_last_good_stretch() {
    let mut slices = Slices::new(DAY);
    let at = |second: u64| START + Duration::from_secs(second);
    slices.add(at(0), false);
    (1..100).for_each(|second| slices.add(at(second), true));
    slices.add(at(100) + Duration::from_millis(250), false);
    slices.add(at(103), true);
    slices.add(at(104), false);
    // Nothing at all for half a minute is no recovery.
    slices.add(at(134), false);
    let began = slices.bad_since(at(135), HOUR, Duration::from_secs(5));
    assert_eq!(began, Some(at(100) + Duration::from_millis(250)));
    assert_eq!(slices.bad_since(at(135), Duration::from_secs(10), Duration::from_secs(5)), Some(at(134)));
    assert_eq!(slices.bad_since(START - HOUR, HOUR, HOUR), None);
}

#[test]
fn late_events_count_whenever_one_asks_and_lets_go() {
    let mut dice = Dice(5);
    let mut slices = Slices::new(DAY);
    let mut events = Vec::new();
    for step in 0..60_u64 {
        let now = START + HOUR * step as u32;
        for _ in 0..200 {
            // Up to now, in hours that are there already; in every third step also long ago: before everything that is
            // kept, or in hours that had none.
            let back = if step % 3 == 0 && dice.below(4) == 0 { 3 * DAY } else { 3 * HOUR };
            let at = now - Duration::from_micros(dice.below(back.as_micros() as u64));
            let good = dice.below(3) != 0;
            slices.add(at, good);
            events.push((at, good));
        }
        // Asked before and after the sums are made again.
        for _ in 0..2 {
            for length in [Duration::from_secs(1_000), 2 * HOUR, 5 * HOUR, DAY] {
                let counts = slices.window(now, length);
                assert_eq!((counts.good, counts.bad), by_hand(&events, now, length), "step {step}, {length:?}");
            }
            slices.forget(now);
        }
        let minutes: Vec<_> = slices.minutes(now - DAY, now).collect();
        assert!(minutes.is_sorted_by(|(one, _), (other, _)| one < other), "step {step}");
        let (good, bad) = by_hand(&events, now, DAY);
        assert_eq!(minutes.iter().map(|(_, counts)| counts.valid()).sum::<u64>(), good + bad, "step {step}");
    }
}
