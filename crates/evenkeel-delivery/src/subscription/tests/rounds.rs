//! Rounds: one at a time, with all that belongs together.

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::Fact;

#[test]
fn facts_gather_while_a_commit_is_outstanding_and_go_out_together() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.run(secs(1));
    world.commit_takes = secs(1);
    world.traffic(60, ms(5), 100);
    world.run(secs(3));
    let sizes: Vec<usize> = world.rounds.iter().map(|r| r.acked.len()).filter(|n| *n > 0).collect();
    assert_eq!(sizes, [1, 59], "one alone, then all that came in the meantime");
    let numbers: Vec<u64> = world.rounds.iter().map(|r| r.number).collect();
    assert!(numbers.iter().enumerate().all(|(i, n)| *n == i as u64 + 1));
}

#[test]
fn a_round_names_the_attempts_whose_events_go_along_and_the_floors_it_reaches() {
    let mut world = World::new(policy(), Box::new(|a| (ms(1), if a.id == "bad" { status(422) } else { Verdict::Ack })));
    world.run(ms(10));
    for (i, id) in ["good", "bad", "fine"].iter().enumerate() {
        world.publish(0, &format!("k{i}"), id);
    }
    assert!(world.run_to_end(secs(1)));
    for round in &world.rounds {
        let completed: Vec<(u64, u32)> = round
            .facts
            .iter()
            .filter_map(|f| match f {
                Fact::Ended { entry, .. } if entry.outcome == Outcome::Completed => Some((entry.offset, entry.emitted)),
                _ => None,
            })
            .collect();
        let acked: Vec<(u64, u32)> = round.acked.iter().map(|(at, _)| (at.offset, 1)).collect();
        assert_eq!(completed, acked);
    }
    let last =
        world.facts.iter().rev().find_map(|f| if let Fact::Progress { below, .. } = f { Some(*below) } else { None });
    assert_eq!(last, Some(3));
}

#[test]
fn progress_never_passes_an_event_without_an_outcome() {
    let mut world = World::new(policy(), Box::new(|a| (ms(a.dispatch.attempt.0 * 37 % 101), Verdict::Ack)));
    world.traffic(500, ms(1), 90);
    assert!(world.run_to_end(secs(60)));
    let mut ended = std::collections::HashSet::new();
    for round in &world.rounds {
        for fact in &round.facts {
            if let Fact::Ended { shard, entry, .. } = fact {
                ended.insert((shard.clone(), entry.offset));
            }
        }
        for fact in &round.facts {
            if let Fact::Progress { shard, below } = fact {
                assert!((0..*below).all(|o| ended.contains(&(shard.clone(), o))), "{shard:?} below {below}");
            }
        }
    }
}

#[test]
fn a_commit_that_is_not_the_outstanding_one_changes_nothing() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.commit_takes = secs(60);
    world.run(secs(61));
    world.publish(0, "k", "a");
    world.publish(0, "k", "b");
    world.run(secs(1));
    let mut actions = Vec::new();
    world.sub.step(world.now, crate::Input::Committed { round: 1 }, &mut actions);
    world.sub.step(world.now, crate::Input::Committed { round: 99 }, &mut actions);
    assert!(actions.is_empty(), "{actions:?}");
}

#[test]
fn a_round_is_bounded_in_the_records_that_go_along_and_nothing_is_left_behind() {
    let mut world =
        World::new(policy(), Box::new(|a| (ms(1), if a.id.ends_with('7') { status(422) } else { Verdict::Ack })));
    world.run(secs(1));
    world.commit_takes = secs(1);
    world.traffic(1000, ms(1), 1000);
    assert!(world.run_to_end(secs(60)));
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Dead)), (900, 100));
    let most = world.rounds.iter().map(|r| r.facts.iter().filter(|f| matches!(f, Fact::Ended { .. })).count()).max();
    assert_eq!(most, Some(64), "each ack returned one event, each death makes one record");
}

#[test]
fn nothing_is_given_up_to_retention_before_its_outcome_is_durable() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.commit_takes = secs(5);
    world.run(secs(6));
    world.publish(0, "k", "a");
    world.run(secs(4));
    assert!(world.sub.floors().iter().all(|f| f.1 == 0), "its outcome is decided, and on its way");
    world.run(secs(2));
    assert_eq!(world.sub.floors()[0].1, 1);
}
