//! Parking: its limits stop reading, and never lock up.

use evenkeel_model::{Outcome, Verdict};

use super::super::credit::WITNESSES;
use super::world::*;
use crate::{Exhausted, Parking, PendingWhy, Policy};

fn bad_until(s: u64) -> Handle {
    Box::new(move |a| {
        let bad = a.key.starts_with("bad") && a.since_start < secs(s);
        (ms(1), if bad { Verdict::Defer { until: start() + a.since_start + secs(2) } } else { Verdict::Ack })
    })
}

fn parked_policy(keys: usize, per_key: usize) -> Policy {
    Policy { parking: Parking { keys, per_key, ..Parking::default() }, window: 20, ..policy() }
}

#[test]
fn at_the_limit_of_keys_reading_stops_and_resumes_below_four_fifths() {
    let mut world = World::new(parked_policy(10, 1000), bad_until(60));
    for i in 0..30 {
        world.plan(ms(i * 10), 0, Some(&format!("bad{i}")), &format!("{i}"), crate::Screen::Wanted);
    }
    world.run(secs(1));
    assert_eq!(world.sub.credit(), 0);
    assert_eq!(world.alarmed("parking_full"), 1);
    let before = world.asked.len();
    world.run(secs(10));
    assert!(world.asked.len() > before + 20, "what is parked is still tried");
    world.run(secs(60));
    assert!(world.run_to_end(secs(60)), "it resumes by itself");
    assert_eq!(world.count(Outcome::Completed), 30);
}

#[test]
fn between_four_fifths_and_the_limit_reading_stays_stopped() {
    let mut world = World::new(parked_policy(10, 1000), bad_until(1000));
    for i in 0..10 {
        world.publish(0, &format!("bad{i}"), &format!("{i}"));
    }
    world.run(ms(100));
    assert_eq!((world.sub.view(world.now).parked_keys, world.sub.credit()), (10, 0));
    for i in 0..2 {
        world.command(crate::Command::Skip { key: format!("bad{i}").into() });
        world.run(ms(10));
    }
    assert_eq!((world.sub.view(world.now).parked_keys, world.sub.credit()), (8, 0));
    world.command(crate::Command::Skip { key: "bad2".into() });
    world.run(ms(10));
    assert_eq!((world.sub.view(world.now).parked_keys, world.sub.credit()), (7, 20));
}

#[test]
fn at_a_limit_no_more_is_read_than_the_few_that_can_tell_whose_fault_a_failure_was() {
    let answer = |a: &Asked| match a.key.as_str() {
        "good" => Verdict::Ack,
        "bad9" => retry_after(500, secs(60)),
        _ => Verdict::Defer { until: start() + a.since_start + secs(60) },
    };
    let mut world = World::new(parked_policy(10, 1000), Box::new(move |a| (ms(1), answer(a))));
    for i in 0..10 {
        world.publish(0, &format!("bad{i}"), &format!("{i}"));
    }
    world.run(ms(100));
    assert_eq!((world.sub.view(world.now).parked_keys, world.sub.room()), (10, 20));
    assert_eq!(world.sub.credit(), WITNESSES, "and not all of the window");
    world.publish(1, "good", "witness");
    world.run(ms(100));
    assert_eq!((world.count(Outcome::Completed), world.sub.credit()), (1, 0), "the first of them told");
}

#[test]
fn at_the_limit_behind_one_key_reading_stops_and_the_queue_drains_in_order() {
    let mut world = World::new(parked_policy(100, 10), bad_until(30));
    for i in 0..40 {
        world.plan(ms(10 * i), 0, Some("bad"), &format!("b{i:02}"), crate::Screen::Wanted);
        world.plan(ms(10 * i), 1, Some(&format!("good{i}")), &format!("g{i}"), crate::Screen::Wanted);
    }
    world.run(secs(2));
    assert_eq!((world.sub.credit(), world.alarmed("parking_full")), (0, 1));
    assert!(world.run_to_end(secs(100)));
    let order: Vec<String> = world.ended().into_iter().map(|(id, _)| id).filter(|id| id.starts_with('b')).collect();
    assert!(order.is_sorted() && order.len() == 40);
}

