//! Shedding by class, from the bottom up, and which of one class goes first.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use evenkeel_model::{FailureClass, Outcome, Verdict};

use super::world::*;
use crate::{Concurrency, Freshness, Policy, Screen};

/// A window that a second of traffic fills.
fn narrow() -> Policy {
    let concurrency = Concurrency { max: 4, ..Concurrency::default() };
    Policy { concurrency, window: 100, ..policy() }
}

/// The class is the first digit of the id.
fn class_of(id: &str) -> u8 {
    id.as_bytes()[0] - b'0'
}

/// Takes ten events a second, and says 429 to all beyond.
fn ten_a_second() -> Handle {
    let taken = Rc::new(Cell::new((0_u64, 0_u32)));
    Box::new(move |asked| {
        let second = asked.since_start.as_secs();
        let (at, count) = taken.get();
        let count = if at == second { count + 1 } else { 1 };
        taken.set((second, count));
        (ms(5), if count > 10 { status(429) } else { Verdict::Ack })
    })
}

/// So many a second of each of these classes, each with a key of its own.
fn traffic(world: &mut World, seconds: u64, classes: &[(u8, u64)]) {
    world.class_of = Some(class_of);
    for second in 0..seconds {
        for (class, count) in classes {
            for n in 0..*count {
                let (after, id) = (secs(second) + ms(n * 1000 / count), format!("{class}-{second}-{n}"));
                world.plan(after, u32::try_from(n % 4).unwrap(), Some(&id), &id, Screen::Wanted);
            }
        }
    }
}

/// How long the slowest event of a class took, of those that have ended.
fn slowest(world: &World, class: u8) -> Duration {
    let of = world.ended().into_iter().filter(|(id, _)| class_of(id) == class);
    of.map(|(_, e)| Duration::from_micros(e.created_to_ended_us)).max().unwrap_or_default()
}

#[test]
fn what_is_urgent_keeps_its_pace_while_less_urgent_classes_are_put_off_from_the_bottom_up() {
    let mut world = World::new(narrow(), ten_a_second());
    traffic(&mut world, 60, &[(1, 30), (3, 10), (8, 4)]);
    world.run(secs(60));
    assert!(slowest(&world, 8) < secs(8), "{:?}", slowest(&world, 8));
    let urgent = world.ended().iter().filter(|(id, _)| class_of(id) == 8).count();
    assert!(urgent > 230, "{urgent} of 240 urgent events");
    let view = world.sub.view(world.now);
    assert!(view.shed > 100 && world.alarmed("shedding") > 0, "{} were shed", view.shed);
    let shed = world.failed_attempts().into_iter().filter(|a| a.message.starts_with("shed:"));
    assert!(shed.clone().all(|a| a.class == FailureClass::Deferred && a.next_at.is_some()), "it is on the record");
    assert!(shed.count() > 100);
    assert!(world.run_to_end(secs(2000)), "what was shed comes in the end");
    let ended = world.ended();
    assert!(ended.iter().all(|(_, e)| e.outcome == Outcome::Completed && e.attempts == 1), "and has spent nothing");
    world.run(secs(5));
    assert_eq!(world.sub.view(world.now).shed_below, 0);
}

#[test]
fn events_that_are_all_alike_are_not_shed() {
    let mut world = World::new(narrow(), ten_a_second());
    traffic(&mut world, 30, &[(4, 40)]);
    world.run(secs(30));
    assert_eq!(world.sub.view(world.now).shed, 0);
    assert!(world.run_to_end(secs(2000)));
}

#[test]
fn nothing_that_holds_up_a_more_urgent_event_of_its_key_is_shed() {
    let mut others = ten_a_second();
    let long: Handle = Box::new(move |a| if a.id == "8-long" { (secs(5), Verdict::Ack) } else { others(a) });
    let mut world = World::new(narrow(), long);
    traffic(&mut world, 40, &[(1, 40), (8, 4)]);
    for id in ["8-long", "1-key", "8-key"] {
        world.plan(secs(20), 0, Some("one"), id, Screen::Wanted);
    }
    world.run(secs(40));
    assert!(world.sub.view(world.now).shed > 50);
    let took = |id: &str| world.outcome(id).map(|e| Duration::from_micros(e.created_to_ended_us));
    let (before, after) = (took("8-long").unwrap(), took("8-key").unwrap());
    assert!(after - before < secs(4), "{before:?}, {after:?}");
}

#[test]
fn a_backlog_beyond_its_bound_sheds_too_when_the_handler_is_merely_slow() {
    let concurrency = Concurrency { max: 1, ..Concurrency::default() };
    for backlog in [None, Some(secs(2))] {
        let policy = Policy { concurrency, backlog, window: 100, ..policy() };
        let mut world = World::new(policy, Box::new(|_| (ms(100), Verdict::Ack)));
        traffic(&mut world, 40, &[(1, 20), (8, 5)]);
        world.run(secs(60));
        let sheds = world.sub.view(world.now).shed > 0;
        assert_eq!(sheds, backlog.is_some());
        assert_eq!(slowest(&world, 8) < secs(6), sheds, "{:?}", slowest(&world, 8));
        assert!(world.run_to_end(secs(2000)));
    }
}

#[test]
fn what_was_shed_and_what_waited_behind_it_is_no_evidence_of_a_backlog_when_it_comes_again() {
    let concurrency = Concurrency { max: 1, ..Concurrency::default() };
    for together in [false, true] {
        let slow_at_first: Handle =
            Box::new(|a| (if a.since_start < secs(20) { ms(400) } else { ms(5) }, Verdict::Ack));
        let policy = Policy { concurrency, backlog: Some(secs(1)), window: 100, ..policy() };
        let mut world = World::new(policy, slow_at_first);
        world.class_of = Some(class_of);
        for (second, class) in (0..120).flat_map(|second| [1, 3, 5, 8].map(|class| (second, class))) {
            let id = format!("{class}-{second}");
            let key = if together { format!("{class}") } else { id.clone() };
            world.plan(secs(second), 0, Some(&key), &id, Screen::Wanted);
        }
        world.run(secs(60));
        let shed = world.sub.view(world.now).shed;
        world.run(secs(60));
        assert!(shed > 2, "{shed}");
        assert_eq!(world.sub.view(world.now).shed, shed, "the handler keeps up since 20 s; of one key: {together}");
    }
}

#[test]
fn in_a_backlog_the_newest_goes_first_where_that_was_chosen_and_without_one_the_oldest() {
    let order = |freshness| {
        let concurrency = Concurrency { max: 1, ..Concurrency::default() };
        let mut world =
            World::new(Policy { concurrency, freshness, ..policy() }, Box::new(|_| (ms(600), Verdict::Ack)));
        for n in 0..6 {
            world.plan(ms(n), 0, Some(&format!("k{n}")), &format!("{n}"), Screen::Wanted);
        }
        // Of one key the older goes first all the same, and the newer when that is durable.
        world.plan(ms(10), 0, Some("k5"), "5b", Screen::Wanted);
        assert!(world.run_to_end(secs(20)));
        world.asked.iter().map(|a| a.id.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(order(Freshness::Fifo), "0 1 2 3 4 5 5b");
    assert_eq!(order(Freshness::LifoWhenBacklogged { after: secs(1) }), "0 1 5 4 5b 3 2");
}
