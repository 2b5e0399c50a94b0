//! Outages: however long, whatever the answers, nobody dies of them.

use evenkeel_model::{FailureClass, Outcome, Verdict};

use super::world::*;
use crate::{BreakerPolicy, BreakerState, Concurrency, Fact, Policy};

/// Down from `from` to `to` seconds after the start.
fn outage(from: u64, to: u64, answer: Answer) -> Handle {
    Box::new(move |a| {
        let down = a.since_start >= secs(from) && a.since_start < secs(to);
        if down { answer() } else { (ms(5), Verdict::Ack) }
    })
}

type Answer = fn() -> (std::time::Duration, Verdict);

const ANSWERS: [(&str, Answer); 4] = [
    ("unreachable", || (ms(1), unreachable())),
    ("503", || (ms(5), status(503))),
    ("500", || (ms(5), status(500))),
    ("hanging", || (secs(5), timed_out())),
];

#[test]
fn an_outage_longer_than_all_retries_kills_no_healthy_event() {
    for (name, answer) in ANSWERS {
        let mut world = World::new(policy(), outage(0, 300, answer));
        world.traffic(400, ms(100), 80);
        world.run(secs(60));
        assert_eq!(world.breaker(), BreakerState::Open, "{name}");
        let before = world.asked.len();
        world.run(secs(60));
        let probes = world.asked.len() - before;
        assert!(probes <= 13, "{name}: {probes} calls in a minute behind an open breaker of 5 s");
        assert!(world.run_to_end(secs(600)), "{name}: it recovers");
        assert_eq!(world.count(Outcome::Completed), 400, "{name}");
        assert_eq!(world.breaker(), BreakerState::Closed, "{name}");
        assert!(world.ended().iter().all(|(_, e)| e.deliveries == e.attempts + e.deferrals), "{name}");
    }
}

#[test]
fn an_outage_that_begins_with_a_window_full_of_successes_is_seen_after_ten_failures() {
    for (name, answer) in ANSWERS {
        let mut world = World::new(policy(), outage(8, 100, answer));
        world.traffic(2000, ms(10), 500);
        world.run(secs(14));
        assert_eq!(world.breaker(), BreakerState::Open, "{name}");
        let failures = world.failed_attempts().len();
        assert!(failures <= 10 + 64, "{name}: {failures} failures before the gate shut");
        assert!(world.run_to_end(secs(300)), "{name}");
        assert_eq!(world.count(Outcome::Completed), 2000, "{name}");
    }
}

#[test]
fn two_events_are_enough_traffic_to_see_an_outage_and_none_dies_of_it() {
    for (name, answer) in ANSWERS {
        let mut world = World::new(policy(), outage(0, 600, answer));
        world.publish(0, "a", "a");
        world.publish(1, "b", "b");
        world.run(secs(120));
        assert_ne!(world.breaker(), BreakerState::Closed, "{name}");
        world.run(secs(500));
        world.publish(2, "c", "c");
        assert!(world.run_to_end(secs(60)), "{name}");
        assert_eq!(world.count(Outcome::Completed), 3, "{name}");
    }
}

#[test]
fn a_failing_probe_is_another_event_each_time_and_spends_nothing() {
    let mut world = World::new(policy(), outage(0, 100, || (ms(5), status(500))));
    world.traffic(30, ms(0), 30);
    world.run(secs(1));
    let before = world.asked.len();
    world.run(secs(60));
    let mut probed: Vec<&str> = world.asked[before..].iter().map(|a| a.key.as_str()).collect();
    assert!((8..=13).contains(&probed.len()), "one probe per open time: {}", probed.len());
    probed.sort_unstable();
    probed.dedup();
    assert_eq!(probed.len(), world.asked.len() - before, "no key twice");
    assert!(world.run_to_end(secs(100)));
    let most = world.ended().iter().map(|(_, e)| e.attempts).max();
    assert_eq!(most, Some(1), "what failed before the breaker opened is deferred, not booked by who succeeds later");
}

#[test]
fn a_probe_that_fails_for_another_reason_than_the_outage_books_nothing_either() {
    let bank = BreakerPolicy { window: secs(10), open: secs(5), open_max: Some(secs(5)), ..BreakerPolicy::default() };
    let policy = Policy { depends_on: vec![("bank".into(), bank)], ..policy() };
    let mut hung = None;
    let mut world = World::new(policy, always(Verdict::Ack));
    world.handle = Box::new(move |a| match a.since_start < secs(20) {
        true => (ms(5), status(500)),
        // No answer accuses the handler, whose breaker is closed, and not the bank.
        false if hung.is_none() => {
            hung = Some(a.id.clone());
            (secs(1), timed_out())
        }
        false => (ms(5), Verdict::Ack),
    });
    world.traffic(40, ms(0), 40);
    assert!(world.run_to_end(secs(200)));
    assert_eq!(world.count(Outcome::Completed), 40);
    assert_eq!(world.ended().iter().map(|(_, e)| e.attempts).max(), Some(1), "only what completed it is booked");
}

