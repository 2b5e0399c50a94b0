//! A bridge is a subscription: its handler publishes each event at a sink.
//!
//! [`SinkHandler`] makes a handler of any sink, so that a bridge has what every subscription has:
//! filter, order by key, retries, breaker, dead letters, an account of every event.
//! [`IngressSink`] is the sink into a topic of the embedded log.
//!
//! Invariant: an event is acknowledged only when the sink has confirmed it. What is published twice,
//! because an answer was lost, carries the same `(source, id)` and the same dedup id both times.

mod embedded;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{
    Answer, Batching, BoxFuture, Call, Delivered, Handler, Outgoing, Placed, Sink, SinkError, Unsent,
};
use evenkeel_model::{Failure, FailureClass, Verdict};

pub use embedded::IngressSink;
pub use turns::{batches_by_key, by_key};

/// Events of one publish.
pub(crate) const TOGETHER: usize = 256;
/// How long the first of them waits for others.
pub(crate) const LINGER: Duration = Duration::from_millis(2);

/// Hands events to a sink.
pub struct SinkHandler(Arc<dyn Sink>);

impl SinkHandler {
    /// A handler that publishes at this sink.
    pub fn new(sink: Arc<dyn Sink>) -> SinkHandler {
        SinkHandler(sink)
    }
}

impl Handler for SinkHandler {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let answers = self.handle_batch(vec![call]);
        Box::pin(async move { answers.await.pop().unwrap_or_else(|| answer(Err(unanswered()))) })
    }

    fn is_elsewhere(&self) -> bool {
        true
    }

    fn batching(&self) -> Batching {
        Batching { max: TOGETHER, linger: LINGER }
    }

    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        let sink = self.0.clone();
        Box::pin(async move {
            let count = calls.len();
            let patience = calls.iter().map(|call| call.timeout).max().unwrap_or_default();
            let events = calls.iter().map(|call| outgoing(&call.delivered, call)).collect();
            let mut answers = match tokio::time::timeout(patience, sink.publish(events)).await {
                Ok(answers) => answers,
                Err(_) => vec![Err(late(patience)); count],
            };
            answers.resize_with(count, || Err(unanswered()));
            answers.into_iter().map(answer).collect()
        })
    }
}

/// The event as it came, with those of its headers that say nothing of an event's attributes.
fn outgoing(delivered: &Delivered, call: &Call) -> Outgoing {
    let record = &delivered.record;
    let own = |name: &str| !name.starts_with("ce_") && name != "content-type";
    Outgoing {
        event: delivered.event.clone(),
        key: record.key.clone(),
        headers: record.headers.iter().filter(|header| own(&header.name)).cloned().collect(),
        created: record.created,
        id: call.key,
    }
}

pub(crate) fn late(patience: Duration) -> SinkError {
    SinkError { unsent: Unsent::Unknown, message: format!("the sink did not answer within {patience:?}") }
}

fn unanswered() -> SinkError {
    SinkError { unsent: Unsent::Unknown, message: "the sink did not answer for this event".to_owned() }
}

pub(crate) fn answer(sent: Result<Placed, SinkError>) -> Answer {
    let verdict = match sent {
        Ok(_) => Verdict::Ack,
        Err(SinkError { unsent: Unsent::Never, message }) => Verdict::Reject { reason: message },
        Err(SinkError { unsent, message }) => Verdict::Failed(Failure {
            class: match unsent {
                Unsent::Unreachable => FailureClass::Unreachable,
                Unsent::Overload => FailureClass::Overload,
                Unsent::Denied => FailureClass::Refused,
                Unsent::Unknown | Unsent::Never => FailureClass::Failed,
            },
            status: None,
            unanswered: matches!(unsent, Unsent::Unreachable | Unsent::Unknown),
            retry_after: None,
            message,
        }),
    };
    Answer { verdict, emitted: Vec::new(), handler_version: None }
}

#[cfg(test)]
mod tests;
