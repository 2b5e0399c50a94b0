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
use evenkeel_delivery::{Alarm, AttemptId, Dispatch};
use evenkeel_model::{Clock, Failure, FailureClass, Position, Verdict};

use super::FallbackTo;
pub(super) use super::happening::Came;
use super::happening::{Back, Finished};

/// After this long an event that could not be read is asked for again.
const REREAD_AFTER: Duration = Duration::from_secs(1);
/// The most of a panic's message that is kept.
const MESSAGE_BYTES_MAX: usize = 1024;

/// What all attempts of a subscription have in common.
pub(super) struct Ground {
    pub(super) attempts_max: u32,
    pub(super) fence: u64,
    pub(super) source: Arc<dyn Source>,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) fallback: Option<FallbackTo>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Makes one attempt at an event whose bytes are at hand: so most are made, and it takes little memory.
pub(super) async fn at_hand(ground: Arc<Ground>, attempt: AttemptId, call: Call) -> Back {
    let started = ground.clock.now();
    let answer = asked(ground.handler.clone(), call).await;
    let took = ground.clock.now().since(started);
    Back::One(Finished { attempt, came: Came::Answered(answer), took, alarm: None })
}

/// Makes one attempt; the event is read again where its bytes are not at hand.
pub(super) async fn run(ground: Arc<Ground>, dispatch: Dispatch, payload: Option<Arc<Delivered>>) -> Finished {
    let started = ground.clock.now();
    let read = match payload {
        Some(delivered) => Ok(delivered),
        None => ground.read(&dispatch.at, dispatch.letter.as_ref()).await,
    };
    let (came, alarm) = match read {
        Ok(delivered) => {
            let call = ground.call(&dispatch, delivered);
            let answer = if dispatch.fallback { ground.fall_back(call).await } else { ground.ask(call).await };
            (Came::Answered(answer), None)
        }
        Err((came, alarm)) => (came, Some(alarm)),
    };
    let took = ground.clock.now().since(started);
    Finished { attempt: dispatch.attempt, came, took, alarm }
}

impl Ground {
    /// The event again (by its letter, when it was redriven), or what comes of it that it cannot be read.
    pub(super) async fn read(&self, at: &Position, letter: Option<&Position>) -> Result<Arc<Delivered>, (Came, Alarm)> {
        let place = format!("{}/{} at {}", at.shard.topic, at.shard.partition, at.offset);
        match self.source.get(letter.unwrap_or(at)).await {
            Ok(Some(delivered)) => Ok(delivered),
            Ok(None) => {
                let why = format!("retention took {place} before it could be handled");
                let alarm = Alarm { code: "retention_gap", message: why.clone() };
                Err((Came::Gone(why), alarm))
            }
            Err(problem) => {
                let message = format!("{place} could not be read: {problem}");
                let until = self.clock.now() + REREAD_AFTER;
                Err((Came::Answered(bare(Verdict::Defer { until })), Alarm { code: "read_failed", message }))
            }
        }
    }

    pub(super) fn call(&self, dispatch: &Dispatch, delivered: Arc<Delivered>) -> Call {
        Call {
            delivered,
            key: dispatch.mark,
            attempt: dispatch.number,
            attempts_max: self.attempts_max,
            delivery: dispatch.delivery,
            timeout: dispatch.timeout,
            fence: self.fence,
        }
    }

    async fn ask(&self, call: Call) -> Answer {
        asked(self.handler.clone(), call).await
    }

    /// What the fallback says; without one, that it cannot do it.
    async fn fall_back(&self, call: Call) -> Answer {
        match &self.fallback {
            Some(FallbackTo::Handler(handler)) => asked(handler.clone(), call).await,
            // Its record goes along with its outcome.
            Some(FallbackTo::Topic) => bare(Verdict::Ack),
            None => failed("there is no fallback".to_owned()),
        }
    }
}

fn asked(handler: Arc<dyn Handler>, call: Call) -> impl Future<Output = Answer> {
    let (mut call, mut answering) = (Some(call), None);
    // The handler is called within, so that a panic before its first await is caught too.
    let answer = std::future::poll_fn(move |context| {
        if let Some(call) = call.take() {
            answering = Some(handler.handle(call));
        }
        answering.as_mut().map_or(Poll::Pending, |answering| answering.as_mut().poll(context))
    });
    async { caught(answer).await.unwrap_or_else(|message| panicked(&message)) }
}

fn bare(verdict: Verdict) -> Answer {
    Answer { verdict, emitted: Vec::new(), handler_version: None }
}

pub(super) fn panicked(message: &str) -> Answer {
    failed(format!("panicked: {message}"))
}

/// The handler's fault, and it said nothing of it.
pub(super) fn failed(message: String) -> Answer {
    let class = FailureClass::Failed;
    bare(Verdict::Failed(Failure { class, status: None, unanswered: false, retry_after: None, message }))
}

/// The future's output, or the message of its panic.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
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
