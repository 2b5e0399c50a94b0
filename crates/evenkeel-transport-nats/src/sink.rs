//! Publishing to a subject of a stream.
//!
//! Each event carries its effect's identity as `Nats-Msg-Id`; the stream's duplicate window is a
//! help and nothing that a promise rests on. Events of one key are published one after the other;
//! when one fails, those behind it are not tried.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use evenkeel_delivery::ports::{BoxFuture, Outgoing, Placed, Sink, SinkError, Unsent};
use evenkeel_model::{Position, Shard};
use evenkeel_transport::{NoConnection, Style, by_key, parcel};
use tokio::sync::OnceCell;

use crate::message::message;
use crate::server::{Server, connect};

/// A publish that is not confirmed after this is of unknown outcome.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// So many publishes are on their way at a time.
const TOGETHER: usize = 256;
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Publishes to one subject.
pub struct JetStreamSink {
    context: Context,
    subject: String,
}

impl JetStreamSink {
    /// `subject` may hold `{key}` and `{type}`, which stand for the event's; what a subject can't hold
    /// is written `_`.
    pub fn new(client: Client, subject: impl Into<String>) -> JetStreamSink {
        let mut context = async_nats::jetstream::new(client);
        context.set_timeout(CONFIRM_TIMEOUT);
        JetStreamSink { context, subject: subject.into() }
    }

    fn subject(&self, event: &Outgoing) -> String {
        let key = event.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        self.subject.replace("{key}", &token(&key)).replace("{type}", &token(&event.event.kind))
    }

    async fn publish_one(&self, event: &Outgoing) -> Result<Placed, SinkError> {
        let (mut headers, body) = message(parcel(event, Style::Nats));
        headers.insert(MESSAGE_ID, event.id.to_hex().as_str());
        let subject = self.subject(event);
        let sent = self.context.publish_with_headers(subject.clone(), headers, body).await;
        let confirmed = match sent {
            Ok(confirmed) => confirmed.await,
            Err(e) => Err(e),
        };
        let confirmed = confirmed.map_err(|e| failed(&subject, &e))?;
        let at = Position { shard: Shard::new(confirmed.stream, 0), offset: confirmed.sequence };
        Ok(Placed { at: Some(at), duplicate: confirmed.duplicate })
    }
}

/// A text as one token of a subject.
fn token(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_graphic() && !matches!(c, '.' | '*' | '>') { c } else { '_' };
    if text.is_empty() { "_".to_owned() } else { text.chars().map(safe).collect() }
}

fn failed(subject: &str, error: &PublishError) -> SinkError {
    let (unsent, hint) = match error.kind() {
        PublishErrorKind::StreamNotFound => (Unsent::Denied, "; create a stream that has this subject"),
        PublishErrorKind::MaxPayloadExceeded => (Unsent::Never, ""),
        PublishErrorKind::MaxAckPending => (Unsent::Overload, ""),
        _ => (Unsent::Unknown, ""),
    };
    SinkError { unsent, message: format!("NATS subject `{subject}`: {error}{hint}") }
}

impl Sink for JetStreamSink {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        Box::pin(async move { by_key(&events, TOGETHER, |event| self.publish_one(event)).await })
    }
}

/// A sink that connects with its first event.
pub struct LateSink {
    server: Server,
    subject: String,
    sink: OnceCell<JetStreamSink>,
}

impl LateSink {
    /// See [`JetStreamSink::new`].
    pub fn new(server: Server, subject: impl Into<String>) -> LateSink {
        LateSink { server, subject: subject.into(), sink: OnceCell::new() }
    }

    async fn connected(&self) -> Result<&JetStreamSink, SinkError> {
        let connecting = async { Ok(JetStreamSink::new(connect(&self.server).await?, self.subject.clone())) };
        let sink = self.sink.get_or_try_init(|| connecting).await;
        sink.map_err(|e: NoConnection| SinkError { unsent: e.unsent(), message: e.error.0 })
    }
}

impl Sink for LateSink {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        Box::pin(async move {
            match self.connected().await {
                Ok(sink) => sink.publish(events).await,
                Err(why) => vec![Err(why); events.len()],
            }
        })
    }
}
