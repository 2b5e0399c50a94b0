//! Crash suspects: what ran alone is to blame, and nobody else.

use evenkeel_model::{FailureClass, Outcome, Verdict};

use super::world::*;
use crate::{BreakerState, Command, Concurrency, Fact, Open, Policy, Screen};

/// Attempts of `killer…` end the process; all others take their time and are done.
fn shop(policy: Policy) -> World {
    World::inside(
        policy,
        Box::new(|a| {
            (ms(if a.id.starts_with("killer") { 1_000_000 } else { 5 + a.dispatch.attempt.0 % 7 }), Verdict::Ack)
        }),
    )
}

/// Lets time pass; whenever a killer is at the handler the process dies of it, up to so often.
fn live(world: &mut World, mut deaths: u64) -> u64 {
    let before = world.lives;
    for _ in 0..20_000 {
        world.run(ms(1));
        if deaths > 0 && world.flying().iter().any(|id| id.starts_with("killer")) {
            deaths -= 1;
            world.crash();
        }
        if world.open() == 0 {
            break;
        }
    }
    world.lives - before
}

#[test]
fn the_event_that_kills_the_process_is_dead_after_three_crashes_of_its_own_and_its_neighbours_are_done() {
    let mut world = shop(policy());
    for i in 0..30 {
        world.publish(i % 4, &format!("k{i}"), &format!("a{i}"));
    }
    world.publish(0, "k", "killer");
    world.publish(0, "k", "behind");
    world.traffic(500, ms(1), 40);
    let crashes = live(&mut world, 10);
    assert_eq!(crashes, 4, "one among others, three alone");
    let dead = world.outcome("killer").expect("it ended");
    assert_eq!((dead.outcome, dead.crashes, dead.attempts), (Outcome::Dead, 3, 0));
    let failure = dead.failure.expect("says why");
    assert_eq!((failure.reason.as_str(), failure.class), ("suspected_crash", FailureClass::SuspectedCrash));
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Dead)), (531, 1), "nobody else is to blame");
    assert!(world.ended().iter().all(|(id, e)| id == "killer" || e.crashes == 0));
    assert!(world.outcome("behind").is_some(), "its lane goes on");
}

#[test]
fn a_suspect_runs_alone_before_what_is_new_and_is_none_any_more_when_it_comes_back() {
    let mut world = shop(policy());
    for i in 0..12 {
        world.publish(0, &format!("k{i}"), &format!("a{i}"));
    }
    world.run(ms(3));
    assert_eq!(world.flying().len(), 12);
    world.crash();
    let asked = world.asked.len();
    for i in 0..20 {
        world.publish(1, &format!("n{i}"), &format!("new{i}"));
    }
    let mut most = 0;
    while world.asked[asked..].iter().filter(|a| a.id.starts_with('a')).count() < 12 {
        world.run(ms(1));
        most = most.max(world.flying().len());
        assert!(world.asked[asked..].iter().all(|a| a.id.starts_with('a')), "what is new waits");
    }
    assert_eq!(most, 1, "beside a suspect nothing is at the handler");
    assert_eq!(world.sub.view(world.now).suspects, 1, "the last one is there now");
    world.run(ms(30));
    assert_eq!(world.sub.view(world.now).suspects, 0);
    assert!(world.flying().len() > 1 || world.open() == 0, "then everybody goes");
    assert!(world.run_to_end(secs(10)));
    assert_eq!((world.count(Outcome::Completed), world.alarmed("crash_suspects")), (32, 1));
}

#[test]
fn crashes_without_anything_alone_count_for_nobody_however_many() {
    let mut world = shop(policy());
    world.traffic(2000, ms(2), 400);
    for _ in 0..25 {
        while world.flying().len() < 2 {
            world.run(ms(1));
        }
        world.crash();
    }
    assert!(world.run_to_end(secs(100)));
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Dead)), (2000, 0));
}

#[test]
fn who_goes_down_of_its_own_will_suspects_nobody_but_who_was_suspect_before() {
    let mut world = shop(policy());
    world.publish(0, "k", "killer");
    world.publish(0, "o", "other");
    world.run(ms(3));
    world.command(Command::Drain);
    world.run(ms(50));
    world.crash();
    world.run(ms(3));
    assert_eq!(world.flying().len(), 1, "not alone: nobody is suspected ({:?})", world.sub.view(world.now).suspects);
    assert_eq!(world.sub.view(world.now).suspects, 0);
    world.crash();
    world.run(ms(3));
    assert_eq!(world.sub.view(world.now).suspects, 1);
    world.crash();
    // It crashed alone once; a clean stop neither counts nor forgets that.
    world.command(Command::Drain);
    world.run(ms(50));
    world.crash();
    world.run(ms(3));
    world.crash();
    assert_eq!(live(&mut world, 9), 1, "the third one ends it");
    assert_eq!(world.outcome("killer").map(|e| e.crashes), Some(3));
}

#[test]
fn a_suspect_that_fails_without_a_crash_is_carried_and_not_to_blame_for_a_later_one() {
    let retry = |after| Verdict::Retry { after, message: "not now".into(), dependency: None };
    for after in [None, Some(secs(5))] {
        let mut world = World::inside(policy(), Box::new(|_| (secs(1000), Verdict::Ack)));
        world.publish(0, "k", "a");
        world.run(ms(3));
        world.crash();
        world.handle = Box::new(move |_| (ms(1), retry(after)));
        world.run(ms(3));
        assert_eq!(world.pendings().last().map(|p| p.counters.crashes), Some(0), "it came back, on record: {after:?}");
        assert_eq!(world.sub.view(world.now).suspects, 0, "and is suspect no more");
        world.crash();
        assert_eq!(world.sub.view(world.now).suspects, 0, "nor after a crash while it waits");
        world.handle = always(Verdict::Ack);
        assert!(world.run_to_end(secs(100)));
        assert_eq!(world.outcome("a").map(|e| (e.outcome, e.crashes)), Some((Outcome::Completed, 0)));
    }
}

