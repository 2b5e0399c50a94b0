use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Outcome, Timestamp};

use super::{Excluded, Exclusion, Hidden};
use crate::Watch;
use crate::objective::{Empty, Method, Objective, Part};
use crate::testing::{HOUR, Ledger, success};

const MINUTE: Duration = Duration::from_secs(60);
/// A whole hour.
const BEGIN: Timestamp = Timestamp::from_millis(1_794_960_000_000);

fn exclusion(id: &str, from: Timestamp, until: Timestamp) -> Exclusion {
    Exclusion {
        id: Arc::from(id),
        of: Excluded::default(),
        from,
        until,
        reason: Arc::from("release"),
        by: Arc::from("ann"),
        said_at: until,
    }
}

/// One event a minute over three hours; all of the second hour die.
fn outage(objective: Objective) -> Watch {
    let mut watch = Watch::new(vec![objective]).unwrap();
    let mut ledger = Ledger::default();
    for minute in 0..180_u32 {
        let outcome = if (60..120).contains(&minute) { Outcome::Dead } else { Outcome::Completed };
        watch.ingest(&ledger.ended(u64::from(minute), BEGIN + MINUTE * minute, outcome, MINUTE));
    }
    watch
}

#[test]
fn an_hour_that_is_excluded_afterwards_counts_for_nobody_and_can_be_taken_back() {
    let mut watch = outage(success());
    let now = BEGIN + 3 * HOUR;
    let counts = |watch: &Watch| {
        let budget = watch.budget("payment-success", now).unwrap();
        (budget.good, budget.bad)
    };
    assert_eq!(counts(&watch), (120, 60));
    watch.exclude(exclusion("a", BEGIN + HOUR, BEGIN + 2 * HOUR));
    assert_eq!(counts(&watch), (120, 0));
    assert_eq!(watch.burn("payment-success", now, 90 * MINUTE), Some(0.0));
    watch.exclude(exclusion("b", BEGIN + HOUR / 2, BEGIN + 90 * MINUTE));
    assert_eq!(counts(&watch), (90, 0), "what both hide is hidden once");
    assert!(watch.include("a") && !watch.include("a"));
    assert_eq!(counts(&watch), (90, 30));
    // An event that comes late into an hour that is excluded is hidden as well.
    watch.ingest(&Ledger::at(180).ended(999, BEGIN + 80 * MINUTE, Outcome::Dead, MINUTE));
    assert_eq!(counts(&watch), (90, 30));
}

#[test]
fn exclusions_are_of_the_objectives_that_they_name() {
    let objective = success();
    let named = |text: &str| Some(Arc::from(text));
    for (of, holds) in [
        (Excluded::default(), true),
        (Excluded { service: named("shop"), ..Excluded::default() }, true),
        (Excluded { service: named("bank"), ..Excluded::default() }, false),
        (Excluded { subscription: named("payment"), ..Excluded::default() }, true),
        (Excluded { subscription: named("inventory"), ..Excluded::default() }, false),
        (Excluded { objective: named("payment-success"), ..Excluded::default() }, true),
        (Excluded { objective: named("other"), ..Excluded::default() }, false),
    ] {
        assert_eq!(Exclusion { of, ..exclusion("a", BEGIN, BEGIN + HOUR) }.holds(&objective), holds);
    }
}

#[test]
fn slices_that_are_excluded_share_no_budget() {
    let method = Method::Timeslices { slice: 5 * MINUTE, target: 1.0, empty: Empty::Good };
    let mut watch = outage(Objective { parts: vec![Part { method, ..success().parts[0].clone() }], ..success() });
    let now = BEGIN + 3 * HOUR - Duration::from_secs(1);
    let slices = |watch: &Watch| watch.budget("payment-success", now).unwrap().slices.unwrap();
    let all = 30 * 24 * 12;
    assert_eq!(slices(&watch), (12, all));
    watch.exclude(exclusion("a", BEGIN + HOUR, BEGIN + 2 * HOUR - 5 * MINUTE));
    assert_eq!(slices(&watch), (1, all - 11));
}

#[test]
fn maintenance_pages_nobody() {
    let mut watch = outage(success());
    watch.exclude(exclusion("a", BEGIN + HOUR, BEGIN + 2 * HOUR));
    assert_eq!(watch.tick(BEGIN + 2 * HOUR), []);
    let mut paged = outage(success());
    assert!(!paged.tick(BEGIN + 2 * HOUR).is_empty(), "it would not page either");
}

#[test]
fn stretches_are_joined_and_rounded_outwards_to_minutes() {
    let second = Duration::from_secs(1);
    let spans = [
        exclusion("a", BEGIN + 90 * second, BEGIN + 100 * second),
        exclusion("b", BEGIN + 120 * second, BEGIN + 180 * second),
        exclusion("c", BEGIN + 300 * second, BEGIN + 300 * second),
    ];
    let hidden = Hidden::of(spans.iter());
    assert_eq!(hidden, Hidden(vec![(BEGIN + MINUTE, BEGIN + 3 * MINUTE)]), "nothing long is nothing");
    assert!(!hidden.holds(BEGIN) && hidden.holds(BEGIN + MINUTE) && !hidden.holds(BEGIN + 3 * MINUTE));
}