#[test]
fn a_call_from_before_the_trip_that_fails_when_all_is_well_again_books_nothing() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.handle = Box::new(|a| match a.id.as_str() {
        "old" if a.dispatch.delivery == 1 => (secs(60), status(500)),
        _ if a.since_start < secs(20) => (ms(5), status(500)),
        _ => (ms(5), Verdict::Ack),
    });
    world.publish(0, "old", "old");
    world.traffic(20, ms(0), 20);
    world.run(secs(50));
    assert_eq!(world.breaker(), BreakerState::Closed, "the outage is over before the old call comes back");
    world.traffic(400, ms(100), 40);
    assert!(world.run_to_end(secs(200)));
    let old = world.ended().into_iter().find(|(id, _)| id == "old").map(|(_, e)| (e.attempts, e.deferrals));
    assert_eq!(old, Some((1, 1)));
}

#[test]
fn after_a_good_probe_more_pass_by_and_by() {
    let mut world = World::new(policy(), outage(0, 20, || (ms(5), status(500))));
    world.handle = Box::new(|a| (secs(1), if a.since_start < secs(20) { status(500) } else { Verdict::Ack }));
    world.traffic(100, ms(0), 100);
    world.run(secs(20));
    let before = world.asked.len();
    while world.asked.len() == before {
        world.run(ms(100));
    }
    assert_eq!(world.sub.view(world.now).in_flight, 1);
    world.run(secs(1));
    assert_eq!(world.sub.view(world.now).in_flight, 2);
    world.run(secs(1));
    assert_eq!(world.sub.view(world.now).in_flight, 4);
    world.run(secs(1));
    assert_eq!(world.breaker(), BreakerState::Closed);
    assert!(world.sub.view(world.now).in_flight >= 16, "as many as it begins with");
}

#[test]
fn answers_to_calls_from_before_the_trip_decide_nothing_at_half_open() {
    let mut world = World::new(policy(), Box::new(|_| (ms(5), status(500))));
    world.handle = Box::new(|a| match a.id.as_str() {
        "old-bad" if a.dispatch.delivery == 1 => (secs(6), status(500)),
        _ if a.since_start < secs(3) => (ms(5), status(500)),
        _ => (secs(2), Verdict::Ack),
    });
    world.publish(0, "old", "old-bad");
    world.traffic(20, ms(0), 20);
    while world.breaker() == BreakerState::Closed {
        world.run(ms(10));
    }
    while world.breaker() == BreakerState::Open {
        world.run(ms(10));
    }
    assert!(world.now.since(start()) < secs(6), "the probe is under way while the old call still hangs");
    world.run(secs(2));
    assert_ne!(world.breaker(), BreakerState::Open, "the old failure came back in between, and did not count");
    world.run(secs(10));
    assert_eq!(world.breaker(), BreakerState::Closed);
    assert_eq!(world.count(Outcome::Completed), 21);
}

#[test]
fn retry_age_stands_still_behind_an_open_breaker() {
    for (name, answer) in ANSWERS {
        let mut p = policy();
        p.retry.age = secs(30);
        let mut world = World::new(p, outage(0, 3600, answer));
        world.traffic(50, ms(0), 50);
        world.run(secs(3700));
        assert!(world.run_to_end(secs(60)), "{name}");
        assert_eq!(world.count(Outcome::Completed), 50, "{name}");
        assert_eq!(world.alarmed("undecided"), 0, "{name}");
    }
}

#[test]
fn an_open_breaker_is_found_open_after_a_restart() {
    let mut world = World::new(policy(), outage(0, 100, || (ms(5), status(500))));
    world.traffic(50, ms(0), 50);
    world.run(secs(2));
    assert_eq!(world.breaker(), BreakerState::Open);
    world.crash();
    assert_eq!(world.breaker(), BreakerState::Open);
    let before = world.asked.len();
    world.run(secs(2));
    assert_eq!(world.asked.len(), before, "nobody asks before the open time is over");
    assert!(world.run_to_end(secs(200)));
    assert_eq!(world.count(Outcome::Completed), 50);
}

#[test]
fn a_named_dependency_is_accused_by_answers_only_and_opens_by_request() {
    let bank = |open| (std::sync::Arc::from("bank"), BreakerPolicy { open, ..BreakerPolicy::default() });
    let p = Policy { depends_on: vec![bank(secs(5))], ..policy() };
    for (verdict, which) in [(status(500), 1), (timed_out(), 0), (unreachable(), 0), (status(404), 0), (status(503), 1)]
    {
        let mut world = World::new(p.clone(), always(verdict.clone()));
        world.traffic(40, ms(0), 40);
        world.run(secs(2));
        let open: Vec<bool> =
            world.sub.view(world.now).breakers.iter().map(|b| b.state == BreakerState::Open).collect();
        assert_eq!(open, [which == 0, which == 1], "{verdict:?}");
    }
    let mut world = World::new(p, always(Verdict::Pause { dependency: "bank".into() }));
    world.publish(0, "a", "a");
    world.publish(0, "b", "b");
    world.run(ms(100));
    assert_eq!(world.sub.view(world.now).breakers[1].state, BreakerState::Open, "one `pause` opens it");
    assert!(world.pendings().is_empty(), "what waits behind a breaker is not parked");
    world.handle = always(Verdict::Ack);
    assert!(world.run_to_end(secs(10)));
    assert!(world.ended().iter().all(|(_, e)| e.attempts == 1));
}

