//! A handler that tells of each attempt: how long it took, and, where its story is kept, as a span.
//!
//! Changes no call and no answer.

use std::sync::Arc;

use evenkeel_delivery::ports::{Answer, Batching, BoxFuture, Call, Handler};
use evenkeel_model::{FailureClass, Timestamp, Verdict};

use super::Telemetry;
use super::spans::Went;
use crate::config::plan::SubscriptionPlan;

/// A handler, watched.
pub(super) struct Traced {
    about: About,
    inner: Arc<dyn Handler>,
}

#[derive(Clone)]
struct About {
    telemetry: Telemetry,
    subscription: Arc<str>,
}

impl Traced {
    pub(super) fn new(telemetry: Telemetry, plan: &SubscriptionPlan, inner: Arc<dyn Handler>) -> Traced {
        Traced { about: About { telemetry, subscription: plan.name.clone() }, inner }
    }
}

impl Handler for Traced {
    fn is_elsewhere(&self) -> bool {
        self.inner.is_elsewhere()
    }

    fn batching(&self) -> Batching {
        self.inner.batching()
    }

    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let about = self.about.clone();
        let began = about.begin(std::slice::from_ref(&call));
        let answering = self.inner.handle(call.clone());
        Box::pin(async move {
            let answer = answering.await;
            about.end(&call, &began, 0, &answer);
            answer
        })
    }

    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        let about = self.about.clone();
        let began = about.begin(&calls);
        let answering = self.inner.handle_batch(calls.clone());
        Box::pin(async move {
            let answers = answering.await;
            for (nth, (call, answer)) in calls.iter().zip(&answers).enumerate() {
                about.end(call, &began, nth, answer);
            }
            answers
        })
    }
}

/// A hand-out: when, of how many, and of which of them a span told.
struct Began {
    at: Timestamp,
    together: usize,
    told: Vec<bool>,
}

impl About {
    fn begin(&self, calls: &[Call]) -> Began {
        let parts = &self.telemetry.parts;
        let now = parts.clock.now();
        parts.instruments.handed(&self.subscription, calls);
        let told = parts.spans.as_ref().map(|spans| spans.received(&self.subscription, calls, now));
        Began { at: now, together: calls.len(), told: told.unwrap_or_default() }
    }

    fn end(&self, call: &Call, began: &Began, nth: usize, answer: &Answer) {
        let parts = &self.telemetry.parts;
        let ended = parts.clock.now();
        let (verdict, error) = said(&answer.verdict);
        let topic = &call.delivered.arrival.at.shard.topic;
        let kind = error.as_ref().map(|(kind, _)| kind.as_str());
        parts.instruments.processed(topic, &self.subscription, kind, ended.since(began.at));
        if let Some(spans) = &parts.spans {
            let handler_version = answer.handler_version.clone();
            let is_received = began.told.get(nth).copied().unwrap_or(false);
            let (began, together) = (began.at, began.together);
            let went = Went { began, ended, verdict, error, handler_version, is_received, together };
            spans.attempted(&self.subscription, call, went);
        }
    }
}

/// The verdict's name; of one that is no good, what went wrong: of few kinds, and in words.
fn said(verdict: &Verdict) -> (&'static str, Option<(String, String)>) {
    let wrong = |kind: &str, words: &str| Some((kind.to_owned(), words.to_owned()));
    match verdict {
        Verdict::Ack => ("ack", None),
        Verdict::Drop { .. } => ("drop", None),
        Verdict::Defer { .. } => ("defer", None),
        Verdict::Busy { .. } => ("busy", wrong("overload", "the handler is overloaded")),
        Verdict::Retry { message, .. } => ("retry", wrong("retry", message)),
        Verdict::Reject { reason } => ("reject", wrong("rejected", reason)),
        Verdict::Pause { dependency } => ("pause", wrong("pause", &format!("`{dependency}` is down"))),
        Verdict::Failed(failure) if failure.class == FailureClass::Deferred => ("defer", None),
        Verdict::Failed(failure) => {
            let kind = failure.status.map_or_else(|| failure.class.name().to_owned(), |status| status.to_string());
            ("failed", Some((kind, failure.message.clone())))
        }
    }
}
