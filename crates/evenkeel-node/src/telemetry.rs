//! Traces, metrics and logs for an OpenTelemetry Collector, by OTLP.
//!
//! Does: decide which stories are kept, make spans by the messaging conventions (`spans`, `handing`), count
//! what they count (`instruments`), write OTLP (`wire`) and send it (`export`). Does not: sample what is counted
//! elsewhere (the ledger and `/metrics` know every event), or hold anything up: a queue is bounded, what finds
//! it full is dropped and counted. Invariants: of an event that failed the whole story is kept, whatever the
//! share; an event's own trace context is never changed; ids are made from identities, so that no link needs memory.

mod conventions;
mod wire;
mod span;
mod spans;
mod handing;
mod recent;
mod instruments;
mod logs;
mod post;
mod bridge;
mod export;

use std::sync::Arc;

use evenkeel_delivery::ports::{Commit, Handler};
use evenkeel_model::{Clock, Event, Timestamp};
use evenkeel_transport::Published;
use evenkeel_transport::trace::Sampling;

use crate::config::plan::SubscriptionPlan;
use crate::config::telemetry::{Otlp, Signal};
use crate::error::Error;

pub(crate) use bridge::Registry;
pub(crate) use export::Sent;
pub(crate) use logs::Lines;
pub(crate) use span::nanos;
pub(crate) use wire::{Message, Value};

use export::Export;
use handing::Traced;
use instruments::Instruments;
use spans::Spans;

/// The way to tell what happens; a clone is the same one.
#[derive(Clone)]
pub(crate) struct Telemetry {
    parts: Arc<Parts>,
}

struct Parts {
    plan: Otlp,
    clock: Arc<dyn Clock>,
    export: Export,
    spans: Option<Spans>,
    instruments: Arc<Instruments>,
}

impl Telemetry {
    /// Starts what sends; secrets are read here. Must be called in a tokio runtime.
    pub(crate) fn start(plan: &Otlp, clock: Arc<dyn Clock>) -> Result<Telemetry, Error> {
        let instruments = Arc::new(Instruments::new(clock.now()));
        let export = Export::start(plan, &clock, &instruments)?;
        let spans = plan.signals.contains(&Signal::Traces).then(|| Spans::new(export.spans(), plan.sampling));
        if plan.signals.contains(&Signal::Logs) {
            logs::send_to(export.lines(), clock.clone());
        }
        let parts = Parts { plan: plan.clone(), clock, export, spans, instruments };
        Ok(Telemetry { parts: Arc::new(parts) })
    }

    /// Which traces are kept; none where no traces are sent.
    pub(crate) fn sampling(&self) -> Option<Sampling> {
        self.parts.spans.as_ref().map(|_| self.parts.plan.sampling)
    }

    /// Where it is sent.
    pub(crate) fn plan(&self) -> &Otlp {
        &self.parts.plan
    }

    /// The node's own metrics are told of too, from here on.
    pub(crate) fn bridge(&self, registry: Registry) {
        self.parts.export.bridge(registry);
    }

    /// Sends what is queued, for a moment, and ends.
    pub(crate) async fn finish(&self) {
        self.parts.export.finish().await;
    }

    /// What was sent, what was dropped, and what waits, of each signal.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.parts.export.sent()
    }

    /// A publish that begins.
    pub(crate) fn publishing(&self, topic: &str, events: &[Event]) -> Publishing {
        let noted = self.parts.spans.as_ref().map(|spans| spans.note(topic, events)).unwrap_or_default();
        Publishing { telemetry: self.clone(), began: self.parts.clock.now(), topic: topic.to_owned(), noted }
    }

    /// The handler, with a span for each attempt that is kept.
    pub(crate) fn handler(&self, plan: &SubscriptionPlan, handler: Arc<dyn Handler>) -> Arc<dyn Handler> {
        Arc::new(Traced::new(self.clone(), plan, handler))
    }

    /// A round was committed, in so long.
    pub(crate) fn settled(&self, subscription: &str, commit: &Settling) {
        let ended = self.parts.clock.now();
        if let Some(spans) = &self.parts.spans {
            spans.settled(subscription, commit, ended);
        }
        self.parts.instruments.settled(subscription, commit.count(), ended.since(commit.began));
    }

    /// A round that is about to be committed.
    pub(crate) fn settling(&self, commit: &Commit) -> Settling {
        Settling::of(commit, self.parts.clock.now())
    }
}

/// A publish under way.
pub(crate) struct Publishing {
    telemetry: Telemetry,
    began: Timestamp,
    topic: String,
    noted: Vec<spans::Noted>,
}

impl Publishing {
    /// What came of it.
    pub(crate) fn done(self, came: Result<&[Published], &str>) {
        let Parts { clock, spans, instruments, .. } = &*self.telemetry.parts;
        let ended = clock.now();
        let new = came.map(|all| all.iter().filter(|one| !one.duplicate).count());
        instruments.sent(&self.topic, new, ended.since(self.began));
        if let Some(spans) = spans {
            spans.published(&self.topic, &self.noted, came, (self.began, ended));
        }
    }
}

/// What a round ends, noted before it is committed.
pub(crate) struct Settling {
    began: Timestamp,
    ends: Vec<(evenkeel_model::Position, evenkeel_model::Outcome)>,
}

impl Settling {
    fn of(commit: &Commit, began: Timestamp) -> Settling {
        let ends = commit.round.facts.iter().filter_map(|fact| match fact {
            evenkeel_delivery::Fact::Ended { shard, entry, .. } => {
                let at = evenkeel_model::Position { shard: shard.clone(), offset: entry.offset };
                Some((at, entry.outcome))
            }
            _ => None,
        });
        Settling { began, ends: ends.collect() }
    }

    fn count(&self) -> usize {
        self.ends.len()
    }
}
