//! The stories of an event by its id, of what lies at a broker: in the topics that subscriptions read, beside them,
//! and where their handlers' events go; and what became of it by the ledgers of all nodes.
//!
//! There is no index at a broker, so topics are read, the newest records first, in stretches that grow, until the
//! event is met or the time is up; then ledgers, dead letters and effects, from when it came. Invariant: what was not
//! read is said, of a ledger too: an outcome may lie there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_delivery::{Pending, Remembered};
use evenkeel_model::{Clock, Stored, Timestamp, ledger};
use evenkeel_transport::story::Telling;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::PATIENCE;
use crate::journal::peek;
use crate::look::{Partition, Topic, signed};
use crate::{Broker, PartitionSettings};

/// So many records of each partition are read first, and then so many times as many.
const STRETCH: u64 = 20_000;
const GROWTH: u64 = 4;
/// Clocks of producers are believed to be right to within this, where outcomes are looked for.
const SLACK: Duration = Duration::from_secs(3600);
/// What became of an event that was met late is read all the same, for this part of the time.
const LATE: u32 = 4;

/// Records that were not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: u32,
    /// Which of them.
    pub stretch: Stretch,
}

/// A part of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// What lies before this offset.
    Below(u64),
    /// What lies from this offset on.
    From(u64),
}

/// Tells what there is of the event at this broker, for as long as it may take by the clock (and a quarter more for
/// what became of it); what was not read comes back. `address` is what a topic goes by.
pub async fn stories(
    broker: &Broker,
    subscriptions: Vec<PartitionSettings>,
    clock: Arc<dyn Clock>,
    address: impl Fn(&str) -> Arc<str> + Send + 'static,
    telling: Telling,
    within: Duration,
) -> Result<(Telling, Vec<Unseen>), PortError> {
    let broker = broker.clone();
    let read = move || {
        let until = clock.now() + within;
        let mut looking = Looking { broker, clock, address: Box::new(address), telling, within, until };
        let unseen = looking.look(&subscriptions)?;
        Ok((looking.telling, unseen))
    };
    tokio::task::spawn_blocking(read).await.map_err(|e| PortError(e.to_string()))?
}

/// What of a partition waits durably, by its journal; whoever owns it writes on.
pub async fn pending(
    broker: &Broker,
    settings: &PartitionSettings,
    clock: &Arc<dyn Clock>,
    partition: u32,
) -> Result<Vec<Pending>, PortError> {
    if broker.partitions(&settings.names.journal).await?.is_none_or(|there| there <= partition) {
        return Ok(Vec::new());
    }
    let remembered = peek(broker, clock, settings, partition).await?;
    let waits = |fact| match fact {
        Remembered::Pending(pending) => Some(pending),
        _ => None,
    };
    Ok(remembered.into_iter().filter_map(waits).collect())
}

/// What a topic goes by.
type Address = Box<dyn Fn(&str) -> Arc<str> + Send>;

struct Looking {
    broker: Broker,
    clock: Arc<dyn Clock>,
    address: Address,
    telling: Telling,
    within: Duration,
    until: Timestamp,
}

impl Looking {
    fn look(&mut self, subscriptions: &[PartitionSettings]) -> Result<Vec<Unseen>, PortError> {
        let mut topics: BTreeMap<Arc<str>, Topic> = BTreeMap::new();
        for of in subscriptions {
            let beside = [of.names.dead.as_str().into(), of.names.ledger.as_str().into()];
            let outward = [of.effects.clone(), of.fallback.clone()];
            for name in [of.source.topic.clone()].into_iter().chain(beside).chain(outward.into_iter().flatten()) {
                if !topics.contains_key(&name)
                    && let Some(topic) = Topic::open(&self.broker, &name)?
                {
                    topics.insert(name, topic);
                }
            }
        }
        let ledgers: Vec<&str> = subscriptions.iter().map(|of| of.names.ledger.as_str()).collect();
        let is_of_events = |name: &str| !ledgers.contains(&name);
        let mut stretch = STRETCH;
        let mut found = false;
        while !found
            && topics.iter().any(|(name, t)| is_of_events(name) && !t.is_read())
            && self.clock.now() < self.until
        {
            for topic in topics.values_mut().filter(|topic| is_of_events(&topic.name)) {
                found |= self.back(topic, stretch)?;
            }
            stretch = stretch.saturating_mul(GROWTH);
        }
        let mut unseen: Vec<Unseen> =
            topics.values().filter(|topic| is_of_events(&topic.name)).flat_map(Topic::unseen).collect();
        self.until = self.until.max(self.clock.now() + self.within / LATE);
        self.became(subscriptions, &topics, &mut unseen)?;
        Ok(unseen)
    }

