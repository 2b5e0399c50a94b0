//! A queue of a test's own, behind a proxy.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{BoxFuture, Capabilities, NativeLimits, Outgoing, PortError, Sink};
use evenkeel_model::{AttributeValue, Event, Record, Timestamp};
use evenkeel_transport::contract::Mistake;
use evenkeel_transport::contract::intaken::{Connecting, Site};
use evenkeel_transport::contract::proxy::Proxy;
use evenkeel_transport::{Parcel, Queue, Style};
use evenkeel_transport_rabbitmq::{Declare, Kind, QueueSettings, RabbitQueue, RabbitSink, Server};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);

/// The server's address, unless there is none.
pub(crate) fn need() -> Option<SocketAddr> {
    let found = std::env::var("EVENKEEL_TEST_RABBITMQ").ok().and_then(|text| text.parse().ok());
    if found.is_none() {
        let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "rabbitmq"), "EVENKEEL_TEST_RABBITMQ is required and not set");
        println!("skipped: EVENKEEL_TEST_RABBITMQ is not set");
        let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/../skipped.txt");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
        let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, b"transport-rabbitmq: rabbitmq\n"));
    }
    found
}

pub(crate) struct Rabbit {
    name: String,
    kind: Kind,
    direct: Channel,
    _connection: Connection,
    pub(crate) proxy: Proxy,
}

fn url(address: SocketAddr, password: &str) -> String {
    format!("amqp://guest:{password}@{address}/%2f")
}

impl Rabbit {
    /// An empty queue, which the adapter makes.
    pub(crate) async fn fresh(server: SocketAddr, kind: Kind) -> Rabbit {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let proxy = Proxy::start(server).await.unwrap();
        let connection = Connection::connect(&url(server, "guest"), ConnectionProperties::default()).await.unwrap();
        let direct = connection.create_channel().await.unwrap();
        direct.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let rabbit = Rabbit { name, kind, direct, _connection: connection, proxy };
        drop(RabbitQueue::open(rabbit.server(), rabbit.settings()).await.unwrap());
        rabbit
    }

    pub(crate) async fn remove(&self) {
        let _ = self.direct.queue_delete(self.name.as_str().into(), QueueDeleteOptions::default()).await;
    }

    pub(crate) fn server(&self) -> Server {
        Server { url: url(self.proxy.address(), "guest"), roots: None }
    }

    fn settings(&self) -> QueueSettings {
        let declare = Some(Declare { kind: self.kind, ..Declare::default() });
        QueueSettings { declare, ..QueueSettings::new(&self.name) }
    }

    /// Messages that wait for a consumer.
    pub(crate) async fn depth(&self) -> u32 {
        let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = self.direct.queue_declare(self.name.as_str().into(), look, FieldTable::default()).await;
        found.unwrap().message_count()
    }
}

impl Site for Rabbit {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            limits: NativeLimits { payload_bytes_max: Some(16 << 20), ..NativeLimits::default() },
            ..Capabilities::QUEUE
        }
    }

    fn connect(&self) -> Connecting<'_> {
        Box::pin(
            async move { Ok(Arc::new(RabbitQueue::open(self.server(), self.settings()).await?) as Arc<dyn Queue>) },
        )
    }

    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let mut confirms = Vec::new();
            for record in &records {
                let parcel = Parcel::of(record, Style::Amqp);
                let mut headers = FieldTable::default();
                for (name, value) in &parcel.headers {
                    headers.insert(name.as_str().into(), AMQPValue::LongString(value.as_bytes().into()));
                }
                let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
                let key = self.name.as_str().into();
                let options = BasicPublishOptions::default();
                let sent = self.direct.basic_publish("".into(), key, options, &parcel.body, properties).await;
                confirms.push(sent.map_err(|e| PortError(e.to_string()))?);
            }
            for confirm in confirms {
                confirm.await.map_err(|e| PortError(e.to_string()))?;
            }
            Ok(())
        })
    }

    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        let sink = Arc::new(RabbitSink::new(self.server(), "", &self.name)) as Arc<dyn Sink>;
        Box::pin(std::future::ready(Ok(Some(sink))))
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    fn connect_wrong(&self, mistake: Mistake) -> Option<Connecting<'_>> {
        let (server, settings) = match mistake {
            Mistake::Credentials => (Server { url: url(self.proxy.address(), "wrong"), roots: None }, self.settings()),
            Mistake::Topic => (self.server(), QueueSettings::new("no-such-topic")),
        };
        Some(Box::pin(async move { Ok(Arc::new(RabbitQueue::open(server, settings).await?) as Arc<dyn Queue>) }))
    }
}

/// Events, each with a key of its own.
pub(crate) fn records(numbers: Range<usize>) -> Vec<Record> {
    numbers.map(|n| to_record(&event(n), NOW)).collect()
}

fn event(n: usize) -> Event {
    let mut event = Event::new("/rabbit", format!("n-{n}"), "T");
    event.set_extension("partitionkey", AttributeValue::String(format!("k{n}")));
    event
}

/// An event on its way out.
pub(crate) fn outgoing(n: usize) -> Outgoing {
    let id = Mark::of("contract", "/rabbit", &n.to_string());
    Outgoing { event: event(n), key: Some(Bytes::from(format!("k{n}"))), headers: Vec::new(), created: NOW, id }
}

/// Waits for what must come, with a deadline.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        looks.tick().await;
    }
}