#[test]
fn limits_of_one_never_lock_up_even_with_poison() {
    let mut p = parked_policy(1, 1);
    p.retry.attempts = 2;
    p.window = 1;
    let mut world = World::new(p, Box::new(|a| (ms(1), if a.id == "poison" { status(422) } else { Verdict::Ack })));
    world.handle = Box::new(|a| match (a.id.as_str(), a.dispatch.delivery) {
        ("poison", _) => (ms(1), status(422)),
        (_, 1) => (ms(1), retry_after(500, secs(1))),
        _ => (ms(1), Verdict::Ack),
    });
    world.traffic(20, ms(50), 7);
    world.publish(2, "p", "poison");
    assert!(world.run_to_end(secs(600)));
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Dead)), (20, 1));
}

#[test]
fn an_exhausted_key_stays_parked_when_the_policy_says_so_until_released() {
    let p = Policy { when_exhausted: Exhausted::ParkKey, ..policy() };
    let mut world = World::new(p, Box::new(|a| (ms(1), if a.key == "bad" { status(500) } else { Verdict::Ack })));
    world.traffic(3000, ms(10), 50);
    world.publish(0, "bad", "first");
    world.publish(0, "bad", "second");
    world.run(secs(60));
    assert_eq!((world.alarmed("attempts_exhausted"), world.count(Outcome::Dead), world.open()), (1, 0, 2));
    assert_eq!(world.pendings().pop().map(|p| (p.why, p.counters.attempts)), Some((PendingWhy::Exhausted, 3)));
    let tries = world.tries("first");
    world.crash();
    world.run(secs(3600));
    assert_eq!(world.tries("first"), tries, "not tried again by itself, nor by a restart");
    world.handle = always(Verdict::Ack);
    world.command(crate::Command::Release { key: Some("bad".into()) });
    assert!(world.run_to_end(secs(5)));
    let ends: Vec<(String, u32)> =
        world.ended().into_iter().filter(|(id, _)| !id.starts_with('e')).map(|(id, e)| (id, e.attempts)).collect();
    assert_eq!(ends, [("first".to_owned(), 1), ("second".to_owned(), 1)]);
}

#[test]
fn an_exhausted_event_pauses_the_subscription_when_the_policy_says_so_until_resumed() {
    let p = Policy { when_exhausted: Exhausted::Pause, ..policy() };
    let mut world = World::new(p, Box::new(|a| (ms(1), if a.key == "bad" { status(500) } else { Verdict::Ack })));
    world.traffic(3000, ms(10), 50);
    world.publish(0, "bad", "first");
    world.run(secs(60));
    assert!(world.sub.view(world.now).paused.is_some_and(|why| why.contains("orders/0@")));
    let before = world.asked.len();
    world.crash();
    world.run(secs(60));
    assert_eq!(world.asked.len(), before, "it stays paused over a restart");
    world.handle = always(Verdict::Ack);
    world.command(crate::Command::Resume);
    assert!(world.run_to_end(secs(60)));
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Dead)), (3001, 0));
    assert_eq!(world.outcome("first").map(|e| e.attempts), Some(1), "fresh attempts");
}

#[test]
fn poison_that_fills_the_parking_still_finds_its_witnesses() {
    let mut p = parked_policy(1, 1000);
    p.retry.inline = ms(0);
    let mut world = World::new(p, Box::new(|a| (ms(1), if a.id == "poison" { status(500) } else { Verdict::Ack })));
    world.publish(0, "p", "poison");
    world.run(ms(10));
    assert_eq!(world.alarmed("parking_full"), 1);
    world.traffic(200, ms(1), 50);
    world.run(ms(100));
    assert!(world.asked.len() < 100, "reading is stopped, but for a few: {}", world.asked.len());
    assert!(world.run_to_end(secs(100)));
    assert_eq!(world.outcome("poison").map(|e| (e.outcome, e.attempts)), Some((Outcome::Dead, 3)));
}

#[test]
fn poison_that_fills_the_window_behind_an_open_breaker_lets_others_probe() {
    let mut p = Policy { window: 2, ..policy() };
    p.retry.inline = secs(100);
    let mut world =
        World::new(p, Box::new(|a| (ms(1), if a.id.starts_with("poison") { status(500) } else { Verdict::Ack })));
    world.publish(0, "p", "poison1");
    world.publish(1, "q", "poison2");
    world.run(secs(60));
    assert_ne!(world.breaker(), crate::BreakerState::Closed);
    world.traffic(600, ms(100), 50);
    world.run(secs(20));
    assert!(world.count(Outcome::Completed) > 10, "healthy events get through");
}
