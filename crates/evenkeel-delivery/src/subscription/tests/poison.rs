//! Poison: an event that fails amid healthy traffic ends, soon, and after exactly its attempts.

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::{Fact, Order, Policy, RetrySchedule, Screen};

fn poison(answer: Verdict) -> Handle {
    Box::new(move |a| (ms(5), if a.id.starts_with("poison") { answer.clone() } else { Verdict::Ack }))
}

#[test]
fn poison_amid_healthy_traffic_is_dead_after_exactly_its_attempts() {
    for answer in
        [status(500), Verdict::Retry { after: None, message: "no".into(), dependency: None }, status(404), timed_out()]
    {
        let mut world = World::new(policy(), poison(answer.clone()));
        world.traffic(3000, ms(10), 100);
        world.publish(0, "k0", "poison");
        assert!(world.run_to_end(secs(60)), "{answer:?}");
        let dead = world.outcome("poison").expect("it ended");
        assert_eq!((dead.outcome, dead.attempts, dead.deliveries), (Outcome::Dead, 3, 3), "{answer:?}");
        let failure = dead.failure.expect("it says why");
        assert_eq!(failure.reason, "attempts_exhausted");
        assert!(failure.first_failed_at < failure.last_failed_at && failure.fingerprint.len() == 16);
        assert!(dead.at.since(failure.last_failed_at) < ms(100), "promptly");
        assert_eq!(world.count(Outcome::Completed), 3000);
        assert_eq!(world.failed_attempts().len(), 3);
    }
}

#[test]
fn what_is_rejected_is_dead_at_once_and_what_is_dropped_is_on_the_record() {
    for (answer, outcome, reason) in [
        (status(422), Outcome::Dead, "rejected"),
        (Verdict::Reject { reason: "bad".into() }, Outcome::Dead, "rejected"),
        (Verdict::Drop { reason: "test".into() }, Outcome::Dropped, "dropped"),
    ] {
        let mut world = World::new(policy(), poison(answer));
        world.publish(0, "k", "poison");
        world.run(secs(1));
        let ended = world.outcome("poison").expect("it ended");
        assert_eq!((ended.outcome, ended.attempts, ended.deliveries), (outcome, 1, 1));
        assert_eq!(ended.failure.map(|f| f.reason).as_deref(), Some(reason));
    }
}

#[test]
fn a_success_before_the_failure_books_nothing() {
    let mut world = World::new(policy(), poison(status(500)));
    world.traffic(500, ms(10), 100);
    world.run(secs(10));
    world.publish(0, "k0", "poison");
    world.run(secs(60));
    assert_eq!(world.open(), 1, "nobody succeeded since: it waits");
    world.traffic(9000, ms(10), 100);
    assert!(world.run_to_end(secs(100)));
    let dead = world.outcome("poison").expect("it ended");
    assert_eq!((dead.outcome, dead.attempts), (Outcome::Dead, 3));
}

#[test]
fn an_event_that_used_its_tries_alone_is_tried_at_its_own_pace_as_soon_as_others_succeed() {
    let mut p = policy();
    p.handler_breaker.window = secs(60);
    p.handler_breaker.open = secs(600);
    let mut world = World::new(p, poison(status(500)));
    world.publish(0, "k0", "poison");
    world.run(secs(20));
    assert_eq!(world.tries("poison"), 3, "then once per open interval");
    world.traffic(3000, ms(10), 100);
    world.run(secs(30));
    let dead = world.outcome("poison").expect("it waited for the open time although nothing was down");
    assert_eq!((dead.outcome, dead.attempts), (Outcome::Dead, 3));
}

#[test]
fn a_success_that_was_under_way_books_only_when_the_window_is_over() {
    let mut p = policy();
    p.retry = RetrySchedule { attempts: 1, ..p.retry };
    p.handler_breaker.open = secs(60);
    let mut world = World::new(
        p,
        Box::new(|a| match a.id.as_str() {
            "poison" => (ms(5), status(500)),
            _ => (secs(1), Verdict::Ack),
        }),
    );
    world.publish(1, "slow", "slow");
    world.publish(0, "k", "poison");
    world.run(secs(9));
    assert_eq!(world.outcome("poison"), None);
    world.run(secs(2));
    assert_eq!(world.outcome("poison").map(|e| (e.outcome, e.attempts)), Some((Outcome::Dead, 1)));
}

#[test]
fn an_event_whose_age_is_used_up_dies_of_it_only_amid_successes() {
    let mut p = policy();
    p.retry = RetrySchedule { attempts: 1000, initial: secs(1), max: secs(1), age: secs(20), ..p.retry };
    let mut world = World::new(p, poison(status(500)));
    world.traffic(6000, ms(10), 100);
    world.publish(0, "k0", "poison");
    assert!(world.run_to_end(secs(100)));
    let dead = world.outcome("poison").expect("it ended");
    assert_eq!(dead.failure.map(|f| f.reason).as_deref(), Some("max_age"));
    assert!(dead.created_to_ended_us >= 20_000_000 && dead.created_to_ended_us < 30_000_000);
}

#[test]
fn many_poison_events_amid_healthy_ones_all_die_and_nobody_else() {
    let mut world = World::new(policy(), poison(status(500)));
    for i in 0..40_u32 {
        world.plan(ms(u64::from(i) * 200), i % 4, Some(&format!("k{i}")), &format!("poison{i}"), crate::Screen::Wanted);
    }
    world.traffic(8000, ms(10), 200);
    assert!(world.run_to_end(secs(200)));
    assert_eq!((world.count(Outcome::Dead), world.count(Outcome::Completed)), (40, 8000));
    let dead: Vec<_> = world.ended().into_iter().filter(|(_, e)| e.outcome == Outcome::Dead).collect();
    assert!(dead.iter().all(|(_, e)| e.attempts == 3 && e.deliveries == e.attempts + e.deferrals));
}

