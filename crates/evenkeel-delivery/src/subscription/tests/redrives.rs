//! Redrive: the dead are taken up again, in order, at a pace, once each, and on the record.

use std::cell::Cell;
use std::rc::Rc;

use evenkeel_model::{Outcome, Shard, Verdict};

use super::world::*;
use crate::{Command, DeadBudget, Fact, Policy, RedriveCommand, RedriveState};

/// Rejects what is called poison until it is mended.
fn mendable() -> (Rc<Cell<bool>>, Handle) {
    let mended = Rc::new(Cell::new(false));
    let seen = mended.clone();
    let handle: Handle = Box::new(move |asked| {
        let sound = seen.get() || !asked.id.starts_with("poison");
        (ms(5), if sound { Verdict::Ack } else { Verdict::Reject { reason: "bad".into() } })
    });
    (mended, handle)
}

/// So many dead letters of as many keys, and a handler that can be mended.
fn with_dead(count: usize, policy: Policy) -> (Rc<Cell<bool>>, World) {
    let (mended, handle) = mendable();
    let mut world = World::new(policy, handle);
    for n in 0..count {
        world.publish(u32::try_from(n % 4).unwrap(), &format!("k{n}"), &format!("poison{n:03}"));
    }
    world.run(secs(2));
    assert_eq!(world.count(Outcome::Dead), count);
    (mended, world)
}

fn no_budget() -> Policy {
    Policy { dead_budget: DeadBudget { run: u32::MAX, min: u32::MAX, ..DeadBudget::default() }, ..policy() }
}

#[test]
fn a_redriven_event_is_handled_with_the_key_that_it_died_with_and_no_dedup_swallows_it() {
    let (mended, mut world) = with_dead(3, policy());
    mended.set(true);
    world.redrive("poison", |_| {});
    assert!(world.run_to_end(secs(10)));
    assert_eq!(world.count(Outcome::Completed), 3);
    for id in ["poison000", "poison001", "poison002"] {
        let keys: Vec<_> = world.asked.iter().filter(|a| a.id == id).map(|a| a.dispatch.mark).collect();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0], keys[1]);
    }
    let job = world.job();
    assert_eq!((job.state, job.taken, job.completed, job.dead), (RedriveState::Done, 3, 3, 0));
    assert!(job.ended_at.is_some());
    world.publish(0, "k0", "poison000");
    world.run(secs(1));
    assert_eq!(world.count(Outcome::Duplicate), 1, "its identity is remembered after the redrive too");
}

#[test]
fn a_new_key_is_another_one_and_the_same_over_its_attempts() {
    let (mended, mut world) = with_dead(1, policy());
    world.redrive("poison", |plan| plan.new_key = true);
    world.run(secs(5));
    world.command(Command::Redrive(RedriveCommand::Cancel { reason: "enough".into() }));
    mended.set(true);
    world.redrive("poison", |_| {});
    assert!(world.run_to_end(secs(10)));
    let keys: Vec<_> = world.asked.iter().map(|a| a.dispatch.mark).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys[0] != keys[1] && keys[0] == keys[2]);
}

#[test]
fn what_is_still_to_come_of_a_key_does_not_overtake_its_redriven_event() {
    let (mended, handle) = mendable();
    let mut quick = handle;
    let mut world = World::new(policy(), Box::new(move |asked| (ms(200), quick(asked).1)));
    world.publish(0, "k", "poison");
    for n in 1..6 {
        world.publish(0, "k", &format!("e{n}"));
    }
    world.run(ms(300));
    assert_eq!(world.count(Outcome::Dead), 1);
    mended.set(true);
    world.redrive("poison", |_| {});
    assert!(world.run_to_end(secs(10)));
    let order: Vec<&str> = world.asked.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(order, ["poison", "e1", "poison", "e2", "e3", "e4", "e5"]);
}

#[test]
fn an_event_that_waits_for_a_retry_makes_room_for_an_earlier_one_that_is_redriven() {
    let (mended, mut handle) = mendable();
    let mut tries = 0;
    let mut world = World::new(
        policy(),
        Box::new(move |asked| {
            tries += u32::from(asked.id == "later");
            if asked.id == "later" && tries == 1 { (ms(5), retry_after(429, secs(60))) } else { handle(asked) }
        }),
    );
    world.publish(0, "k", "poison");
    world.publish(0, "k", "later");
    world.run(secs(1));
    mended.set(true);
    world.redrive("poison", |_| {});
    world.run(secs(1));
    assert_eq!(world.outcome("later"), None);
    assert_eq!(world.count(Outcome::Completed), 1, "the redriven event did not wait for it");
    assert!(world.run_to_end(secs(100)));
    let later = world.asked.last().expect("asked");
    assert!(later.id == "later" && later.since_start >= secs(60), "its wish is kept: {later:?}");
}

