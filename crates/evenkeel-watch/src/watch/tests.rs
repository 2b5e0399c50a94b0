//! What counts, and how often.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::{AttemptFailed, LedgerEntry};
use evenkeel_model::{FailureClass, Outcome, Timestamp};

use crate::distance::Pace;
use crate::objective::{Empty, Method, Objective, Part};
use crate::testing::{DAY, Dice, HOUR, Ledger, START, ended, latency, success};
use crate::{Excluded, Exclusion, Ingested, Watch};

const SECOND: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);

fn counts(watch: &Watch, objective: &str, now: Timestamp) -> (u64, u64) {
    let budget = watch.budget(objective, now).unwrap();
    (budget.good, budget.bad)
}

#[test]
fn the_budget_of_thirty_days_equals_the_count_of_every_event() {
    let mut watch = Watch::new(vec![latency("fast", HALF)]).unwrap();
    let (mut dice, mut ledger) = (Dice(3), Ledger::default());
    let now = START + 40 * DAY;
    let (mut at, mut good, mut bad) = (START, 0_u64, 0_u64);
    while at < now {
        let latency = Duration::from_micros(dice.below(501_000));
        let outcome = [Outcome::Completed, Outcome::Dead, Outcome::Filtered]
            [usize::from(dice.below(400) == 0) + usize::from(dice.below(900) == 0)];
        watch.ingest(&ledger.ended(dice.next(), at, outcome, latency));
        if at >= Timestamp::from_micros((now - 30 * DAY).micros().div_euclid(60_000_000) * 60_000_000) {
            let kept = outcome == Outcome::Completed && latency <= HALF;
            good += u64::from(kept);
            bad += u64::from(!kept && outcome != Outcome::Filtered);
        }
        at = at + dice.gap(HOUR / 30);
    }
    assert!(bad > 20 && good > 10_000, "{good} good and {bad} bad say little");
    let budget = watch.budget("fast", now).unwrap();
    assert_eq!((budget.good, budget.bad, budget.valid), (good, bad, good + bad));
    let allowed = 0.001 * (good + bad) as f64;
    assert!((budget.remaining - (1.0 - bad as f64 / allowed)).abs() < 1e-9, "{budget:?}");
    assert!(budget.remaining < 0.0, "an overspent budget is negative, never clamped");
    assert_eq!(budget.exhausted_in, Some(Duration::ZERO));
    let line = watch.history("fast", now, 30).unwrap();
    assert_eq!(line.iter().map(|point| point.bad).sum::<u64>(), bad);
    assert_eq!(line.last().map(|point| point.until), Some(now));
}

#[test]
fn the_line_of_a_budget_ends_where_the_budget_stands_whatever_is_counted_and_excluded() {
    let slice = Duration::from_secs(300);
    let methods = [
        Method::Occurrences,
        Method::Timeslices { slice, target: 0.95, empty: Empty::Good },
        Method::Timeslices { slice, target: 0.95, empty: Empty::Skipped },
        Method::RatioTimeslices { slice, empty: Empty::Skipped },
        Method::RatioTimeslices { slice, empty: Empty::Bad },
    ];
    for method in methods {
        let objective = Objective { parts: vec![Part { method, ..success().parts[0].clone() }], ..success() };
        let mut watch = Watch::new(vec![objective]).unwrap();
        let (mut dice, mut ledger, mut at) = (Dice(5), Ledger::default(), START);
        // Less than two days of a window of thirty.
        while at < START + 40 * HOUR {
            let outcome = if dice.below(300) == 0 { Outcome::Dead } else { Outcome::Completed };
            watch.ingest(&ledger.ended(dice.next(), at, outcome, HALF));
            at = at + dice.gap(HOUR / 60);
        }
        watch.exclude(Exclusion {
            id: Arc::from("ex"),
            of: Excluded::default(),
            from: START + 3 * HOUR,
            until: START + 9 * HOUR,
            reason: Arc::from("release"),
            by: Arc::from("ann"),
            said_at: at,
        });
        let (budget, line) =
            (watch.budget("payment-success", at).unwrap(), watch.history("payment-success", at, 60).unwrap());
        let left = line.last().and_then(|point| point.left).unwrap();
        assert!((left - budget.remaining).abs() < 1e-9, "{method:?}: {left}, and not {}", budget.remaining);
        assert!(budget.bad > 0 && line.iter().map(|point| point.bad).sum::<u64>() == budget.bad, "{method:?}");
        assert!((40..=60).contains(&line.len()), "it shows the days that are known: {}", line.len());
        let falls = line.windows(2).all(|pair| pair[1].left <= pair[0].left.map(|left| left + 1e-12));
        assert!(falls && line[0].until < START + 2 * HOUR, "{method:?}: {line:?}");
    }
}

