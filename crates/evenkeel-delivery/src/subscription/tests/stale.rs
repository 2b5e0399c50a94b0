//! Stale events: nothing older than what was completed of its key reaches the handler.

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::{Fact, Order, Policy, Version};

/// Each event is its key's version that stands behind the dash of its id.
fn publish(world: &mut World, key: &str, version: i128) {
    world.version = Version::Known(version);
    let partition = u32::from(key.as_bytes()[0]) % 4;
    let nth = world.open();
    world.publish(partition, key, &format!("{key}-{version}-{nth}-{:?}", world.now));
}

fn outcomes(world: &World, prefix: &str) -> Vec<Outcome> {
    world.ended().into_iter().filter(|(id, _)| id.starts_with(prefix)).map(|(_, e)| e.outcome).collect()
}

#[test]
fn what_is_older_than_the_last_completed_of_its_key_is_stale_and_what_is_as_old_is_not() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    for (key, version) in [("a", 5), ("a", 4), ("a", 5), ("a", 6), ("b", 1), ("a", -1)] {
        publish(&mut world, key, version);
        assert!(world.run_to_end(secs(5)));
    }
    let done = Outcome::Completed;
    assert_eq!(outcomes(&world, "a-"), [done, Outcome::Stale, done, done, Outcome::Stale]);
    assert_eq!(outcomes(&world, "b-"), [done], "another key has versions of its own");
    assert_eq!(world.asked.len(), 4);
    let stale = world.ended().into_iter().find(|(_, e)| e.outcome == Outcome::Stale).expect("one is").1;
    assert_eq!(stale.failure.map(|f| f.message).as_deref(), Some("version 4 is older than 5, which was completed"));
}

#[test]
fn an_event_that_waited_while_a_newer_one_was_completed_is_not_tried_again() {
    let mut world = World::new(
        Policy { order: Order::None, ..policy() },
        Box::new(|a| (ms(1), if a.id.starts_with("a-1") { retry_after(500, secs(3)) } else { Verdict::Ack })),
    );
    publish(&mut world, "a", 1);
    world.run(secs(1));
    publish(&mut world, "a", 2);
    assert!(world.run_to_end(secs(60)));
    assert_eq!((outcomes(&world, "a-1"), world.tries("a-1")), (vec![Outcome::Stale], 0));
    assert_eq!(world.asked.iter().filter(|a| a.id.starts_with("a-1")).count(), 1);
}

#[test]
fn only_what_was_completed_counts() {
    let mut world = World::new(
        policy(),
        Box::new(|a| {
            (ms(1), if a.id.starts_with("a-9") { Verdict::Reject { reason: "no".into() } } else { Verdict::Ack })
        }),
    );
    publish(&mut world, "a", 9);
    publish(&mut world, "a", 3);
    assert!(world.run_to_end(secs(5)));
    assert_eq!((outcomes(&world, "a-9"), outcomes(&world, "a-3")), (vec![Outcome::Dead], vec![Outcome::Completed]));
}

#[test]
fn a_redriven_event_that_was_overtaken_is_stale_and_does_not_bring_the_old_state_back() {
    let mut world = World::new(
        policy(),
        Box::new(|a| {
            (ms(1), if a.id.starts_with("a-1") { Verdict::Reject { reason: "no".into() } } else { Verdict::Ack })
        }),
    );
    publish(&mut world, "a", 1);
    publish(&mut world, "a", 2);
    assert!(world.run_to_end(secs(5)));
    world.handle = always(Verdict::Ack);
    world.redrive("a-1", |_| {});
    world.run(secs(5));
    assert_eq!(outcomes(&world, "a-1"), [Outcome::Dead, Outcome::Stale]);
    assert_eq!((world.job().otherwise, world.asked.len()), (1, 2));
}

#[test]
fn versions_survive_restarts_and_as_many_keys_are_known_as_the_policy_says() {
    let mut world = World::new(Policy { versions: 3, ..policy() }, always(Verdict::Ack));
    for key in ["a", "b", "c", "d", "b"] {
        publish(&mut world, key, 5);
        assert!(world.run_to_end(secs(5)));
    }
    assert_eq!(world.sub.view(world.now).versions, 3);
    world.crash();
    assert_eq!(world.sub.view(world.now).versions, 3);
    for key in ["b", "c", "d", "a"] {
        publish(&mut world, key, 4);
        assert!(world.run_to_end(secs(5)));
    }
    let of = |key: &str| *outcomes(&world, key).last().expect("it ended");
    let stale = Outcome::Stale;
    assert_eq!((of("b-4"), of("c-4"), of("d-4"), of("a-4")), (stale, stale, stale, Outcome::Completed));
    let said = world.facts.iter().filter(|f| matches!(f, Fact::Version(m) if m.version.is_none())).count();
    assert_eq!(said, 2, "what is forgotten is on record");
}

#[test]
fn a_version_that_cannot_be_read_is_counted_and_the_event_is_handled() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    publish(&mut world, "a", 5);
    world.version = Version::Unreadable("`sequence` is `x`".into());
    world.publish(1, "a", "a-unreadable");
    world.version = Version::Known(1);
    world.plan(ms(0), 1, None, "keyless", crate::Screen::Wanted);
    assert!(world.run_to_end(secs(5)));
    assert_eq!(world.count(Outcome::Completed), 3);
    assert_eq!((world.sub.view(world.now).unversioned, world.alarmed("version_unreadable")), (1, 1));
}

#[test]
fn a_version_is_durable_no_later_than_its_outcome() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    for n in 0..200 {
        publish(&mut world, &format!("k{}", n % 40), n);
    }
    assert!(world.run_to_end(secs(60)));
    let mut versions = 0;
    for round in &world.rounds {
        let count = |of: fn(&Fact) -> bool| round.facts.iter().filter(|f| of(f)).count();
        versions += count(|f| matches!(f, Fact::Version(_)));
        versions -= count(|f| matches!(f, Fact::Ended { entry, .. } if entry.outcome == Outcome::Completed));
    }
    assert_eq!(versions, 0, "usize: it never was below, and nothing is left");
}
