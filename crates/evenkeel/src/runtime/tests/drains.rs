//! What a drain promises to who waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel_delivery::{Concurrency, Policy};
use tokio::sync::Notify;

use super::doubles::{Stage, ack, behind, by, offset, until};

#[tokio::test(start_paused = true)]
async fn a_drain_begins_nothing_that_was_read_and_waits_for_its_turn() {
    let stage = Stage::new();
    let gate = Arc::new(Notify::new());
    let handler = behind(&gate);
    let one = Concurrency { min: 1, max: 1, ..Concurrency::default() };
    let handle = stage.start(Policy { concurrency: one, ..Policy::default() }, handler.clone());
    stage.put(&["a", "b", "c"]);
    until("one is at the handler", || handler.calls.load(Ordering::SeqCst) == 1).await;
    let draining = tokio::spawn(async move { handle.drain(Duration::from_secs(30)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    gate.notify_waiters();
    let drained = draining.await.unwrap();
    assert_eq!((drained.unfinished, drained.stopped), (0, None));
    assert_eq!(handler.calls.load(Ordering::SeqCst), 1);
    assert_eq!((stage.book.outcomes().len(), stage.shelf.settled_below()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_ended_within_the_grace_is_durable_before_the_drain_is_over() {
    let stage = Stage::new();
    stage.book.open.send_replace(false);
    let handler = by(|call| {
        let stuck = offset(&call) == 1;
        async move { if stuck { std::future::pending().await } else { ack() } }
    });
    let handle = stage.start(Policy::default(), handler.clone());
    stage.put(&["a", "b"]);
    until("both are at the handler", || handler.calls.load(Ordering::SeqCst) == 2).await;
    let draining = tokio::spawn(async move { handle.drain(Duration::from_secs(5)).await });
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(!draining.is_finished(), "the grace is over, and what ended is not durable yet");
    stage.book.open.send_replace(true);
    let drained = draining.await.unwrap();
    assert_eq!((drained.unfinished, drained.stopped), (1, None));
    assert_eq!(stage.book.outcomes().into_keys().collect::<Vec<_>>(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_never_answers_does_not_hold_a_drain_up_for_ever() {
    let stage = Stage::new();
    stage.book.open.send_replace(false);
    let handler = by(|_| async { ack() });
    let handle = stage.start(Policy::default(), handler.clone());
    stage.put(&["a"]);
    until("it was handled", || handler.calls.load(Ordering::SeqCst) == 1).await;
    let drain = handle.drain(Duration::from_secs(5));
    let drained = tokio::time::timeout(Duration::from_secs(60), drain).await.expect("the drain ends");
    assert_eq!(drained.stopped.as_deref(), Some("the journal did not answer within the drain"));
    assert!(stage.book.outcomes().is_empty() && stage.shelf.settled_below() == 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_while_a_drain_is_under_way_hears_how_that_one_ended() {
    let stage = Stage::new();
    let handler = by(|_| std::future::pending());
    let handle = stage.start(Policy::default(), handler.clone());
    stage.put(&["a"]);
    until("it is at the handler", || handler.calls.load(Ordering::SeqCst) == 1).await;
    let drains = [Duration::from_secs(5), Duration::from_secs(1)].map(|grace| handle.drain(grace));
    let [first, second] = drains;
    let (first, second) = tokio::join!(first, second);
    assert_eq!([first.unfinished, second.unfinished], [1, 1]);
}
