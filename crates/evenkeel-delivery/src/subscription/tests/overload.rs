//! Overload: retries within their budget, a rate, bytes at the handler, and a limit that finds
//! itself.

use std::cell::Cell;
use std::rc::Rc;

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::{BreakerPolicy, Concurrency, Policy, Rate, RetryBudget};

/// A breaker that never opens, so that only the budget is in the way.
fn no_breaker() -> BreakerPolicy {
    BreakerPolicy { consecutive: u32::MAX, failure_ratio: 1.0, min_calls: u32::MAX, ..BreakerPolicy::default() }
}

#[test]
fn retries_stay_within_their_share_of_first_tries_and_spend_nothing_while_they_wait() {
    let budget = RetryBudget { share: 0.2, min_per_second: 1.0 };
    let mut policy = Policy { retry_budget: budget, handler_breaker: no_breaker(), ..policy() };
    policy.retry.age = secs(5);
    let mut world = World::new(policy, Box::new(|_| (ms(5), status(500))));
    // Half of all first tries fail, and each of those would be tried again at once.
    world.handle = Box::new(|a| {
        (ms(5), if a.since_start < secs(50) && a.key.ends_with('1') { status(500) } else { Verdict::Ack })
    });
    world.traffic(5000, ms(10), 5000);
    world.run(secs(50));
    let retries = world.asked.iter().filter(|a| a.dispatch.delivery > 1).count();
    assert!(retries <= 1000 + 50 + 10, "{retries} retries beside 5000 first tries in 50 s");
    assert!(world.run_to_end(secs(500)));
    assert!(
        world.ended().iter().all(|(_, e)| e.outcome == Outcome::Completed || e.attempts >= 3),
        "nobody dies of age"
    );
}

#[test]
fn a_retry_that_waits_for_the_budget_does_not_hold_up_others_and_is_seen() {
    let budget = RetryBudget { share: 0.0, min_per_second: 1.0 };
    let policy = Policy { retry_budget: budget, handler_breaker: no_breaker(), ..policy() };
    let mut world =
        World::new(policy, Box::new(|a| (ms(5), if a.dispatch.delivery < 2 { status(500) } else { Verdict::Ack })));
    world.traffic(30, ms(0), 30);
    world.run(secs(3));
    assert!(world.sub.view(world.now).unpaid_retries > 10);
    world.handle = always(Verdict::Ack);
    world.traffic(100, ms(0), 50);
    world.run(secs(1));
    assert!(world.count(Outcome::Completed) >= 70, "first tries pass: {}", world.count(Outcome::Completed));
    assert!(world.run_to_end(secs(60)));
    assert!(world.ended().iter().all(|(_, e)| e.outcome == Outcome::Completed));
}

#[test]
fn a_handler_that_sheds_at_its_lowest_concurrency_is_called_ever_more_rarely() {
    let concurrency = Concurrency { max: 1, ..Concurrency::default() };
    let retry_budget = RetryBudget { share: 100.0, min_per_second: 1000.0 };
    let mut world = World::new(Policy { concurrency, retry_budget, ..policy() }, always(status(429)));
    world.traffic(500, ms(0), 500);
    world.run(secs(60));
    assert!((10..100).contains(&world.asked.len()), "{} calls in a minute, 500 events", world.asked.len());
}

#[test]
fn what_a_handler_put_off_by_its_own_wish_is_no_retry() {
    let retry_budget = RetryBudget { share: 0.0, min_per_second: 0.001 };
    let later = Box::new(|a: &Asked| {
        let until = start() + a.since_start + secs(1);
        (ms(5), if a.dispatch.delivery == 1 { Verdict::Defer { until } } else { Verdict::Ack })
    });
    let mut world = World::new(Policy { retry_budget, ..policy() }, later);
    world.traffic(200, ms(0), 200);
    assert!(world.run_to_end(secs(30)), "{} wait for the budget", world.sub.view(world.now).unpaid_retries);
}

#[test]
fn a_retry_that_waits_for_the_budget_does_not_age() {
    let retry_budget = RetryBudget { share: 0.0, min_per_second: 0.5 };
    let mut policy = Policy { retry_budget, handler_breaker: no_breaker(), ..policy() };
    (policy.retry.age, policy.retry.attempts) = (secs(20), 8);
    let fails = Box::new(|a: &Asked| {
        let healthy = a.key.starts_with('w') || a.dispatch.delivery > 2;
        (ms(5), if healthy { Verdict::Ack } else { status(500) })
    });
    let mut world = World::new(policy, fails);
    world.traffic(60, ms(0), 60);
    // Others succeed between any two tries, so that each failure is booked before the next.
    for second in 0..300 {
        world.plan(secs(second), 0, Some(&format!("w{second}")), &format!("w{second}"), crate::Screen::Wanted);
    }
    assert!(world.run_to_end(secs(900)));
    let waited = world.asked.iter().filter(|a| a.dispatch.delivery == 2).map(|a| a.since_start).max();
    assert!(waited > Some(secs(60)), "{waited:?}: some waited longer than they may age");
    assert_eq!(world.count(Outcome::Completed), 360, "waiting for minutes made nobody too old");
}

