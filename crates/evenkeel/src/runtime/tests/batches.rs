//! Handlers that take several events in one call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_delivery::ports::{Answer, Batching, BoxFuture, Call, Handler};
use evenkeel_delivery::{Concurrency, Policy};
use evenkeel_model::Outcome;

use super::doubles::{Stage, ack, offset, until};

/// Notes what comes together, and answers as it is told.
struct Together {
    batching: Batching,
    calls: Mutex<Vec<Vec<u64>>>,
    answers: fn(&[Call]) -> Vec<Answer>,
}

impl Handler for Together {
    fn handle(&self, _: Call) -> BoxFuture<'static, Answer> {
        panic!("it takes events together");
    }

    fn batching(&self) -> Batching {
        self.batching
    }

    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        self.calls.lock().unwrap().push(calls.iter().map(offset).collect());
        let answers = (self.answers)(&calls);
        Box::pin(async move { answers })
    }
}

fn together(max: usize, linger: Duration, answers: fn(&[Call]) -> Vec<Answer>) -> Arc<Together> {
    Arc::new(Together { batching: Batching { max, linger }, calls: Mutex::default(), answers })
}

fn all_done(calls: &[Call]) -> Vec<Answer> {
    vec![ack(); calls.len()]
}

fn wide() -> Policy {
    Policy { concurrency: Concurrency { max: 256, ..Concurrency::default() }, ..Policy::default() }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_goes_in_full_calls_and_events_of_a_key_never_together() {
    let stage = Stage::new();
    let keys: Vec<String> = (0..40).map(|n| format!("k{}", n % 20)).collect();
    stage.put(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let handler = together(8, Duration::ZERO, all_done);
    let _handle = stage.start(wide(), handler.clone());
    until("all end", || stage.book.outcomes().len() == 40).await;
    let calls = handler.calls.lock().unwrap();
    assert!(calls.iter().all(|call| call.len() <= 8), "{calls:?}");
    assert!(calls.len() <= 8, "{calls:?}");
    for call in calls.iter() {
        assert!(call.iter().all(|a| call.iter().filter(|b| *a % 20 == **b % 20).count() == 1), "{call:?}");
    }
    assert!(stage.book.outcomes().values().all(|o| *o == Outcome::Completed));
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_others_no_longer_than_linger() {
    let stage = Stage::new();
    let handler = together(8, Duration::from_millis(500), all_done);
    let _handle = stage.start(wide(), handler.clone());
    stage.put(&["a"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.put(&["b"]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(handler.calls.lock().unwrap().is_empty());
    until("both end", || stage.book.outcomes().len() == 2).await;
    assert_eq!(*handler.calls.lock().unwrap(), [[0, 1]]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_gives_another_number_of_answers_has_done_nothing() {
    let stage = Stage::new();
    let handler = together(8, Duration::ZERO, |calls| match calls.first().is_some_and(|call| call.delivery == 1) {
        true => vec![ack()],
        false => vec![ack(); calls.len()],
    });
    let _handle = stage.start(wide(), handler.clone());
    stage.put(&["a", "b", "c"]);
    until("all end", || stage.book.outcomes().len() == 3).await;
    let calls = handler.calls.lock().unwrap();
    assert!(calls.len() > 1, "they came again: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_the_events_of_its_call_and_no_others() {
    let stage = Stage::new();
    let handler = together(2, Duration::ZERO, |calls| {
        assert!(calls.iter().all(|call| offset(call) > 1 || call.delivery > 1), "no such customer");
        all_done(calls)
    });
    let handle = stage.start(wide(), handler.clone());
    stage.put(&["a", "b", "c", "d"]);
    until("all end", || stage.book.outcomes().len() == 4).await;
    let attempts = stage.book.facts().into_iter().filter_map(|fact| match fact {
        evenkeel_delivery::Fact::Attempt { entry, .. } => Some((entry.offset, entry.message)),
        _ => None,
    });
    let mut failed: Vec<_> = attempts.collect();
    failed.sort();
    assert_eq!(failed, [0, 1].map(|offset| (offset, "panicked: no such customer".to_owned())));
    assert_eq!(handle.is_stopped(), None);
}

#[tokio::test(start_paused = true)]
async fn a_drain_sends_what_was_gathered_and_waits_for_it() {
    let stage = Stage::new();
    let handler = together(8, Duration::from_secs(5), all_done);
    let handle = stage.start(wide(), handler.clone());
    stage.put(&["a", "b"]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let drained = handle.drain(Duration::from_secs(1)).await;
    assert_eq!((drained.unfinished, drained.stopped), (0, None));
    assert_eq!(stage.book.outcomes().len(), 2);
}
