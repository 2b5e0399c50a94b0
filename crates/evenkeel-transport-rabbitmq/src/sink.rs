//! Publishing to an exchange, with confirms.
//!
//! A message is persistent and mandatory: one that no queue takes comes back, and is an error here (a
//! plain publish of it would be confirmed, and gone). Its `message-id` is its effect's identity, unless it came
//! from RabbitMQ with one of its own. Events
//! of one key are published one after the other; when one fails, those behind it are not tried.

use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, Outgoing, Placed, Sink, SinkError, Unsent};
use evenkeel_transport::{Style, by_key, parcel};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::Mutex;

use crate::message::properties;
use crate::server::Server;

/// A publish that is not confirmed after this is of unknown outcome.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// So many publishes are on their way at a time.
const TOGETHER: usize = 256;
/// The largest message that RabbitMQ 4 takes unless it is told otherwise.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;

/// Publishes to one exchange.
pub struct RabbitSink {
    server: Server,
    exchange: String,
    routing_key: String,
    link: Mutex<Option<Link>>,
}

struct Link {
    channel: Channel,
    connection: Connection,
}

impl RabbitSink {
    /// `routing_key` may hold `{key}` and `{type}`, which stand for the event's. The exchange without a
    /// name routes to the queue that the routing key names. It connects with the first event.
    pub fn new(server: Server, exchange: impl Into<String>, routing_key: impl Into<String>) -> RabbitSink {
        RabbitSink { server, exchange: exchange.into(), routing_key: routing_key.into(), link: Mutex::new(None) }
    }

    /// The channel; made anew when the last one ended.
    async fn channel(&self) -> Result<Channel, SinkError> {
        let mut slot = self.link.lock().await;
        if let Some(link) =
            slot.as_ref().filter(|l| l.channel.status().connected() && l.connection.status().connected())
        {
            return Ok(link.channel.clone());
        }
        let connecting = self.server.connect().await;
        let connection = connecting.map_err(|e| SinkError { unsent: e.unsent(), message: e.error.0 })?;
        let unreachable = |message: String| SinkError { unsent: Unsent::Unreachable, message };
        let opening = async {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            lapin::Result::Ok(channel)
        };
        let late = |_| unreachable(format!("RabbitMQ {}: no channel", self.server.bare()));
        let opened = tokio::time::timeout(CONFIRM_TIMEOUT, opening).await.map_err(late)?;
        let channel = opened.map_err(|e| unreachable(self.server.failed(&e).0))?;
        *slot = Some(Link { channel: channel.clone(), connection });
        Ok(channel)
    }

    async fn publish_one(&self, channel: &Channel, event: &Outgoing) -> Result<Placed, SinkError> {
        let parcel = parcel(event, Style::Amqp);
        if parcel.body.len() > PAYLOAD_BYTES_MAX {
            let message = format!("RabbitMQ: {} bytes, and {PAYLOAD_BYTES_MAX} are allowed", parcel.body.len());
            return Err(SinkError { unsent: Unsent::Never, message });
        }
        let id = event.id.to_hex();
        let mut properties = properties(&parcel, event.created);
        if properties.message_id().is_none() {
            properties = properties.with_message_id(id.as_str().into());
        }
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let routing_key = self.routing_key(event);
        let publishing = async {
            let (exchange, key) = (self.exchange.as_str().into(), routing_key.as_str().into());
            channel.basic_publish(exchange, key, options, &parcel.body, properties).await?.await
        };
        let unknown = |why: String| SinkError {
            unsent: Unsent::Unknown,
            message: format!("RabbitMQ {}: {why}", self.server.bare()),
        };
        let confirmed = tokio::time::timeout(CONFIRM_TIMEOUT, publishing).await;
        let confirmed = confirmed.map_err(|_| unknown(format!("no confirm within {CONFIRM_TIMEOUT:?}")))?;
        match confirmed.map_err(|e| self.broken(&e))? {
            Confirmation::Ack(None) => Ok(Placed::default()),
            Confirmation::Ack(Some(_)) => Err(self.unroutable(&routing_key)),
            Confirmation::Nack(_) => {
                let message = format!("RabbitMQ {}: the broker refused it; a queue may be full", self.server.bare());
                Err(SinkError { unsent: Unsent::Overload, message })
            }
            Confirmation::NotRequested => Err(unknown("confirms are off".to_owned())),
        }
    }

    fn broken(&self, error: &lapin::Error) -> SinkError {
        let message = self.server.failed(error).0;
        let unsent = if message.contains("NOT_FOUND") || message.contains("ACCESS_REFUSED") {
            Unsent::Denied
        } else {
            Unsent::Unknown
        };
        SinkError { unsent, message }
    }

    fn unroutable(&self, routing_key: &str) -> SinkError {
        let exchange = &self.exchange;
        let message = format!(
            "RabbitMQ {}: no queue takes routing key `{routing_key}` from exchange `{exchange}`; bind one",
            self.server.bare()
        );
        SinkError { unsent: Unsent::Denied, message }
    }

    fn routing_key(&self, event: &Outgoing) -> String {
        let key = event.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let mut text = self.routing_key.replace("{key}", &key).replace("{type}", &event.event.kind);
        // A routing key has at most 255 bytes.
        while text.len() > 255 {
            text.pop();
        }
        text
    }
}

impl Sink for RabbitSink {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        Box::pin(async move {
            match self.channel().await {
                Ok(channel) => by_key(&events, TOGETHER, |event| self.publish_one(&channel, event)).await,
                Err(why) => vec![Err(why); events.len()],
            }
        })
    }
}
