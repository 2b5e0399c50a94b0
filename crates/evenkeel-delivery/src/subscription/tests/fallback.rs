//! The fallback: what meets an open breaker goes there, and nothing else does.

use std::time::Duration;

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::{BreakerState, FALLBACK, Fallback, Policy, Rate};

/// The handler is down for 5 minutes; the fallback says this.
fn outage(after: Duration, fallback: Verdict) -> World {
    let policy = Policy { fallback: Some(Fallback { after }), ..policy() };
    let handle = Box::new(move |a: &Asked| match (a.dispatch.fallback, a.since_start < secs(300)) {
        (true, _) => (ms(5), fallback.clone()),
        (false, true) => (ms(5), unreachable()),
        (false, false) => (ms(5), Verdict::Ack),
    });
    let mut world = World::new(policy, handle);
    world.traffic(4000, ms(100), 50);
    world
}

fn fell_back(world: &World) -> Vec<(String, evenkeel_model::ledger::Ended)> {
    let mut ended = world.ended();
    ended.retain(|(_, e)| e.failure.as_ref().is_some_and(|f| f.reason == FALLBACK));
    ended
}

#[test]
fn events_that_meet_an_open_breaker_go_to_the_fallback_and_the_record_says_so() {
    let mut world = outage(secs(30), Verdict::Ack);
    assert!(world.run_to_end(secs(500)));
    let fell_back = fell_back(&world);
    assert!(fell_back.len() > 2500, "{} of about 2700", fell_back.len());
    assert!(fell_back.iter().all(|(_, e)| e.outcome == Outcome::Completed && &*e.handler_version == FALLBACK));
    assert_eq!(world.count(Outcome::Completed), 4000);
    let times: Vec<Duration> = world.asked.iter().filter(|a| a.dispatch.fallback).map(|a| a.since_start).collect();
    assert!(times.iter().all(|t| *t >= secs(30)), "not before the breaker has been open for 30 s");
    assert!(times.iter().all(|t| *t < secs(320)), "and no longer than it is: {:?}", times.last());
    assert_eq!(world.breaker(), BreakerState::Closed);
    assert_eq!(world.sub.view(world.now).fell_back, fell_back.len() as u64);
}

#[test]
fn the_handler_is_probed_all_the_same() {
    let mut world = outage(secs(0), Verdict::Ack);
    world.run(secs(290));
    let probes = world.asked.iter().filter(|a| !a.dispatch.fallback && a.since_start > secs(60)).count();
    assert!(probes >= 30, "{probes} probes in 230 s, one each 5 to 6 s");
}

#[test]
fn what_the_handler_may_have_soon_does_not_go_to_the_fallback() {
    let mut policy = Policy { fallback: Some(Fallback { after: secs(0) }), ..policy() };
    // Two calls, and one more each 20 s: when the open time of 5 s is over, a probe waits for the rate.
    policy.rate = Some(Rate { per_second: 0.05, burst: 2 });
    policy.handler_breaker.consecutive = 2;
    let fallback = Box::new(|a: &Asked| (ms(5), if a.dispatch.fallback { Verdict::Ack } else { unreachable() }));
    let mut world = World::new(policy, fallback);
    world.traffic(2, ms(0), 2);
    world.run(secs(10));
    assert_eq!(world.breaker(), BreakerState::Open);
    let before = world.asked.len();
    world.publish(0, "late", "late");
    world.run(secs(5));
    assert_eq!(world.asked.len(), before, "it is the next probe");
    world.run(secs(10));
    let next: Vec<(&str, bool)> =
        world.asked[before..].iter().map(|a| (a.id.as_str(), a.dispatch.fallback)).take(1).collect();
    assert_eq!(next, [("late", false)]);
}

#[test]
fn a_fallback_that_fails_costs_nothing_and_is_left_alone_for_a_while() {
    for says in [status(500), Verdict::Reject { reason: "no".into() }, status(503)] {
        let mut world = outage(secs(1), says);
        assert!(world.run_to_end(secs(900)));
        assert_eq!((world.count(Outcome::Completed), fell_back(&world).len()), (4000, 0));
        let asked = world.asked.iter().filter(|a| a.dispatch.fallback).count();
        assert!((5..64 * 40).contains(&asked), "{asked}");
        assert!(world.ended().iter().all(|(_, e)| e.attempts == 1), "only the handler's own attempt counts");
        assert!(world.alarmed("fallback_failed") > 0);
    }
}

#[test]
fn what_the_fallback_drops_is_dropped_on_the_record() {
    let mut world = outage(secs(1), Verdict::Drop { reason: "later is too late".into() });
    assert!(world.run_to_end(secs(900)));
    let dropped = fell_back(&world);
    assert!(dropped.len() > 2500 && dropped.iter().all(|(_, e)| e.outcome == Outcome::Dropped));
}

#[test]
fn without_an_open_breaker_nobody_goes_there() {
    let policy = Policy { fallback: Some(Fallback { after: secs(0) }), ..policy() };
    let mut world =
        World::new(policy, Box::new(|a| (ms(5), if a.dispatch.delivery == 1 { status(429) } else { Verdict::Ack })));
    world.traffic(300, ms(10), 30);
    assert!(world.run_to_end(secs(900)));
    assert!(world.asked.iter().all(|a| !a.dispatch.fallback));
}

#[test]
fn a_crash_with_events_at_the_fallback_keeps_each_keys_order_and_loses_nothing() {
    let mut world = outage(secs(1), Verdict::Ack);
    for _ in 0..20 {
        world.run(secs(7));
        world.crash();
    }
    assert!(world.run_to_end(secs(900)));
    assert_eq!(world.count(Outcome::Completed), 4000);
}
