//! What the runtime promises, on virtual time, with doubles for its ports.

mod doubles;
mod batches;
mod patience;
mod drains;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel_delivery::ports::Answer;
use evenkeel_delivery::{Effects, Fact, Policy, RetrySchedule};
use evenkeel_model::{Event, FailureClass, Outcome, Verdict};
use tokio::sync::Notify;

use doubles::{Stage, ack, behind, by, offset, until};

fn failing(message: &str) -> Answer {
    Answer { verdict: Verdict::Retry { after: None, message: message.to_owned(), dependency: None }, ..ack() }
}

fn patient() -> Policy {
    let retry = RetrySchedule { inline: Duration::ZERO, initial: Duration::from_secs(60), ..RetrySchedule::default() };
    Policy { retry, ..Policy::default() }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_handler_is_a_failed_attempt() {
    let stage = Stage::new();
    let handler = by(|call| {
        let first = offset(&call) == 0 && call.delivery == 1;
        async move { if first { panic!("no such customer: 7") } else { ack() } }
    });
    let handle = stage.start(Policy::default(), handler.clone());
    stage.put(&["a", "b"]);
    until("both end", || stage.book.outcomes().len() == 2).await;
    let attempt = stage.book.facts().into_iter().find_map(|fact| match fact {
        Fact::Attempt { entry, .. } => Some(entry),
        _ => None,
    });
    let attempt = attempt.expect("the failed attempt is on the record");
    assert_eq!((attempt.offset, attempt.class), (0, FailureClass::Failed));
    assert_eq!(attempt.message, "panicked: no such customer: 7");
    assert_eq!(stage.book.outcomes()[&0], Outcome::Completed);
    assert_eq!(handle.is_stopped(), None);
}

#[tokio::test(start_paused = true)]
async fn what_one_partition_gave_is_worked_on_while_the_next_is_being_read() {
    let stage = Stage::half_stuck();
    stage.put(&["a", "b"]);
    let _handle = stage.start(Policy::default(), by(|_| async { ack() }));
    until("both end", || stage.book.outcomes().len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_settled_before_it_is_journaled() {
    let stage = Stage::new();
    stage.book.open.send_replace(false);
    let handler = by(|_| async { ack() });
    let _handle = stage.start(Policy::default(), handler.clone());
    stage.put(&["a", "b", "c"]);
    until("all were handled", || handler.calls.load(Ordering::SeqCst) == 3).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.shelf.settled_below(), 0);
    stage.book.open.send_replace(true);
    until("it is settled", || stage.shelf.settled_below() > 0).await;
    assert!(stage.book.outcomes().len() as u64 >= stage.shelf.settled_below());
}

#[tokio::test(start_paused = true)]
async fn events_that_a_handler_returns_are_committed_with_its_outcome() {
    let stage = Stage::new();
    let handler = by(|call| {
        let id = format!("caused-by-{}", offset(&call));
        async move { Answer { emitted: vec![Event::new("/test", id, "Caused")], ..ack() } }
    });
    let _handle = stage.start(Policy { effects: Effects::Log, ..Policy::default() }, handler);
    stage.put(&["a", "a", "b", "c"]);
    until("all end", || stage.book.outcomes().len() == 4).await;
    for commit in stage.book.commits.lock().unwrap().iter() {
        let ended = commit.round.facts.iter().filter_map(|fact| match fact {
            Fact::Ended { entry, .. } => Some((entry.offset, entry.emitted)),
            _ => None,
        });
        let mut ended: Vec<_> = ended.collect();
        let mut emitted: Vec<_> = commit.emitted.iter().map(|(at, _, events)| (at.offset, events.clone())).collect();
        ended.sort_unstable();
        emitted.sort_by_key(|(offset, _)| *offset);
        assert_eq!(ended, emitted.iter().map(|(offset, _)| (*offset, 1)).collect::<Vec<_>>());
        assert!(emitted.iter().all(|(offset, events)| events[0].id.id == format!("caused-by-{offset}")));
    }
}

#[tokio::test(start_paused = true)]
async fn events_that_nobody_keeps_raise_an_alarm() {
    let stage = Stage::new();
    let handler = by(|_| async { Answer { emitted: vec![Event::new("/t", "1", "C")], ..ack() } });
    let handle = stage.start(Policy::default(), handler);
    let mut alarms = handle.alarms();
    stage.put(&["a"]);
    assert_eq!(alarms.recv().await.unwrap().code, "effects_ignored");
    until("it ends", || stage.book.ended().len() == 1).await;
    assert_eq!(stage.book.ended()[0].emitted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_journal_stops_dispatch() {
    let stage = Stage::new();
    let handler = by(|_| async { ack() });
    let handle = stage.start(Policy::default(), handler.clone());
    stage.put(&["a"]);
    until("it ends", || stage.book.outcomes().len() == 1).await;
    stage.book.broken.store(true, Ordering::SeqCst);
    stage.put(&["a"]);
    until("it stops", || handle.is_stopped().is_some()).await;
    assert_eq!(handle.is_stopped().as_deref(), Some("the journal failed: the disk is gone"));
    let calls = handler.calls.load(Ordering::SeqCst);
    stage.put(&["a", "b", "c"]);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(handler.calls.load(Ordering::SeqCst), calls);
    assert_eq!(stage.book.outcomes().len(), 1);
    assert!(handle.view().await.is_some(), "it still answers");
    assert_eq!(handle.drain(Duration::from_secs(1)).await.stopped, handle.is_stopped());
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_at_the_handler_and_reads_no_more() {
    let stage = Stage::new();
    let gate = Arc::new(Notify::new());
    let handler = behind(&gate);
    let handle = stage.start(Policy::default(), handler.clone());
    stage.put(&["a", "b"]);
    until("both are at the handler", || handler.calls.load(Ordering::SeqCst) == 2).await;
    let draining = tokio::spawn({
        let handle = handle.clone();
        async move { handle.drain(Duration::from_secs(30)).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.put(&["c"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!draining.is_finished());
    gate.notify_waiters();
    let drained = draining.await.unwrap();
    assert_eq!((drained.unfinished, drained.stopped), (0, None));
    assert_eq!(stage.book.outcomes().into_keys().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(handler.calls.load(Ordering::SeqCst), 2);
    assert_eq!(stage.shelf.settled_below(), 2);
    assert!(handle.view().await.is_none(), "it has ended");
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_grace_goes_out_again_with_the_same_key() {
    let stage = Stage::new();
    let keys = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = keys.clone();
    let handler = by(move |call| {
        let stuck = offset(&call) == 1 && {
            let mut keys = seen.lock().unwrap();
            keys.push(call.key);
            keys.len() == 1
        };
        async move { if stuck { std::future::pending().await } else { ack() } }
    });
    let handle = stage.start(Policy::default(), handler.clone());
    stage.put(&["a", "b", "c"]);
    until("two end", || stage.book.outcomes().len() == 2).await;
    let drained = handle.drain(Duration::from_secs(5)).await;
    assert_eq!((drained.unfinished, drained.stopped), (1, None));
    assert_eq!(stage.book.outcomes().into_keys().collect::<Vec<_>>(), [0, 2]);

    let _again = stage.start(Policy::default(), handler.clone());
    until("the third ends", || stage.book.outcomes().len() == 3).await;
    let keys = keys.lock().unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(handler.calls.load(Ordering::SeqCst), 4, "the others were not handed out again");
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_of_one_key_holds_up_no_other() {
    let stage = Stage::new();
    let handler = by(|call| {
        let slow = offset(&call) == 0;
        async move {
            if slow {
                tokio::time::sleep(Duration::from_secs(100)).await;
            }
            ack()
        }
    });
    let _handle = stage.start(Policy { timeout: Duration::from_secs(200), ..Policy::default() }, handler);
    stage.put(&["slow", "b", "slow", "c", "b", "d"]);
    until("the others end", || stage.book.outcomes().len() == 4).await;
    assert_eq!(stage.book.outcomes().into_keys().collect::<Vec<_>>(), [1, 3, 4, 5]);
    until("all end", || stage.book.outcomes().len() == 6).await;
    let order: Vec<_> = stage.book.ended().iter().map(|entry| entry.offset).filter(|o| *o == 0 || *o == 2).collect();
    assert_eq!(order, [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_retention_took_ends_on_the_record_and_accuses_nobody() {
    let stage = Stage::new();
    let handler = by(|call| {
        let fails = offset(&call) == 0;
        async move { if fails { failing("not yet") } else { ack() } }
    });
    let handle = stage.start(patient(), handler.clone());
    let mut alarms = handle.alarms();
    stage.put(&["a", "b"]);
    until("it is parked", || stage.book.facts().iter().any(|fact| matches!(fact, Fact::Pending(_)))).await;
    stage.shelf.emptied.store(true, Ordering::SeqCst);
    until("it ends", || stage.book.outcomes().len() == 2).await;
    let gone = stage.book.ended().into_iter().find(|entry| entry.offset == 0).unwrap();
    assert_eq!(gone.outcome, Outcome::Expired);
    assert!(gone.failure.unwrap().message.contains("retention took orders/0 at 0"));
    assert_eq!(alarms.recv().await.unwrap().code, "retention_gap");
}

#[tokio::test(start_paused = true)]
async fn a_dead_event_takes_its_record_along_even_after_it_was_parked() {
    let stage = Stage::new();
    let handler = by(|call| {
        let poison = offset(&call) == 0;
        async move { if poison { failing("poison") } else { ack() } }
    });
    let retry = RetrySchedule { attempts: 2, ..patient().retry };
    let _handle = stage.start(Policy { retry, ..Policy::default() }, handler);
    stage.put(&["a", "b"]);
    for _ in 0..20 {
        // Its attempts count only while others succeed.
        tokio::time::sleep(Duration::from_secs(61)).await;
        stage.put(&["c"]);
    }
    until("it dies", || stage.book.outcomes().get(&0) == Some(&Outcome::Dead)).await;
    let commits = stage.book.commits.lock().unwrap();
    let last = commits.iter().find(|commit| !commit.dead.is_empty()).expect("a record goes with it");
    assert_eq!(last.dead[0].arrival.at.offset, 0);
    assert!(
        last.round.facts.iter().any(
            |fact| matches!(fact, Fact::Ended { entry, .. } if entry.offset == 0 && entry.outcome == Outcome::Dead)
        )
    );
}
