//! Published definitions, months with changes of clocks, empty slices, exclusions, tiers: by hand.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;
use jiff::tz::TimeZone;

use super::*;
use crate::objective::{Empty, Indicator, Scope};
use crate::slices::Counts;

fn share(text: &str) -> Share {
    Share::read(text).unwrap()
}

fn tier(below: &str, credit: &str) -> Tier {
    Tier { below: share(below), credit: share(credit) }
}

/// Amazon Managed Service for Apache Flink, Kinesis Data Streams and others: the mean over five-minute intervals; one
/// without requests is 100 %; credits of 10, 25 and 100 %, if they are more than a dollar.
fn aws() -> Agreement {
    Agreement {
        name: Arc::from("aws"),
        customer: Arc::from("ACME"),
        service: Arc::from("shop"),
        description: Arc::from(""),
        scope: Scope::of("payment"),
        indicator: Indicator::Success,
        slice: Duration::from_secs(300),
        availability: Availability::Mean,
        empty: Empty::Good,
        zone: TimeZone::get("America/Los_Angeles").unwrap(),
        credits: Credits {
            tiers: vec![tier("99.9%", "10%"), tier("99%", "25%"), tier("95%", "100%")],
            more_than: 100,
            ..Credits::default()
        },
    }
}

/// Confluent Cloud: a minute is down when all attempts in it fail; the month's minutes less those that are down.
fn confluent() -> Agreement {
    Agreement {
        name: Arc::from("confluent"),
        slice: Duration::from_secs(60),
        availability: Availability::AllBad,
        zone: TimeZone::UTC,
        credits: Credits {
            tiers: vec![tier("99.99%", "10%"), tier("99%", "25%"), tier("95%", "50%")],
            ..Credits::default()
        },
        ..aws()
    }
}

fn minute(begins: Timestamp, good: u64, bad: u64) -> Minute {
    Minute { begins, counts: Counts { good, bad } }
}

fn bounds(agreement: &Agreement, month: &str) -> (Timestamp, Timestamp) {
    month.parse::<Month>().unwrap().bounds(&agreement.zone)
}

/// The report of a whole month in which so much happened, with a bill of 1,234.56.
fn of(agreement: &Agreement, month: &str, minutes: &[Minute], hidings: &[Hiding]) -> Report {
    agreement.check().unwrap();
    let bounds = bounds(agreement, month);
    let slices = sliced(minutes, hidings, bounds, agreement.slice);
    report(agreement, bounds, &slices, bounds.1, Some(123_456))
}

/// Minutes from `at` on, all alike.
fn minutes(at: Timestamp, count: u32, good: u64, bad: u64) -> Vec<Minute> {
    (0..count).map(|n| minute(at + Duration::from_secs(60) * n, good, bad)).collect()
}

#[test]
fn by_the_definition_of_aws_a_month_is_the_mean_of_its_intervals() {
    let agreement = aws();
    let (from, _) = bounds(&agreement, "2026-10");
    // 31 days have 8,928 intervals; in 9 of them all failed, in one half.
    let mut seen = minutes(from, 45, 0, 7);
    seen.extend(minutes(from + Duration::from_secs(3_600), 5, 1, 1));
    let report = of(&agreement, "2026-10", &seen, &[]);
    assert_eq!((report.slices, report.empty, report.down, report.excluded), (8_928, 8_918, 10, 0));
    assert_eq!(report.availability, Share(998_935_931), "8,918.5 of 8,928");
    assert_eq!((report.credit.share, report.credit.amount), (share("10%"), Some(12_346)), "{report:?}");
}

#[test]
fn an_interval_without_requests_is_as_the_agreement_says() {
    let with = |empty| of(&Agreement { empty, ..aws() }, "2026-10", &[], &[]);
    assert_eq!(with(Empty::Good).availability, Share::WHOLE);
    assert_eq!(with(Empty::Bad).availability, Share(0));
    assert_eq!(with(Empty::Bad).credit.share, Share::WHOLE);
    let skipped = with(Empty::Skipped);
    assert_eq!((skipped.slices, skipped.excluded, skipped.availability), (0, 8_928, Share::WHOLE));
}

#[test]
fn a_credit_of_no_more_than_a_dollar_is_not_given() {
    let agreement = aws();
    let bounds = bounds(&agreement, "2026-10");
    let slices = sliced(&minutes(bounds.0, 45, 0, 1), &[], bounds, agreement.slice);
    let amount = |billed| report(&agreement, bounds, &slices, bounds.1, Some(billed)).credit.amount;
    assert_eq!(amount(1_000), Some(0), "10 % of 10.00 are one dollar, not more");
    assert_eq!(amount(1_010), Some(101));
    assert_eq!(report(&agreement, bounds, &slices, bounds.1, None).credit.amount, None, "nobody told the bill");
}

