//! Outages at any traffic: one event a minute as well as ten thousand a second, begun with a window
//! full of successes, with and without the process dying in the middle. Nothing healthy dies.

use std::time::Duration;

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::Policy;

/// Well for a while, then down for longer than all retries of an event together, then well.
struct Life {
    every: Duration,
    well: Duration,
    down: Duration,
    /// The process dies twice while it is down, and once when it is well again.
    kills: bool,
}

type Answer = fn() -> (Duration, Verdict);

const ANSWERS: [(&str, Answer); 3] = [
    ("500", || (ms(5), status(500))),
    ("unreachable", || (ms(1), unreachable())),
    ("hanging", || (secs(1), timed_out())),
];

fn live(life: &Life, policy: Policy, name: &str, answer: Answer) {
    let (well, until) = (life.well, life.well + life.down);
    let handle = move |asked: &Asked| match asked.since_start >= well && asked.since_start < until {
        true => answer(),
        false => (ms(2), Verdict::Ack),
    };
    let mut world = World::new(policy, Box::new(handle));
    let count = u64::try_from(until.as_micros() / life.every.as_micros()).unwrap() + 20;
    world.traffic(count, life.every, 2_000);
    world.run(well + life.down / 3);
    for _ in 0..2 {
        if life.kills {
            world.crash();
        }
        world.run(life.down / 3);
    }
    if life.kills {
        world.crash();
    }
    let begun = world.asked.len();
    assert!(world.run_to_end(life.every * 20 + secs(900)), "{name}: it recovers");
    let dead: Vec<_> = world.ended().into_iter().filter(|(_, e)| e.outcome != Outcome::Completed).collect();
    assert!(dead.is_empty(), "{name}, every {:?}, killed {}: {dead:?}", life.every, life.kills);
    assert_eq!(world.count(Outcome::Completed) as u64, count);
    // No storm at the end: hardly more calls than there were events left to do.
    let calls = world.asked.len() - begun;
    let left = world.ended().iter().filter(|(_, e)| e.at > start() + until).count();
    assert!(calls <= left + left / 10 + 20, "{name}: {calls} calls for {left} events once it was well again");
}

#[test]
fn an_outage_at_one_event_a_minute_kills_nothing_healthy() {
    for (name, answer) in ANSWERS {
        for kills in [false, true] {
            let life = Life { every: secs(60), well: secs(1_800), down: secs(7_200), kills };
            live(&life, policy(), name, answer);
        }
    }
}

#[test]
fn an_outage_at_ten_thousand_events_a_second_kills_nothing_healthy() {
    for ((name, answer), kills) in [(ANSWERS[0], false), (ANSWERS[0], true), (ANSWERS[2], true)] {
        let life = Life { every: Duration::from_micros(100), well: ms(400), down: ms(2_100), kills };
        live(&life, policy(), name, answer);
    }
}
