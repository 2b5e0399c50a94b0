//! Sources that fall silent and that surge, and those that only seem to.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Outcome, Timestamp};

use super::{Producers, Sending};
use crate::testing::{Dice, START, ended};

const MINUTE: Duration = Duration::from_secs(60);

struct World {
    producers: Producers,
    subscription: Arc<str>,
    topic: Arc<str>,
    now: Timestamp,
    changes: Vec<(Duration, Sending)>,
}

impl World {
    fn new() -> World {
        World {
            producers: Producers::default(),
            subscription: Arc::from("payment"),
            topic: Arc::from("orders"),
            now: START,
            changes: Vec::new(),
        }
    }

    fn event(&mut self, at: Timestamp) {
        let event = ended(0, at, Outcome::Completed, Duration::ZERO);
        assert!(self.producers.are_told_by(&self.subscription, &self.topic));
        self.producers.ended(&self.topic, &event);
    }

    /// So many minutes with so many events in each, evenly; judged every ten seconds.
    fn pass(&mut self, minutes: u32, each: u32) {
        self.pass_behind(minutes, each, None);
    }

    fn pass_behind(&mut self, minutes: u32, each: u32, oldest: Option<Timestamp>) {
        for _ in 0..minutes {
            for event in 0..each {
                self.event(self.now + MINUTE / each * event);
            }
            for step in 1..=6 {
                let now = self.now + Duration::from_secs(10) * step;
                let changed = self.producers.tick(now, |_| oldest);
                self.changes.extend(changed.iter().map(|p| (now.since(START), p.sending)));
            }
            self.now = self.now + MINUTE;
        }
    }

    fn states(&self) -> Vec<Sending> {
        self.changes.iter().map(|(_, sending)| *sending).collect()
    }
}

#[test]
fn a_source_that_falls_silent_is_told_within_minutes_and_again_when_it_is_back() {
    let mut world = World::new();
    world.pass(40, 30);
    world.pass(10, 0);
    let fell_after = world.changes[0].0.checked_sub(MINUTE * 40).unwrap();
    assert_eq!(world.states(), [Sending::Silent]);
    assert!(fell_after <= Duration::from_secs(90), "{fell_after:?}");
    world.pass(2, 30);
    assert_eq!(world.states(), [Sending::Silent, Sending::Usual]);
}

#[test]
fn behind_an_outage_nobody_is_called_silent() {
    let mut world = World::new();
    world.pass(40, 30);
    let stuck = world.now;
    world.pass_behind(30, 0, Some(stuck));
    assert_eq!(world.states(), [], "its events wait, and are in no ledger yet");
}

#[test]
fn a_source_that_sends_in_bursts_is_not_silent_between_them() {
    let mut world = World::new();
    for _ in 0..6 {
        world.pass(1, 1_000);
        world.pass(9, 0);
    }
    assert_eq!(world.states(), []);
    world.pass(30, 0);
    assert_eq!(world.states(), [Sending::Silent], "three times as long as it ever was");
}

#[test]
fn a_source_that_doubles_its_rate_is_told_and_is_usual_again_when_it_stops() {
    let mut world = World::new();
    world.pass(60, 30);
    world.pass(6, 75);
    assert_eq!(world.states(), [Sending::Surging]);
    world.pass(10, 30);
    assert_eq!(world.states(), [Sending::Surging, Sending::Usual]);
    assert_eq!(world.producers.all().next().unwrap().usual_per_minute.map(|n| n > 29.0 && n < 40.0), Some(true));
}

#[test]
fn chance_alone_is_neither_silence_nor_surge() {
    for (seed, mean_s) in [(1, 1.0), (2, 12.0), (3, 60.0)] {
        let (mut world, mut dice) = (World::new(), Dice(seed));
        let mut next = START;
        // A week of random arrivals.
        for tick in 1..=(7 * 24 * 60) {
            let now = START + MINUTE * tick;
            while next < now {
                world.event(next);
                next = next + dice.gap(Duration::from_secs_f64(mean_s));
            }
            let changed = world.producers.tick(now, |_| None);
            world.changes.extend(changed.iter().map(|p| (now.since(START), p.sending)));
        }
        assert_eq!(world.states(), [], "one event in {mean_s} s, by chance");
    }
}

#[test]
fn an_event_counts_once_however_many_subscriptions_end_it_and_sources_are_bounded() {
    let mut world = World::new();
    let other: Arc<str> = Arc::from("shipping");
    let event = ended(0, START, Outcome::Completed, Duration::ZERO);
    for subscription in [world.subscription.clone(), other.clone(), world.subscription.clone()] {
        if world.producers.are_told_by(&subscription, &world.topic) {
            world.producers.ended(&world.topic, &event);
        }
    }
    assert_eq!(world.producers.known[0].1.minutes[0].1, 2);
    for n in 0..1_500 {
        let mut event = event.clone();
        event.source = Arc::from(format!("/s{n}"));
        world.producers.ended(&world.topic, &event);
    }
    assert_eq!((world.producers.all().count(), world.producers.folded), (1_000, 501));
}
