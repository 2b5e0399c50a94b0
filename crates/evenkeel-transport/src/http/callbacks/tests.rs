#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::time::Duration;

use evenkeel_delivery::Redriven;
use evenkeel_model::ledger::AttemptFailed;
use evenkeel_model::{FailureClass, Shard, names};

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
        let (_waiting, url) = world.callbacks.open(Some(of(1, 2))).unwrap();
        let token = url.rsplit('/').next().unwrap().to_owned();
        // The callback overtakes the 202.
        assert!(world.says(&token, "retry").await);
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
    assert_eq!(world.finds(&of(1, 3)), "asked", "it was heard");
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
async fn a_name_tells_nobody_its_token() {
    let world = World::new();
    let token = world.accepted(of(1, 1)).await;
    assert!(world.says(&token, "ack").await);
    for stored in world.bench.records(names::CALLBACKS_TOPIC) {
        assert!(!format!("{stored:?}").contains(&token), "{stored:?}");
    }
}