#[test]
fn a_retry_is_never_earlier_than_the_handler_wishes() {
    let answers = [retry_after(500, secs(7)), retry_after(429, secs(7)), Verdict::Busy { after: Some(secs(7)) }];
    let wishes = [
        Verdict::Retry { after: Some(secs(7)), message: "later".into(), dependency: None },
        Verdict::Defer { until: start() + secs(7) },
    ];
    for answer in answers.into_iter().chain(wishes) {
        let mut world = World::new(policy(), poison(answer.clone()));
        world.publish(0, "k", "poison");
        world.run(secs(6));
        assert_eq!(world.tries("poison"), 1, "{answer:?}");
        world.run(secs(4));
        assert!(world.tries("poison") > 1, "{answer:?}");
    }
}

#[test]
fn a_wish_beyond_retry_age_ends_the_event_once_it_is_booked_and_not_at_the_wished_time() {
    let mut p = policy();
    (p.retry.age, p.retry.attempts) = (secs(600), 50);
    for (wish, outcome) in [(secs(300), None), (secs(86_400), Some((Outcome::Dead, 1)))] {
        let mut world = World::new(p.clone(), poison(retry_after(500, wish)));
        world.publish(0, "k", "poison");
        world.traffic(1000, ms(100), 20);
        world.run(secs(200));
        assert_eq!(world.tries("poison"), 1, "never earlier than it wishes");
        assert_eq!(world.outcome("poison").map(|e| (e.outcome, e.attempts)), outcome, "{wish:?}");
    }
}

#[test]
fn a_defer_into_the_past_is_no_busy_loop_and_defers_spend_nothing() {
    let mut world = World::new(policy(), poison(Verdict::Defer { until: start() }));
    world.publish(0, "k", "poison");
    world.run(secs(10));
    assert!(world.tries("poison") < 400, "{}", world.tries("poison"));
    world.handle = always(Verdict::Ack);
    assert!(world.run_to_end(secs(10)));
    let ended = world.outcome("poison").expect("it ended");
    assert_eq!(ended.attempts, 1);
    assert_eq!(ended.deliveries, ended.deferrals + 1);
}

#[test]
fn short_delays_hold_the_lane_in_memory_and_long_ones_park_it_durably() {
    let mut p = policy();
    p.retry.inline = secs(20);
    let mut world = World::new(p, poison(status(500)));
    world.publish(0, "k", "poison");
    world.run(secs(10));
    assert!(world.tries("poison") > 1);
    assert!(world.pendings().is_empty());
    let parking = Policy { retry: RetrySchedule { inline: ms(0), ..policy().retry }, ..policy() };
    let mut world = World::new(parking, poison(status(500)));
    world.publish(0, "k", "poison");
    world.publish(0, "k", "behind");
    world.run(ms(20));
    let pending = world.pendings().pop().expect("it is parked");
    assert_eq!((pending.at.offset, pending.counters.deliveries), (0, 1));
    assert_eq!(pending.failure.map(|f| f.message), Some("it failed: Some(500)".into()));
    let view = world.sub.view(world.now);
    assert_eq!((view.parked, view.parked_keys, view.lanes[0].behind), (2, 1, 1));
    let attempt = world.facts.iter().position(|f| matches!(f, Fact::Attempt { .. }));
    let parked = world.facts.iter().position(|f| matches!(f, Fact::Pending(_)));
    assert!(attempt < parked, "facts of one event keep their order");
}

/// A producer that went wrong publishes many events in a row that no handler can handle, amid a trickle of others.
fn a_burst(begin: fn(Policy, Handle) -> World) {
    for (order, window) in [(Order::Key, 4096), (Order::None, 4096), (Order::Key, 16), (Order::None, 4)] {
        for (count, every) in [(12, 1000), (50, 1000), (200, 100)] {
            let handler_breaker = Policy::default().handler_breaker;
            let mut world = begin(Policy { order, window, handler_breaker, ..policy() }, poison(status(500)));
            for n in 0..count {
                let (partition, key) = (u32::try_from(n % 4).unwrap(), format!("p{n}"));
                world.plan(ms(n), partition, Some(&key), &format!("poison-{n}"), Screen::Wanted);
            }
            world.traffic(1_200_000 / every, ms(every), 100);
            let name = format!("{order:?}, a window of {window}, {count} of them, others every {every} ms");
            assert!(world.run_to_end(secs(1205)), "{name}: {} are open, of twenty minutes", world.open());
            assert_eq!(world.count(Outcome::Dead) as u64, count, "{name}");
            assert_eq!(world.count(Outcome::Completed) as u64, 1_200_000 / every, "{name}");
            let dead = world.ended().into_iter().filter(|(_, e)| e.outcome == Outcome::Dead);
            assert!(dead.into_iter().all(|(_, e)| e.attempts == 3), "{name}: of its attempts, and of nothing else");
        }
    }
}

#[test]
fn a_burst_of_poison_is_no_outage_for_long() {
    a_burst(World::new);
}

#[test]
fn a_burst_of_poison_is_no_outage_for_long_in_process() {
    a_burst(World::inside);
}
