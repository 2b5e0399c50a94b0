//! Into a topic of the embedded log, through the one way in: what comes twice is stored once.

use std::sync::Arc;

use evenkeel_delivery::ports::{BoxFuture, Outgoing, Placed, Sink, SinkError, Unsent};
use evenkeel_model::{Event, Position, Shard};

use crate::{Ingress, PublishError, Published};

/// A sink into one topic. Headers beyond the event's attributes are left behind.
pub struct IngressSink {
    ingress: Arc<Ingress>,
    topic: Arc<str>,
}

impl IngressSink {
    /// Into `topic`, which need not exist yet.
    pub fn new(ingress: Arc<Ingress>, topic: impl Into<Arc<str>>) -> IngressSink {
        IngressSink { ingress, topic: topic.into() }
    }

    async fn store(&self, events: Vec<Event>) -> Result<Vec<Placed>, SinkError> {
        let published = self.ingress.publish(&self.topic, events).await;
        let place = |Published { partition, offset, duplicate, .. }| {
            let at = Position { shard: Shard::new(self.topic.clone(), partition), offset };
            Placed { at: Some(at), duplicate }
        };
        published.map(|all| all.into_iter().map(place).collect()).map_err(|error| unsent(&error))
    }
}

impl Sink for IngressSink {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        Box::pin(async move {
            let events: Vec<Event> = events.into_iter().map(|outgoing| outgoing.event).collect();
            match self.store(events.clone()).await {
                Ok(placed) => placed.into_iter().map(Ok).collect(),
                // One that is refused refuses its batch: alone each gets an answer of its own.
                Err(error) if error.unsent == Unsent::Never && events.len() > 1 => {
                    let mut answers = Vec::with_capacity(events.len());
                    for event in events {
                        let one = self.store(vec![event]).await;
                        answers.push(one.map(|mut placed| placed.pop().unwrap_or_default()));
                    }
                    answers
                }
                Err(error) => vec![Err(error); events.len()],
            }
        })
    }
}

fn unsent(error: &PublishError) -> SinkError {
    let unsent = match error {
        PublishError::UnknownTopic { .. } | PublishError::ReadOnly(_) => Unsent::Denied,
        PublishError::Conflict { .. } | PublishError::TooLarge { .. } => Unsent::Never,
        PublishError::Full | PublishError::TopicFull { .. } => Unsent::Overload,
        PublishError::Stopped(_) => Unsent::Unknown,
    };
    SinkError { unsent, message: error.to_string() }
}
