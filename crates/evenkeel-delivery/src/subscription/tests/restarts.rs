//! Restarts: what was committed holds, what was not goes out again.

use evenkeel_model::{Outcome, Shard, Verdict};

use super::world::*;
use crate::{Command, Fact, PendingWhy, Screen, Subscription, WhyAsked};

#[test]
fn a_kill_in_the_middle_loses_nothing_at_low_and_at_high_traffic() {
    for (count, every) in [(40, ms(500)), (3000, ms(2))] {
        let mut patient = policy();
        patient.retry.attempts = 20;
        let mut world = World::new(
            patient,
            Box::new(|a| match a.dispatch.attempt.0 % 7 {
                0 => (ms(30), status(500)),
                _ => (ms(20), Verdict::Ack),
            }),
        );
        world.traffic(count, every, 60);
        for life in 0..12_u64 {
            world.run(ms(300 + 41 * life));
            world.crash();
        }
        assert!(world.run_to_end(secs(600)));
        assert_eq!(world.ended().len() as u64, count, "each one exactly once, {count}");
        assert_eq!(world.count(Outcome::Dead), 0);
    }
}

#[test]
fn a_restart_spends_no_attempt_and_shortens_no_wait() {
    let mut world = World::new(
        policy(),
        Box::new(|a| match a.dispatch.delivery {
            1 => (ms(1), retry_after(500, secs(100))),
            _ => (ms(1), Verdict::Ack),
        }),
    );
    world.publish(0, "k", "a");
    world.publish(0, "k", "b");
    world.publish(0, "other", "c");
    world.run(secs(10));
    world.crash();
    world.run(secs(80));
    assert_eq!((world.tries("a"), world.tries("b")), (1, 0), "it waits, and its lane behind it");
    let view = world.sub.view(world.now);
    assert_eq!((view.parked, view.parked_keys), (3, 2));
    world.run(secs(15));
    assert!(world.run_to_end(secs(100)));
    let ended = world.outcome("a").expect("it ended");
    assert_eq!(
        (ended.attempts, ended.deliveries, ended.deferrals),
        (1, 2, 1),
        "a failure without a witness is a deferral"
    );
}

#[test]
fn booked_attempts_of_a_parked_event_are_remembered() {
    let mut world =
        World::new(policy(), Box::new(|a| (ms(1), if a.id == "poison" { status(500) } else { Verdict::Ack })));
    let mut long = policy();
    long.retry.initial = secs(8);
    world.policy = long;
    world.crash();
    world.traffic(10_000, ms(10), 50);
    world.publish(0, "p", "poison");
    world.run(secs(1));
    assert_eq!(world.pendings().last().map(|p| p.counters.attempts), Some(1));
    world.crash();
    assert!(world.run_to_end(secs(200)));
    let dead = world.outcome("poison").expect("it ended");
    assert_eq!((dead.outcome, dead.attempts), (Outcome::Dead, 3));
    assert_eq!(dead.deliveries, 3, "the first life's attempt counts");
}

#[test]
fn what_a_broker_gave_before_is_a_delivery_over_restarts_too_and_spends_nothing() {
    let mut world = World::new(
        policy(),
        Box::new(|a| match a.dispatch.delivery {
            // The first that the handler is told is the broker's fifth.
            5 => (ms(1), retry_after(500, secs(100))),
            _ => (ms(1), Verdict::Ack),
        }),
    );
    world.given_before = 4;
    world.publish(0, "k", "a");
    world.plan(ms(0), 0, Some("f"), "f", Screen::Filtered);
    world.run(secs(10));
    let asked = WhyAsked::Key("k".into());
    let first = world.sub.why(world.now, &asked).first.expect("it waits");
    assert_eq!((first.counters.deliveries, first.given_before, first.counters.attempts), (1, 4, 0));
    world.crash();
    assert!(world.run_to_end(secs(200)));
    let ended = world.outcome("a").expect("it ended");
    assert_eq!((ended.attempts, ended.deliveries, ended.deferrals), (1, 6, 1));
    let filtered = world.outcome("f").expect("it ended");
    assert_eq!(filtered.deliveries, 0, "what never went to the handler has none");
}

#[test]
fn reading_resumes_at_the_lowest_offset_without_an_outcome_and_floors_follow_commits() {
    let mut world = World::new(policy(), Box::new(|a| (if a.id == "slow" { secs(60) } else { ms(1) }, Verdict::Ack)));
    for (i, id) in ["a", "slow", "c", "d"].iter().enumerate() {
        world.publish(0, &format!("k{i}"), id);
    }
    world.run(secs(1));
    let shard = Shard::new(TOPIC, 0);
    assert_eq!(world.sub.floors().into_iter().find(|f| f.0 == shard), Some((shard.clone(), 1)));
    world.crash();
    assert_eq!(world.sub.resume_at(&shard, 0), 1);
    assert_eq!(world.sub.resume_at(&Shard::new("unknown", 9), 42), 42);
    assert!(world.run_to_end(secs(100)));
    assert_eq!(world.asked.iter().filter(|a| a.id != "slow").count(), 3, "what had its outcome does not go out again");
    assert_eq!(world.sub.floors().into_iter().find(|f| f.0 == shard), Some((shard, 4)));
}

#[test]
fn where_a_subscription_begins_is_journaled_before_its_first_outcome() {
    let world = World::new(policy(), always(Verdict::Ack));
    let mut begun = World::new(policy(), always(Verdict::Ack));
    begun.run(ms(10));
    assert!(world.facts.is_empty());
    let begins = |f: &Fact| matches!(f, Fact::Progress { below: 0, .. });
    assert_eq!(begun.facts.iter().filter(|f| begins(f)).count(), 4);
    let remembered = crate::decode_journal(&crate::encode_journal(&begun.facts)).expect("own bytes");
    let mut again = Subscription::new(policy(), 9);
    again.restore(begun.now, remembered);
    assert_eq!(again.resume_at(&Shard::new(TOPIC, 0), 77), 0, "`from` counts once only");
}

#[test]
fn what_was_undecided_is_so_after_a_restart() {
    let mut p = policy();
    p.retry.age = secs(30);
    let mut world = World::new(p, always(status(500)));
    world.publish(0, "k", "a");
    world.run(secs(100));
    assert_eq!(world.alarmed("undecided"), 1);
    assert_eq!(world.pendings().last().map(|p| p.why), Some(PendingWhy::Undecided));
    world.crash();
    world.run(secs(1000));
    assert_eq!(world.alarmed("undecided"), 1, "told once");
    world.handle = always(Verdict::Ack);
    world.command(Command::Release { key: None });
    assert!(world.run_to_end(secs(1)));
}
