//! A reader of one partition: goes to an offset and gives the messages from there on.
//!
//! It belongs to no group and commits nothing. Invariants: messages come in the order of their
//! offsets, from the one that was asked for on; the end is told only when it was reached; what an
//! open or aborted transaction holds is not given.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Clock, Shard, Stored, Timestamp};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;

use crate::Broker;
use crate::broker::PATIENCE;
use crate::client::{Ears, show_token};
use crate::record::stored;

/// What a reader came upon.
pub(crate) enum Came {
    /// The next message.
    One(Stored),
    /// Nothing more is there.
    End,
    /// Nothing yet, and perhaps more.
    Nothing,
    /// The offset that was asked for is not there any more, or not yet.
    OutOfRange,
}

/// How much is fetched ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// For reading on and on.
    Much,
    /// For one record now and then.
    Little,
    /// For reading to the end once: that it is the end is told at once.
    ToTheEnd,
}

/// Before a partition's leader is looked for again.
const LEADER_PAUSE: Duration = Duration::from_millis(100);

/// A reader of one partition.
pub(crate) struct Reader {
    broker: Broker,
    clock: Arc<dyn Clock>,
    consumer: Arc<BaseConsumer<Ears>>,
    shard: Shard,
    /// Counts the times that there may be something.
    bell: Arc<watch::Sender<u64>>,
    /// The offset that comes next; `None` before it was told where to go.
    next: Option<u64>,
    ended: bool,
}

impl Reader {
    pub(crate) fn open(
        broker: &Broker,
        clock: Arc<dyn Clock>,
        group: &str,
        shard: Shard,
        ahead: Ahead,
    ) -> Result<Reader, PortError> {
        let (queue, fetch, wait) = match ahead {
            Ahead::Much => ("8192", "2097152", "100"),
            Ahead::Little => ("64", "65536", "100"),
            Ahead::ToTheEnd => ("8192", "2097152", "1"),
        };
        let properties = [
            // Named for its progress; it never joins.
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "error"),
            ("isolation.level", "read_committed"),
            ("queued.max.messages.kbytes", queue),
            ("max.partition.fetch.bytes", fetch),
            ("fetch.wait.max.ms", wait),
            ("fetch.error.backoff.ms", "100"),
            ("allow.auto.create.topics", "false"),
        ];
        let ears = Ears::new(broker);
        let shown = ears.shown();
        let mut consumer: BaseConsumer<Ears> = broker.client(&properties, ears)?;
        show_token(&shown, |time| drop(consumer.poll(time)));
        let bell = Arc::new(watch::Sender::new(0));
        let ring = bell.clone();
        consumer.set_nonempty_callback(move || ring.send_modify(|rung| *rung += 1));
        let (broker, consumer) = (broker.clone(), Arc::new(consumer));
        Ok(Reader { broker, clock, consumer, shard, bell, next: None, ended: false })
    }

    pub(crate) fn consumer(&self) -> &Arc<BaseConsumer<Ears>> {
        &self.consumer
    }

    /// Where it is, once it was told to go somewhere.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next
    }

    /// Goes to an offset, unless it is there.
    pub(crate) fn go(&mut self, offset: u64) -> Result<(), PortError> {
        if self.next == Some(offset) {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(1);
        let at = Offset::Offset(i64::try_from(offset).unwrap_or(i64::MAX));
        list.add_partition_offset(&self.shard.topic, partition(&self.shard), at)
            .and_then(|()| self.consumer.assign(&list))
            .map_err(|e| self.failed("going to an offset", &e))?;
        (self.next, self.ended) = (Some(offset), false);
        Ok(())
    }

    /// Somewhere else the position is lost.
    pub(crate) fn stray(&mut self) {
        self.next = None;
    }

    /// What there is right now.
    pub(crate) fn poll(&mut self) -> Result<Came, PortError> {
        loop {
            let Some(result) = self.consumer.poll(Duration::ZERO) else {
                return Ok(if self.ended { Came::End } else { Came::Nothing });
            };
            match result {
                Ok(message) => {
                    let one = stored(&message, &self.shard, self.clock.now());
                    // What was on its way from where it stood before.
                    if self.next.is_none_or(|next| one.at.offset < next) {
                        continue;
                    }
                    (self.next, self.ended) = (Some(one.at.offset + 1), false);
                    return Ok(Came::One(one));
                }
                Err(KafkaError::PartitionEOF(_)) => self.ended = true,
                Err(problem) => match problem.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                        self.stray();
                        return Ok(Came::OutOfRange);
                    }
                    Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => {}
                    _ => return Err(self.failed("reading", &problem)),
                },
            }
        }
    }

    /// As [`Reader::poll`], waiting until something comes, or that long.
    pub(crate) async fn read(&mut self, patience: Duration) -> Result<Came, PortError> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let mut bell = self.bell();
            match self.poll()? {
                Came::Nothing if tokio::time::Instant::now() < deadline => {}
                came => return Ok(came),
            }
            let _ = tokio::time::timeout_at(deadline, bell.changed()).await;
        }
    }

    /// What rings when there may be something, from now on.
    pub(crate) fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// The first offset that is there, and the one behind the last.
    pub(crate) async fn ends(&self) -> Result<(u64, u64), PortError> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (consumer, shard) = (self.consumer.clone(), self.shard.clone());
            let asked = move || consumer.fetch_watermarks(&shard.topic, partition(&shard), PATIENCE);
            match tokio::task::spawn_blocking(asked).await.map_err(|e| PortError(e.to_string()))? {
                Ok((low, high)) => return Ok((u64::try_from(low).unwrap_or(0), u64::try_from(high).unwrap_or(0))),
                Err(e) if wants_a_leader(&e) && tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(LEADER_PAUSE).await;
                }
                Err(e) => return Err(self.failed("asking for its ends", &e)),
            }
        }
    }

    /// The first offset whose record is of that time or later; `None`: there is none.
    pub(crate) async fn at_time(&self, time: Timestamp) -> Result<Option<u64>, PortError> {
        let (consumer, shard) = (self.consumer.clone(), self.shard.clone());
        let asked = move || {
            let mut list = TopicPartitionList::with_capacity(1);
            list.add_partition_offset(&shard.topic, partition(&shard), Offset::Offset(time.millis().max(0)))?;
            consumer.offsets_for_times(list, PATIENCE)
        };
        let found = tokio::task::spawn_blocking(asked).await.map_err(|e| PortError(e.to_string()))?;
        let found = found.map_err(|e| self.failed("asking for a time", &e))?;
        let offset = found.elements().first().map(rdkafka::topic_partition_list::TopicPartitionListElem::offset);
        Ok(offset.and_then(Offset::to_raw).and_then(|raw| u64::try_from(raw).ok()))
    }

    pub(crate) fn failed(&self, what: &str, why: &dyn std::fmt::Display) -> PortError {
        let Shard { topic, partition } = &self.shard;
        self.broker.failed(&format!("{topic}/{partition}: {what}"), why)
    }
}

/// A topic that was just made, or whose leader changes, has none for a moment.
fn wants_a_leader(e: &KafkaError) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition, UnknownPartition};
    matches!(e.rdkafka_error_code(), Some(LeaderNotAvailable | NotLeaderForPartition | UnknownPartition))
}

/// The number of a partition as Kafka has it.
pub(crate) fn partition(shard: &Shard) -> i32 {
    i32::try_from(shard.partition).unwrap_or(i32::MAX)
}
