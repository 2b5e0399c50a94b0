use evenkeel_model::Timestamp;

use super::{format_rfc3339, parse_rfc3339};

fn micros(text: &str) -> Option<i64> {
    parse_rfc3339(text).map(Timestamp::micros)
}

#[test]
fn what_rfc_3339_allows_is_read() {
    for (text, us) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("2026-01-31T09:30:00+01:00", 1_769_848_200_000_000),
        ("2026-01-31T08:30:00.25Z", 1_769_848_200_250_000),
        ("2026-01-31T08:30:00.123456789Z", 1_769_848_200_123_456),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T23:59:00+23:59", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
    ] {
        assert_eq!(micros(text), Some(us), "{text}");
    }
}

#[test]
fn a_leap_second_is_read_where_utc_can_have_one() {
    assert_eq!(micros("1990-12-31T23:59:60Z"), micros("1991-01-01T00:00:00Z"));
    assert_eq!(micros("1990-12-31T15:59:60-08:00"), micros("1991-01-01T00:00:00Z"));
    assert_eq!(micros("1990-12-30T23:59:60Z"), None);
    assert_eq!(micros("1990-12-31T22:59:60Z"), None);
    assert_eq!(micros("1990-12-31T23:59:60-08:00"), None);
    assert_eq!(micros("1990-12-31T23:59:61Z"), None);
}

#[test]
fn what_rfc_3339_does_not_allow_is_refused() {
    for text in [
        "",
        "yesterday",
        "2026-01-31",
        "2026-01-31T09:30:00",
        "2026-01-31 09:30:00Z",
        "2026-01-31T09:30Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T09:60:00Z",
        "2026-02-29T09:30:00Z",
        "2026-13-01T09:30:00Z",
        "2026-00-01T09:30:00Z",
        "2026-01-00T09:30:00Z",
        "2026-1-31T09:30:00Z",
        "26-01-31T09:30:00Z",
        "+2026-01-31T09:30:00Z",
        "-026-01-31T09:30:00Z",
        "2026-01-31T09:30:00.Z",
        "2026-01-31T09:30:00,5Z",
        "2026-01-31T09:30:00+0100",
        "2026-01-31T09:30:00+01",
        "2026-01-31T09:30:00+24:00",
        "2026-01-31T09:30:00+01:60",
        "2026-01-31T09:30:00Z ",
        " 2026-01-31T09:30:00Z",
        "2026-01-31T09:30:00Z[UTC]",
        "2026-01-31T09:30:00+01:00[Europe/Berlin]",
        "2026-01-31T09:30:0٠Z",
        "20260131T093000Z",
        "2026-W05-6T09:30:00Z",
    ] {
        assert_eq!(micros(text), None, "{text}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    for (us, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_769_848_200_250_000, "2026-01-31T08:30:00.250Z"),
        (1_769_848_200_000_007, "2026-01-31T08:30:00.000007Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(format_rfc3339(Timestamp::from_micros(us)), text);
        assert_eq!(micros(text), Some(us));
    }
}

#[test]
fn times_beyond_what_rfc_3339_can_say_are_cut_to_it() {
    for us in [i64::MIN, i64::MAX] {
        let text = format_rfc3339(Timestamp::from_micros(us));
        assert!(micros(&text).is_some(), "{text}");
    }
}
