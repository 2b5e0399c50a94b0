//! How rounds wait for handlers in the process.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{Answer, Batching, BoxFuture, Call, Commit, Handler};
use evenkeel_delivery::{Concurrency, Fact, Policy};
use evenkeel_model::Clock;

use super::doubles::{Stage, ack, offset, until};

/// A handler in this process: done at once, but for one event.
struct Here {
    /// This one is waited for, for ever.
    stuck: Option<u64>,
    batching: Batching,
}

fn here(stuck: Option<u64>, batching: Batching) -> Arc<Here> {
    Arc::new(Here { stuck, batching })
}

impl Handler for Here {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let stuck = self.stuck == Some(offset(&call));
        Box::pin(async move { if stuck { std::future::pending().await } else { ack() } })
    }

    fn batching(&self) -> Batching {
        self.batching
    }

    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        let answers = calls.iter().map(|_| ack()).collect();
        Box::pin(async move { answers })
    }
}

fn wide() -> Policy {
    Policy { concurrency: Concurrency { max: 256, ..Concurrency::default() }, ..Policy::default() }
}

fn put_100(stage: &Stage) {
    let keys: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    stage.put(&keys.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_quick_handlers_were_handed_together_ends_together() {
    let stage = Stage::new();
    put_100(&stage);
    let _handle = stage.start(wide(), here(None, Batching::default()));
    until("all end", || stage.book.outcomes().len() == 100).await;
    let commits = stage.book.commits.lock().unwrap();
    let has = |what: fn(&Fact) -> bool| move |commit: &&Commit| commit.round.facts.iter().any(what);
    let ends = |fact: &Fact| matches!(fact, Fact::Ended { .. });
    let opens = |fact: &Fact| matches!(fact, Fact::Open(_));
    // As many as the limit of concurrency let out at first, twice that, and the rest.
    assert_eq!(commits.iter().filter(has(ends)).count(), 3);
    assert_eq!(commits.iter().filter(|commit| has(opens)(commit) && !has(ends)(commit)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_round_waits_for_a_handler_that_waits() {
    let stage = Stage::new();
    put_100(&stage);
    let handle =
        stage.start(Policy { timeout: Duration::from_secs(3600), ..wide() }, here(Some(0), Batching::default()));
    until("the others end", || stage.book.outcomes().len() == 99).await;
    stage.put(&["late"]);
    until("what comes later ends", || stage.book.outcomes().len() == 100).await;
    assert_eq!(handle.is_stopped(), None);
}

#[tokio::test(start_paused = true)]
async fn a_round_waits_for_a_moment_only() {
    let stage = Stage::new();
    stage.put(&["a", "b", "c"]);
    // The third is handed out, and waits for others to go with.
    let batching = Batching { max: 2, linger: Duration::from_secs(3600) };
    let _handle = stage.start(Policy { timeout: Duration::from_secs(7200), ..wide() }, here(None, batching));
    let began = stage.clock.now();
    until("two end", || stage.book.outcomes().len() == 2).await;
    assert!(stage.clock.now().since(began) < Duration::from_secs(1));
}