#[test]
fn what_is_ready_before_a_suspect_is_read_again_still_waits_for_it() {
    let mut world = World::inside(
        policy(),
        Box::new(|a| match (a.id.as_str(), a.dispatch.delivery) {
            ("parked", 1) => (ms(1), retry_after(500, secs(5))),
            ("slow", _) => (secs(1000), Verdict::Ack),
            _ => (ms(1), Verdict::Ack),
        }),
    );
    world.publish(0, "p", "parked");
    for i in 0..150 {
        world.publish(0, &format!("k{i}"), &format!("e{i}"));
    }
    world.publish(0, "s", "slow");
    world.run(secs(4));
    world.handle = Box::new(|_| (ms(50), Verdict::Ack));
    // Down for so long that what was parked is due.
    world.now = world.now + secs(10);
    world.crash();
    let before = world.asked.len();
    // The suspect is read while the round that lets the parked one go is on its way.
    world.commit_takes = ms(5);
    world.plan(ms(1), 1, Some("d"), "later", Screen::Wanted);
    assert!(world.run_to_end(secs(60)));
    let ids: Vec<&str> = world.asked[before..].iter().map(|a| a.id.as_str()).collect();
    assert_eq!(ids, ["slow", "parked", "later"]);
}

#[test]
fn an_attempt_is_on_record_before_it_begins_and_a_batch_of_them_costs_no_commit_of_its_own() {
    let commits = |inside: bool| {
        let policy = Policy { concurrency: Concurrency { max: 16, ..Concurrency::default() }, ..policy() };
        let handle: Handle = Box::new(|a| (ms(1 + a.dispatch.attempt.0 % 2), Verdict::Ack));
        let mut world = if inside { World::inside(policy, handle) } else { World::new(policy, handle) };
        world.run(secs(1));
        world.traffic(5000, ms(0), 1000);
        assert!(world.run_to_end(secs(60)));
        assert_eq!(world.count(Outcome::Completed), 5000);
        let took = world.rounds.last().map(|_| world.asked.last().map(|a| a.since_start));
        let ahead = world.facts.iter().filter(|f| matches!(f, Fact::Open(Open::Among { .. }))).count();
        assert_eq!(ahead > 0, inside, "for attempts elsewhere nothing is said");
        (world.rounds.len(), took)
    };
    let ((without, _), (with, _)) = (commits(false), commits(true));
    assert!(with * 10 <= without * 13, "{with} commits, {without} without");
}

#[test]
fn nothing_is_handed_out_that_is_not_on_record() {
    let mut world = shop(policy());
    world.traffic(300, ms(1), 60);
    let mut known = std::collections::HashSet::new();
    let mut seen = (0, world.asked.len());
    while world.asked.len() < 300 {
        world.run(ms(1));
        for fact in &world.facts[seen.0..] {
            if let Fact::Open(Open::Among { shard, offsets }) = fact {
                known.extend(offsets.iter().map(|offset| (shard.clone(), *offset)));
            }
        }
        for asked in &world.asked[seen.1..] {
            let at = &asked.dispatch.at;
            assert!(known.contains(&(at.shard.clone(), at.offset)), "{at:?} began before that was durable");
        }
        seen = (world.facts.len(), world.asked.len());
    }
}

#[test]
fn a_probe_that_crashes_the_process_is_the_outages_fault() {
    let mut world = shop(policy());
    world.handle = always(unreachable());
    world.traffic(40, ms(10), 40);
    world.run(secs(2));
    world.publish(0, "x", "killer");
    world.handle = Box::new(|_| (secs(1000), Verdict::Ack));
    for _ in 0..8 {
        // Until a probe is at the handler.
        for _ in 0..40_000 {
            world.run(ms(1));
            if !world.flying().is_empty() {
                break;
            }
        }
        world.crash();
    }
    assert_eq!(world.count(Outcome::Dead), 0);
    world.handle = always(Verdict::Ack);
    assert!(world.run_to_end(secs(600)));
    assert_eq!(world.count(Outcome::Completed), 41);
}

#[test]
fn a_suspect_that_is_poison_keeps_no_outage_going_since_others_probe_too() {
    let handle = |a: &Asked| {
        let fails = a.id == "poison" || a.since_start < secs(60);
        (ms(if a.id == "poison" { 50 } else { 5 }), if fails { status(500) } else { Verdict::Ack })
    };
    let mut world = World::inside(policy(), Box::new(handle));
    world.publish(0, "p", "poison");
    for _ in 0..2 {
        world.run(ms(10));
        world.crash();
    }
    for i in 0..20 {
        world.publish(0, &format!("k{i}"), &format!("a{i}"));
    }
    world.run(secs(30));
    assert!(world.breaker() != BreakerState::Closed && world.sub.view(world.now).suspects == 1);
    world.traffic(20, secs(10), 20);
    assert!(world.run_to_end(secs(600)), "the breaker closes by another event's probe, and poison finds its witnesses");
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Dead)), (40, 1));
    assert_eq!(world.outcome("poison").map(|e| e.crashes), Some(1));
}