#[test]
fn a_budget_that_burns_at_a_constant_pace_says_when_it_is_spent() {
    let mut watch = Watch::new(vec![success()]).unwrap();
    let mut ledger = Ledger::default();
    // 1 bad in 500 is a burn of 2; spread over one hour.
    for n in 0..10_000_u64 {
        let outcome = if n % 500 == 0 { Outcome::Dead } else { Outcome::Completed };
        watch.ingest(&ledger.ended(n, START + Duration::from_millis(n * 350), outcome, HALF));
    }
    let budget = watch.budget("payment-success", START + HOUR).unwrap();
    let hour = budget.burn.iter().find(|(window, _)| *window == HOUR).and_then(|(_, burn)| *burn);
    assert!(hour.is_some_and(|burn| (burn - 2.0).abs() < 1e-9), "{:?}", budget.burn);
    assert!((budget.remaining + 1.0).abs() < 1e-9, "twice the budget of these events is gone");
    let mut calm = Watch::new(vec![success()]).unwrap();
    let mut ledger = Ledger::default();
    for n in 0..10_000_u64 {
        let outcome = if n % 2_000 == 0 { Outcome::Dead } else { Outcome::Completed };
        calm.ingest(&ledger.ended(n, START + Duration::from_millis(n * 350), outcome, HALF));
    }
    let spent_in = calm.budget("payment-success", START + HOUR).unwrap().exhausted_in.unwrap();
    assert!(spent_in.abs_diff(30 * DAY) < SECOND, "half is left, at half the pace: {spent_in:?}");
}

#[test]
fn an_empty_objective_has_its_whole_budget() {
    let watch = Watch::new(vec![success()]).unwrap();
    let budget = watch.budget("payment-success", START).unwrap();
    assert_eq!((budget.remaining, budget.indicator, budget.exhausted_in), (1.0, None, None));
    assert_eq!(watch.burn("payment-success", START, HOUR), None);
    assert_eq!(watch.budget("nobody", START), None);
}

#[test]
fn an_overdue_event_is_bad_at_once_and_not_a_second_time() {
    let mut watch = Watch::new(vec![latency("fast", HALF), success()]).unwrap();
    let mut ledger = Ledger::default();
    watch.ingest(&ledger.overdue(7, START, HALF));
    assert_eq!(counts(&watch, "fast", START), (0, 1));
    assert_eq!(counts(&watch, "payment-success", START), (0, 0), "success does not know overdue");
    let mut late = ended(7, START + HOUR, Outcome::Completed, HOUR);
    late.overdue = true;
    watch.ingest(&ledger.record(START + HOUR, LedgerEntry::Ended(late)));
    assert_eq!(counts(&watch, "fast", START + HOUR), (0, 1));
    assert_eq!(counts(&watch, "payment-success", START + HOUR), (1, 0));
    assert_eq!(watch.indicators("payment").unwrap().overdue, 1);
    assert_eq!(watch.bad_events("fast").iter().map(|bad| bad.at.offset).collect::<Vec<_>>(), [7]);
}

#[test]
fn each_threshold_counts_an_overdue_event_for_itself() {
    let mut watch = Watch::new(vec![latency("fast", HALF), latency("slow", 5 * SECOND)]).unwrap();
    let mut ledger = Ledger::default();
    let all = |watch: &Watch| (counts(watch, "fast", START + HOUR), counts(watch, "slow", START + HOUR));
    // Offset 1 is late for the fast one only.
    watch.ingest(&ledger.overdue(1, START, HALF));
    let mut late = ended(1, START, Outcome::Completed, SECOND);
    late.overdue = true;
    watch.ingest(&ledger.record(START, LedgerEntry::Ended(late.clone())));
    assert_eq!(all(&watch), ((0, 1), (1, 0)));
    // Offset 2 passes both, and each is journaled.
    watch.ingest(&ledger.overdue(2, START, HALF));
    watch.ingest(&ledger.overdue(2, START, 5 * SECOND));
    assert_eq!(all(&watch), ((0, 2), (1, 1)));
    (late.offset, late.created_to_ended_us) = (2, 9_000_000);
    watch.ingest(&ledger.record(START, LedgerEntry::Ended(late.clone())));
    assert_eq!(all(&watch), ((0, 2), (1, 1)));
    // Offset 3 was journaled for the fast one only, and ends too late for both.
    watch.ingest(&ledger.overdue(3, START, HALF));
    late.offset = 3;
    watch.ingest(&ledger.record(START, LedgerEntry::Ended(late.clone())));
    assert_eq!(all(&watch), ((0, 3), (1, 2)));
    // Offset 4 was journaled before this watch began to read: its flag is believed.
    late.offset = 4;
    watch.ingest(&ledger.record(START, LedgerEntry::Ended(late)));
    assert_eq!(all(&watch), ((0, 3), (1, 2)));
}

