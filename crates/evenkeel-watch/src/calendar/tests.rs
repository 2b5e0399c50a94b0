use std::time::Duration;

use evenkeel_model::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Calendar;
use crate::openslo::shorthand::Shorthand;

fn calendar(start: &str, zone: &str, step: &str) -> Calendar {
    Calendar {
        start: start.parse::<DateTime>().unwrap(),
        zone: TimeZone::get(zone).unwrap(),
        step: Shorthand::parse(step).unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// The window around an instant, as `from/to` in UTC.
fn around(calendar: &Calendar, now: &str) -> String {
    let (from, to) = calendar.around(at(now));
    let show = |t: Timestamp| jiff::Timestamp::from_microsecond(t.micros()).unwrap().to_string();
    format!("{}/{}", show(from), show(to))
}

#[test]
fn a_month_in_utc_begins_on_the_first_and_ends_where_the_next_begins() {
    let months = calendar("2026-01-01 00:00:00", "UTC", "1M");
    assert_eq!(around(&months, "2026-02-14T12:00:00Z"), "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z");
    assert_eq!(around(&months, "2026-03-01T00:00:00Z"), "2026-03-01T00:00:00Z/2026-04-01T00:00:00Z");
    assert_eq!(around(&months, "2028-02-29T23:59:59.999999Z"), "2028-02-01T00:00:00Z/2028-03-01T00:00:00Z");
    assert_eq!(
        around(&months, "2025-12-31T23:59:59Z"),
        "2025-12-01T00:00:00Z/2026-01-01T00:00:00Z",
        "before the start"
    );
}

#[test]
fn days_with_a_change_of_clocks_have_23_and_25_hours() {
    let days = calendar("2026-01-01 00:00:00", "America/New_York", "1d");
    let length = |now| {
        let (from, to) = days.around(at(now));
        to.since(from)
    };
    assert_eq!(length("2026-03-08T12:00:00Z"), Duration::from_secs(23 * 3600));
    assert_eq!(length("2026-11-01T12:00:00Z"), Duration::from_secs(25 * 3600));
    assert_eq!(length("2026-11-02T12:00:00Z"), Duration::from_secs(24 * 3600));
}

#[test]
fn a_months_length_in_a_zone_counts_the_hour_that_the_clocks_give_back() {
    let months = calendar("2026-01-01 00:00:00", "Europe/Berlin", "1M");
    assert_eq!(around(&months, "2026-10-15T00:00:00Z"), "2026-09-30T22:00:00Z/2026-10-31T23:00:00Z");
}

#[test]
fn months_from_the_31st_fall_on_the_last_day_and_return_to_the_31st() {
    let months = calendar("2026-01-31 00:00:00", "UTC", "1M");
    assert_eq!(around(&months, "2026-03-05T00:00:00Z"), "2026-02-28T00:00:00Z/2026-03-31T00:00:00Z");
    assert_eq!(around(&months, "2026-03-31T00:00:00Z"), "2026-03-31T00:00:00Z/2026-04-30T00:00:00Z");
}

#[test]
fn leap_days_quarters_weeks_and_years_follow_the_calendar() {
    let years = calendar("2024-02-29 00:00:00", "UTC", "1Y");
    assert_eq!(around(&years, "2027-06-01T00:00:00Z"), "2027-02-28T00:00:00Z/2028-02-29T00:00:00Z");
    let quarters = calendar("2026-01-01 00:00:00", "UTC", "1Q");
    assert_eq!(around(&quarters, "2026-05-05T00:00:00Z"), "2026-04-01T00:00:00Z/2026-07-01T00:00:00Z");
    let weeks = calendar("2026-01-05 00:00:00", "Asia/Kolkata", "2w");
    assert_eq!(around(&weeks, "2026-01-20T00:00:00Z"), "2026-01-18T18:30:00Z/2026-02-01T18:30:00Z");
    let hours = calendar("2026-03-29 00:00:00", "Europe/Berlin", "6h");
    assert_eq!(around(&hours, "2026-03-29T05:00:00Z"), "2026-03-29T05:00:00Z/2026-03-29T11:00:00Z", "hours are time");
}

#[test]
fn every_instant_of_a_century_lies_in_its_own_window() {
    for step in ["1d", "1w", "1M", "5M", "1Q", "1Y"] {
        let windows = calendar("2020-01-31 02:30:00", "America/New_York", step);
        let mut now = at("1990-01-01T00:00:00Z");
        while now < at("2090-01-01T00:00:00Z") {
            let (from, to) = windows.around(now);
            assert!(from <= now && now < to, "{step} at {now:?}: {from:?} to {to:?}");
            assert_eq!(windows.around(to).0, to, "{step}: no gap");
            now = now + Duration::from_secs(86_400 * 37 + 3_601);
        }
    }
}

#[test]
fn the_ends_of_time_do_not_panic() {
    let months = calendar("2026-01-01 00:00:00", "Europe/Berlin", "1M");
    for us in [i64::MIN, i64::MAX] {
        months.around(Timestamp::from_micros(us));
    }
}
