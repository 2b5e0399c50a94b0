//! What lies in a topic, page by page.
//!
//! Each page is read by a client of its own. Invariant: the next page begins behind what this one gave, and before
//! everything that it did not give.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Clock, Stored, Timestamp};
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use crate::Broker;
use crate::broker::PATIENCE;
use crate::look::{Topic, signed};

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the first record that is there.
    Earliest,
    /// Behind the last.
    Latest,
    /// At this offset, or the nearest that is there.
    Offset(u64),
    /// At the first record of that time or later.
    Time(Timestamp),
}

/// Some records, and where the next page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Of each partition in the order of their offsets.
    pub records: Vec<Stored>,
    /// By partition.
    pub next: Vec<(u32, u64)>,
}

/// Where each partition begins, of all or of one; `None`: there is no such topic. A partition that is not there is left
/// out.
pub async fn places(
    broker: &Broker,
    topic: &Arc<str>,
    only: Option<u32>,
    from: Place,
) -> Result<Option<Vec<(u32, u64)>>, PortError> {
    let (broker, topic) = (broker.clone(), topic.clone());
    let asked = move || {
        let Some(mut found) = Topic::open(&broker, &topic)? else { return Ok(None) };
        found.partitions.retain(|p| only.is_none_or(|only| only == p.number));
        let times = match from {
            Place::Time(at) => at_time(&broker, &found, at)?,
            _ => Vec::new(),
        };
        let place = |p: &crate::look::Partition| match from {
            Place::Earliest => p.start,
            Place::Latest => p.below,
            Place::Offset(offset) => offset.clamp(p.start, p.below),
            Place::Time(_) => times.iter().find(|(number, _)| *number == p.number).map_or(p.below, |(_, at)| *at),
        };
        Ok(Some(found.partitions.iter().map(|p| (p.number, place(p))).collect()))
    };
    tokio::task::spawn_blocking(asked).await.map_err(|e| PortError(e.to_string()))?
}

/// Up to `max` records from these places on; `None`: there is no such topic.
pub async fn page(
    broker: &Broker,
    clock: Arc<dyn Clock>,
    topic: &Arc<str>,
    places: Vec<(u32, u64)>,
    max: usize,
    within: Duration,
) -> Result<Option<Page>, PortError> {
    let (broker, topic) = (broker.clone(), topic.clone());
    let read = move || {
        let Some(found) = Topic::open(&broker, &topic)? else { return Ok(None) };
        let stretch = |(number, from): &(u32, u64)| {
            let there = found.partitions.iter().find(|p| p.number == *number)?;
            Some((*number, (*from).max(there.start), there.below))
        };
        let wanted: Vec<(u32, u64, u64)> = places.iter().filter_map(stretch).collect();
        let mut next: Vec<(u32, u64)> = wanted.iter().map(|(number, from, _)| (*number, *from)).collect();
        let mut records = Vec::new();
        let until = clock.now() + within;
        let see = |one: &Stored| {
            next.iter_mut().filter(|(n, _)| *n == one.at.shard.partition).for_each(|(_, at)| *at = one.at.offset + 1);
            records.push(one.clone());
            records.len() < max
        };
        let left = found.read(&wanted, &broker, &clock, until, see)?;
        if records.is_empty() && !left.is_empty() {
            let why = format!("nothing came of {} partitions within {} s", left.len(), within.as_secs());
            return Err(broker.failed(&format!("reading topic `{topic}`"), &why));
        }
        Ok(Some(Page { records, next }))
    };
    tokio::task::spawn_blocking(read).await.map_err(|e| PortError(e.to_string()))?
}

/// Where records of that time or later begin; partitions that have none are left out.
fn at_time(broker: &Broker, topic: &Topic, at: Timestamp) -> Result<Vec<(u32, u64)>, PortError> {
    let failed = |e| broker.failed(&format!("topic `{}`: asking for a time", topic.name), &e);
    let mut asked = TopicPartitionList::new();
    for partition in &topic.partitions {
        let at = Offset::Offset(at.millis().max(0));
        asked.add_partition_offset(&topic.name, signed(partition.number), at).map_err(failed)?;
    }
    let found = topic.client.offsets_for_times(asked, PATIENCE).map_err(failed)?;
    let place = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let offset = u64::try_from(element.offset().to_raw()?).ok()?;
        Some((u32::try_from(element.partition()).ok()?, offset))
    };
    Ok(found.elements().iter().filter_map(place).collect())
}
