//! A topic as a queue behind an intake: for a Kafka that has no transactions or no compacted topics
//! (some tiers of Event Hubs), whose subscriptions then have their journal in the node's own log.
//!
//! It reads as a member of a group, and what the group is told follows what was settled: of each
//! partition the offset before which nothing is owed. Invariants: a message is named by partition,
//! offset and time, so that one that is given again is known, and one of a topic that was made anew is
//! another; nothing is told of a partition that the group gave to somebody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_model::{Clock, Shard, Stored, SystemClock};
use evenkeel_transport::{Queue, Taken, Terms, Ticket, note_given};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Mutex as AsyncMutex, Notify};

use crate::Broker;
use crate::client::{Ears, Going, show_token};
use crate::committing::Committer;
use crate::group::{GroupProtocol, Told, not_ours};
use crate::record::stored;

/// How long an empty topic is listened to before "none" is the answer.
const WAIT: Duration = Duration::from_secs(1);
/// How long a broker that said something odd may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which topic, and how.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// The topic; it exists.
    pub topic: Arc<str>,
    /// The group whose offsets say what is done with.
    pub group: String,
    /// Where a group without offsets begins: behind the newest record, or before the oldest.
    pub latest: bool,
    /// How the group agrees on who has what.
    pub protocol: GroupProtocol,
    /// Who says nothing for so long is taken for dead.
    pub session: Duration,
}

impl QueueSettings {
    /// From the oldest record on.
    pub fn new(topic: impl Into<Arc<str>>, group: impl Into<String>) -> QueueSettings {
        let (topic, group) = (topic.into(), group.into());
        let (protocol, session) = (GroupProtocol::default(), Duration::from_secs(45));
        QueueSettings { topic, group, latest: false, protocol, session }
    }
}

/// One member of the group.
pub struct KafkaQueue {
    broker: Broker,
    settings: QueueSettings,
    consumer: Arc<BaseConsumer<Ears>>,
    told: AsyncMutex<UnboundedReceiver<Told>>,
    wake: Arc<Notify>,
    trouble: Arc<Mutex<Option<String>>>,
    committer: Committer,
    going: Arc<Going>,
    owed: Mutex<BTreeMap<i32, Owed>>,
}

/// What of a partition was given.
#[derive(Debug, Default)]
struct Owed {
    lent: BTreeSet<i64>,
    /// Behind the newest that was given.
    next: i64,
}

impl Owed {
    /// Nothing before it is owed.
    fn floor(&self) -> i64 {
        self.lent.first().copied().unwrap_or(self.next)
    }
}

impl KafkaQueue {
    /// Joins the group of a topic that exists.
    pub async fn open(broker: &Broker, settings: QueueSettings) -> Result<KafkaQueue, PortError> {
        let topic = &settings.topic;
        let absent = || broker.failed("taking in", &format!("topic `{topic}` does not exist"));
        broker.partitions(topic).await?.ok_or_else(absent)?;
        let (sender, told) = unbounded_channel();
        let ears = Ears::new(broker).with_rebalances(sender);
        let (going, trouble, shown) = (ears.going(), ears.trouble(), ears.shown());
        let session = settings.session.as_millis().to_string();
        let heartbeat = (settings.session / 4).min(Duration::from_secs(3)).as_millis().max(1).to_string();
        let mut properties = vec![
            ("group.id", settings.group.as_str()),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("allow.auto.create.topics", "false"),
            ("auto.offset.reset", if settings.latest { "latest" } else { "earliest" }),
            ("isolation.level", "read_committed"),
            // Whoever holds as much as it may asks for nothing more, however long that is.
            ("max.poll.interval.ms", "86400000"),
            ("queued.max.messages.kbytes", "16384"),
        ];
        match settings.protocol {
            GroupProtocol::Classic => properties.extend([
                ("partition.assignment.strategy", "cooperative-sticky"),
                ("session.timeout.ms", session.as_str()),
                ("heartbeat.interval.ms", heartbeat.as_str()),
            ]),
            GroupProtocol::Consumer => properties.push(("group.protocol", "consumer")),
        }
        let mut consumer: BaseConsumer<Ears> = broker.client(&properties, ears)?;
        let wake = Arc::new(Notify::new());
        let ring = wake.clone();
        consumer.set_nonempty_callback(move || ring.notify_one());
        show_token(&shown, |time| drop(consumer.poll(time)));
        consumer.subscribe(&[topic]).map_err(|e| broker.failed("joining the group", &e))?;
        Ok(KafkaQueue {
            broker: broker.clone(),
            settings,
            consumer: Arc::new(consumer),
            told: AsyncMutex::new(told),
            wake,
            trouble,
            committer: Committer::start()?,
            going,
            owed: Mutex::default(),
        })
    }

