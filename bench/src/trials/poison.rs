//! Events that nobody can handle.

use std::time::Duration;

use evenkeel::Verdict;
use evenkeel_log::{Append, Set};
use evenkeel_model::{Record, Shard};

use super::house::{Noting, close, ended, event, failed, open, publish};
use super::{Row, Size};
use crate::Outcome;

/// One event in a thousand fails always, and its key has others.
pub(crate) async fn always_throws(Size { events }: Size) -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler =
        Noting::new(|seen| (Duration::ZERO, if seen.id.starts_with("poison") { failed() } else { Verdict::Ack }));
    let evenkeel = open(folder.path(), &handler).await?;
    let events = events.min(5_000);
    let kind = |n: u64| if n % 500 == 250 { "poison" } else { "order" };
    publish(&evenkeel, (1..=events).map(|n| event(kind(n), n)).collect()).await?;
    // Healthy ones go on: they are what tells poison from an outage.
    let mut next = events;
    let poison = (1..=events).filter(|n| kind(*n) == "poison").count() as u64;
    loop {
        let books = evenkeel.audit().await?.subscriptions.into_iter().next().ok_or("no subscription")?;
        if books.dead == poison || next > events + 20_000 {
            break;
        }
        publish(&evenkeel, (1..=20).map(|n| event("order", next + n)).collect()).await?;
        next += 20;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let books = ended(&evenkeel).await?;
    close(evenkeel).await;
    let tries = handler.calls().iter().filter(|seen| seen.id.starts_with("poison")).count();
    Ok(Row {
        situation: "poison: the handler throws for some events, always",
        theirs: "Spring: dead-letter topic; parallel-consumer: retried for ever, its key held, no dead letters; JetStream: after MaxDeliver delivered to nobody",
        ours: format!("{} of {poison} dead after {tries} calls; all {} others completed", books.dead, books.completed),
        kept: books.dead == poison && books.completed == next - poison && books.order_violations == 0,
    })
}

/// Records that claim to be events and are not, among healthy ones.
pub(crate) async fn not_an_event(Size { events }: Size) -> Outcome<Row> {
    let folder = tempfile::tempdir()?;
    let handler = Noting::new(|_| (Duration::ZERO, Verdict::Ack));
    let evenkeel = open(folder.path(), &handler).await?;
    let events = events.min(1_000);
    let began = tokio::time::Instant::now();
    for partition in 0..8 {
        let mut broken = Record { value: Some("\u{0}garbage".into()), ..Record::default() };
        broken.push_header("content-type", "application/cloudevents+json");
        let shard = Shard::new("orders", partition);
        evenkeel.log().append(Set::appends(vec![Append::records(shard, vec![broken])])).await?;
    }
    publish(&evenkeel, (1..=events).map(|n| event("order", n)).collect()).await?;
    let books = ended(&evenkeel).await?;
    let took = began.elapsed();
    close(evenkeel).await;
    Ok(Row {
        situation: "a record that cannot be decoded lies first in each partition",
        theirs: "Spring: 46,904 re-reads in 40 s, the partition stuck; parallel-consumer: the whole consumer dies",
        ours: format!(
            "{} of 8 told as no events; all {} behind them completed in {took:.1?}",
            books.not_an_event, books.completed
        ),
        kept: books.not_an_event == 8 && books.completed == events,
    })
}
