//! The messages of a queue, lent to one consumer over one connection.
//!
//! Invariants: a ticket belongs to the connection that it came over, and is void with it; the end of
//! a connection shows as one error; what a queue would throw away at its next delivery is marked.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_transport::{Queue, Taken, Terms, Ticket};
use futures_util::future::{FutureExt, join_all};
use futures_util::stream::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Consumer};
use tokio::sync::Mutex;

use crate::message::{given_before, record};
use crate::server::Server;
use crate::unsettled::Unsettled;

/// How long an empty queue is listened to before "none" is the answer.
const WAIT: Duration = Duration::from_secs(1);
/// What declaring, consuming and the like may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// What a queue of RabbitMQ 4 allows unless it is told otherwise.
const DELIVERY_LIMIT: u32 = 20;
const STREAM_OFFSET: &str = "x-stream-offset";
/// A broker ends the channel of a consumer that holds a message for 30 minutes.
const HOLD_MAX: Duration = Duration::from_secs(15 * 60);

/// What kind of queue is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Replicated, and flushed before it confirms.
    Quorum,
    /// On one node.
    Classic,
}

/// How a queue is made that does not exist.
#[derive(Clone, Debug)]
pub struct Declare {
    /// Its kind.
    pub kind: Kind,
    /// Only one consumer at a time gets messages, so that order is kept beside others.
    pub single_active: bool,
    /// Where the broker puts what it gives up.
    pub dead_letter_exchange: Option<String>,
}

impl Default for Declare {
    fn default() -> Declare {
        Declare { kind: Kind::Quorum, single_active: true, dead_letter_exchange: None }
    }
}

/// Which queue, and how.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// Its name.
    pub queue: String,
    /// Made if it is missing; without it a missing queue is an error.
    pub declare: Option<Declare>,
    /// So many messages are on their way to us or held.
    pub prefetch: u16,
    /// The routing key orders messages that say nothing of a key.
    pub key_from_routing: bool,
    /// How many deliveries the queue allows, where that is known; what RabbitMQ 4 allows, without it.
    pub delivery_limit: Option<u32>,
}

impl QueueSettings {
    /// A queue that must exist.
    pub fn new(queue: impl Into<String>) -> QueueSettings {
        QueueSettings {
            queue: queue.into(),
            declare: None,
            prefetch: 1000,
            key_from_routing: false,
            delivery_limit: None,
        }
    }
}

/// One consumer of a queue.
pub struct RabbitQueue {
    server: Server,
    settings: QueueSettings,
    link: Mutex<Option<Link>>,
    /// The channel over which the newest tickets came, and its number.
    channel: RwLock<(u64, Option<Channel>)>,
    unsettled: Unsettled,
}

struct Link {
    consumer: Consumer,
    number: u64,
    /// Ends with it.
    connection: Connection,
}

impl RabbitQueue {
    /// Connects, verifies or makes the queue, and begins to consume.
    pub async fn open(server: Server, settings: QueueSettings) -> Result<RabbitQueue, PortError> {
        let queue = RabbitQueue {
            server,
            settings,
            link: Mutex::new(None),
            channel: RwLock::new((0, None)),
            unsettled: Unsettled::default(),
        };
        let link = queue.connect().await?;
        *queue.link.lock().await = Some(link);
        Ok(queue)
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> PortError {
        self.server.failed(&format!("queue `{}`: {why}", self.settings.queue))
    }

    async fn connect(&self) -> Result<Link, PortError> {
        let connection = self.server.connect().await?;
        let beginning = self.consume(&connection);
        let begun = tokio::time::timeout(STEP_TIMEOUT, beginning).await;
        let late = |_| self.failed(&format!("no answer within {STEP_TIMEOUT:?}"));
        let (channel, consumer) = begun.map_err(late)?.map_err(|e| self.failed(&e))?;
        let mut current = self.channel.write().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0 + 1, Some(channel));
        self.unsettled.begin(current.0);
        Ok(Link { consumer, number: current.0, connection })
    }

