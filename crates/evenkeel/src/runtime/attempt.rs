//! One attempt: an event is handed to the handler, and whatever happens becomes an answer.
//!
//! Invariants: it always comes back with an answer (a panic is a failure); what is the fault of
//! the log, not of the handler, spends nothing.
//!
//! An event that retention took before it could be handled has no answer: the core lets it
//! expire, on the record and with an alarm, and accuses nobody.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use evenkeel_delivery::ports::{Answer, Call, Delivered, Handler, Source};
use evenkeel_delivery::{Alarm, Dispatch};
use evenkeel_model::{Clock, Failure, FailureClass, Verdict};

use super::happening::{Came, Finished};

/// After this long an event that could not be read is asked for again.
const REREAD_AFTER: Duration = Duration::from_secs(1);
/// The most of a panic's message that is kept.
const MESSAGE_BYTES_MAX: usize = 1024;

/// All that an attempt needs.
pub(super) struct Attempt {
    pub(super) dispatch: Dispatch,
    /// The event, unless it must be read again.
    pub(super) payload: Option<Arc<Delivered>>,
    pub(super) attempts_max: u32,
    pub(super) fence: u64,
    pub(super) source: Arc<dyn Source>,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Attempt {
    pub(super) async fn run(self) -> Finished {
        let started = self.clock.now();
        let (came, alarm) = match self.payload.clone() {
            Some(delivered) => (Came::Answered(self.call(delivered).await), None),
            None => self.read_and_call().await,
        };
        let took = self.clock.now().since(started);
        Finished { attempt: self.dispatch.attempt, came, took, alarm }
    }

    async fn read_and_call(&self) -> (Came, Option<Alarm>) {
        let at = &self.dispatch.at;
        let place = format!("{}/{} at {}", at.shard.topic, at.shard.partition, at.offset);
        match self.source.get(at).await {
            Ok(Some(delivered)) => (Came::Answered(self.call(delivered).await), None),
            Ok(None) => {
                let why = format!("retention took {place} before it could be handled");
                let alarm = Alarm { code: "retention_gap", message: why.clone() };
                (Came::Gone(why), Some(alarm))
            }
            Err(problem) => {
                let message = format!("{place} could not be read: {problem}");
                let until = self.clock.now() + REREAD_AFTER;
                (Came::Answered(bare(Verdict::Defer { until })), Some(Alarm { code: "read_failed", message }))
            }
        }
    }

    async fn call(&self, delivered: Arc<Delivered>) -> Answer {
        let call = Call {
            delivered,
            key: self.dispatch.mark,
            attempt: self.dispatch.number,
            attempts_max: self.attempts_max,
            delivery: self.dispatch.delivery,
            timeout: self.dispatch.timeout,
            fence: self.fence,
        };
        let handler = self.handler.clone();
        // Inside the block, so that a panic before the first await is caught too.
        caught(async move { handler.handle(call).await }).await.unwrap_or_else(|message| {
            bare(Verdict::Failed(Failure {
                class: FailureClass::Failed,
                status: None,
                unanswered: false,
                retry_after: None,
                message: format!("panicked: {message}"),
            }))
        })
    }
}

fn bare(verdict: Verdict) -> Answer {
    Answer { verdict, emitted: Vec::new(), handler_version: None }
}

/// The future's output, or the message of its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(thrown) => Poll::Ready(Err(message_of(thrown.as_ref()))),
    })
    .await
}

fn message_of(thrown: &(dyn std::any::Any + Send)) -> String {
    let text = thrown
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| thrown.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)");
    text.get(..text.floor_char_boundary(MESSAGE_BYTES_MAX)).unwrap_or(text).to_owned()
}
