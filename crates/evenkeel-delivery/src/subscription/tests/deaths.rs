//! The dead-letter budget.

use evenkeel_model::{Outcome, Verdict};

use super::world::{World, ms, policy, secs, status};
use crate::{Command, DeadBudget, Policy};

fn tight() -> Policy {
    let budget = DeadBudget { run: 10, share: 0.5, min: 20, window: secs(60) };
    Policy { dead_budget: budget, ..policy() }
}

#[test]
fn a_handler_that_rejects_everything_pauses_the_subscription_instead_of_emptying_the_topic() {
    let mut p = tight();
    p.concurrency.max = 4;
    let mut world = World::new(p, Box::new(|_| (ms(5), status(422))));
    world.traffic(200, ms(1), 50);
    world.run(secs(30));
    assert_eq!(world.count(Outcome::Dead), 10, "those under way when it was spent come again");
    assert_eq!(world.alarmed("dead_letter_budget"), 1);
    let reason = world.sub.view(world.now).paused.expect("it is paused");
    assert_eq!(reason, "the dead-letter budget is spent: 10 events in a row died");
    world.handle = Box::new(|_| (ms(5), Verdict::Ack));
    world.command(Command::Resume);
    assert!(world.run_to_end(secs(60)), "a mended handler gets all others");
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Dead)), (190, 10));
}

#[test]
fn a_pause_by_the_budget_outlives_the_process_and_resume_gives_a_fresh_budget() {
    let mut world = World::new(tight(), Box::new(|_| (ms(5), status(422))));
    world.traffic(100, ms(1), 50);
    world.run(secs(5));
    let dead = world.count(Outcome::Dead);
    world.crash();
    world.run(secs(60));
    assert_eq!(world.count(Outcome::Dead), dead, "it stays paused");
    world.command(Command::Resume);
    world.run(secs(5));
    assert_eq!(world.count(Outcome::Dead), dead + 10);
}

#[test]
fn a_share_of_dead_events_spends_the_budget_too_and_a_small_one_does_not() {
    for (dying, spent) in [(3, false), (9, true)] {
        let mut world = World::new(
            tight(),
            Box::new(move |asked| {
                let number: u64 = asked.id.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0);
                // In runs of nine: the run alone never spends it.
                let dies = number % 10 >= 10 - dying;
                (ms(1), if dies { status(422) } else { Verdict::Ack })
            }),
        );
        world.traffic(400, ms(10), 50);
        world.run(secs(20));
        assert_eq!(world.alarmed("dead_letter_budget") == 1, spent, "{dying} of ten");
    }
}

#[test]
fn what_an_operator_skips_does_not_count() {
    let mut p = tight();
    p.when_exhausted = crate::Exhausted::ParkKey;
    p.retry.attempts = 1;
    let mut world =
        World::new(p, Box::new(|asked| (ms(1), if asked.key.starts_with("bad") { status(500) } else { Verdict::Ack })));
    for i in 0..15 {
        world.publish(0, &format!("bad{i}"), &format!("bad{i}"));
        world.run(ms(20));
        world.publish(0, "good", &format!("good{i}"));
        world.run(ms(20));
    }
    world.run(secs(1));
    for i in 0..15 {
        world.command(Command::Skip { key: format!("bad{i}").into() });
        world.run(ms(5));
    }
    assert!(world.count(Outcome::Dead) >= 10, "{} are dead", world.count(Outcome::Dead));
    assert_eq!(world.alarmed("dead_letter_budget"), 0);
}