    async fn consume(&self, connection: &Connection) -> lapin::Result<(Channel, Consumer)> {
        let channel = connection.create_channel().await?;
        let name = self.settings.queue.as_str();
        if let Some(declare) = self.to_declare(connection).await? {
            channel.queue_declare(name.into(), QueueDeclareOptions::durable(), arguments(declare)).await?;
        } else {
            let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(name.into(), look, FieldTable::default()).await?;
        }
        channel.basic_qos(self.settings.prefetch, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(name.into(), "".into(), options, FieldTable::default()).await?;
        Ok((channel, consumer))
    }

    /// What is to be declared: nothing of a queue that is there, whatever its arguments are.
    async fn to_declare(&self, connection: &Connection) -> lapin::Result<Option<&Declare>> {
        let Some(declare) = &self.settings.declare else { return Ok(None) };
        // Asking for a queue that is missing costs the channel.
        let asking = connection.create_channel().await?;
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = asking.queue_declare(self.settings.queue.as_str().into(), look, FieldTable::default()).await;
        let there = found.is_ok();
        if there {
            let _ = asking.close(200, "asked".into()).await;
        }
        Ok((!there).then_some(declare))
    }

    /// Ends the connection, and waits until the server knows: what it sends to a consumer that is gone in all but name
    /// comes again behind what others are given meanwhile.
    async fn part(&self) {
        let Some(link) = self.link.lock().await.take() else { return };
        self.channel.write().unwrap_or_else(PoisonError::into_inner).1 = None;
        let closing = link.connection.close(200, "drained".into());
        // A server that does not answer finds out by itself.
        let _ = tokio::time::timeout(STEP_TIMEOUT, closing).await;
    }

    async fn take(&self, max: usize) -> Result<Vec<Taken>, PortError> {
        let mut slot = self.link.lock().await;
        if slot.is_none() {
            *slot = Some(self.connect().await?);
        }
        let Some(link) = slot.as_mut() else { return Ok(Vec::new()) };
        let mut taken = Vec::new();
        let mut next = tokio::time::timeout(WAIT, link.consumer.next()).await.ok();
        while let Some(came) = next.take() {
            let Some(Ok(delivery)) = came else {
                // All tickets of this connection are void: what was taken comes again, in its order.
                let why = came
                    .and_then(Result::err)
                    .map_or_else(|| "the consumer was cancelled".to_owned(), |e| e.to_string());
                *slot = None;
                self.channel.write().unwrap_or_else(PoisonError::into_inner).1 = None;
                return Err(self.failed(&why));
            };
            if of_stream(&delivery) {
                *slot = None;
                self.channel.write().unwrap_or_else(PoisonError::into_inner).1 = None;
                return Err(self.failed(
                    &"is a stream, which is not read: it keeps no account of what has its outcome; \
                                         bind a quorum queue to the same exchange",
                ));
            }
            taken.push(self.lent(delivery, link.number));
            if taken.len() < max {
                next = link.consumer.next().now_or_never();
            }
        }
        Ok(taken)
    }

    fn lent(&self, mut delivery: Delivery, number: u64) -> Taken {
        self.unsettled.add(number, delivery.delivery_tag);
        let count = given_before(&delivery.properties);
        let limit = self.settings.delivery_limit.unwrap_or(DELIVERY_LIMIT);
        let routing = delivery.routing_key.as_str().to_owned();
        let key = (self.settings.key_from_routing && !routing.is_empty()).then(|| Bytes::from(routing));
        Taken {
            ticket: Ticket(format!("{number}:{}", delivery.delivery_tag).into()),
            again: delivery.redelivered,
            last: count.is_some_and(|count| count + 1 >= i64::from(limit)),
            id: None,
            record: record(&mut delivery, key),
        }
    }

    /// The channel, its number, and the tags of those tickets that came over it.
    fn current(&self, tickets: &[Ticket]) -> Option<(Channel, u64, Vec<u64>)> {
        let current = self.channel.read().unwrap_or_else(PoisonError::into_inner);
        let tag = |ticket: &Ticket| {
            let (number, tag) = ticket.0.split_once(':')?;
            (number.parse() == Ok(current.0)).then(|| tag.parse().ok())?
        };
        Some((current.1.clone()?, current.0, tickets.iter().filter_map(tag).collect()))
    }
}

/// A stream says of each message where it lies.
fn of_stream(delivery: &Delivery) -> bool {
    let headers = delivery.properties.headers().as_ref();
    headers.is_some_and(|headers| headers.inner().contains_key(STREAM_OFFSET))
}

fn arguments(declare: &Declare) -> FieldTable {
    let mut arguments = FieldTable::default();
    let text = |text: &str| AMQPValue::LongString(text.into());
    let kind = match declare.kind {
        Kind::Quorum => "quorum",
        Kind::Classic => "classic",
    };
    arguments.insert("x-queue-type".into(), text(kind));
    if declare.single_active {
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    }
    if let Some(exchange) = &declare.dead_letter_exchange {
        arguments.insert("x-dead-letter-exchange".into(), text(exchange));
    }
    arguments
}

impl Queue for RabbitQueue {
    fn terms(&self) -> Terms {
        Terms { lease: None, hold_max: Some(HOLD_MAX), tickets_outlive_connections: false }
    }

    fn receive(&self, max: usize) -> BoxFuture<'_, Result<Vec<Taken>, PortError>> {
        Box::pin(self.take(max))
    }

    fn settle(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, Vec<Ticket>> {
        Box::pin(async move {
            if let Some((channel, number, tags)) = self.current(&tickets) {
                let acks = self.unsettled.acks(number, tags).into_iter();
                // A failure is the end of the channel: then the message comes again.
                join_all(acks.map(|(tag, multiple)| channel.basic_ack(tag, BasicAckOptions { multiple }))).await;
            }
            Vec::new()
        })
    }

    fn renew(&self, _: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// With the connection all that it was lent goes back, in its order. A message that were given back by itself would come
    /// to us once more before that, and a delivery more is counted against its queue's limit.
    fn give_back(&self, _: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(self.part())
    }
}
