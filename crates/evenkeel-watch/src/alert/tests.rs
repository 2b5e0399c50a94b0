//! Alerts on virtual time.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Outcome, Timestamp};

use super::evidence::is_of_recovery;
use crate::objective::{Objective, Part, Scope};
use crate::rule::{AlertRule, Severity, Trigger};
use crate::slices::Counts;
use crate::tally::Tally;
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
fn a_healthy_service_never_pages_in_simulated_months_and_by_the_plain_rule_it_does() {
    for (per_hour, seeds) in [(10, 8), (60, 4), (600, 1)] {
        let gated: usize = (0..seeds).map(|seed| false_pages(seed, per_hour, 1e-3)).sum();
        assert_eq!(gated, 0, "{per_hour} events an hour");
    }
    let plain = [10, 60].map(|per_hour| (0..2).map(|seed| false_pages(seed, per_hour, 0.999_999_999)).sum::<usize>());
    assert!(plain[0] >= 2 && plain[1] >= 10, "the plain rule paged {plain:?} times in two months");
}

/// Seconds from the start of a total outage to the page, after eight healthy hours of events that
/// come at random; evaluated every second.
fn seconds_to_page(seed: u64, per_hour: u32) -> u64 {
    let mut watch = watch(pages_only(success()));
    let (mut ledger, mut dice) = (Ledger::default(), Dice(seed));
    let outage = START + 8 * HOUR;
    let (mut at, mut offset) = (START, 0);
    while at < START + 11 * HOUR {
        at = at + dice.gap(HOUR / per_hour);
        let outcome = if at > outage { Outcome::Dead } else { Outcome::Completed };
        watch.ingest(&ledger.ended(offset, at, outcome, MINUTE));
        offset += 1;
        if at > outage && !watch.tick(at).is_empty() {
            return at.since(outage).as_secs();
        }
    }
    panic!("no page within three hours of a total outage at {per_hour} events an hour");
}

#[test]
fn a_total_outage_pages_in_minutes_also_on_a_quiet_topic() {
    // Two bad of ten, three of sixty, and nine of six hundred are the first that can't be chance,
    // so at 10 events an hour half of all outages are paged at the second event, after 1.68 gaps.
    let median = |per_hour| {
        let mut all: Vec<u64> = (0..301).map(|seed| seconds_to_page(seed, per_hour)).collect();
        all.sort_unstable();
        all[150]
    };
    let medians = [10, 60, 600].map(median);
    assert!(medians[0] < 11 * 60 && medians[1] <= 3 * 60 && medians[2] <= 2 * 60, "{medians:?} seconds");
}

/// How often the quick page fires in a total outage of three hours at ten events an hour.
fn pages_of_an_outage(seed: u64, hold: Option<Duration>) -> usize {
    let mut objective = pages_only(success());
    objective.alerts.truncate(1);
    objective.alerts[0].hold = hold;
    let mut watch = watch(objective);
    let (mut ledger, mut dice) = (Ledger::default(), Dice(seed));
    let (mut next, mut offset, mut pages) = (START, 0, 0);
    for minute in 0..11 * 60 {
        let now = START + MINUTE * minute;
        while next <= now {
            let outcome = if next > START + 8 * HOUR { Outcome::Dead } else { Outcome::Completed };
            watch.ingest(&ledger.ended(offset, next, outcome, MINUTE));
            offset += 1;
            next = next + dice.gap(HOUR / 10);
        }
        pages += watch.tick(now).iter().filter(|event| matches!(event, AlertEvent::Firing(_))).count();
    }
    pages
}

#[test]
fn an_outage_on_a_quiet_topic_is_one_page_and_flaps_without_the_hold() {
    for seed in 0..20 {
        assert_eq!(pages_of_an_outage(seed, None), 1, "seed {seed}");
    }
    let flapping: usize = (0..20).map(|seed| pages_of_an_outage(seed, Some(Duration::ZERO))).sum();
    assert!(flapping > 5 * 20, "{flapping} pages in 20 outages: the hold was not tried");
}

#[test]
fn an_alert_with_a_delay_is_pending_first_and_falls_back_when_it_was_a_moment() {
    let mut objective = pages_only(success());
    objective.alerts.truncate(1);
    objective.alerts[0].after = 10 * MINUTE;
    let mut long = watch(objective.clone());
    let events = each_second(&mut long, 3_600..5_400, 6_000);
    assert!((4_250..4_256).contains(&events[0].0), "52 s after the beginning, and ten minutes: {events:?}");
    let mut short = watch(objective);
    assert!(each_second(&mut short, 3_600..3_900, 4_000).is_empty());
    let (_, name, since) = short.pending()[0];
    assert_eq!((&**name, since.since(START).as_secs() / 10), ("page-quick", 365));
    let mut ledger = Ledger::at(4_000);
    for second in 4_000..4_400 {
        let now = START + Duration::from_secs(second);
        short.ingest(&ledger.ended(second, now, Outcome::Completed, MINUTE));
        assert_eq!(short.tick(now), []);
    }
    assert!(short.pending().is_empty());
}

/// An objective with this alert alone.
fn with(trigger: Trigger) -> Objective {
    Objective { alerts: vec![AlertRule::of("alert", Severity::Ticket, trigger)], ..success() }
}

