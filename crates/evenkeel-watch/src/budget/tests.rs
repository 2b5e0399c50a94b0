use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Outcome, Timestamp};
use jiff::tz::TimeZone;

use crate::Watch;
use crate::calendar::Calendar;
use crate::objective::{Empty, Method, Objective, Part, Scope, Window};
use crate::openslo::Shorthand;
use crate::testing::{DAY, HOUR, Ledger, success};

const MINUTE: Duration = Duration::from_secs(60);

fn at(text: &str) -> Timestamp {
    Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

fn watch(objective: Objective) -> Watch {
    Watch::new(vec![Objective { alerts: Vec::new(), ..objective }]).unwrap()
}

/// `bad` of every 100 events die, one event a minute from `from` on.
fn each_minute(watch: &mut Watch, from: Timestamp, minutes: u32, bad: u32) {
    let mut ledger = Ledger::default();
    for n in 0..minutes {
        let outcome = if n % 100 < bad { Outcome::Dead } else { Outcome::Completed };
        watch.ingest(&ledger.ended(u64::from(n), from + MINUTE * n, outcome, MINUTE));
    }
}

#[test]
fn a_calendar_window_begins_anew_and_takes_nothing_along() {
    let months = Calendar {
        start: "2026-01-01 00:00:00".parse().unwrap(),
        zone: TimeZone::get("America/New_York").unwrap(),
        step: Shorthand::parse("1M").unwrap(),
    };
    let mut watch = watch(Objective { window: Window::Calendar(months), ..success() });
    // Two days to each side of the first of November at midnight in New York, all bad before it.
    let turn = at("2026-11-01T04:00:00Z");
    let mut ledger = Ledger::default();
    for hour in 0..96 {
        let when = turn - 48 * HOUR + HOUR * hour;
        let outcome = if hour < 48 { Outcome::Dead } else { Outcome::Completed };
        watch.ingest(&ledger.ended(u64::from(hour), when, outcome, MINUTE));
    }
    let before = watch.budget("payment-success", turn - MINUTE).unwrap();
    assert_eq!((before.good, before.bad), (0, 48));
    assert_eq!((before.from, before.until), (at("2026-10-01T04:00:00Z"), turn));
    let after = watch.budget("payment-success", turn + 47 * HOUR + MINUTE).unwrap();
    assert_eq!((after.good, after.bad, after.remaining), (48, 0, 1.0));
    assert_eq!(after.until, at("2026-12-01T05:00:00Z"), "the clocks have gone back");
}

#[test]
fn bad_minutes_of_a_month_are_a_budget_that_is_known_beforehand() {
    let method = Method::Timeslices { slice: MINUTE, target: 1.0, empty: Empty::Good };
    let mut watch = watch(Objective { parts: vec![Part { method, ..success().parts[0].clone() }], ..success() });
    let begin = at("2026-10-01T00:00:00Z");
    each_minute(&mut watch, begin, 1_000, 2);
    let budget = watch.budget("payment-success", begin + 1_000 * MINUTE).unwrap();
    assert_eq!(budget.slices, Some((20, 43_200)), "of 30 days");
    assert!((budget.allowed - 43.2).abs() < 1e-9, "{}", budget.allowed);
    assert!((budget.remaining - (1.0 - 20.0 / 43.2)).abs() < 1e-9, "{}", budget.remaining);
}

#[test]
fn a_composite_burns_as_the_weighted_sum_of_its_parts() {
    let part =
        |subscription: &str, target, weight| Part { scope: Scope::of(subscription), target, weight, ..Part::default() };
    let parts = vec![part("payment", 0.99, 2.0), part("inventory", 0.9, 1.0)];
    let mut watch = watch(Objective { parts, ..success() });
    let begin = at("2026-10-01T00:00:00Z");
    each_minute(&mut watch, begin, 100, 3);
    let now = begin + 100 * MINUTE;
    let burn = watch.burn("payment-success", now, 2 * HOUR).unwrap();
    assert!((burn - 2.0 * 3.0).abs() < 1e-9, "3 % of 1 %, twice: {burn}");
    let mut ledger = Ledger::default();
    for n in 0..10 {
        let outcome = if n == 0 { Outcome::Dead } else { Outcome::Completed };
        let mut record = ledger.ended(n, now, outcome, MINUTE);
        record.subscription = Arc::from("inventory");
        watch.ingest(&record);
    }
    let budget = watch.budget("payment-success", now).unwrap();
    assert!((budget.remaining - (1.0 - 2.0 * 3.0 - 1.0)).abs() < 1e-9, "{}", budget.remaining);
    assert_eq!((budget.good, budget.bad), (97 + 9, 4));
}

#[test]
fn a_calendar_budget_that_outlasts_its_window_is_not_exhausted_in_it() {
    let weeks = Calendar {
        start: "2026-10-05 00:00:00".parse().unwrap(),
        zone: TimeZone::UTC,
        step: Shorthand::parse("1w").unwrap(),
    };
    let part = Part { target: 0.9, ..success().parts[0].clone() };
    let mut calendar = watch(Objective { window: Window::Calendar(weeks), parts: vec![part.clone()], ..success() });
    let mut rolling = watch(Objective { window: Window::Rolling(7 * DAY), parts: vec![part], ..success() });
    let begin = at("2026-10-11T12:00:00Z");
    let now = begin + 510 * MINUTE;
    for watch in [&mut calendar, &mut rolling] {
        each_minute(watch, begin, 510, 5);
    }
    let lasts = rolling.budget("payment-success", now).unwrap().exhausted_in.unwrap();
    assert!(lasts > 3 * DAY, "{lasts:?}");
    assert_eq!(calendar.budget("payment-success", now).unwrap().exhausted_in, None, "it ends in four hours");
}