    /// What became of it, and what was made of it: after it came, and so behind it in time.
    fn became(
        &mut self,
        subscriptions: &[PartitionSettings],
        topics: &BTreeMap<Arc<str>, Topic>,
        unseen: &mut Vec<Unseen>,
    ) -> Result<(), PortError> {
        let Some(begun) = self.telling.begun() else { return Ok(()) };
        let since = begun - SLACK;
        for of in subscriptions {
            let Some(ledger) = topics.get(of.names.ledger.as_str()) else { continue };
            let address = (self.address)(&of.source.topic);
            let mut partitions: Vec<u32> = self.telling.places(&address).iter().map(|(p, ..)| *p).collect();
            partitions.sort_unstable();
            partitions.dedup();
            let telling = &mut self.telling;
            let tell = |stored: &Stored| {
                let value = stored.record.value.as_deref().unwrap_or_default();
                ledger::decode(value).iter().for_each(|record| telling.ledger(&address, record));
                true
            };
            unseen.extend(ledger.behind(since, Some(&partitions), &self.broker, &self.clock, self.until, tell)?);
        }
        for (name, topic) in topics.iter().filter(|(name, _)| {
            let outward = |of: &PartitionSettings| of.effects.iter().chain(&of.fallback).any(|topic| topic == *name);
            subscriptions.iter().any(|of| *of.names.dead == ***name || outward(of))
        }) {
            let (address, telling) = ((self.address)(name), &mut self.telling);
            let see = |stored: &Stored| {
                telling.record(&address, stored);
                true
            };
            unseen.extend(topic.behind(since, None, &self.broker, &self.clock, self.until, see)?);
        }
        Ok(())
    }

    /// Reads the next stretch of each partition; true when the event was met.
    fn back(&mut self, topic: &mut Topic, stretch: u64) -> Result<bool, PortError> {
        let next = |p: &Partition| (p.number, p.below.saturating_sub(stretch).max(p.start), p.below);
        let wanted: Vec<(u32, u64, u64)> = topic.partitions.iter().map(next).collect();
        let (address, telling, mut found) = ((self.address)(&topic.name), &mut self.telling, false);
        let see = |stored: &Stored| {
            found |= telling.record(&address, stored);
            true
        };
        let left = topic.read(&wanted, &self.broker, &self.clock, self.until, see)?;
        for (partition, (number, from, _)) in topic.partitions.iter_mut().zip(&wanted) {
            if !left.contains_key(number) {
                partition.below = *from;
            }
        }
        Ok(found)
    }
}

impl Topic {
    fn is_read(&self) -> bool {
        self.partitions.iter().all(|p| p.below <= p.start)
    }

    fn unseen(&self) -> impl Iterator<Item = Unseen> + '_ {
        let left = self.partitions.iter().filter(|p| p.below > p.start);
        left.map(|p| self.left(p.number, Stretch::Below(p.below)))
    }

    fn left(&self, partition: u32, stretch: Stretch) -> Unseen {
        Unseen { topic: self.name.clone(), partition, stretch }
    }

    /// Reads what came since a time, of these partitions; what it did not come to is said.
    fn behind(
        &self,
        since: Timestamp,
        only: Option<&[u32]>,
        broker: &Broker,
        clock: &Arc<dyn Clock>,
        until: Timestamp,
        see: impl FnMut(&Stored) -> bool,
    ) -> Result<Vec<Unseen>, PortError> {
        let meant = |p: &&Partition| only.is_none_or(|only| only.contains(&p.number));
        let mut asked = TopicPartitionList::new();
        for partition in self.partitions.iter().filter(meant) {
            let at = Offset::Offset(since.millis().max(0));
            let failed = |e: KafkaError| broker.failed(&format!("topic `{}`", self.name), &e);
            asked.add_partition_offset(&self.name, signed(partition.number), at).map_err(failed)?;
        }
        if asked.count() == 0 {
            return Ok(Vec::new());
        }
        let failed = |e: KafkaError| broker.failed(&format!("topic `{}`: asking for a time", self.name), &e);
        let found = self.client.offsets_for_times(asked, PATIENCE).map_err(failed)?;
        found.elements().iter().try_for_each(|element| element.error()).map_err(failed)?;
        let ends = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let number = u32::try_from(element.partition()).ok()?;
            let from = u64::try_from(element.offset().to_raw().filter(|raw| *raw >= 0)?).ok()?;
            // To the end as it is now: what became of it may have come since.
            Some((number, from, u64::MAX))
        };
        let wanted: Vec<(u32, u64, u64)> = found.elements().iter().filter_map(ends).collect();
        let left = self.read(&wanted, broker, clock, until, see)?;
        Ok(left.into_iter().map(|(partition, from)| self.left(partition, Stretch::From(from))).collect())
    }
}
