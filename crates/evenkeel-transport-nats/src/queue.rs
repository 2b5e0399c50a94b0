//! The messages of a stream, lent by a durable pull consumer.
//!
//! Invariants: messages are given in the stream's order, as far as they were not given before: what
//! was lost on its way is fetched by its sequence first (`gaps`); a message's name is its stream's
//! name, birth and its sequence; an acknowledgement counts when the server confirmed it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{self, Stream as Pulled};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, Info};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_model::Timestamp;
use evenkeel_transport::{Queue, Taken, Terms, Ticket, note_given};
use futures_util::future::FutureExt;
use futures_util::stream::StreamExt;
use tokio::sync::Mutex;

use crate::gaps::Gaps;
use crate::message::record;

/// How long an empty stream is listened to before "none" is the answer.
const WAIT: Duration = Duration::from_secs(1);
/// Without a sign of life for so long the pull is begun anew.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long one pull lasts.
const PULL: Duration = Duration::from_secs(30);
/// So many messages of a pull may be on their way to us.
const AHEAD: usize = 256;
/// A server that does not answer is not waited for longer when we go.
const PARTING: Duration = Duration::from_secs(2);
/// A message is done with.
const ACK: &[u8] = b"+ACK";
/// A message is for whoever asks.
const NAK: &[u8] = b"-NAK";
/// The lease of a consumer that we make.
const LEASE: Duration = Duration::from_secs(30);

/// Where a consumer that does not exist yet begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// At the first message that the stream has.
    #[default]
    Earliest,
    /// Behind the newest.
    Latest,
}

/// What orders messages that say nothing of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFrom {
    /// Their subject.
    Subject,
    /// Nothing does.
    Nothing,
}

/// Which messages, by which consumer.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// The stream.
    pub stream: String,
    /// The durable consumer.
    pub durable: String,
    /// Only messages of these subjects.
    pub subject: Option<String>,
    /// Where the consumer begins, if it is made now.
    pub begin: Begin,
    /// False: a consumer that is missing is an error. True: it is made.
    pub declare: bool,
    /// Without one: the subject, where the consumer can see several, else nothing.
    pub key: Option<KeyFrom>,
    /// So many messages may be lent at a time.
    pub lent_max: usize,
    /// A message that is neither acknowledged nor renewed for so long is given again: of a consumer
    /// that is made now; 30 s by default.
    pub lease: Duration,
}

impl ConsumerSettings {
    /// All of a stream, from its beginning, by a consumer that is made if it is missing.
    pub fn new(stream: impl Into<String>, durable: impl Into<String>) -> ConsumerSettings {
        ConsumerSettings {
            stream: stream.into(),
            durable: durable.into(),
            subject: None,
            begin: Begin::Earliest,
            declare: true,
            key: None,
            lent_max: 4096,
            lease: LEASE,
        }
    }
}

/// A durable pull consumer.
pub struct JetStreamQueue {
    client: Client,
    consumer: Consumer<pull::Config>,
    /// What the name of each message begins with.
    born: String,
    key: KeyFrom,
    lease: Duration,
    link: Mutex<Link>,
}

struct Link {
    pulled: Option<Pulled>,
    gaps: Gaps,
}

impl JetStreamQueue {
    /// Verifies stream and consumer, and makes the consumer if that is wanted.
    pub async fn open(client: Client, settings: &ConsumerSettings) -> Result<JetStreamQueue, PortError> {
        let name = &settings.stream;
        let context = async_nats::jetstream::new(client.clone());
        let stream = context
            .get_stream(name)
            .await
            .map_err(|e| PortError(format!("NATS stream `{name}`: {e}; create it first, or correct `stream`")))?;
        let consumer = consumer(&stream, settings).await?;
        let info = consumer.cached_info();
        verify(name, info)?;
        let lease = info.config.backoff.iter().copied().chain([info.config.ack_wait]).min().unwrap_or(LEASE);
        let stream_info = stream.cached_info();
        let born = format!("{name};{};", stream_info.created.unix_timestamp());
        let filter = settings.subject.clone().unwrap_or_else(|| ">".to_owned());
        let (acknowledged, delivered) = (info.ack_floor.stream_sequence, info.delivered);
        let gaps =
            Gaps::new(stream.clone(), filter, acknowledged, delivered.stream_sequence, delivered.consumer_sequence);
        let many = |subject: &str| subject.contains(['*', '>']);
        let several = match &settings.subject {
            Some(subject) => many(subject),
            None => stream_info.config.subjects.len() != 1 || stream_info.config.subjects.iter().any(|s| many(s)),
        };
        let key = settings.key.unwrap_or(if several { KeyFrom::Subject } else { KeyFrom::Nothing });
        Ok(JetStreamQueue { client, consumer, born, key, lease, link: Mutex::new(Link { pulled: None, gaps }) })
    }

