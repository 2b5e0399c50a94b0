//! A client that looks into a topic, as anybody may: it belongs to no group and writes nothing.
//!
//! Invariant: what an open or aborted transaction holds is not shown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Clock, Shard, Stored, Timestamp};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::Broker;
use crate::broker::PATIENCE;
use crate::client::{Ears, heard, show_token};
use crate::record::stored;

const POLL: Duration = Duration::from_millis(100);
/// Who asks waits: a broker that says nothing for so long is away.
const REACH: Duration = Duration::from_secs(4);

/// A partition, as far as it was not read.
pub(crate) struct Partition {
    pub(crate) number: u32,
    pub(crate) start: u64,
    /// What lies from here on was read.
    pub(crate) below: u64,
}

/// A topic, and a client that reads it.
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) client: BaseConsumer<Ears>,
    pub(crate) partitions: Vec<Partition>,
}

impl Topic {
    /// `None`: it is not there.
    pub(crate) fn open(broker: &Broker, name: &Arc<str>) -> Result<Option<Topic>, PortError> {
        let properties = [
            // Named as a client must be; it never joins and commits nothing.
            ("group.id", "evenkeel.stories"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("enable.partition.eof", "true"),
            // What retention takes meanwhile is passed over.
            ("auto.offset.reset", "earliest"),
            ("isolation.level", "read_committed"),
            ("queued.max.messages.kbytes", "8192"),
            ("fetch.wait.max.ms", "100"),
            ("allow.auto.create.topics", "false"),
        ];
        let ears = Ears::new(broker);
        let (shown, trouble) = (ears.shown(), ears.trouble());
        let client: BaseConsumer<Ears> = broker.client(&properties, ears)?;
        show_token(&shown, |time| drop(client.poll(time)));
        let failed = |e: KafkaError| broker.failed(&format!("topic `{name}`"), &e);
        let metadata = client.fetch_metadata(Some(name), REACH).map_err(|e| {
            // What the client heard meanwhile says more than that it took too long.
            while heard(&trouble).is_none() && client.poll(POLL).is_some() {}
            heard(&trouble).map_or_else(|| failed(e), |why| broker.failed(&format!("topic `{name}`"), &why))
        })?;
        let there = metadata.topics().iter().find(|t| t.name() == &**name && t.error().is_none());
        let Some(count) = there.map(|topic| topic.partitions().len()).filter(|count| *count > 0) else {
            return Ok(None);
        };
        let mut partitions = Vec::with_capacity(count);
        for number in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            let (low, high) = client.fetch_watermarks(name, signed(number), PATIENCE).map_err(failed)?;
            let (start, below) = (u64::try_from(low).unwrap_or(0), u64::try_from(high).unwrap_or(0));
            partitions.push(Partition { number, start, below });
        }
        Ok(Some(Topic { name: name.clone(), client, partitions }))
    }

    /// Shows what lies in these stretches (partition, from, below), or up to the end, as long as it is wanted. When the
    /// time was up before, or enough was seen: the partitions that were not read to there, and from where on they were not.
    pub(crate) fn read(
        &self,
        wanted: &[(u32, u64, u64)],
        broker: &Broker,
        clock: &Arc<dyn Clock>,
        until: Timestamp,
        mut see: impl FnMut(&Stored) -> bool,
    ) -> Result<BTreeMap<u32, u64>, PortError> {
        let failed = |e: KafkaError| broker.failed(&format!("reading topic `{}`", self.name), &e);
        let mut open: BTreeMap<u32, u64> = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for (number, from, _) in wanted.iter().filter(|(_, from, below)| from < below) {
            let at = Offset::Offset(i64::try_from(*from).unwrap_or(i64::MAX));
            list.add_partition_offset(&self.name, signed(*number), at).map_err(failed)?;
            open.insert(*number, *from);
        }
        if open.is_empty() {
            return Ok(open);
        }
        let ends: BTreeMap<u32, u64> = wanted.iter().map(|(number, _, below)| (*number, *below)).collect();
        self.client.assign(&list).map_err(failed)?;
        let mut shard = Shard { topic: self.name.clone(), partition: 0 };
        while !open.is_empty() && clock.now() < until {
            match self.client.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    shard.partition = u32::try_from(message.partition()).unwrap_or(0);
                    let one = stored(&message, &shard, clock.now());
                    let Some(next) = open.get_mut(&shard.partition) else { continue };
                    let (below, offset) = (ends[&shard.partition], one.at.offset);
                    let more = offset >= below || see(&one);
                    *next = offset.saturating_add(1);
                    if *next >= below {
                        open.remove(&shard.partition);
                    }
                    if !more {
                        break;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    open.remove(&u32::try_from(number).unwrap_or(0));
                }
                Some(Err(e)) => match e.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => {}
                    _ => return Err(failed(e)),
                },
            }
        }
        Ok(open)
    }
}

pub(crate) fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