#[test]
fn letters_of_one_key_go_in_the_order_of_their_events_though_the_first_one_waits() {
    let (mended, mut handle) = mendable();
    let mut failed = false;
    let open = mended.clone();
    let mut world = World::new(
        no_budget(),
        Box::new(move |asked| {
            if open.get() && asked.id == "poison1" && !std::mem::replace(&mut failed, true) {
                return (ms(5), status(500));
            }
            handle(asked)
        }),
    );
    for n in 1..4 {
        world.publish(0, "k", &format!("poison{n}"));
    }
    world.publish(1, "other", "healthy");
    world.run(secs(1));
    mended.set(true);
    world.redrive("poison", |plan| (plan.canary, plan.stop_permille) = (0, 900));
    assert!(world.run_to_end(secs(60)));
    let redriven = world.asked.iter().skip(4).map(|a| a.id.as_str());
    assert_eq!(redriven.collect::<Vec<_>>(), ["poison1", "poison1", "poison2", "poison3"]);
}

#[test]
fn a_canary_that_fails_stops_the_job_before_the_rest_is_touched() {
    let (_, mut world) = with_dead(30, no_budget());
    world.redrive("poison", |plan| plan.canary = 3);
    world.run(secs(60));
    let job = world.job();
    assert_eq!((job.state, job.taken, job.dead), (RedriveState::Stopped, 3, 3));
    assert_eq!(job.why, "of its canary, 3 of 3 events failed again");
    assert_eq!(world.alarmed("redrive_stopped"), 1);
    assert_eq!(world.asked.len(), 33);
}

#[test]
fn a_canary_that_does_well_is_followed_by_the_rest() {
    let (mended, mut world) = with_dead(30, no_budget());
    mended.set(true);
    world.redrive("poison", |plan| plan.canary = 3);
    assert!(world.run_to_end(secs(60)));
    assert_eq!((world.job().state, world.job().completed), (RedriveState::Done, 30));
    let first: Vec<_> = world.asked.iter().skip(30).map(|a| a.since_start).collect();
    assert!(first[3] > first[2] + ms(5), "the fourth waited for the canary's outcome: {first:?}");
}

#[test]
fn a_job_stops_by_itself_when_failures_return_though_nothing_has_died_yet() {
    let (mended, mut world) = with_dead(60, no_budget());
    let calls = Rc::new(Cell::new(0));
    world.handle = Box::new(move |asked| {
        calls.set(calls.get() + 1);
        let fails = calls.get() > 10 && asked.id.starts_with("poison");
        (ms(5), if fails { retry_after(500, secs(600)) } else { Verdict::Ack })
    });
    mended.set(true);
    world.traffic(400, ms(10), 50);
    world.redrive("poison", |plan| plan.every = ms(50));
    world.run(secs(4));
    let job = world.job();
    assert_eq!((job.state, job.dead), (RedriveState::Stopped, 0), "{job:?}");
    assert!(job.taken < 20, "{job:?}");
}

#[test]
fn a_rate_is_kept_and_a_pause_takes_up_nothing_until_it_is_over() {
    let (mended, mut world) = with_dead(40, no_budget());
    mended.set(true);
    world.redrive("poison", |plan| plan.every = ms(100));
    world.run(secs(1));
    assert!((9..=12).contains(&world.job().taken), "{:?}", world.job());
    world.command(Command::Redrive(RedriveCommand::Pause));
    world.run(secs(1));
    let taken = world.job().taken;
    world.run(secs(30));
    assert_eq!((world.job().state, world.job().taken), (RedriveState::Paused, taken));
    world.command(Command::Redrive(RedriveCommand::Resume));
    world.run(secs(10));
    let after: Vec<_> = world.asked.iter().filter(|a| a.since_start > secs(10)).map(|a| a.since_start).collect();
    assert!(after.windows(2).all(|two| two[1] - two[0] >= ms(100)), "the rate is kept after the pause too: {after:?}");
    assert_eq!(world.job().completed, 40);
}

