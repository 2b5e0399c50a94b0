//! What a source promises.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::{Delivered, Source};
use evenkeel_model::{Position, Record, Shard};

use super::rounds::{ornate, record, records};
use super::{Broken, Subject, promise};

/// How long the suite waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// All that the source has now, by partition.
pub(super) async fn read_all(source: &dyn Source, page: usize) -> Result<BTreeMap<Shard, Vec<Arc<Delivered>>>, Broken> {
    let mut all = BTreeMap::new();
    for (shard, from) in source.shards().await? {
        let mut read = Vec::new();
        let mut next = from;
        loop {
            let (events, on) = source.fetch(&shard, next, page).await?;
            promise(events.len() <= page, || format!("a fetch of {page} gave {}", events.len()))?;
            if events.is_empty() {
                break;
            }
            promise(on > next, || format!("a fetch from {next} goes on from {on}"))?;
            read.extend(events);
            next = on;
        }
        all.insert(shard, read);
    }
    Ok(all)
}

/// Each partition has exactly these records, in the order of their offsets.
pub(super) fn same(
    published: &[(Position, Record)],
    read: &BTreeMap<Shard, Vec<Arc<Delivered>>>,
) -> Result<(), Broken> {
    let mut expected: BTreeMap<&Shard, Vec<&(Position, Record)>> = BTreeMap::new();
    for one in published {
        expected.entry(&one.0.shard).or_default().push(one);
    }
    for (shard, events) in read {
        let mut expected = expected.remove(shard).unwrap_or_default();
        expected.sort_by_key(|(at, _)| at.offset);
        let offsets: Vec<u64> = events.iter().map(|e| e.arrival.at.offset).collect();
        let wanted: Vec<u64> = expected.iter().map(|(at, _)| at.offset).collect();
        promise(offsets == wanted, || format!("{shard:?} gave offsets {offsets:?}, and has {wanted:?}"))?;
        for (event, (at, record)) in events.iter().zip(expected) {
            promise(event.arrival.at == *at, || format!("{at:?} was given as {:?}", event.arrival.at))?;
            promise(event.record.value == record.value, || format!("another record was given for {at:?}"))?;
        }
    }
    promise(expected.is_empty(), || format!("partitions were left out: {:?}", expected.keys()))
}

pub(super) async fn publish(subject: &dyn Subject, records: Vec<Record>) -> Result<Vec<(Position, Record)>, Broken> {
    let places = subject.publish(records.clone()).await?;
    promise(places.len() == records.len(), || format!("{} places for {} records", places.len(), records.len()))?;
    Ok(places.into_iter().zip(records).collect())
}

pub(super) async fn once_and_in_order(subject: &dyn Subject) -> Result<(), Broken> {
    let mut published = publish(subject, records(60)).await?;
    published.extend(publish(subject, records(43)).await?);
    let source = subject.open().await?.source;
    let partitions = !subject.capabilities().partitions || source.shards().await?.len() >= 2;
    promise(partitions, || "the suite needs two partitions".to_owned())?;
    same(&published, &read_all(&*source, 1000).await?)?;
    let keys = published.iter().all(|(at, record)| {
        let other = published.iter().find(|(_, r)| r.key == record.key);
        other.is_some_and(|(first, _)| first.shard == at.shard)
    });
    promise(keys, || "events of one key lie in two partitions".to_owned())
}

pub(super) async fn goes_on(subject: &dyn Subject) -> Result<(), Broken> {
    let published = publish(subject, records(50)).await?;
    let source = subject.open().await?.source;
    same(&published, &read_all(&*source, 3).await?)?;
    for (at, _) in &published {
        let (events, on) = source.fetch(&at.shard, at.offset, 1).await?;
        let found = events.first().map(|e| e.arrival.at.offset);
        promise(found == Some(at.offset), || format!("a fetch from {at:?} began with {found:?}"))?;
        promise(on == at.offset + 1, || format!("a fetch of one from {at:?} goes on from {on}"))?;
    }
    Ok(())
}

pub(super) async fn round_trip(subject: &dyn Subject) -> Result<(), Broken> {
    for payload in [Bytes::from_static(b"{\"a\":1}"), Bytes::new(), Bytes::from_static(&[0, 255, 10, 13])] {
        comes_back(subject, ornate(payload)).await?;
    }
    Ok(())
}