#[test]
fn only_completed_dead_and_expired_events_are_valid() {
    let mut watch = Watch::new(vec![success(), latency("fast", HALF)]).unwrap();
    let mut ledger = Ledger::default();
    for (offset, outcome) in Outcome::ALL.into_iter().enumerate() {
        watch.ingest(&ledger.ended(offset as u64, START, outcome, Duration::ZERO));
    }
    assert_eq!(counts(&watch, "payment-success", START), (1, 2));
    assert_eq!(counts(&watch, "fast", START), (1, 2));
    assert!(watch.indicators("payment").unwrap().outcomes.iter().all(|(_, count)| count == 1));
}

#[test]
fn exactly_the_threshold_is_in_time() {
    let mut watch = Watch::new(vec![latency("fast", HALF)]).unwrap();
    let mut ledger = Ledger::default();
    watch.ingest(&ledger.ended(0, START, Outcome::Completed, HALF));
    watch.ingest(&ledger.ended(1, START, Outcome::Completed, HALF + Duration::from_micros(1)));
    assert_eq!(counts(&watch, "fast", START), (1, 1));
}

#[test]
fn a_record_counts_once_and_a_missing_one_is_noticed() {
    let mut watch = Watch::new(vec![success()]).unwrap();
    let mut ledger = Ledger::default();
    let records: Vec<_> = (0..4).map(|n| ledger.ended(n, START, Outcome::Completed, HALF)).collect();
    assert_eq!(watch.ingest(&records[0]), Ingested::Counted);
    assert_eq!(watch.ingest(&records[0]), Ingested::Repeated);
    assert_eq!(watch.ingest(&records[3]), Ingested::CountedAfterGap { missing: 2 });
    assert_eq!(watch.ingest(&records[1]), Ingested::Repeated);
    assert_eq!(counts(&watch, "payment-success", START), (2, 0));
    assert_eq!(watch.indicators("payment").unwrap().gaps, 2);
}

#[test]
fn indicators_are_kept_for_subscriptions_without_an_objective() {
    let mut watch = Watch::new(Vec::new()).unwrap();
    let mut ledger = Ledger::default();
    for n in 1..=100 {
        watch.ingest(&ledger.ended(n, START + Duration::from_millis(n), Outcome::Completed, Duration::from_millis(n)));
    }
    let attempt = AttemptFailed {
        offset: 200,
        delivery: 1,
        at: START,
        took_us: 1,
        class: FailureClass::Unreachable,
        status: None,
        fingerprint: String::new(),
        message: String::new(),
        next_at: None,
    };
    watch.ingest(&ledger.record(START, LedgerEntry::Attempt(attempt)));
    watch.set_oldest("payment", Some(START));
    let now = START + 2 * SECOND;
    let snapshot = watch.snapshot(now);
    let [seen] = snapshot.subscriptions.as_slice() else { panic!("{snapshot:?}") };
    assert_eq!(seen.outcomes[Outcome::Completed as usize], (Outcome::Completed, 100));
    assert_eq!(seen.failures[FailureClass::Unreachable as usize], (FailureClass::Unreachable, 1));
    assert_eq!(seen.lag, 2 * SECOND);
    assert!(seen.p99_us.is_some_and(|p99| p99.abs_diff(99_000) <= 990), "{:?}", seen.p99_us);
    assert_eq!(seen.latency.cumulative.iter().find(|(bound, _)| *bound == 50_000).map(|(_, n)| *n), Some(50));
    assert_eq!((seen.latency.count, seen.latency.sum_us), (100, 5_050_000));
    assert!(seen.ended_per_second > 0.0);
    let (_, group) = watch.indicators("payment").unwrap().groups().next().unwrap();
    assert_eq!(group.outcomes.total(), 100);
}