#[test]
fn a_cancelled_job_leaves_the_other_letters_for_the_next_one() {
    let (mended, mut world) = with_dead(40, no_budget());
    mended.set(true);
    world.redrive("poison", |plan| plan.every = ms(100));
    world.run(secs(1));
    world.command(Command::Redrive(RedriveCommand::Cancel { reason: "wrong filter".into() }));
    world.run(secs(30));
    let first = world.job();
    assert_eq!((first.state, first.why.as_str()), (RedriveState::Cancelled, "wrong filter"));
    world.redrive("poison", |_| {});
    assert!(world.run_to_end(secs(60)));
    assert_eq!(world.job().completed + first.completed, 40);
    assert_eq!(world.job().skipped, first.taken, "letters that were taken are passed over");
    assert!((0..40).all(|n| world.tries(&format!("poison{n:03}")) == 2));
}

#[test]
fn dropped_letters_are_taken_by_no_redrive() {
    let (mended, mut world) = with_dead(6, no_budget());
    let letters = Shard::new("dead", 0);
    world.command(Command::DropLetters { letters, offsets: vec![1, 2, 3, 2], reason: "test orders".into() });
    world.run(secs(1));
    assert_eq!(world.sub.redrives().closed, [(1, 4)]);
    world.crash();
    mended.set(true);
    world.redrive("poison", |_| {});
    assert!(world.run_to_end(secs(10)) || world.job().state == RedriveState::Done);
    assert_eq!((world.job().completed, world.job().skipped), (3, 3));
}

#[test]
fn an_open_breaker_takes_up_nothing_and_stops_no_job() {
    let (mended, mut world) = with_dead(20, no_budget());
    mended.set(true);
    world.handle = always(unreachable());
    world.traffic(40, ms(10), 40);
    world.run(secs(1));
    assert_eq!(world.breaker(), crate::BreakerState::Open);
    world.redrive("poison", |_| {});
    world.run(secs(60));
    assert_eq!((world.job().taken, world.job().state), (0, RedriveState::Running));
    world.handle = always(Verdict::Ack);
    assert!(world.run_to_end(secs(120)));
    assert_eq!(world.job().completed, 20);
}

#[test]
fn what_dies_again_is_a_new_letter_and_spends_nothing_of_the_dead_letter_budget() {
    let tight = DeadBudget { run: 8, ..DeadBudget::default() };
    let (mended, mut world) = with_dead(6, Policy { dead_budget: tight, ..policy() });
    world.redrive("poison", |plan| plan.stop_permille = 1000);
    world.run(secs(10));
    assert_eq!((world.job().state, world.job().dead), (RedriveState::Done, 6));
    assert_eq!(world.sub.view(world.now).paused, None);
    mended.set(true);
    world.redrive("poison", |_| {});
    assert!(world.run_to_end(secs(10)));
    assert_eq!((world.job().completed, world.job().skipped), (6, 0));
}

#[test]
fn a_job_survives_crashes_at_any_moment_and_each_event_ends_once_more() {
    for seed in 0..40 {
        let (mended, mut world) = with_dead(30, no_budget());
        mended.set(true);
        world.traffic(100, ms(20), 10);
        world.redrive("poison", |plan| (plan.canary, plan.every) = (2, ms(20)));
        for n in 1..6 {
            world.run(ms(37 + (seed * n * 13) % 211));
            world.crash();
        }
        assert!(world.run_to_end(secs(60)), "seed {seed}: {:?}", world.job());
        let job = world.job();
        assert_eq!(job.state, RedriveState::Done, "seed {seed}: {job:?}");
        assert_eq!((job.taken, job.completed, job.open()), (30, 30, 0), "seed {seed}");
        assert_eq!(world.count(Outcome::Completed), 130, "seed {seed}");
        let taken = world.facts.iter().filter(|f| matches!(f, Fact::Redriven(_))).count();
        assert_eq!(taken, 30, "seed {seed}: no letter is taken twice");
    }
}

#[test]
fn after_a_crash_later_events_of_a_key_wait_for_the_redriven_one_to_be_back() {
    let (mended, mut handle) = mendable();
    let fixed = mended.clone();
    let mut world = World::new(
        policy(),
        Box::new(move |asked| {
            let slow = asked.id == "poison" && fixed.get();
            (if slow { secs(1) } else { ms(5) }, handle(asked).1)
        }),
    );
    world.publish(0, "k", "poison");
    world.run(secs(1));
    mended.set(true);
    world.redrive("poison", |_| {});
    world.run(ms(100));
    world.publish(0, "k", "later");
    world.crash();
    assert!(world.run_to_end(secs(20)));
    let order: Vec<&str> = world.asked.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(order, ["poison", "poison", "poison", "later"]);
    assert_eq!((world.job().completed, world.job().state), (1, RedriveState::Done));
}
