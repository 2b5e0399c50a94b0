//! Spans by the messaging conventions: send, receive, process, settle.
//!
//! Which are made is decided when they end: a story is kept when its trace is (by share, or because its
//! `traceparent` says so), or as soon as something of it fails. Until then what goes well is kept `aside`, over all
//! subscriptions, and is told with the failure; its send and receive spans are made after the fact. All
//! of one event lie in its own trace: the creation is their parent and a link, and an attempt links to the
//! one before it. What is needed at an event's end is remembered for the newest [`OPEN_MAX`].

mod noted;
mod aside;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_cloudevents::trace::TraceParent;
use evenkeel_delivery::ports::Call;
use evenkeel_model::{Event, EventId, Outcome, Position, Timestamp};
use evenkeel_transport::Published;
use evenkeel_transport::trace::{self, Sampling};

use super::Settling;
use super::conventions as named;
use super::conventions::Kind;
use super::export::Queue;
use super::recent::Recent;
use super::span::Span;
use super::wire::{Attribute, Value};
use aside::{Aside, Attempt, End, Past};

pub(super) use noted::Noted;

/// Events under way whose end gets a span.
const OPEN_MAX: usize = 10_000;

/// Makes spans, and queues them.
pub(super) struct Spans {
    queue: Queue<Span>,
    sampling: Sampling,
    aside: Aside,
    open: Recent<(Arc<str>, Position), Open>,
}

/// What the end of an event needs to know.
struct Open {
    creation: TraceParent,
    /// The last attempt.
    attempt: TraceParent,
    state: String,
    attributes: Vec<Attribute>,
}

/// How an attempt went.
pub(super) struct Went {
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) verdict: &'static str,
    /// What went wrong: of few kinds, and in words.
    pub(super) error: Option<(String, String)>,
    pub(super) handler_version: Option<Arc<str>>,
    /// Whether a receive span told of the hand-out, which was of so many events.
    pub(super) is_received: bool,
    pub(super) together: usize,
}

impl Spans {
    pub(super) fn new(queue: Queue<Span>, sampling: Sampling) -> Spans {
        Spans { queue, sampling, aside: Aside::new(), open: Recent::new(OPEN_MAX) }
    }

    /// The events of a publish whose stories are kept by their traces.
    pub(super) fn note(&self, topic: &str, events: &[Event]) -> Vec<Noted> {
        let noted = |event: &Event| {
            let creation = trace::creation(topic, event);
            self.sampling.keeps(&creation).then(|| Noted::created(event, creation))
        };
        events.iter().filter_map(noted).collect()
    }

    /// A publish came back: a send span for each event that is new.
    pub(super) fn published(
        &self,
        topic: &str,
        noted: &[Noted],
        came: Result<&[Published], &str>,
        (began, ended): (Timestamp, Timestamp),
    ) {
        if noted.is_empty() {
            return;
        }
        let placed: HashMap<&EventId, &Published> = came.unwrap_or_default().iter().map(|one| (&one.id, one)).collect();
        for one in noted {
            let place = placed.get(&one.id);
            if place.is_some_and(|place| place.duplicate) {
                continue;
            }
            let mut span = one.send(topic, began, ended);
            if let Some(place) = place {
                span.attributes.push((named::PARTITION, place.partition.to_string().as_str().into()));
            }
            if let Err(error) = came {
                span.attributes.push((named::ERROR_TYPE, error.into()));
                span.error = Some(error.to_owned());
            }
            self.queue.push(span);
        }
    }