    async fn take(&self, max: usize) -> Result<Vec<Taken>, PortError> {
        let mut link = self.link.lock().await;
        let mut taken = Vec::new();
        link.gaps.left(max, |message| taken.push(self.found(message))).await?;
        if !taken.is_empty() {
            return Ok(taken);
        }
        if link.pulled.is_none() {
            link.pulled = Some(self.pull().await?);
        }
        let Some(pulled) = &mut link.pulled else { return Ok(taken) };
        let mut next = tokio::time::timeout(WAIT, pulled.next()).await.ok();
        while let Some(came) = next.take() {
            if let Err(problem) = self.give_on(&mut link.gaps, came, &mut taken).await {
                // What came and was not given on is missed by its number later.
                link.pulled = None;
                return if taken.is_empty() { Err(problem) } else { Ok(taken) };
            }
            if taken.len() < max {
                next = link.pulled.as_mut().and_then(|pulled| pulled.next().now_or_never());
            }
        }
        Ok(taken)
    }

    async fn give_on(
        &self,
        gaps: &mut Gaps,
        came: Option<Result<Message, pull::MessagesError>>,
        taken: &mut Vec<Taken>,
    ) -> Result<(), PortError> {
        let message = came.ok_or_else(|| self.trouble(&"the pull ended"))?.map_err(|e| self.trouble(&e))?;
        let (one, sequence, delivery) = self.lent(&message)?;
        gaps.before(sequence, delivery, |missed| taken.push(self.found(missed))).await?;
        taken.push(one);
        Ok(())
    }

    async fn pull(&self) -> Result<Pulled, PortError> {
        let pull = self.consumer.stream().max_messages_per_batch(AHEAD).expires(PULL).heartbeat(HEARTBEAT);
        pull.messages().await.map_err(|e| self.trouble(&e))
    }

    fn trouble(&self, why: &dyn std::fmt::Display) -> PortError {
        let info = self.consumer.cached_info();
        PortError(format!("NATS consumer `{}` of stream `{}`: {why}", info.name, info.stream_name))
    }

    fn key(&self, subject: &str) -> Option<Bytes> {
        (self.key == KeyFrom::Subject).then(|| Bytes::copy_from_slice(subject.as_bytes()))
    }

    /// A message that the consumer gave, with its sequences.
    fn lent(&self, message: &Message) -> Result<(Taken, u64, u64), PortError> {
        let info = message.info().map_err(|e| self.trouble(&e))?;
        let created = time(info.published.unix_timestamp_nanos());
        let key = self.key(&message.subject);
        let mut record = record(message.headers.as_ref(), message.payload.clone(), key, created);
        note_given(&mut record, u32::try_from(info.delivered).unwrap_or(1));
        let taken = Taken {
            record,
            id: Some(format!("{}{}", self.born, info.stream_sequence).into()),
            ticket: Ticket(message.reply.as_ref().map(ToString::to_string).unwrap_or_default().into()),
            again: info.delivered > 1,
            last: false,
        };
        Ok((taken, info.stream_sequence, info.consumer_sequence))
    }

    /// A message that was read from the stream itself. It has no ticket: when the consumer gives it,
    /// it is known by its name.
    fn found(&self, message: StreamMessage) -> Taken {
        let created = time(message.time.unix_timestamp_nanos());
        let key = self.key(&message.subject);
        let mut record = record(Some(&message.headers), message.payload, key, created);
        // It was given before, or it would not be missing; the stream itself does not say how often.
        note_given(&mut record, 2);
        Taken {
            record,
            id: Some(format!("{}{}", self.born, message.sequence).into()),
            ticket: Ticket("".into()),
            again: true,
            last: false,
        }
    }

    /// Ends the pull, and waits until the server knows: what it lends to a pull that nobody reads comes to the next one
    /// only when its lease ends. What came and was not read goes back.
    async fn part(&self) {
        let Some(mut pulled) = self.link.lock().await.pulled.take() else { return };
        let mut unread = Vec::new();
        while let Some(Some(came)) = pulled.next().now_or_never() {
            unread.extend(came.ok().and_then(|message| Some(Ticket(message.reply.as_ref()?.to_string().into()))));
        }
        drop(pulled);
        self.say(&unread, NAK).await;
        // It takes up what one connection says in its order: who has this answer has been heard before.
        let _ = tokio::time::timeout(PARTING, self.consumer.get_info()).await;
    }