pub(super) async fn large(subject: &dyn Subject) -> Result<(), Broken> {
    let pattern = (0..1_000_000_u32).flat_map(|n| [n.to_le_bytes()[0] ^ n.to_le_bytes()[1]]).collect::<Vec<u8>>();
    comes_back(subject, ornate(Bytes::from(pattern))).await
}

async fn comes_back(subject: &dyn Subject, record: Record) -> Result<(), Broken> {
    let published = publish(subject, vec![record.clone()]).await?;
    let source = subject.open().await?.source;
    let (events, _) = source.fetch(&published[0].0.shard, published[0].0.offset, 1).await?;
    let event = events.first().ok_or_else(|| Broken("the record was not given".to_owned()))?;
    let found = &event.record;
    promise(found.key == record.key && event.arrival.key == record.key, || format!("the key became {:?}", found.key))?;
    promise(found.headers == record.headers, || format!("headers became {:?}", found.headers))?;
    promise(found.value == record.value, || "the payload is another one".to_owned())?;
    promise(found.created.millis() == record.created.millis(), || format!("created became {:?}", found.created))?;
    let data = event.event.data.clone().unwrap_or_default();
    promise(data == record.value.unwrap_or_default(), || "the event's data is not the record's".to_owned())
}

pub(super) async fn again(subject: &dyn Subject) -> Result<(), Broken> {
    let published = publish(subject, records(20)).await?;
    let source = subject.open().await?.source;
    for (at, record) in published.iter().rev() {
        let found = source.get(at).await?;
        promise(found.as_ref().is_some_and(|f| f.arrival.at == *at && f.record.value == record.value), || {
            format!("{at:?} was asked for again, and {:?} came", found.map(|f| f.arrival.at.clone()))
        })?;
        let (fetched, _) = source.fetch(&at.shard, at.offset, 1).await?;
        let same = fetched.first().zip(source.get(at).await?).is_some_and(|(a, b)| a.arrival == b.arrival);
        promise(same, || format!("{at:?} is another arrival when it is had again"))?;
    }
    let beyond = Position { offset: 1_000_000, ..published[0].0.clone() };
    promise(source.get(&beyond).await?.is_none(), || "an event came from beyond the end".to_owned())
}

pub(super) async fn news(subject: &dyn Subject) -> Result<(), Broken> {
    let source = subject.open().await?.source;
    for n in 0..3 {
        // The first completion may be for what is there already.
        while is_ready(&*source).await {}
        let waiting = source.changed();
        let published = publish(subject, vec![record(n, "key")]).await?;
        let woken = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        promise(woken, || "an append did not wake a waiting reader".to_owned())?;
        let (events, _) = source.fetch(&published[0].0.shard, published[0].0.offset, 1).await?;
        promise(!events.is_empty(), || "a reader was woken, and found nothing".to_owned())?;
    }
    publish(subject, vec![record(9, "key")]).await?;
    let told = tokio::time::timeout(PATIENCE, source.changed()).await.is_ok();
    promise(told, || "an append before the wait was missed".to_owned())
}

/// Whether there are news already.
async fn is_ready(source: &dyn Source) -> bool {
    let mut changed = source.changed();
    std::future::poll_fn(|cx| Poll::Ready(changed.as_mut().poll(cx).is_ready())).await
}

pub(super) async fn at_least_once(subject: &dyn Subject) -> Result<(), Broken> {
    let published = publish(subject, records(30)).await?;
    for _ in 0..3 {
        let opened = subject.open().await?;
        same(&published, &read_all(&*opened.source, 10).await?)?;
        drop(opened);
        subject.crash().await?;
    }
    Ok(())
}

pub(super) async fn settled(subject: &dyn Subject) -> Result<(), Broken> {
    let published = publish(subject, records(40)).await?;
    let source = subject.open().await?.source;
    let read = read_all(&*source, 100).await?;
    let floors: Vec<(Shard, u64)> =
        read.iter().map(|(shard, events)| (shard.clone(), events.len() as u64 / 2)).collect();
    source.settle(&floors);
    let owed: Vec<_> = published
        .into_iter()
        .filter(|(at, _)| floors.iter().any(|(shard, below)| *shard == at.shard && at.offset >= *below))
        .collect();
    for crash in [false, true] {
        if crash {
            subject.crash().await?;
        }
        let source = subject.open().await?.source;
        for (at, record) in &owed {
            let kept = source.get(at).await?.is_some_and(|e| e.record.value == record.value);
            promise(kept, || format!("{at:?} is gone, and was still owed"))?;
        }
    }
    Ok(())
}
