//! Alerts on virtual time.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Outcome, Timestamp};

use crate::objective::Objective;
use crate::rule::{AlertRule, Severity};
use crate::testing::{DAY, Dice, HOUR, Ledger, START, latency, success};
use crate::{AlertEvent, Watch};

const MINUTE: Duration = Duration::from_secs(60);

fn pages_only(mut objective: Objective) -> Objective {
    objective.alerts.retain(|alert| alert.severity == Severity::Page);
    objective
}

fn watch(objective: Objective) -> Watch {
    Watch::new(vec![objective]).unwrap()
}

/// 30 days of a healthy service that uses half its budget; counts the pages.
fn false_pages(seed: u64, per_hour: u32, alpha: f64) -> usize {
    let mut watch = watch(Objective { alpha, ..pages_only(success()) });
    let (mut dice, mut ledger) = (Dice(seed), Ledger::default());
    let (mut next, mut offset, mut pages) = (START + dice.gap(HOUR / per_hour), 0, 0);
    for minute in 0..30 * 24 * 60 {
        let now = START + MINUTE * minute;
        while next <= now {
            let outcome = if dice.below(2_000) == 0 { Outcome::Dead } else { Outcome::Completed };
            watch.ingest(&ledger.ended(offset, next, outcome, MINUTE));
            offset += 1;
            next = next + dice.gap(HOUR / per_hour);
        }
        pages += watch.tick(now).iter().filter(|event| matches!(event, AlertEvent::Firing(_))).count();
    }
    assert!(offset > 20 * 24 * u64::from(per_hour), "too few events to say anything");
    pages
}

#[test]
fn a_quiet_healthy_topic_never_pages_in_thirty_days() {
    let plain: usize = (0..4).map(|seed| false_pages(seed, 10, 0.999_999_999)).sum();
    let gated: usize = (0..4).map(|seed| false_pages(seed, 10, 1e-3)).sum();
    assert!(plain > 0, "the plain rule did not page either, so the gate was not tried");
    assert_eq!(gated, 0, "the plain rule paged {plain} times");
}

/// Minutes from the start of a total outage to the page, after eight healthy hours.
fn minutes_to_page(per_hour: u32) -> u64 {
    let mut watch = watch(pages_only(success()));
    let mut ledger = Ledger::default();
    let gap = HOUR / per_hour;
    for n in 1..=9 * per_hour {
        let at = START + gap * n;
        let outcome = if n > 8 * per_hour { Outcome::Dead } else { Outcome::Completed };
        watch.ingest(&ledger.ended(u64::from(n), at, outcome, MINUTE));
        if let [AlertEvent::Firing(alert), ..] = watch.tick(at).as_slice() {
            assert_eq!(alert.name.as_ref(), "page-quick");
            assert_eq!(alert.first_bad_at, START + 8 * HOUR + gap);
            return at.since(START + 8 * HOUR).as_secs().div_ceil(60);
        }
    }
    panic!("no page within an hour of a total outage at {per_hour} events an hour");
}

#[test]
fn a_total_outage_pages_within_the_expected_minutes() {
    // Two bad of ten, three of sixty, and 1.44 % of six hundred are the first that can't be chance.
    assert_eq!([10, 60, 600].map(minutes_to_page), [12, 3, 1]);
}

/// One event a second until `until`; those in `bad` die.
fn each_second(watch: &mut Watch, bad: std::ops::Range<u64>, until: u64) -> Vec<(u64, AlertEvent)> {
    let mut ledger = Ledger::default();
    let mut events = Vec::new();
    for second in 0..until {
        let now = START + Duration::from_secs(second);
        let outcome = if bad.contains(&second) { Outcome::Dead } else { Outcome::Completed };
        watch.ingest(&ledger.ended(second, now, outcome, MINUTE));
        events.extend(watch.tick(now).into_iter().map(|event| (second, event)));
    }
    events
}

#[test]
fn an_alert_fires_once_and_clears_when_its_short_window_is_clean() {
    let mut watch = watch(pages_only(success()));
    let events = each_second(&mut watch, 3_600..3_900, 6_000);
    let told: Vec<(u64, bool, &str)> = events
        .iter()
        .map(|(second, event)| (*second, matches!(event, AlertEvent::Firing(_)), event.alert().name.as_ref()))
        .collect();
    let names = ["page-quick", "page-slow", "page-quick", "page-slow"];
    assert_eq!(told.iter().map(|(_, _, name)| *name).collect::<Vec<_>>(), names, "{told:?}");
    assert_eq!(told.iter().map(|(_, firing, _)| *firing).collect::<Vec<_>>(), [true, true, false, false], "{told:?}");
    // On: 1.44 % of an hour, and 0.6 % of six, of which five count as good. Off: a short window of
    // half an hour, or of five minutes, after the last bad one, less what the factor still allows.
    let expected = [3_650..3_656, 3_720..3_740, 4_190..4_202, 5_680..5_702];
    for ((second, _, name), expected) in told.iter().zip(expected) {
        assert!(expected.contains(second), "{name} at {second}, expected {expected:?}");
    }
    assert!(watch.alerts().is_empty());
    let AlertEvent::Resolved(alert) = &events[2].1 else { panic!("{events:?}") };
    assert!(alert.burn_short <= alert.factor && alert.resolved_at.is_some_and(|at| at > alert.started_at));
}