#[test]
fn an_operator_may_skip_or_release_what_waits_for_the_budget() {
    let budget = RetryBudget { share: 0.0, min_per_second: 0.1 };
    let policy = Policy { retry_budget: budget, handler_breaker: no_breaker(), ..policy() };
    let mut world = World::new(policy, always(status(500)));
    world.traffic(40, ms(0), 40);
    world.run(secs(5));
    let waiting = world.sub.view(world.now).unpaid_retries;
    assert!(waiting > 10);
    let places: Vec<_> = world.sub.pending().into_iter().map(|(at, _)| at).collect();
    places.into_iter().for_each(|at| world.command(crate::Command::SkipAt(at)));
    world.run(secs(1));
    assert_eq!((world.sub.view(world.now).unpaid_retries, world.count(Outcome::Dead)), (0, 40));
}

#[test]
fn a_rate_is_kept_over_any_while_and_its_burst_at_once() {
    let policy = Policy { rate: Some(Rate { per_second: 50.0, burst: 20 }), ..policy() };
    let mut world = World::new(policy, always(Verdict::Ack));
    world.traffic(600, ms(0), 600);
    world.run(ms(1));
    assert!(world.asked.len() <= 20);
    for second in 1..=10 {
        world.run(secs(1));
        let most = 20 + 50 * second + 1;
        assert!(world.asked.len() <= most && world.asked.len() + 60 > most, "{} after {second} s", world.asked.len());
    }
    assert!(world.run_to_end(secs(10)));
}

#[test]
fn the_bytes_at_the_handler_stay_within_their_bound_and_a_big_event_passes_alone() {
    let concurrency = Concurrency { max: 64, bytes: 1000, ..Concurrency::default() };
    let mut world = World::new(Policy { concurrency, ..policy() }, always(Verdict::Ack));
    world.bytes = 300;
    world.traffic(30, ms(0), 30);
    world.run(ms(1));
    assert_eq!(world.sub.view(world.now).in_flight, 3, "4 × 300 are more than 1000");
    assert!(world.run_to_end(secs(5)));
    world.bytes = 5000;
    world.traffic(3, ms(0), 3);
    world.run(ms(1));
    assert_eq!((world.sub.view(world.now).in_flight, world.sub.view(world.now).in_flight_bytes), (1, 5000));
    assert!(world.run_to_end(secs(5)));
    assert_eq!(world.sub.view(world.now).in_flight_bytes, 0);
}

#[test]
fn concurrency_settles_near_what_a_queueing_handler_has_room_for() {
    let concurrency = Concurrency { max: 500, ..Concurrency::default() };
    let mut world = World::new(Policy { concurrency, ..policy() }, always(Verdict::Ack));
    // Twenty at a time, 10 ms each; the rest queues inside: the last one waits for all before it.
    let free_at = Rc::new(Cell::new(vec![std::time::Duration::ZERO; 20]));
    world.handle = Box::new(move |a| {
        let mut places = free_at.take();
        let first = (0..places.len()).min_by_key(|i| places[*i]).unwrap_or(0);
        let done = places[first].max(a.since_start) + ms(10);
        places[first] = done;
        free_at.set(places);
        (done - a.since_start, Verdict::Ack)
    });
    world.traffic(20_000, ms(0), 20_000);
    world.run(secs(3));
    let limit = world.sub.view(world.now).concurrency;
    assert!((10..=60).contains(&limit), "{limit} for a room of 20");
    let done = world.count(Outcome::Completed);
    assert!(done > 5000, "{done} of about 6000 in 3 s: it is kept busy");
}

#[test]
fn what_is_urgent_goes_first_and_a_key_keeps_its_order_all_the_same() {
    let concurrency = Concurrency { max: 1, ..Concurrency::default() };
    let mut world = World::new(Policy { concurrency, ..policy() }, always(Verdict::Ack));
    for (priority, key, id) in [(4, "a", "a1"), (1, "b", "b1"), (9, "b", "b2"), (4, "c", "c1"), (9, "d", "d1")] {
        world.priority = priority;
        world.plan(ms(0), 0, Some(key), id, crate::Screen::Wanted);
        world.run(ms(0));
    }
    assert!(world.run_to_end(secs(2)));
    let order: Vec<&str> = world.asked.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(order, ["a1", "d1", "c1", "b1", "b2"]);
}
