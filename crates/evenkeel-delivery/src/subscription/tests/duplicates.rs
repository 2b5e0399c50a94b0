//! Duplicates: the same identity again, in whatever state its first is.

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::{Fact, Input, Policy, Screen};

fn marks_of(world: &World) -> Vec<bool> {
    let of = |f: &Fact| if let Fact::Ended { mark, .. } = f { Some(mark.is_some()) } else { None };
    world.facts.iter().filter_map(of).collect()
}

#[test]
fn a_duplicate_of_what_has_ended_ends_without_the_handler() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.publish(0, "k", "a");
    world.run(secs(1));
    world.publish(0, "k", "a");
    world.publish(3, "other", "a");
    world.run(secs(1));
    assert_eq!(world.asked.len(), 1);
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Duplicate)), (1, 2));
    assert_eq!(marks_of(&world), [true, false, false]);
}

#[test]
fn a_duplicate_waits_for_the_outcome_of_its_first_whatever_that_is() {
    for (answer, outcome) in [(Verdict::Ack, Outcome::Completed), (status(422), Outcome::Dead)] {
        let mut world = World::new(policy(), Box::new(move |_| (secs(5), answer.clone())));
        world.publish(0, "k", "a");
        world.publish(1, "j", "a");
        world.publish(0, "k", "a");
        world.run(secs(4));
        assert_eq!(world.ended().len(), 0, "no duplicate is told before its first");
        assert!(world.run_to_end(secs(10)));
        let outcomes: Vec<Outcome> = world.ended().iter().map(|(_, e)| e.outcome).collect();
        assert_eq!(outcomes, [outcome, Outcome::Duplicate, Outcome::Duplicate]);
        assert_eq!(world.asked.len(), 1);
    }
}

#[test]
fn duplicates_of_a_parked_event_are_parked_with_it_and_do_not_fill_the_window() {
    let mut p = Policy { window: 5, ..policy() };
    p.retry.inline = ms(0);
    let mut world =
        World::new(p, Box::new(|a| (ms(1), if a.since_start < secs(30) { status(500) } else { Verdict::Ack })));
    world.publish(0, "k", "a");
    world.run(ms(10));
    for _ in 0..20 {
        world.publish(0, "k", "a");
    }
    world.run(secs(1));
    assert!(world.sub.credit() > 0);
    assert_eq!(world.sub.pending().len(), 21);
    assert!(world.run_to_end(secs(200)));
    assert_eq!((world.count(Outcome::Completed), world.count(Outcome::Duplicate)), (1, 20));
    assert_eq!(world.sub.credit(), 5);
}

#[test]
fn an_identity_is_forgotten_when_the_inbox_window_is_over() {
    let mut world = World::new(Policy { inbox: secs(60), ..policy() }, always(Verdict::Ack));
    world.publish(0, "k", "a");
    world.run(secs(59));
    world.publish(0, "k", "a");
    world.run(secs(59));
    world.publish(0, "k", "a");
    world.run(secs(1));
    assert_eq!(world.asked.len(), 2, "59 s after its outcome it is known, 118 s after it is not");
}

#[test]
fn the_inbox_survives_a_restart() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.publish(0, "k", "a");
    world.run(secs(1));
    world.crash();
    world.publish(1, "k", "a");
    world.run(secs(1));
    assert_eq!((world.asked.len(), world.count(Outcome::Duplicate)), (1, 1));
}

#[test]
fn what_the_journal_has_seen_is_a_duplicate_until_the_window_is_over() {
    let mut world = World::new(Policy { inbox: secs(60), ..policy() }, always(Verdict::Ack));
    world.plan(secs(59), 0, None, "a", Screen::Seen(start()));
    world.plan(secs(60), 0, None, "b", Screen::Seen(start()));
    world.run(secs(61));
    let asked: Vec<&str> = world.asked.iter().map(|a| a.id.as_str()).collect();
    assert_eq!((asked, world.count(Outcome::Duplicate)), (vec!["b"], 1));
}

#[test]
fn a_sealed_identity_is_the_journals_to_know_and_one_that_is_not_stays() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.publish(0, "k", "a");
    world.run(secs(1));
    let round = world.rounds.last().unwrap().number;
    world.publish(0, "k", "b");
    world.run(secs(1));
    world.tell(Input::Sealed { round });
    // The core takes `a` for new, as nobody said that it was seen; `b` it knows by itself.
    world.publish(1, "j", "a");
    world.publish(1, "j", "b");
    world.run(secs(1));
    assert_eq!((world.asked.len(), world.count(Outcome::Duplicate)), (3, 1));
}