#[test]
fn groups_are_bounded_whatever_the_types() {
    let mut watch = Watch::new(Vec::new()).unwrap();
    let mut ledger = Ledger::default();
    for n in 0..1_000_u64 {
        let mut event = ended(n, START, Outcome::Completed, HALF);
        event.kind = Arc::from(format!("type-{n}"));
        watch.ingest(&ledger.record(START, LedgerEntry::Ended(event)));
    }
    let seen = watch.indicators("payment").unwrap();
    assert!(seen.groups().len() <= 201, "{} groups", seen.groups().len());
    assert_eq!(seen.groups().map(|(_, group)| group.outcomes.total()).sum::<u64>(), 1_000);
    assert_eq!(seen.folded, 800, "the bound is visible");
}

#[test]
fn two_objectives_of_one_name_are_refused() {
    let problems = Watch::new(vec![success(), success()]).unwrap_err();
    assert!(problems[0].to_string().contains("`payment-success`"), "{problems:?}");
}

#[test]
fn groups_tell_type_source_and_handler_version_apart() {
    let mut watch = Watch::new(Vec::new()).unwrap();
    let mut ledger = Ledger::default();
    for n in 0..80_u64 {
        let mut event = ended(n, START, Outcome::Completed, HALF);
        let bit = |of: u64| if n & of == 0 { "a" } else { "b" };
        (event.kind, event.source) = (Arc::from(bit(1)), Arc::from(bit(2)));
        event.handler_version = Arc::from(bit(4));
        watch.ingest(&ledger.record(START, LedgerEntry::Ended(event)));
    }
    let counts: Vec<u64> = watch.indicators("payment").unwrap().groups().map(|(_, g)| g.outcomes.total()).collect();
    assert_eq!(counts, [10; 8]);
}

#[test]
fn lag_is_an_age_and_a_distance_in_events_and_in_time() {
    let mut watch = Watch::new(Vec::new()).unwrap();
    let mut ledger = Ledger::default();
    let second = Duration::from_secs(1);
    watch.ingest(&ledger.ended(9, START, Outcome::Completed, 30 * second));
    watch.set_oldest("payment", Some(START - 20 * second));
    watch.set_end("orders", 0, 25, START + 40 * second);
    watch.tick(START + 60 * second);
    let seen = watch.indicators("payment").unwrap();
    assert_eq!(seen.lag(START + 60 * second), 80 * second);
    assert_eq!(
        (seen.distance, seen.distance_in_time),
        (15, 60 * second),
        "10 to 24; unfinished since -20 s, newest at 40 s"
    );
    // One that waits, and behind it the others go on: what is in process is as new as what ended last.
    watch.ingest(&ledger.ended(20, START + 35 * second, Outcome::Completed, 5 * second));
    watch.tick(START + 61 * second);
    let seen = watch.indicators("payment").unwrap();
    assert_eq!((seen.distance, seen.distance_in_time), (4, 10 * second), "21 to 24; the last that ended is of 30 s");
    // After an idle hour the first of an outage is all that it is behind by.
    watch.set_oldest("payment", None);
    watch.ingest(&ledger.ended(24, START + 62 * second, Outcome::Completed, 5 * second));
    watch.set_end("orders", 0, 26, START + HOUR);
    watch.set_oldest("payment", Some(START + HOUR - 3 * second));
    watch.tick(START + HOUR + second);
    let seen = watch.indicators("payment").unwrap();
    assert_eq!((seen.distance, seen.distance_in_time), (1, 3 * second), "the hour in which nothing came is no lag");
    watch.set_oldest("payment", None);
    watch.tick(START + 61 * second);
    assert_eq!(watch.indicators("payment").unwrap().distance, 0, "nothing is unfinished");
}

#[test]
fn a_subscription_that_went_back_is_rewound_until_it_is_where_it_was() {
    let mut watch = Watch::new(Vec::new()).unwrap();
    let mut ledger = Ledger::default();
    let mut see = |step: u32, offset: u64| {
        let now = START + 10 * SECOND * step;
        watch.set_end("orders", 0, 1_000_000, now);
        watch.ingest(&ledger.ended(offset, now, Outcome::Completed, HALF));
        watch.set_oldest("payment", Some(now));
        watch.tick(now);
        let seen = watch.indicators("payment").unwrap();
        (seen.pace, seen.distance)
    };
    (0..6).for_each(|step| assert_eq!(see(step, 500_000 + u64::from(step)).0, Pace::Good));
    // An event that ended late is no way back.
    assert_eq!(see(6, 499_000), (Pace::Good, 499_994));
    assert_eq!(see(7, 100_000), (Pace::Rewound, 899_999));
    assert_eq!(see(8, 100_001).0, Pace::Rewound);
    assert_eq!(see(9, 600_000), (Pace::Good, 399_999), "it is beyond where it was");
}