    fn owed(&self) -> MutexGuard<'_, BTreeMap<i32, Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> PortError {
        self.broker.failed(&format!("topic `{}`", self.settings.topic), why)
    }

    async fn take(&self, max: usize) -> Result<Vec<Taken>, PortError> {
        let mut told = self.told.lock().await;
        let deadline = tokio::time::Instant::now() + WAIT;
        let mut taken = Vec::new();
        loop {
            while taken.len() < max {
                let Some(came) = self.consumer.poll(Duration::ZERO) else { break };
                match came {
                    Ok(message) => taken.push(self.lend(&message)),
                    Err(problem) if passes(&problem) => {}
                    // What came before it is given first; the problem will still be there.
                    Err(problem) if taken.is_empty() => return Err(self.failed(&problem)),
                    Err(_) => break,
                }
            }
            while let Ok(news) = told.try_recv() {
                self.shared_out(&news)?;
            }
            if !taken.is_empty() {
                return Ok(taken);
            }
            if tokio::time::timeout_at(deadline, self.wake.notified()).await.is_err() {
                return self.still_there().await.map(|()| taken);
            }
        }
    }

    /// Whether the broker answers, where it is in doubt.
    async fn still_there(&self) -> Result<(), PortError> {
        let Some(trouble) = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return Ok(()) };
        let (consumer, topic) = (self.consumer.clone(), self.settings.topic.clone());
        let asked = tokio::task::spawn_blocking(move || consumer.fetch_metadata(Some(&topic), PATIENCE).map(drop));
        match asked.await.map_err(|e| PortError(e.to_string()))? {
            Ok(()) => {
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(())
            }
            Err(_) => Err(self.failed(&trouble)),
        }
    }

    fn shared_out(&self, news: &Told) -> Result<(), PortError> {
        let mut list = TopicPartitionList::with_capacity(news.partitions.len());
        for partition in &news.partitions {
            let partition = i32::try_from(*partition).unwrap_or(i32::MAX);
            list.add_partition_offset(&self.settings.topic, partition, Offset::Stored).map_err(|e| self.failed(&e))?;
            self.owed().remove(&partition);
        }
        let done = match news.given {
            true => self.consumer.incremental_assign(&list),
            false => {
                self.going.answered();
                self.consumer.incremental_unassign(&list)
            }
        };
        done.map_err(|e| self.failed(&e))
    }

    fn lend(&self, message: &rdkafka::message::BorrowedMessage<'_>) -> Taken {
        let (partition, offset) = (message.partition(), message.offset());
        let shard = Shard::new(self.settings.topic.clone(), u32::try_from(partition).unwrap_or(0));
        let Stored { mut record, .. } = stored(message, &shard, SystemClock::new().now());
        // Kafka counts no deliveries; what a message says of its own is none.
        note_given(&mut record, 0);
        let mut owed = self.owed();
        let of = owed.entry(partition).or_default();
        of.lent.insert(offset);
        of.next = of.next.max(offset + 1);
        drop(owed);
        Taken {
            id: Some(format!("{partition}:{offset}:{}", record.created.millis()).into()),
            record,
            ticket: Ticket(format!("{partition}:{offset}").into()),
            again: false,
            last: false,
        }
    }

    /// Tells the group what is done with; the tickets that should be tried again.
    async fn note(&self, tickets: Vec<Ticket>) -> Vec<Ticket> {
        let mut touched: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        for (partition, offset) in tickets.iter().filter_map(place) {
            // Of a partition that somebody else has now nothing is lent.
            if self.owed().get_mut(&partition).is_some_and(|of| of.lent.remove(&offset)) {
                touched.entry(partition).or_default().push(offset);
            }
        }
        if touched.is_empty() {
            return Vec::new();
        }
        // The floor after all of them, once for each partition.
        let mut floors = TopicPartitionList::with_capacity(touched.len());
        for partition in touched.keys() {
            let floor = self.owed().get(partition).map_or(0, Owed::floor);
            let _ = floors.add_partition_offset(&self.settings.topic, *partition, Offset::Offset(floor));
        }
        match self.committer.commit(&self.consumer, floors).await {
            Some(Ok(())) => Vec::new(),
            Some(Err(problem)) if problem.rdkafka_error_code().is_some_and(not_ours) => Vec::new(),
            _ => {
                for (partition, offsets) in touched {
                    if let Some(of) = self.owed().get_mut(&partition) {
                        of.lent.extend(offsets);
                    }
                }
                tickets
            }
        }
    }
}

fn place(ticket: &Ticket) -> Option<(i32, i64)> {
    let (partition, offset) = ticket.0.split_once(':')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// The client deals with it by itself.
fn passes(problem: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(problem, KafkaError::PartitionEOF(_))
        || matches!(
            problem.rdkafka_error_code(),
            Some(
                Code::AllBrokersDown
                    | Code::BrokerTransportFailure
                    | Code::LeaderNotAvailable
                    | Code::OperationTimedOut
            )
        )
}

impl Queue for KafkaQueue {
    fn terms(&self) -> Terms {
        Terms { lease: None, hold_max: None, tickets_outlive_connections: true }
    }

    fn receive(&self, max: usize) -> BoxFuture<'_, Result<Vec<Taken>, PortError>> {
        Box::pin(self.take(max))
    }

    fn settle(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, Vec<Ticket>> {
        Box::pin(self.note(tickets))
    }

    fn renew(&self, _: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whoever has the partition next begins where nothing before was owed.
    fn give_back(&self, _: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Drop for KafkaQueue {
    fn drop(&mut self) {
        self.going.go(&self.consumer);
    }
}

#[cfg(test)]
mod tests {
    use super::Owed;

    #[test]
    fn nothing_before_the_floor_is_owed() {
        let mut owed = Owed { lent: [3, 4, 7].into(), next: 8 };
        assert_eq!(owed.floor(), 3);
        owed.lent.remove(&4);
        assert_eq!(owed.floor(), 3, "what was done out of order waits for what is before it");
        owed.lent.remove(&3);
        assert_eq!(owed.floor(), 7);
        owed.lent.remove(&7);
        assert_eq!(owed.floor(), 8, "behind all that was given");
    }
}