#[test]
fn shedding_feeds_no_breaker_spends_nothing_and_lowers_the_concurrency() {
    for verdict in [status(429), retry_after(503, ms(10)), Verdict::Busy { after: None }] {
        let mut world = World::new(policy(), always(verdict.clone()));
        world.handle =
            Box::new(move |a| (ms(5), if a.since_start < secs(30) { verdict.clone() } else { Verdict::Ack }));
        world.traffic(100, ms(0), 100);
        world.run(secs(20));
        assert_eq!(world.breaker(), BreakerState::Closed);
        assert_eq!(world.sub.view(world.now).concurrency, 1);
        assert!(world.asked.len() < 2000, "{} calls to a handler that sheds", world.asked.len());
        assert!(world.run_to_end(secs(100)));
        assert!(world.ended().iter().all(|(_, e)| e.outcome == Outcome::Completed && e.attempts == 1));
        assert!(world.failed_attempts().iter().all(|a| a.class == FailureClass::Overload));
    }
}

#[test]
fn the_breaker_is_on_the_record_when_it_opens_and_when_it_closes() {
    let mut world = World::new(policy(), outage(0, 3, || (ms(5), status(500))));
    world.traffic(50, ms(0), 50);
    assert!(world.run_to_end(secs(60)));
    let of = |f: &Fact| if let Fact::Breaker(mark) = f { Some(mark.open_until.is_some()) } else { None };
    let marks: Vec<bool> = world.facts.iter().filter_map(of).collect();
    assert_eq!(marks, [true, false]);
}

#[test]
fn a_single_event_in_an_outage_is_tried_once_per_open_time_then_undecided_and_never_dies() {
    for (name, answer) in ANSWERS {
        let mut p = policy();
        p.retry.age = secs(600);
        let mut world = World::new(p, outage(0, 10_000, answer));
        world.publish(0, "a", "a");
        world.run(secs(60));
        let before = world.asked.len();
        world.run(secs(60));
        let calls = world.asked.len() - before;
        assert!((5..=25).contains(&calls), "{name}: {calls} calls in a minute");
        world.run(secs(1000));
        let sheds = name == "503";
        assert_eq!(world.alarmed("undecided"), usize::from(!sheds), "{name}: age stands still behind a shed");
        assert_eq!(world.open(), 1, "{name}");
        world.run(secs(9000));
        world.publish(1, "b", "b");
        assert!(world.run_to_end(secs(if sheds { 7 } else { 2 })), "{name}: the first success of another wakes it");
        assert_eq!(world.count(Outcome::Completed), 2, "{name}");
    }
}

#[test]
fn a_single_event_that_outlives_its_tries_in_an_outage_is_not_killed_by_the_next_success() {
    let mut world = World::new(policy(), outage(0, 60, || (ms(5), status(500))));
    world.publish(0, "a", "a");
    world.run(secs(60));
    assert!(world.tries("a") > 3);
    world.publish(1, "b", "b");
    assert!(world.run_to_end(secs(30)));
    assert_eq!(world.outcome("a").map(|e| e.outcome), Some(Outcome::Completed));
}

#[test]
fn a_handler_that_shed_before_the_breaker_opened_is_probed_when_the_open_time_is_over() {
    for end in 60..70 {
        let mut policy = policy();
        policy.concurrency = Concurrency { max: 4, ..Concurrency::default() };
        policy.handler_breaker.open = secs(1);
        policy.handler_breaker.open_max = Some(secs(1));
        let mut world = World::new(policy, outage(0, end, || (ms(5), status(503))));
        world.traffic(60, ms(10), 60);
        world.run(secs(end + 2));
        assert!(world.count(Outcome::Completed) > 0, "healthy since second {end}, and not asked for two seconds");
    }
}

#[test]
fn behind_an_open_breaker_a_reader_does_not_wait_for_more_credit() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.traffic(200, ms(0), 200);
    world.run(ms(2));
    assert!(!world.sub.is_hungry(), "there is enough at hand");
    world.handle = always(unreachable());
    world.run(secs(30));
    assert_eq!(world.breaker(), crate::BreakerState::Open);
    world.traffic(40, ms(0), 40);
    world.run(ms(1));
    assert!(world.sub.is_hungry(), "whatever waits may be poison, and others must probe");
}