#[test]
fn by_the_definition_of_confluent_a_minute_is_down_when_all_attempts_fail() {
    let agreement = confluent();
    let (from, _) = bounds(&agreement, "2026-11");
    // November has 43,200 minutes. Down: 5. Not down: 60 in which one attempt of a hundred succeeded.
    let mut seen = minutes(from, 5, 0, 30);
    seen.extend(minutes(from + Duration::from_secs(600), 60, 1, 99));
    let report = of(&agreement, "2026-11", &seen, &[]);
    assert_eq!((report.slices, report.down), (43_200, 5));
    assert_eq!(report.availability, Share(999_884_259), "43,195 of 43,200");
    assert_eq!(report.credit.share, share("10%"));
    let four = of(&agreement, "2026-11", &minutes(from, 4, 0, 30), &[]);
    assert_eq!((four.availability, four.credit.share), (Share(999_907_407), Share(0)), "above 99.99 %");
}

#[test]
fn what_is_agreed_exactly_is_kept() {
    let ten_days =
        Agreement { credits: Credits { tiers: vec![tier("99.9%", "10%")], ..Credits::default() }, ..confluent() };
    let (from, _) = bounds(&ten_days, "2026-11");
    // 43.2 minutes may be down: 43 keep 99.9 %, 44 don't. Of 1,000 slices 999 are 99.9 % exactly.
    assert_eq!(of(&ten_days, "2026-11", &minutes(from, 43, 0, 1), &[]).credit.share, Share(0));
    assert_eq!(of(&ten_days, "2026-11", &minutes(from, 44, 0, 1), &[]).credit.share, share("10%"));
    let slices: Vec<Sliced> = (0..1_000)
        .map(|n| Sliced { counts: Counts { good: u64::from(n != 0), bad: u64::from(n == 0) }, ..Sliced::default() })
        .collect();
    for availability in [Availability::Mean, Availability::AllBad, Availability::Below(share("50%"))] {
        let agreement = Agreement { availability, ..ten_days.clone() };
        let bounds = (from, from + Duration::from_secs(60_000));
        let report = report(&agreement, bounds, &slices, bounds.1, None);
        assert_eq!((report.availability, report.credit.share), (share("99.9%"), Share(0)), "{availability:?}");
    }
}

#[test]
fn months_have_as_many_hours_as_the_clocks_give_them() {
    let hours = |zone: &str, month: &str| {
        let zone = TimeZone::get(zone).unwrap();
        let (from, until) = month.parse::<Month>().unwrap().bounds(&zone);
        until.since(from).as_secs() as f64 / 3_600.0
    };
    assert!((hours("America/New_York", "2026-03") - 743.0).abs() < 1e-9, "an hour is skipped on the 8th");
    assert!((hours("America/New_York", "2026-11") - 721.0).abs() < 1e-9, "an hour comes twice on the 1st");
    assert!((hours("Australia/Lord_Howe", "2026-04") - 720.5).abs() < 1e-9, "half an hour comes twice");
    assert!((hours("UTC", "2028-02") - 29.0 * 24.0).abs() < 1e-9, "a leap year");
    assert!((hours("Asia/Kathmandu", "2026-12") - 744.0).abs() < 1e-9);
    let next = Month::of(bounds(&aws(), "2026-12").1, &aws().zone);
    assert_eq!(next.to_string(), "2027-01", "the first instant after a month is the next one's");
}

#[test]
fn a_change_of_clocks_is_in_the_report() {
    let agreement = Agreement { zone: TimeZone::get("America/New_York").unwrap(), ..confluent() };
    let (from, until) = bounds(&agreement, "2026-11");
    assert_eq!(of(&agreement, "2026-11", &[], &[]).slices, 721 * 60);
    // The last minute of the month counts, the first one of December does not.
    let edge = [
        minute(until - Duration::from_secs(60), 0, 1),
        minute(until, 0, 1),
        minute(from - Duration::from_secs(60), 0, 1),
    ];
    assert_eq!(of(&agreement, "2026-11", &edge, &[]).down, 1);
    let hours = Agreement {
        slice: Duration::from_secs(3_600),
        zone: TimeZone::get("Australia/Lord_Howe").unwrap(),
        ..agreement
    };
    assert_eq!(of(&hours, "2026-04", &[], &[]).slices, 721, "the last slice is half an hour");
}

