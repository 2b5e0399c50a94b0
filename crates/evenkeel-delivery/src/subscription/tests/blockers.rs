//! One slow event holds up its key, or its partition where that is the order, and nobody else.

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::{Order, Parking, Policy, Screen};

/// A window of 50, and an event that takes a minute.
fn stuck(order: Order, per_key: usize) -> World {
    let parking = Parking { per_key, ..Parking::default() };
    let policy = Policy { order, parking, window: 50, timeout: secs(100), ..policy() };
    let mut world = World::new(policy, Box::new(|a| (if a.id == "stuck" { secs(60) } else { ms(5) }, Verdict::Ack)));
    world.plan(ms(0), 0, Some("slow"), "stuck", Screen::Wanted);
    world
}

#[test]
fn a_slow_event_with_more_behind_it_than_the_window_holds_holds_up_its_key_only() {
    let mut world = stuck(Order::Key, 1000);
    for n in 0..300 {
        world.plan(ms(1), 0, Some("slow"), &format!("behind-{n}"), Screen::Wanted);
        world.plan(ms(2), 0, Some(&format!("k{n}")), &format!("other-{n}"), Screen::Wanted);
    }
    world.run(secs(10));
    assert_eq!(world.count(Outcome::Completed), 300, "all others are done");
    assert!(world.alarmed("head_of_line") > 0);
    let view = world.sub.view(world.now);
    assert_eq!((view.in_flight, view.parked), (1, 300));
    world.crash();
    assert!(world.run_to_end(secs(300)));
    assert_eq!(world.count(Outcome::Completed), 601);
}

#[test]
fn a_busy_key_does_not_fill_the_window_though_none_of_its_events_is_slow() {
    let policy = Policy { window: 80, timeout: secs(100), ..policy() };
    let mut world = World::new(policy, Box::new(|a| (if a.key == "busy" { ms(500) } else { ms(5) }, Verdict::Ack)));
    for n in 0..400 {
        world.plan(ms(0), 0, Some("busy"), &format!("busy-{n}"), Screen::Wanted);
    }
    for n in 0..300 {
        world.plan(ms(1), 0, Some(&format!("k{n}")), &format!("other-{n}"), Screen::Wanted);
    }
    world.run(secs(30));
    let others = world.ended().iter().filter(|(id, _)| id.starts_with("other")).count();
    assert_eq!(others, 300);
    assert!(world.run_to_end(secs(400)));
}

#[test]
fn a_slow_event_in_a_partition_that_keeps_its_order_holds_up_no_other_partition() {
    let mut world = stuck(Order::Partition, 20);
    for n in 0..600 {
        world.plan(ms(1), u32::from(n % 2 == 0), Some(&format!("k{n}")), &format!("e{n}"), Screen::Wanted);
    }
    world.run(secs(20));
    assert_eq!(world.count(Outcome::Completed), 300, "the other partition is done");
    let view = world.sub.view(world.now);
    assert!(view.parked + view.queued <= 20 + 100, "no more of it is read than the limit and a page: {}", view.parked);
    assert!(world.run_to_end(secs(300)));
    let order: Vec<usize> =
        world.asked.iter().filter_map(|a| a.id.strip_prefix('e')?.parse().ok()).filter(|n| n % 2 == 1).collect();
    assert!(order.is_sorted(), "and its order is kept");
}

#[test]
fn several_slow_events_that_fill_the_window_together_hold_up_their_keys_only() {
    let policy = Policy { window: 50, timeout: secs(100), ..policy() };
    let slow = Box::new(|a: &Asked| (if a.id.starts_with("first") { secs(60) } else { ms(5) }, Verdict::Ack));
    let mut world = World::new(policy, slow);
    for key in 0..10 {
        for n in 0..5 {
            let id = if n == 0 { format!("first-{key}") } else { format!("behind-{key}-{n}") };
            world.plan(ms(0), 0, Some(&format!("slow{key}")), &id, Screen::Wanted);
        }
    }
    for n in 0..100 {
        world.plan(ms(1), 0, Some(&format!("k{n}")), &format!("other-{n}"), Screen::Wanted);
    }
    world.run(ms(900));
    assert_eq!(world.count(Outcome::Completed), 0, "the window is full, and nobody is slow yet");
    world.run(secs(9));
    assert_eq!(world.count(Outcome::Completed), 100);
    assert!(world.run_to_end(secs(300)));
}
