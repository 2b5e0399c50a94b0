//! Async functions as handlers: data in, verdict out.
//!
//! A function gets the [`Context`] and the event's JSON data as a type of its own. Data that
//! does not fit the type is rejected without a call, since it never will; a call that takes
//! longer than the subscription's time-out is a failed attempt. The runtime catches panics.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Handler};
use evenkeel_model::{Clock, Event, Failure, FailureClass, Verdict};
use serde::de::DeserializeOwned;

use crate::{Context, HandlerError};

/// What a handler may return when it is done: `()`, or events that it caused.
pub trait Done: Send + 'static {
    /// The events.
    fn into_events(self) -> Vec<Event>;
}

impl Done for () {
    fn into_events(self) -> Vec<Event> {
        Vec::new()
    }
}

impl Done for Event {
    fn into_events(self) -> Vec<Event> {
        vec![self]
    }
}

impl Done for Option<Event> {
    fn into_events(self) -> Vec<Event> {
        self.into_iter().collect()
    }
}

impl Done for Vec<Event> {
    fn into_events(self) -> Vec<Event> {
        self
    }
}

/// An async function that handles events; the subscription makes a [`Handler`] of it.
pub(crate) struct Typed<F, T> {
    pub(crate) subscription: Arc<str>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether there is a topic for the events that the function returns.
    pub(crate) publishes: bool,
    pub(crate) function: F,
    pub(crate) data: PhantomData<fn(T)>,
}

impl<F, T, Doing, D> Handler for Typed<F, T>
where
    F: Fn(Context, T) -> Doing + Send + Sync + 'static,
    T: DeserializeOwned + 'static,
    Doing: Future<Output = Result<D, HandlerError>> + Send + 'static,
    D: Done,
{
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let data = match decode::<T>(&call) {
            Ok(data) => data,
            Err(refused) => return Box::pin(std::future::ready(answer(refused, Vec::new()))),
        };
        let (timeout, publishes) = (call.timeout, self.publishes);
        let context = Context { subscription: self.subscription.clone(), now: self.clock.now(), call };
        let doing = (self.function)(context, data);
        Box::pin(async move {
            match tokio::time::timeout(timeout, doing).await {
                Ok(Ok(done)) => acked(done.into_events(), publishes),
                Ok(Err(refused)) => answer(refused.into_verdict(), Vec::new()),
                Err(_) => failed(format!("no answer within {timeout:?}"), true),
            }
        })
    }
}

fn decode<T: DeserializeOwned>(call: &Call) -> Result<T, Verdict> {
    let bytes = call.delivered.event.data.as_deref().unwrap_or(b"null");
    serde_json::from_slice(bytes)
        .map_err(|error| Verdict::Reject { reason: format!("the data does not fit the handler: {error}") })
}

fn acked(events: Vec<Event>, publishes: bool) -> Answer {
    if events.is_empty() || publishes {
        return answer(Verdict::Ack, events);
    }
    failed(format!("the handler returned {} events, but its subscription publishes nothing", events.len()), false)
}

fn failed(message: String, unanswered: bool) -> Answer {
    let class = FailureClass::Failed;
    answer(Verdict::Failed(Failure { class, status: None, unanswered, retry_after: None, message }), Vec::new())
}

fn answer(verdict: Verdict, emitted: Vec<Event>) -> Answer {
    Answer { verdict, emitted, handler_version: None }
}
