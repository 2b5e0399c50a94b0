//! When a transport may let go of an event, and who may say so.

use evenkeel_model::Outcome;

use super::reading::{publish, read_all, same};
use super::rounds::{ended, progress, records, round};
use super::{Broken, Subject, promise};

/// What has its outcome in the journal is never given again.
pub(super) async fn once(subject: &dyn Subject) -> Result<(), Broken> {
    publish(subject, records(20)).await?;
    let opened = subject.open().await?;
    opened.journal.load().await?;
    let read = read_all(&*opened.source, 100).await?;
    let mut owed = 0;
    for (shard, events) in &read {
        let half = events.len() as u64 / 2;
        owed += events.len() as u64 - half;
        let done = (0..half).map(|offset| ended(shard, offset, Outcome::Completed, 0));
        opened.journal.commit(round(1, done.chain([progress(shard, half)]).collect())).await?;
        opened.source.settle(&[(shard.clone(), half)]);
    }
    drop(opened);
    subject.crash().await?;
    let again: u64 = read_all(&*subject.open().await?.source, 100).await?.values().map(|e| e.len() as u64).sum();
    promise(again == owed, || format!("{owed} events were not settled, and {again} are given"))
}

/// Handing out settles nothing, however often, and neither does the end of what there is to read.
pub(super) async fn late(subject: &dyn Subject) -> Result<(), Broken> {
    let published = publish(subject, records(20)).await?;
    let opened = subject.open().await?;
    same(&published, &read_all(&*opened.source, 7).await?)?;
    drop(opened);
    subject.crash().await?;
    same(&published, &read_all(&*subject.open().await?.source, 100).await?)
}

/// A commit of whoever had it before is refused, and leaves nothing behind.
pub(super) async fn fenced(subject: &dyn Subject) -> Result<(), Broken> {
    publish(subject, records(20)).await?;
    let old = subject.open().await?;
    old.journal.load().await?;
    let shard = old.source.shards().await?.remove(0).0;
    let new = subject.open().await?;
    new.journal.load().await?;
    let late = old.journal.commit(round(1, vec![ended(&shard, 0, Outcome::Completed, 0)])).await;
    promise(late.is_err(), || "who lost his right could commit".to_owned())?;
    let found = new.journal.load().await?;
    promise(found.is_empty(), || format!("what was refused is remembered: {found:?}"))?;
    new.journal.commit(round(1, vec![ended(&shard, 0, Outcome::Completed, 0)])).await?;
    Ok(())
}