    /// Events were handed out together: a receive span, if any of their stories is kept so far. Says whose it tells
    /// of, in their order; nothing where it tells of none.
    pub(super) fn received(&self, subscription: &str, calls: &[Call], at: Timestamp) -> Vec<bool> {
        let is_kept = |call: &Call| {
            call.delivery > 1 || self.sampling.keeps(&trace::creation(topic_of(call), &call.delivered.event))
        };
        let told: Vec<bool> = calls.iter().map(is_kept).collect();
        let kept: Vec<(&Call, Noted)> = calls
            .iter()
            .zip(&told)
            .filter(|(_, is_told)| **is_told)
            .map(|(call, _)| (call, Noted::of(topic_of(call), &call.delivered.event)))
            .collect();
        let Some((first, noted)) = kept.first() else { return Vec::new() };
        let mut span = received(noted, &first.delivered.arrival.at, subscription, calls.len());
        span.at.span = receive_span(&first.key, first.delivery);
        (span.began, span.ended) = (first.delivered.appended.min(at), at);
        span.links = kept.iter().map(|(_, noted)| noted.creation.at).collect();
        self.queue.push(span);
        told
    }

    /// An attempt came back.
    pub(super) fn attempted(&self, subscription: &Arc<str>, call: &Call, went: Went) {
        let attempt = Box::new(Attempt::of(subscription, call, went));
        if self.sampling.keeps(&attempt.noted.creation) {
            return self.tell(&attempt);
        }
        if attempt.went.error.is_some() || attempt.delivery > 1 {
            self.fail(&attempt.at, Some(&attempt));
            self.tell(&attempt);
        } else if let Some(attempt) = self.aside.keep(attempt) {
            self.tell(&attempt);
        }
    }

    /// A round was committed: a settle span for each event whose story is kept.
    pub(super) fn settled(&self, subscription: &str, round: &Settling, ended: Timestamp) {
        if self.open.is_empty() && self.aside.is_empty() {
            return;
        }
        let subscription: Arc<str> = Arc::from(subscription);
        for (at, outcome) in &round.ends {
            let (at, outcome) = (at.clone(), *outcome);
            let end = End { subscription: subscription.clone(), at, outcome, began: round.began, ended };
            // Of an event that ends badly without a call of its own what other subscriptions did is told.
            if matches!(outcome, Outcome::Dead | Outcome::Expired)
                && !self.open.has(&(end.subscription.clone(), end.at.clone()))
            {
                self.fail(&end.at, None);
            }
            if !self.tell_end(&end) {
                self.aside.end(end);
            }
        }
    }

    /// Something of an event failed: what is known of it so far is told, once.
    fn fail(&self, at: &Position, attempt: Option<&Attempt>) {
        let Some(past) = self.aside.fail(at) else { return };
        let first = past.iter().find_map(|piece| match piece {
            Past::Attempt(attempt) => Some(&**attempt),
            Past::End(_) => None,
        });
        if let Some(known) = first.or(attempt) {
            self.queue.push(known.noted.send(&at.shard.topic, known.appended, known.appended));
        }
        for piece in &past {
            match piece {
                Past::Attempt(attempt) => self.tell(attempt),
                Past::End(end) => {
                    self.tell_end(end);
                }
            }
        }
    }

    fn tell(&self, attempt: &Attempt) {
        let Attempt { subscription, noted, at, went, .. } = attempt;
        let creation = noted.creation;
        if !went.is_received {
            let mut span = received(noted, at, subscription, went.together);
            span.at.span = receive_span(&attempt.key, attempt.delivery);
            (span.began, span.ended) = (attempt.appended.min(went.began), went.began);
            self.queue.push(span);
        }
        let own = TraceParent { span: trace::attempt(&attempt.key, attempt.delivery), flags: 1, ..creation.at };
        let mut links = vec![creation.at];
        if attempt.delivery > 1 {
            links.push(TraceParent { span: trace::attempt(&attempt.key, attempt.delivery - 1), ..creation.at });
        }
        let mut attributes = common("process", "process", &at.shard.topic, subscription);
        attributes.extend(noted.identity());
        attributes.extend(place(attempt));
        attributes.push((named::VERDICT, went.verdict.into()));
        attributes.extend(went.handler_version.as_deref().map(|version| (named::HANDLER_VERSION, version.into())));
        let mut error = None;
        if let Some((kind, words)) = &went.error {
            attributes.push((named::ERROR_TYPE, kind.as_str().into()));
            error = Some(words.clone());
        }
        let state = noted.state.clone();
        let open = Open { creation: creation.at, attempt: own, state: state.clone(), attributes: noted.identity() };
        self.open.put((subscription.clone(), at.clone()), open);
        self.queue.push(Span {
            at: own,
            parent: Some(creation.at.span),
            state,
            name: format!("process {}", at.shard.topic),
            kind: Kind::Consumer,
            began: went.began,
            ended: went.ended,
            attributes,
            links,
            error,
        });
    }

