use std::time::Duration;

use evenkeel_model::Timestamp;

use super::{budget, bytes, count, duration, grouped, multiple, rate, relative, share};

/// No-break spaces as spaces, for reading.
fn said(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

#[test]
fn counts_are_exact_up_to_a_million() {
    for (n, text) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (12_468, "12,468"),
        (999_999, "999,999"),
        (1_250_000, "1.25 M"),
        (12_400_000, "12.4 M"),
        (3_000_000_000, "3 G"),
    ] {
        assert_eq!(said(&count(n)), text);
    }
    assert_eq!(grouped(12_468_001), "12,468,001");
}

#[test]
fn rates_keep_three_digits_and_never_hide_a_trickle() {
    for (r, text) in [
        (0.0, "0/s"),
        (-1.0, "0/s"),
        (f64::NAN, "0/s"),
        (0.01, "<0.1/s"),
        (0.33, "0.3/s"),
        (9.0, "9/s"),
        (211.7, "212/s"),
        (12_432.0, "12.4 k/s"),
        (124_320.0, "124 k/s"),
        (1_240_000.0, "1.24 M/s"),
    ] {
        assert_eq!(said(&rate(r)), text, "{r}");
    }
}

#[test]
fn durations_have_at_most_two_units() {
    for (ms, text) in [
        (0, "0 ms"),
        (38, "38 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (1_234, "1.2 s"),
        (12_900, "12 s"),
        (60_000, "1 min"),
        (245_000, "4 min 5 s"),
        (8_040_000, "2 h 14 min"),
        (273_600_000, "3 d 4 h"),
        (2_592_000_000, "30 d"),
    ] {
        assert_eq!(said(&duration(Duration::from_millis(ms))), text);
    }
    assert_eq!(said(&duration(Duration::from_micros(412))), "<1 ms");
}

#[test]
fn a_share_is_never_rounded_up_to_all_nor_down_to_nothing() {
    for (part, text) in [
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.9993, "99.93 %"),
        (0.999, "99.9 %"),
        (0.999_999, "99.9999 %"),
        (0.999_999_99, "99.9999 %"),
        (0.995_678, "99.56 %"),
        (0.5, "50 %"),
        (0.000_01, "<0.01 %"),
    ] {
        assert_eq!(said(&share(part)), text, "{part}");
    }
    assert_eq!(said(&share(f64::NAN)), "– %");
}

#[test]
fn budgets_may_be_overspent() {
    for (part, text) in [
        (1.0, "100 %"),
        (0.624, "62 %"),
        (0.004, "0.4 %"),
        (0.0, "0 %"),
        (-0.08, "−8 %"),
        (-2.5, "−250 %"),
        (-382.073, "−38,207 %"),
    ] {
        assert_eq!(said(&budget(part)), text, "{part}");
    }
}

#[test]
fn multiples_and_sizes_read_well() {
    for (m, text) in [
        (0.0, "0×"),
        (0.01, "<0.1×"),
        (1.0, "1×"),
        (14.4, "14.4×"),
        (212.4, "212×"),
        (f64::INFINITY, "1,000,000,000,000,000×"),
    ] {
        assert_eq!(multiple(m), text, "{m}");
    }
    for (n, text) in [(0, "0 B"), (812, "812 B"), (4096, "4 KiB"), (1_288_490_189, "1.2 GiB"), (1 << 34, "16 GiB")] {
        assert_eq!(said(&bytes(n)), text);
    }
}

#[test]
fn times_are_told_from_now() {
    let now = Timestamp::from_millis(1_000_000_000);
    let ago = |s| said(&relative(now - Duration::from_secs(s), now));
    assert_eq!((ago(0).as_str(), ago(3).as_str(), ago(8_040).as_str()), ("now", "3 s ago", "2 h 14 min ago"));
    assert_eq!(said(&relative(now + Duration::from_secs(12), now)), "in 12 s");
}
