//! A dependency that is down, and a process that dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evenkeel::Verdict;
use evenkeel::testing::kill;

use super::house::{Noting, close, ended, event, failed, open, publish};
use super::{Row, Size};
use crate::Outcome;

/// A minute, ten times as fast.
const DOWN: Duration = Duration::from_secs(6);

/// The handler fails all calls for a while; every event is healthy.
pub(crate) async fn down_for_a_while(Size { events }: Size) -> Outcome<Row> {
    let events = events.min(1_200);
    let folder = tempfile::tempdir()?;
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let handler = Noting::new(move |_| {
        (Duration::from_millis(1), if is_down.load(Ordering::SeqCst) { failed() } else { Verdict::Ack })
    });
    let evenkeel = open(folder.path(), &handler).await?;
    let (each, steps) = (events / 60, 60);
    for step in 0..steps {
        publish(&evenkeel, (1..=each).map(|n| event("order", step * each + n)).collect()).await?;
        tokio::time::sleep(DOWN / 60).await;
    }
    let while_down = handler.calls().len();
    down.store(false, Ordering::SeqCst);
    let books = ended(&evenkeel).await?;
    close(evenkeel).await;
    let calls = handler.calls().len();
    Ok(Row {
        situation: "a dependency is down for 60 s (here 6 s, and retries ten times as fast), every event healthy: dead letters",
        theirs: "Spring @RetryableTopic 921 of 1,200 (77 %) to 94 %; Spring blocking 137; Watermill 2,000 of 2,000; parallel-consumer has none",
        ours: format!(
            "{} of {}; {while_down} calls while it was down, {} after it for {} events",
            books.dead,
            books.appended,
            calls - while_down,
            books.completed
        ),
        kept: books.dead == 0 && books.completed == books.appended && books.order_violations == 0,
    })
}

/// All tasks of the process end at once in the middle of it; it begins anew on the same folder.
pub(crate) async fn killed_in_the_middle(Size { events }: Size) -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler = Noting::new(|_| (Duration::from_millis(1), Verdict::Ack));
    let evenkeel = open(folder.path(), &handler).await?;
    publish(&evenkeel, (1..=events).map(|n| event("order", n)).collect()).await?;
    while handler.done() < events / 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    kill(&evenkeel).await;
    evenkeel.log().close();
    drop(evenkeel);
    let before = handler.done();
    let began = tokio::time::Instant::now();
    let evenkeel = open(folder.path(), &handler).await?;
    while handler.done() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let silence = began.elapsed();
    let books = ended(&evenkeel).await?;
    close(evenkeel).await;
    let twice = handler.done() - events;
    Ok(Row {
        situation: "the consumer is killed in the middle of 20,000 events: handled twice, and silence until the next call",
        theirs: "Spring 2,039 and 45 s; parallel-consumer 2,276 and 45 s; Restate 34 of 5,000",
        ours: format!("{twice} of {events}, and {silence:.0?}"),
        // No more than were at the handler, or done and not yet on record.
        kept: books.completed == events && twice <= 512 && silence < Duration::from_secs(5),
    })
}