#[test]
fn what_is_excluded_neither_helps_nor_hurts_and_is_told() {
    let agreement = aws();
    let (from, _) = bounds(&agreement, "2026-10");
    let hiding = |from: Timestamp, minutes: u64| Hiding {
        from,
        until: from + Duration::from_secs(60 * minutes),
        reason: Arc::from("maintenance"),
        by: Arc::from("ann"),
    };
    let seen = minutes(from, 10, 0, 1);
    // The first slice whole, of the second one two minutes.
    let report = of(&agreement, "2026-10", &seen, &[hiding(from, 7)]);
    assert_eq!((report.slices, report.excluded, report.down), (8_927, 1, 1));
    assert_eq!((report.events, report.excluded_events), (Counts { good: 0, bad: 3 }, Counts { good: 0, bad: 7 }));
    let two = of(&agreement, "2026-10", &seen, &[hiding(from, 3), hiding(from + Duration::from_secs(120), 3)]);
    assert_eq!(two.excluded, 1, "two exclusions that hide a slice together");
    let all = of(&agreement, "2026-10", &seen, &[hiding(from - Duration::from_secs(3_600), 60 * 24 * 40)]);
    assert_eq!((all.slices, all.excluded, all.availability), (0, 8_928, Share::WHOLE));
}

#[test]
fn a_month_that_runs_is_judged_as_far_as_it_is_over() {
    let agreement = aws();
    let bounds = bounds(&agreement, "2026-10");
    let slices = sliced(&minutes(bounds.0, 5, 0, 1), &[], bounds, agreement.slice);
    let seen = |after| report(&agreement, bounds, &slices, bounds.0 + Duration::from_secs(after), None);
    let early = seen(1_499);
    assert_eq!((early.slices, early.to_come, early.availability), (4, 8_924, share("75%")));
    assert!(!early.is_final() && seen(40 * 86_400).is_final());
    assert_eq!(early.judged_until, bounds.0 + Duration::from_secs(1_200), "a slice is judged when it is over");
    assert_eq!(report(&agreement, bounds, &slices, Timestamp::default(), None).slices, 0, "a month to come");
}

#[test]
fn the_hardest_tier_that_holds_counts_and_the_cap_is_kept() {
    let credits = Credits { cap: share("30%"), claim_within: Some(Duration::from_secs(30 * 86_400)), ..aws().credits };
    let agreement = Agreement { credits, ..aws() };
    let (from, until) = bounds(&agreement, "2026-10");
    let days = |days: u32| of(&agreement, "2026-10", &minutes(from, days * 1_440, 0, 1), &[]).credit;
    assert_eq!((days(1).below, days(1).share), (Some(share("99%")), share("25%")));
    assert_eq!((days(3).below, days(3).share), (Some(share("95%")), share("30%")), "100 %, capped");
    assert_eq!(days(3).claim_until, Some(until + Duration::from_secs(30 * 86_400)));
    assert_eq!(days(0).claim_until, None, "nothing to claim");
}

#[test]
fn shares_and_months_are_read_to_the_letter() {
    assert_eq!(share("99.9%"), Share(999_000_000));
    assert_eq!((share("0.999"), share("100%"), share("99.99999%")), (share("99.9%"), Share::WHOLE, Share(999_999_900)));
    for wrong in ["", "%", "99,9%", "-1%", "1e3%", "99.99999999%", ".5%"] {
        assert_eq!(Share::read(wrong), None, "{wrong}");
    }
    for wrong in ["2026-13", "2026-00", "2026-1", "26-10", "2026/10", "2026-10-01", "1969-12", "９９９９-10"] {
        assert!(wrong.parse::<Month>().is_err(), "{wrong}");
    }
    assert_eq!(
        [share("99.9%"), share("100%"), Share(998_935_931)].map(|s| s.to_string()),
        ["99.9%", "100%", "99.8935931%"]
    );
}

#[test]
fn an_agreement_that_nobody_can_keep_to_is_refused_with_field_and_rule() {
    let wrong = Agreement {
        name: Arc::from("A B"),
        slice: Duration::from_secs(90),
        availability: Availability::Below(Share(0)),
        credits: Credits {
            tiers: vec![tier("99%", "25%"), tier("99.9%", "10%")],
            cap: share("120%"),
            ..Credits::default()
        },
        ..aws()
    };
    let fields: Vec<String> = wrong.check().unwrap_err().into_iter().map(|problem| problem.field).collect();
    let all = ["name", "slice", "down_below", "credits.cap", "credits.tiers[1].below", "credits.tiers[1].credit"];
    assert_eq!(fields, all);
    assert!(aws().check().is_ok() && confluent().check().is_ok());
}