    /// Whether there was something to tell: the attempt before it is needed.
    fn tell_end(&self, end: &End) -> bool {
        let End { subscription, at, outcome, began, ended } = end;
        let Some(open) = self.open.take(&(subscription.clone(), at.clone())) else { return false };
        let name = if *outcome == Outcome::Completed { "ack" } else { outcome.name() };
        let mut attributes = common(name, "settle", &at.shard.topic, subscription);
        attributes.extend(open.attributes);
        attributes.push((named::PARTITION, at.shard.partition.to_string().as_str().into()));
        attributes.push((named::OUTCOME, outcome.name().into()));
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&open.attempt.span);
        self.queue.push(Span {
            at: TraceParent { span: trace::span_of(&seed, 1 << 41), ..open.attempt },
            parent: Some(open.attempt.span),
            state: open.state,
            name: format!("{name} {}", at.shard.topic),
            kind: Kind::Client,
            began: *began,
            ended: *ended,
            attributes,
            links: vec![open.creation],
            error: None,
        });
        true
    }
}

/// A receive span of an event, or of so many of which it is the first to be told of; its id and its times are to come.
fn received(noted: &Noted, at: &Position, subscription: &str, together: usize) -> Span {
    let single = together == 1;
    let mut attributes = common("receive", "receive", &at.shard.topic, subscription);
    if single {
        attributes.extend(noted.identity());
        attributes.push((named::PARTITION, at.shard.partition.to_string().as_str().into()));
    } else {
        attributes.push((named::BATCH_COUNT, u32::try_from(together).unwrap_or(u32::MAX).into()));
    }
    Span {
        at: TraceParent { flags: 1, ..noted.creation.at },
        parent: single.then_some(noted.creation.at.span),
        state: String::new(),
        name: format!("receive {}", at.shard.topic),
        kind: Kind::Client,
        began: Timestamp::from_micros(0),
        ended: Timestamp::from_micros(0),
        attributes,
        links: vec![noted.creation.at],
        error: None,
    }
}

/// The id of an attempt number that no attempt has.
fn receive_span(key: &evenkeel_delivery::Mark, delivery: u32) -> [u8; 8] {
    trace::span_of(&key.0, u64::from(delivery) | 1 << 40)
}

fn topic_of(call: &Call) -> &str {
    &call.delivered.arrival.at.shard.topic
}

fn common(name: &str, kind: &str, topic: &str, subscription: &str) -> Vec<Attribute> {
    vec![
        (named::MESSAGING_SYSTEM, named::SYSTEM.into()),
        (named::OPERATION_NAME, name.into()),
        (named::OPERATION_TYPE, kind.into()),
        (named::DESTINATION, topic.into()),
        (named::CONSUMER_GROUP, subscription.into()),
    ]
}

fn place(attempt: &Attempt) -> Vec<Attribute> {
    let Position { shard, offset } = &attempt.at;
    vec![
        (named::PARTITION, shard.partition.to_string().as_str().into()),
        (named::OFFSET, Value::Number(i64::try_from(*offset).unwrap_or(i64::MAX))),
        (named::ATTEMPT, attempt.attempt.into()),
        (named::DELIVERY, attempt.delivery.into()),
    ]
}
