//! Two queues of RabbitMQ and a stream of NATS that are a test's own, as their own clients see them.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use async_nats::jetstream;
use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use super::KEYS;

pub struct Site {
    name: String,
    channel: Channel,
    _connection: Connection,
    stream: jetstream::stream::Stream,
    context: jetstream::Context,
    came: Mutex<Vec<usize>>,
}

impl Site {
    pub async fn make(rabbit: &str, nats: &str) -> Site {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let name = format!("relay-{}-{nth}", std::process::id());
        let url = format!("amqp://guest:guest@{rabbit}/%2f");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        for end in ["in", "done"] {
            let mut arguments = FieldTable::default();
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
            let queue = format!("{name}-{end}");
            channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
        }
        let context = jetstream::new(async_nats::connect(nats).await.unwrap());
        let config =
            jetstream::stream::Config { name: name.clone(), subjects: vec![format!("{name}.>")], ..Default::default() };
        let stream = context.create_stream(config).await.unwrap();
        // What a killed node was lent comes again after this.
        let ack_wait = std::time::Duration::from_secs(2);
        let durable = jetstream::consumer::pull::Config {
            durable_name: Some("evenkeel".to_owned()),
            ack_policy: jetstream::consumer::AckPolicy::Explicit,
            max_deliver: -1,
            ack_wait,
            ..Default::default()
        };
        stream.create_consumer(durable).await.unwrap();
        Site { name, channel, _connection: connection, stream, context, came: Mutex::default() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// CloudEvents of the AMQP binding, as another program writes them.
    pub async fn publish(&self, numbers: Range<usize>) {
        for n in numbers {
            let mut headers = FieldTable::default();
            let key = format!("k{}", n % KEYS);
            for (name, value) in [
                ("cloudEvents_specversion", "1.0"),
                ("cloudEvents_id", &n.to_string()),
                ("cloudEvents_source", "/shop"),
                ("cloudEvents_type", "OrderCreated"),
                ("cloudEvents_partitionkey", &key),
            ] {
                headers.insert(name.into(), AMQPValue::LongString(value.into()));
            }
            let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
            let (queue, body) = (format!("{}-in", self.name), format!("{{\"n\":{n}}}"));
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let sent =
                self.channel.basic_publish("".into(), queue.as_str().into(), options, body.as_bytes(), properties);
            assert!(sent.await.unwrap().await.unwrap().is_ack());
        }
    }

    /// Takes what is in the last queue now.
    pub async fn next(&self) {
        let queue = format!("{}-done", self.name);
        while let Some(given) = self.channel.basic_get(queue.as_str().into(), BasicGetOptions::default()).await.unwrap()
        {
            self.came.lock().unwrap_or_else(PoisonError::into_inner).push(number(&given.delivery.data));
            given.ack(BasicAckOptions::default()).await.unwrap();
        }
    }

    /// What came out of it, in that order.
    pub fn came(&self) -> Vec<usize> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn whole(&self, events: usize) -> bool {
        let came = self.came();
        (0..events).all(|n| came.contains(&n))
    }

    /// What is in the stream, in its order.
    pub async fn streamed(&self) -> Vec<usize> {
        let mut stream = self.stream.clone();
        let count = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
        let consumer = stream.create_consumer(jetstream::consumer::pull::OrderedConfig::default()).await.unwrap();
        let messages = consumer.messages().await.unwrap().take(count);
        messages.map(|message| number(&message.unwrap().payload)).collect().await
    }

    /// Messages that wait in the first queue, and that the node's consumer of the stream was given or is owed.
    pub async fn kept(&self) -> (u32, u64) {
        let queue = format!("{}-in", self.name);
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let waits = self.channel.queue_declare(queue.as_str().into(), look, FieldTable::default()).await.unwrap();
        let mut consumer: jetstream::consumer::PullConsumer = self.stream.get_consumer("evenkeel").await.unwrap();
        let info = consumer.info().await.unwrap();
        (waits.message_count(), info.num_pending + info.num_ack_pending as u64)
    }

    pub async fn remove(&self) {
        for end in ["in", "done"] {
            let queue = format!("{}-{end}", self.name);
            self.channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        }
        self.context.delete_stream(&self.name).await.unwrap();
    }
}

/// Of `{"n":17}`.
fn number(body: &[u8]) -> usize {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    usize::try_from(body["n"].as_u64().unwrap()).unwrap()
}
