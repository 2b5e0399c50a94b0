//! What producers do twice, alike, or wrongly.

use std::time::Duration;

use evenkeel::{PublishError, Verdict};

use super::house::{Noting, close, ended, event, open, publish};
use super::{Row, Size};
use crate::Outcome;

/// Each event is published twice, the second time in another batch.
pub(crate) async fn published_twice(Size { events }: Size) -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler = Noting::new(|_| (Duration::ZERO, Verdict::Ack));
    let evenkeel = open(folder.path(), &handler).await?;
    let all: Vec<_> = (1..=events).map(|n| event("order", n)).collect();
    publish(&evenkeel, all.clone()).await?;
    publish(&evenkeel, all).await?;
    let books = ended(&evenkeel).await?;
    close(evenkeel).await;
    let twice = handler.done() - events;
    Ok(Row {
        situation: "every event is published twice: handled twice",
        theirs: "Spring and parallel-consumer: all of them",
        ours: format!("{twice} of {events}; {} stored", books.appended),
        kept: twice == 0 && books.completed == events && books.appended == events,
    })
}

/// Distinct events whose payloads differ in one digit.
pub(crate) async fn much_alike(Size { events }: Size) -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler = Noting::new(|_| (Duration::ZERO, Verdict::Ack));
    let evenkeel = open(folder.path(), &handler).await?;
    publish(&evenkeel, (1..=events).map(|n| event("order", n)).collect()).await?;
    ended(&evenkeel).await?;
    close(evenkeel).await;
    let lost = events - handler.done();
    Ok(Row {
        situation: "distinct events with payloads much alike: dropped as duplicates",
        theirs: "Watermill's deduplicator (Adler-32 of the payload): 74 %",
        ours: format!("{lost} of {events}"),
        kept: lost == 0,
    })
}

/// An id that was used comes with another body.
pub(crate) async fn same_id_other_body() -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler = Noting::new(|_| (Duration::ZERO, Verdict::Ack));
    let evenkeel = open(folder.path(), &handler).await?;
    publish(&evenkeel, vec![event("order", 1)]).await?;
    let mut other = event("order", 1);
    other.data = Some("{\"order\":2}".into());
    let answer = evenkeel.publish("orders", other).await;
    close(evenkeel).await;
    let conflict = matches!(&answer, Err(PublishError::Conflict { first: Some(_), .. }));
    Ok(Row {
        situation: "an id that was used comes again with another body",
        theirs: "JetStream: acknowledged, and dropped",
        ours: answer.map_or_else(|refused| format!("refused: {refused}"), |_| "taken".to_owned()),
        kept: conflict,
    })
}

/// An event for a topic that is not there.
pub(crate) async fn nowhere_to_go() -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler = Noting::new(|_| (Duration::ZERO, Verdict::Ack));
    let evenkeel = open(folder.path(), &handler).await?;
    let answer = evenkeel.publish("oders", event("order", 1)).await;
    close(evenkeel).await;
    let refused = matches!(&answer, Err(PublishError::UnknownTopic { .. }));
    Ok(Row {
        situation: "an event is published to where nothing is",
        theirs: "RabbitMQ: acknowledged, and gone",
        ours: answer.map_or_else(|refused| format!("refused: {refused}"), |_| "taken".to_owned()),
        kept: refused,
    })
}