#[test]
fn ten_bad_seconds_in_the_first_minute_of_an_objective_are_not_an_hours_damage() {
    let mut watch = watch(success());
    assert!(each_second(&mut watch, 30..40, 60).is_empty());
    let burn = watch.burn("payment-success", START + Duration::from_secs(59), HOUR).unwrap();
    assert!(burn > 14.4, "the plain rule would not page either, at a burn of {burn}");
}

#[test]
fn an_objective_that_is_broken_from_its_first_event_pages_at_once() {
    let mut watch = watch(pages_only(success()));
    let events = each_second(&mut watch, 0..60, 10);
    assert!(
        events.iter().any(|(second, event)| *second < 5 && event.alert().name.as_ref() == "page-quick"),
        "{events:?}"
    );
}

#[test]
fn the_demos_pair_fires_within_seconds_and_clears_within_seconds() {
    let tier = AlertRule::burn("demo", Severity::Page, 0.001, Duration::from_secs(10), Duration::from_secs(2));
    let mut watch = watch(Objective { alerts: vec![tier], ..success() });
    let mut ledger = Ledger::default();
    let mut told = Vec::new();
    for tick in 0..600_u64 {
        // Twenty events a second; all die from second 20 to second 26.
        let now = START + Duration::from_millis(tick * 50);
        let outcome = if (400..520).contains(&tick) { Outcome::Dead } else { Outcome::Completed };
        watch.ingest(&ledger.ended(tick, now, outcome, MINUTE));
        told.extend(watch.tick(now).into_iter().map(|event| (tick as f64 / 20.0, event)));
    }
    let [(on, AlertEvent::Firing(alert)), (off, AlertEvent::Resolved(_))] = told.as_slice() else { panic!("{told:?}") };
    assert!((*on - 20.0) < 4.0, "fired after {} s", on - 20.0);
    assert!((*off - 26.0) < 3.1, "cleared after {} s", off - 26.0);
    assert_eq!(alert.first_bad_at, START + Duration::from_secs(20));
}

/// Fires by a burst of dead events, after which nothing comes any more.
fn fired_then_silent(objective: Objective) -> (Watch, Timestamp) {
    let mut watch = watch(objective);
    let mut ledger = Ledger::default();
    for n in 0..200 {
        watch.ingest(&ledger.ended(n, START + Duration::from_secs(n), Outcome::Dead, MINUTE));
    }
    let now = START + Duration::from_secs(200);
    assert_eq!(watch.tick(now).len(), 2, "they did not fire");
    (watch, now)
}

#[test]
fn an_empty_short_window_holds_the_last_state_while_the_long_one_burns() {
    let (mut watch, now) = fired_then_silent(pages_only(success()));
    assert_eq!(watch.tick(now + 30 * MINUTE), [], "the quick page has an empty short window");
    let over: Vec<_> = watch.tick(now + 62 * MINUTE).iter().map(|e| Arc::clone(&e.alert().name)).collect();
    assert_eq!(over, [Arc::from("page-quick")]);
    assert_eq!(watch.tick(now + 7 * HOUR).len(), 1, "the slow page ends with its own long window");
}

#[test]
fn silence_with_an_old_unfinished_event_is_no_recovery() {
    let objective = Objective { alerts: AlertRule::workbook(), ..latency("payment-latency", MINUTE) };
    let (mut watch, now) = fired_then_silent(pages_only(objective));
    watch.set_oldest("payment", Some(now));
    assert_eq!(watch.tick(now + 8 * HOUR), []);
    watch.set_oldest("payment", None);
    assert_eq!(watch.tick(now + 8 * HOUR).len(), 2);
}

#[test]
fn an_alert_that_fired_before_a_restart_does_not_fire_again() {
    let (before, now) = fired_then_silent(pages_only(success()));
    let firing: Vec<_> = before.alerts().into_iter().cloned().collect();
    let mut after = watch(pages_only(success()));
    let mut ledger = Ledger::default();
    for n in 0..200 {
        after.ingest(&ledger.ended(n, START + Duration::from_secs(n), Outcome::Dead, MINUTE));
    }
    after.adopt(&firing);
    assert_eq!(after.tick(now), []);
    let resolved = after.tick(now + DAY);
    assert!(resolved.iter().all(|event| event.alert().started_at == firing[0].started_at), "{resolved:?}");
    assert_eq!(resolved.len(), 2);
}