#[test]
fn silence_fires_after_its_time_and_is_over_with_the_next_event() {
    let mut watch = watch(with(Trigger::Silence { over: HOUR }));
    assert_eq!(watch.tick(START + DAY), [], "nothing came yet, so nothing is missed");
    let mut ledger = Ledger::default();
    watch.ingest(&ledger.ended(0, START + DAY, Outcome::Completed, MINUTE));
    assert_eq!(watch.tick(START + DAY + 59 * MINUTE), []);
    let fired = watch.tick(START + DAY + HOUR);
    assert!(matches!(fired.as_slice(), [AlertEvent::Firing(_)]), "{fired:?}");
    assert!(fired[0].alert().summary().contains("no event for 1h"), "{}", fired[0].alert().summary());
    watch.ingest(&ledger.ended(1, START + DAY + HOUR + MINUTE, Outcome::Dead, MINUTE));
    let over = watch.tick(START + DAY + HOUR + MINUTE);
    assert!(matches!(over.as_slice(), [AlertEvent::Resolved(_)]), "{over:?}");
}

#[test]
fn an_alert_on_the_budget_fires_when_less_is_left_and_on_exhaustion_before_that() {
    let low = Trigger::Remaining { below: 0.5 };
    let soon = Trigger::Exhaustion { within: 2 * DAY };
    let fired_at = |trigger| {
        let mut watch = watch(with(trigger));
        let mut ledger = Ledger::default();
        // A month at one event a minute, 43 of which may be bad; then one of fifty is.
        for minute in 0..33 * 24 * 60_u64 {
            let now = START + MINUTE * u32::try_from(minute).unwrap();
            let bad = minute > 30 * 24 * 60 && minute % 50 == 0;
            let outcome = if bad { Outcome::Dead } else { Outcome::Completed };
            watch.ingest(&ledger.ended(minute, now, outcome, MINUTE));
            if minute % 10 == 0 && !watch.tick(now).is_empty() {
                return minute - 30 * 24 * 60;
            }
        }
        panic!("it never fired")
    };
    let (low, soon) = (fired_at(low), fired_at(soon));
    assert!((1_050..1_150).contains(&low), "22 of 43.2 bad: {low} minutes");
    assert!(soon < low, "{soon} minutes");
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
fn six_bad_seconds_at_the_very_beginning_are_not_an_hours_damage_either() {
    let mut watch = watch(pages_only(success()));
    let events = each_second(&mut watch, 0..6, 120);
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn an_objective_that_is_broken_from_its_first_event_pages_within_a_minute() {
    let mut watch = watch(pages_only(success()));
    let events = each_second(&mut watch, 0..120, 120);
    let paged = events.iter().find(|(_, event)| event.alert().name.as_ref() == "page-quick").map(|(second, _)| *second);
    // 1.44 % of an hour.
    assert!(paged.is_some_and(|second| (50..56).contains(&second)), "{events:?}");
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
fn one_good_event_after_a_quiet_stretch_is_no_recovery_and_ten_are() {
    let (mut watch, now) = fired_then_silent(pages_only(success()));
    let mut ledger = Ledger::at(200);
    let mut see = |watch: &mut Watch, offset, outcome, at: Timestamp| {
        watch.ingest(&ledger.ended(offset, at, outcome, MINUTE));
        watch.tick(at)
    };
    let quiet = now + 10 * MINUTE;
    assert_eq!(see(&mut watch, 200, Outcome::Completed, quiet), [], "one good event of 201 says nothing");
    let half_a_second = Duration::from_millis(500);
    assert_eq!(see(&mut watch, 201, Outcome::Dead, quiet + half_a_second), [], "it still fires, so it does not begin");
    let later = quiet + 10 * MINUTE;
    for n in 0..9 {
        assert_eq!(see(&mut watch, 202 + n, Outcome::Completed, later + half_a_second * n as u32), [], "{n}");
    }
    let over = see(&mut watch, 211, Outcome::Completed, later + 5 * half_a_second * 2);
    let names: Vec<_> = over.iter().map(|event| (&*event.alert().name, event.alert().resolved_at.is_some())).collect();
    let said = over[0].alert().summary();
    assert!(said.ends_with("no longer burns its error budget too fast (201 of 212 events bad in 1h)"), "{said}");
    assert_eq!(names, [("page-quick", true)], "ten of ten are no chance while half fail; the slow one has one bad");
}

#[test]
fn a_part_that_fails_and_falls_silent_is_not_cleared_by_another_part() {
    let part = |weight| Part { scope: Scope::of("payment"), weight, ..Part::default() };
    let counts = |good, bad| Tally { events: Counts { good, bad }, ..Tally::default() };
    let (failed, well) = (part(1.0), part(1.0));
    let burnt = |tally: Tally| Tally { error: Some(tally.events.bad as f64 / tally.events.valid() as f64), ..tally };
    let long = [(&failed, burnt(counts(100, 100))), (&well, burnt(counts(1_000, 0)))];
    let clear = |of_failed| is_of_recovery(&[(&failed, of_failed), (&well, counts(500, 0))], &long, 14.4, &success());
    assert!(!clear(counts(0, 0)) && !clear(counts(9, 0)) && clear(counts(10, 0)));
    assert!(!clear(counts(10, 1)) && clear(counts(30, 2)));
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
