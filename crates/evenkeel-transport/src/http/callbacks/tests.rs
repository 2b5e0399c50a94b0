#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::time::Duration;

use evenkeel_delivery::Redriven;
use evenkeel_model::ledger::{AttemptFailed, Ended};
use evenkeel_model::{FailureClass, Outcome, Shard, names};

use super::*;
use crate::bench::Bench;

const HOUR: Duration = Duration::from_secs(3600);

/// Callbacks on a simulated disk, whose power may go.
struct World {
    bench: Bench,
    callbacks: Callbacks,
}

fn at(offset: u64) -> Position {
    Position { shard: Shard::new("orders", 0), offset }
}

fn of(offset: u64, delivery: u32) -> Of {
    Of { subscription: "payment".into(), at: at(offset), delivery }
}

fn saying(verdict: &'static str) -> HeaderMap {
    let said = [("evenkeel-verdict", verdict), ("authorization", "Bearer secret")];
    said.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

impl World {
    fn new() -> World {
        let bench = Bench::new(&[]);
        bench.log.create_topic(names::CALLBACKS_TOPIC, Callbacks::settings()).unwrap().wait().unwrap();
        let callbacks = Callbacks::kept("http://node", bench.log.clone(), bench.clock()).unwrap();
        World { bench, callbacks }
    }

    /// The power goes, and the next life reads what is there.
    fn crash(&mut self) {
        self.bench.crash();
        self.callbacks = Callbacks::kept("http://node", self.bench.log.clone(), self.bench.clock()).unwrap();
    }

    /// A call is accepted; its token. Whoever made it is gone.
    async fn accepted(&self, of: Of) -> String {
        let (waiting, url) = self.callbacks.open(Some(of.clone())).unwrap();
        let until = self.bench.clock().now() + HOUR;
        self.callbacks.accepted(&waiting, of, until, Some("v3".into())).await.unwrap();
        url.rsplit('/').next().unwrap().to_owned()
    }

    async fn says(&self, token: &str, verdict: &'static str) -> bool {
        self.callbacks.answer(token, saying(verdict), Bytes::from_static(b"body")).await.unwrap()
    }

    /// What the next call of that delivery finds: `asked` for again, `awaited`, or what was said.
    fn finds(&self, of: &Of) -> String {
        match self.callbacks.found(of) {
            None => "asked".to_owned(),
            Some(Found::Awaited(_, _, version)) => format!("awaited of {}", version.unwrap()),
            Some(Found::Said((headers, body), _)) => {
                assert_eq!(body, "body");
                assert!(!headers.contains_key("authorization"), "what is no answer is not kept");
                headers.get("evenkeel-verdict").unwrap().to_str().unwrap().to_owned()
            }
        }
    }

    async fn commits(&self, facts: Vec<Fact>) {
        let round = Round { number: 1, facts, acked: Vec::new() };
        let Some(settling) = self.callbacks.settling(&"payment".into(), &round) else { return };
        self.callbacks.begin_anew(&settling).await.unwrap();
        self.callbacks.settled(settling).await.unwrap();
    }
}

fn failed(of: &Of) -> Fact {
    let entry = AttemptFailed {
        offset: of.at.offset,
        delivery: of.delivery,
        at: Timestamp::EPOCH,
        took_us: 0,
        class: FailureClass::Failed,
        status: None,
        fingerprint: String::new(),
        message: String::new(),
        next_at: None,
    };
    Fact::Attempt { shard: of.at.shard.clone(), entry }
}

fn ended(offset: u64) -> Fact {
    let entry = Ended::unhandled(offset, Outcome::Dead, Timestamp::EPOCH);
    Fact::Ended { shard: at(offset).shard, mark: None, entry }
}

fn redriven(at: Position) -> Redriven {
    let letter = Position { shard: Shard::new("payment.dead", 0), offset: 0 };
    Redriven { at, letter, job: "r1".into(), new_key: false, when: Timestamp::EPOCH }
}

#[tokio::test]
async fn what_was_accepted_before_a_crash_is_awaited_after_it_and_its_callback_counts() {
    let mut world = World::new();
    let token = world.accepted(of(1, 1)).await;
    world.crash();
    assert_eq!(world.finds(&of(2, 1)), "asked", "another event was not accepted");
    let Some(Found::Awaited(mut waiting, until, _)) = world.callbacks.found(&of(1, 1)) else { panic!("not awaited") };
    assert_eq!(until, world.bench.clock().now() + HOUR);
    assert!(world.says(&token, "drop").await);
    assert_eq!(waiting.said.try_recv().unwrap().1, "body");
    assert!(!world.says(&token, "drop").await, "a token is good for one");
}

#[tokio::test]
async fn what_a_callback_said_before_a_crash_is_found_after_it_by_the_delivery_that_it_answered() {
    let mut world = World::new();
    let token = {
        let (waiting, url) = world.callbacks.open(Some(of(1, 2))).unwrap();
        let token = url.rsplit('/').next().unwrap().to_owned();
        // The callback overtakes the 202.
        assert!(world.says(&token, "retry").await);
        let until = world.bench.clock().now() + HOUR;
        world.callbacks.accepted(&waiting, of(1, 2), until, None).await.unwrap();
        assert_eq!(world.finds(&of(1, 2)), "retry", "the 202 that comes after it takes nothing back");
        token
    };
    world.crash();
    assert_eq!(world.finds(&of(1, 3)), "asked", "a later delivery is another call");
    assert_eq!(world.finds(&of(1, 2)), "retry");
    assert!(!world.says(&token, "ack").await);
}

#[tokio::test]
async fn a_callback_that_nobody_waited_for_is_for_the_next_delivery_whichever_that_is() {
    let mut world = World::new();
    let token = world.accepted(of(1, 1)).await;
    assert!(world.says(&token, "reject").await, "between two lives");
    world.commits(vec![failed(&of(1, 1))]).await;
    world.crash();
    assert_eq!(world.finds(&of(1, 2)), "reject");
    assert_eq!(world.finds(&of(1, 2)), "reject", "it is that delivery's from here on");
    assert_eq!(world.finds(&of(1, 3)), "asked", "it was heard");
    world.commits(vec![ended(1)]).await;
    world.crash();
    assert_eq!(world.finds(&of(1, 3)), "asked", "nothing of it is left once the event has ended");
}

#[tokio::test]
async fn what_had_its_end_on_record_is_forgotten_and_so_is_a_name_that_is_too_old() {
    let mut world = World::new();
    let token = world.accepted(of(1, 1)).await;
    world.accepted(of(2, 1)).await;
    world.accepted(of(3, 1)).await;
    world.commits(vec![failed(&of(1, 1))]).await;
    world.commits(vec![Fact::Redriven(redriven(at(2)))]).await;
    for _ in 0..2 {
        assert_eq!([&of(1, 2), &of(2, 1)].map(|of| world.finds(of)), ["asked", "asked"]);
        assert_eq!(world.finds(&of(3, 1)), "awaited of v3");
        assert!(!world.says(&token, "ack").await);
        world.crash();
    }
    world.bench.clock.advance(HOUR);
    assert_eq!(world.finds(&of(3, 1)), "asked", "its time is over");
}

#[tokio::test]
async fn of_an_event_that_was_accepted_twice_only_the_newest_counts_after_a_crash_too() {
    let mut world = World::new();
    let mut old = Vec::new();
    for offset in 0..8 {
        old.push(world.accepted(of(offset, 1)).await);
        let (waiting, _) = world.callbacks.open(Some(of(offset, 2))).unwrap();
        let until = world.bench.clock().now() + HOUR;
        world.callbacks.accepted(&waiting, of(offset, 2), until, Some("v4".into())).await.unwrap();
    }
    for _ in 0..2 {
        for (offset, token) in old.iter().enumerate() {
            assert!(!world.says(token, "ack").await, "nobody waits for the first one's callback");
            assert_eq!(world.finds(&of(offset as u64, 2)), "awaited of v4");
        }
        world.crash();
    }
}

#[tokio::test]
async fn the_end_of_an_earlier_delivery_takes_nothing_from_the_one_that_is_awaited() {
    let world = World::new();
    let token = world.accepted(of(1, 2)).await;
    world.commits(vec![failed(&of(1, 1))]).await;
    assert_eq!(world.finds(&of(1, 2)), "awaited of v3");
    assert!(world.says(&token, "ack").await);
}

#[tokio::test]
async fn a_callback_that_comes_too_late_between_two_lives_changes_nothing_and_none_is_kept_for_ever() {
    let mut world = World::new();
    let late = world.accepted(of(1, 1)).await;
    let kept = world.accepted(of(2, 1)).await;
    assert!(world.says(&kept, "drop").await);
    world.bench.clock.advance(HOUR);
    world.crash();
    assert!(!world.says(&late, "ack").await, "its time is over");
    assert_eq!(world.finds(&of(1, 2)), "asked");
    world.bench.clock.advance(8 * 24 * HOUR);
    world.crash();
    assert_eq!(world.finds(&of(2, 2)), "asked", "nobody asked for a week");
}

#[tokio::test]
async fn a_name_tells_nobody_its_token() {
    let world = World::new();
    let token = world.accepted(of(1, 1)).await;
    assert!(world.says(&token, "ack").await);
    for stored in world.bench.records(names::CALLBACKS_TOPIC) {
        assert!(!format!("{stored:?}").contains(&token), "{stored:?}");
    }
}
