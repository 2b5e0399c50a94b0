//! What an operator may do, and what an endpoint may ask for.

use evenkeel_model::{Outcome, Position, Shard, Verdict};

use super::world::*;
use crate::{Command, Fact};

#[test]
fn a_breaker_that_an_operator_forces_obeys_him_and_nobody_else() {
    use crate::Force;
    let force = |force: Force| Command::Breaker { dependency: "handler".to_owned(), force };
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.command(force(Force::Open { reason: "maintenance".to_owned() }));
    world.traffic(50, ms(100), 10);
    world.run(secs(600));
    assert_eq!(world.asked.len(), 0, "nothing passes, and nothing probes");
    world.crash();
    world.run(secs(600));
    assert_eq!(world.asked.len(), 0, "over restarts too");
    world.command(force(Force::Automatic));
    assert!(world.run_to_end(secs(30)));
    world.handle = always(unreachable());
    world.command(force(Force::Closed { reason: "its health check lies".to_owned() }));
    world.traffic(200, ms(100), 200);
    world.run(secs(60));
    assert_eq!(world.breaker(), crate::BreakerState::Closed);
    assert!(world.asked.len() > 300, "{} calls", world.asked.len());
}

#[test]
fn a_pause_lets_what_is_in_flight_finish_and_hands_out_nothing() {
    let mut world = World::new(policy(), Box::new(|_| (secs(1), Verdict::Ack)));
    world.publish(0, "a", "a");
    world.command(Command::Pause { reason: "maintenance".into() });
    world.publish(0, "b", "b");
    world.run(secs(60));
    assert_eq!((world.count(Outcome::Completed), world.asked.len()), (1, 1));
    assert_eq!(world.sub.view(world.now).paused.as_deref(), Some("maintenance"));
    world.crash();
    world.run(secs(60));
    assert_eq!(world.asked.len(), 1, "a pause is remembered");
    world.command(Command::Resume);
    assert!(world.run_to_end(secs(5)));
    let said: Vec<bool> =
        world.facts.iter().filter_map(|f| if let Fact::Paused(w) = f { Some(w.is_some()) } else { None }).collect();
    assert_eq!(said, [true, false]);
}

#[test]
fn draining_hands_out_nothing_finishes_what_is_in_flight_and_is_not_remembered() {
    let mut world = World::new(policy(), Box::new(|_| (secs(1), Verdict::Ack)));
    world.publish(0, "a", "a");
    world.command(Command::Drain);
    world.publish(0, "a", "b");
    world.run(secs(5));
    assert_eq!((world.asked.len(), world.count(Outcome::Completed)), (1, 1));
    assert!(world.sub.is_idle());
    assert_eq!(world.sub.credit(), 0);
    world.crash();
    assert!(world.run_to_end(secs(5)));
    assert_eq!(world.count(Outcome::Completed), 2);
    assert!(world.ended().iter().all(|(_, e)| e.deferrals == 0));
}

#[test]
fn a_gone_endpoint_stops_the_subscription_with_an_alarm_and_kills_nobody() {
    let mut world = World::new(policy(), always(status(410)));
    world.traffic(40, ms(0), 40);
    world.run(secs(3600));
    assert_eq!((world.alarmed("endpoint_gone"), world.ended().len()), (1, 0));
    assert!(world.asked.len() <= 40, "only what was under way");
    assert!(world.sub.view(world.now).paused.is_some_and(|why| why.contains("410")));
    world.handle = always(Verdict::Ack);
    world.command(Command::Resume);
    assert!(world.run_to_end(secs(5)));
    assert!(world.ended().iter().all(|(_, e)| e.outcome == Outcome::Completed && e.attempts == 1));
}

#[test]
fn an_endpoint_that_refuses_raises_an_alarm_not_one_per_event() {
    let mut world = World::new(policy(), always(status(403)));
    world.traffic(100, ms(100), 40);
    world.run(secs(30));
    assert_eq!(world.alarmed("endpoint_refuses"), 1);
    world.run(secs(3600));
    assert!(world.alarmed("endpoint_refuses") > 1, "it does not fall silent either");
    assert_eq!(world.count(Outcome::Dead), 0, "404 for everybody is an outage");
}

#[test]
fn skip_dead_letters_the_first_of_a_parked_key_and_its_lane_goes_on() {
    let mut world = World::new(
        policy(),
        Box::new(|a| match a.id.as_str() {
            "a" => (ms(1), retry_after(500, secs(100))),
            _ => (ms(1), Verdict::Ack),
        }),
    );
    world.publish(0, "k", "a");
    world.publish(0, "k", "b");
    world.run(secs(1));
    world.command(Command::Skip { key: "nobody".into() });
    assert_eq!(world.open(), 2);
    world.command(Command::Skip { key: "k".into() });
    assert!(world.run_to_end(secs(1)));
    let dead = world.outcome("a").expect("it ended");
    assert_eq!((dead.outcome, dead.failure.map(|f| f.reason).as_deref() == Some("operator")), (Outcome::Dead, true));
    assert_eq!(world.count(Outcome::Completed), 1);
}

#[test]
fn skip_of_an_event_at_the_handler_waits_for_the_answer_and_believes_a_success() {
    for (answer, outcome) in [(Verdict::Ack, Outcome::Completed), (status(500), Outcome::Dead)] {
        let mut world = World::new(
            policy(),
            Box::new(move |a| match a.dispatch.delivery {
                1 => (ms(1), retry_after(500, secs(1))),
                _ => (secs(2), answer.clone()),
            }),
        );
        world.publish(0, "k", "a");
        world.run(secs(2));
        assert_eq!(world.sub.view(world.now).in_flight, 1);
        world.command(Command::Skip { key: "k".into() });
        assert!(world.run_to_end(secs(5)));
        assert_eq!(world.count(outcome), 1);
    }
}

#[test]
fn release_of_all_tries_every_parked_key_now() {
    let mut world = World::new(policy(), always(retry_after(500, secs(1000))));
    world.publish(0, "a", "a");
    world.publish(1, "b", "b");
    world.run(secs(1));
    world.handle = always(Verdict::Ack);
    world.command(Command::Release { key: None });
    assert!(world.run_to_end(secs(1)));
    assert_eq!(world.count(Outcome::Completed), 2);
}

#[test]
fn an_event_without_a_key_is_skipped_by_its_place_and_one_behind_another_is_not() {
    let mut world = World::new(policy(), always(retry_after(500, secs(1000))));
    world.plan(ms(0), 0, None, "a", crate::Screen::Wanted);
    world.plan(ms(0), 0, Some("k"), "b", crate::Screen::Wanted);
    world.plan(ms(0), 0, Some("k"), "c", crate::Screen::Wanted);
    world.run(secs(1));
    for offset in [0, 2, 77] {
        world.command(Command::SkipAt(Position { shard: Shard::new(TOPIC, 0), offset }));
    }
    world.run(secs(1));
    let dead: Vec<String> = world.ended().into_iter().map(|(id, _)| id).collect();
    assert_eq!(dead, ["a"]);
}
