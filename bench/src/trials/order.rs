//! Order by key, where events fail or are put off.

use std::time::Duration;

use evenkeel::Verdict;

use super::house::{KEYS, Noting, close, ended, event, failed, open, publish};
use super::{Row, Size};
use crate::Outcome;

/// Every hundredth event fails twice, then succeeds.
pub(crate) async fn some_fail_twice(Size { events }: Size) -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler = Noting::new(|seen| {
        // Each key has its turn.
        let unlucky = seen.number % 101 == 37 && seen.before < 2;
        (Duration::ZERO, if unlucky { failed() } else { Verdict::Ack })
    });
    let evenkeel = open(folder.path(), &handler).await?;
    publish(&evenkeel, (1..=events).map(|n| event("order", n)).collect()).await?;
    let books = ended(&evenkeel).await?;
    close(evenkeel).await;
    let overtaken = handler.overtaken();
    Ok(Row {
        situation: "1 % of the events fail twice, then succeed: order violations by key",
        theirs: "Spring @RetryableTopic 208, in all 100 keys; Spring blocking 0, its partition stops 3 s each; parallel-consumer 0",
        ours: format!("{overtaken} of {events}; {} completed, {} dead", books.completed, books.dead),
        kept: overtaken == 0 && books.order_violations == 0 && books.completed == events,
    })
}

/// The first event of each key is put off for a moment, as a NAK with delay does.
pub(crate) async fn put_off(Size { events }: Size) -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler = Noting::new(|seen| {
        let verdict = match seen.number <= KEYS && seen.before == 0 {
            true => Verdict::Retry {
                after: Some(Duration::from_millis(300)),
                message: "later".to_owned(),
                dependency: None,
            },
            false => Verdict::Ack,
        };
        (Duration::ZERO, verdict)
    });
    let evenkeel = open(folder.path(), &handler).await?;
    let events = events.min(2_000);
    publish(&evenkeel, (1..=events).map(|n| event("order", n)).collect()).await?;
    let books = ended(&evenkeel).await?;
    close(evenkeel).await;
    let overtaken = handler.overtaken();
    Ok(Row {
        situation: "the handler puts an event off: later ones of its key overtake it",
        theirs: "JetStream (NAK with delay): yes; RabbitMQ 4 (requeue): goes to the head, 3.10 to the end",
        ours: format!("{overtaken} of {events}"),
        kept: overtaken == 0 && books.completed == events,
    })
}
