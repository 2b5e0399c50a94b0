//! A queue of a test's own, behind a proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use evenkeel_delivery::ports::{BoxFuture, Capabilities, PortError, Sink};
use evenkeel_model::Record;
use evenkeel_transport::contract::Mistake;
use evenkeel_transport::contract::intaken::{Connecting, Site};
use evenkeel_transport::contract::proxy::Proxy;
use evenkeel_transport::contract::real::{self, Need};
use evenkeel_transport::{Parcel, Queue, Style};
use evenkeel_transport_rabbitmq::{Declare, Kind, QueueSettings, RABBITMQ, RabbitQueue, RabbitSink, Server};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

/// The server's address, unless there is none.
pub(crate) fn need() -> Option<SocketAddr> {
    let (server, variable) = ("rabbitmq", "EVENKEEL_TEST_RABBITMQ");
    Need { tests: "transport-rabbitmq", server, variable, beside: env!("CARGO_TARGET_TMPDIR") }.address()
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
        let name = real::fresh_name();
        let proxy = Proxy::start(server).await.unwrap();
        let connection = Connection::connect(&url(server, "guest"), ConnectionProperties::default()).await.unwrap();
        let direct = connection.create_channel().await.unwrap();
        direct.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let rabbit = Rabbit { name, kind, direct, _connection: connection, proxy };
        let maker = RabbitQueue::open(rabbit.server(), rabbit.settings()).await.unwrap();
        maker.give_back(Vec::new()).await;
        rabbit
    }

    /// In the place of its queue a stream of the same name, and a consumer of that.
    pub(crate) async fn stream(&self) -> RabbitQueue {
        self.remove().await;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
        let name = self.name.as_str().into();
        self.direct.queue_declare(name, QueueDeclareOptions::durable(), arguments).await.unwrap();
        RabbitQueue::open(self.server(), QueueSettings::new(&self.name)).await.unwrap()
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
        RABBITMQ
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
