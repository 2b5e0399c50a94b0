//! When a transport may let go of an event, and who may say so.

use evenkeel_delivery::ports::Redelivery;
use evenkeel_model::Outcome;

use super::reading::{publish, read_all, same};
use super::rounds::{ended, ornate, progress, records, round};
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

/// A commit of whoever had it before is refused, and leaves nothing behind; however many commits he made before, since
/// rights may be held in turns.
pub(super) async fn fenced(subject: &dyn Subject) -> Result<(), Broken> {
    publish(subject, records(20)).await?;
    let mut offset = 0;
    for made in 0..3 {
        let old = subject.open().await?;
        old.journal.load().await?;
        let shard = old.source.shards().await?.remove(0).0;
        let outcome = |offset| vec![ended(&shard, offset, Outcome::Completed, 0)];
        for number in 1..=made {
            old.journal.commit(round(number, outcome(offset))).await?;
            offset += 1;
        }
        let new = subject.open().await?;
        let known = new.journal.load().await?;
        let late = old.journal.commit(round(made + 1, outcome(offset))).await;
        promise(late.is_err(), || format!("who lost his right could commit, after {made} commits"))?;
        let found = new.journal.load().await?;
        promise(found == known, || format!("what was refused is remembered: {found:?}, and not {known:?}"))?;
        new.journal.commit(round(1, outcome(offset))).await?;
        offset += 1;
    }
    Ok(())
}

/// Who leaves in good order leaves what it had to the next, who need not wait for it.
pub(super) async fn left(subject: &dyn Subject) -> Result<(), Broken> {
    let published = publish(subject, records(20)).await?;
    let first = subject.open().await?;
    same(&published, &read_all(&*first.source, 7).await?)?;
    drop(first);
    same(&published, &read_all(&*subject.open().await?.source, 100).await?)
}

/// What is at a handler for several leases stays with its holder, who may end it.
pub(super) async fn renewed(subject: &dyn Subject) -> Result<(), Broken> {
    let Redelivery::Lease(lease) = subject.capabilities().redelivery else { return Ok(()) };
    publish(subject, records(8)).await?;
    let opened = subject.open().await?;
    opened.journal.load().await?;
    let read = read_all(&*opened.source, 100).await?;
    tokio::time::sleep(lease * 5 / 2).await;
    for (shard, events) in &read {
        let done = events.iter().map(|e| ended(shard, e.arrival.at.offset, Outcome::Completed, 0));
        let below = events.last().map_or(0, |last| last.arrival.at.offset + 1);
        opened.journal.commit(round(1, done.chain([progress(shard, below)]).collect())).await?;
        opened.source.settle(&[(shard.clone(), below)]);
    }
    drop(opened);
    subject.crash().await?;
    let again: usize = read_all(&*subject.open().await?.source, 100).await?.values().map(Vec::len).sum();
    // What is kept may be read as often as one likes: whether it was given again, its own tests ask.
    promise(again == 0 || subject.capabilities().keeps_settled, || {
        format!("{again} events were given again, though their leases were held to the end")
    })
}

/// So much more than was asked for may be on its way.
const AHEAD: u64 = 512;

pub(super) async fn backpressure(subject: &dyn Subject) -> Result<(), Broken> {
    let large = |n: usize| {
        let mut record = ornate(bytes::Bytes::from(vec![b'x'; 4096]));
        record.key = Some(bytes::Bytes::from(format!("key-{}", n % 7)));
        record
    };
    publish(subject, (0..1500).map(large).collect()).await?;
    let opened = subject.open().await?;
    for (shard, from) in opened.source.shards().await? {
        let (events, _) = opened.source.fetch(&shard, from, 3).await?;
        promise(events.len() <= 3, || format!("a fetch of 3 gave {}", events.len()))?;
    }
    let max = AHEAD + subject.capabilities().limits.unsettled_max.map_or(0, u64::from).min(AHEAD);
    let out = subject.unsettled().await?.unwrap_or(0);
    promise(out <= max, || format!("3 events were wanted of each partition, and {out} were handed out"))
}