    async fn say(&self, tickets: &[Ticket], what: &'static [u8]) {
        for ticket in tickets.iter().filter(|ticket| !ticket.0.is_empty()) {
            let _ = self.client.publish(ticket.0.to_string(), Bytes::from_static(what)).await;
        }
    }

    /// True when the server confirmed all, or will never confirm one: then that message comes again,
    /// and is known. The server takes up what one connection says in its order, so that the last
    /// confirmation is one of all; a connection that was lost on the way confirms none.
    async fn acknowledge(&self, tickets: &[Ticket]) -> bool {
        let mut said: Vec<_> = tickets.iter().filter(|ticket| !ticket.0.is_empty()).collect();
        let Some(last) = said.pop() else { return true };
        let connections = self.connections();
        for ticket in said {
            if self.client.publish(ticket.0.to_string(), Bytes::from_static(ACK)).await.is_err() {
                return false;
            }
        }
        let answer = self.client.request(last.0.to_string(), Bytes::from_static(ACK)).await;
        let confirmed = answer.is_ok_and(|message| message.status.is_none_or(|status| !status.is_client_error()));
        confirmed && self.connections() == connections
    }

    /// How often we were connected.
    fn connections(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }
}

fn time(nanos: i128) -> Timestamp {
    Timestamp::from_micros(i64::try_from(nanos / 1000).unwrap_or(i64::MAX))
}

async fn consumer(stream: &Stream, settings: &ConsumerSettings) -> Result<Consumer<pull::Config>, PortError> {
    let (name, durable) = (&settings.stream, &settings.durable);
    let found = stream.get_consumer::<pull::Config>(durable).await;
    if let Ok(found) = found {
        return Ok(found);
    }
    if !settings.declare {
        let why = format!("stream `{name}` has no pull consumer `{durable}`; create it, or set `topology: declare`");
        return Err(PortError(why));
    }
    let deliver_policy = match settings.begin {
        Begin::Earliest => DeliverPolicy::All,
        Begin::Latest => DeliverPolicy::New,
    };
    let config = pull::Config {
        durable_name: Some(durable.clone()),
        description: Some("made by Evenkeel".to_owned()),
        deliver_policy,
        ack_policy: AckPolicy::Explicit,
        ack_wait: settings.lease,
        max_deliver: -1,
        max_ack_pending: i64::try_from(settings.lent_max).unwrap_or(i64::MAX),
        filter_subject: settings.subject.clone().unwrap_or_default(),
        ..pull::Config::default()
    };
    let made = stream.create_consumer(config).await;
    made.map_err(|e| PortError(format!("NATS stream `{name}`: making the consumer `{durable}`: {e}")))
}

/// Refuses what would lose messages behind our back.
fn verify(stream: &str, info: &Info) -> Result<(), PortError> {
    let (config, name) = (&info.config, &info.name);
    let refuse = |what: String| Err(PortError(format!("NATS consumer `{name}` of stream `{stream}` {what}")));
    if config.ack_policy != AckPolicy::Explicit {
        return refuse(format!("acknowledges by `{:?}`; its `ack_policy` must be `explicit`", config.ack_policy));
    }
    if config.max_deliver > 0 {
        return refuse(format!(
            "gives a message at most {} times, and then to nobody; set its `max_deliver` to -1",
            config.max_deliver
        ));
    }
    if config.headers_only {
        return refuse("gives headers only; set `headers_only` to false".to_owned());
    }
    Ok(())
}

impl Queue for JetStreamQueue {
    fn terms(&self) -> Terms {
        Terms { lease: Some(self.lease), hold_max: None, tickets_outlive_connections: true }
    }

    fn receive(&self, max: usize) -> BoxFuture<'_, Result<Vec<Taken>, PortError>> {
        Box::pin(self.take(max))
    }

    fn settle(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, Vec<Ticket>> {
        Box::pin(async move { if self.acknowledge(&tickets).await { Vec::new() } else { tickets } })
    }

    fn renew(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.say(&tickets, b"+WPI").await })
    }

    fn give_back(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.say(&tickets, NAK).await;
            self.part().await;
        })
    }
}
