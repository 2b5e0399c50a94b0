//! Spans by the messaging conventions: send, receive, process, settle.
//!
//! Which are made is decided when they end: a story is kept when its trace is (by share, or because its
//! `traceparent` says so), or from its first failure on, and then its send span is made after the fact. All
//! of one event lie in its own trace: the creation is their parent and a link, and an attempt links to the
//! one before it. What an event that failed needs to be told at its end is remembered for the newest
//! [`OPEN_MAX`] such events.

use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_cloudevents::trace::TraceParent;
use evenkeel_delivery::ports::Call;
use evenkeel_model::{Event, EventId, Position, Timestamp};
use evenkeel_transport::Published;
use evenkeel_transport::trace::{self, Creation, Sampling};

use super::Settling;
use super::conventions as named;
use super::conventions::Kind;
use super::export::Queue;
use super::recent::Recent;
use super::span::Span;
use super::wire::Attribute;

/// Events under way whose end gets a span.
const OPEN_MAX: usize = 10_000;
/// Send spans that were made after the fact, remembered so that they are made once.
const SENT_MAX: usize = 50_000;

/// Makes spans, and queues them.
pub(super) struct Spans {
    queue: Queue<Span>,
    sampling: Sampling,
    sent: Recent<[u8; 16], ()>,
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

/// An event that is being published and whose story is kept.
pub(super) struct Noted {
    creation: Creation,
    state: String,
    id: EventId,
    kind: String,
    subject: Option<String>,
    conversation: Option<String>,
}

/// How an attempt went.
pub(super) struct Went {
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) verdict: &'static str,
    /// What went wrong: of few kinds, and in words.
    pub(super) error: Option<(String, String)>,
    pub(super) handler_version: Option<Arc<str>>,
}

impl Spans {
    pub(super) fn new(queue: Queue<Span>, sampling: Sampling) -> Spans {
        Spans { queue, sampling, sent: Recent::new(SENT_MAX), open: Recent::new(OPEN_MAX) }
    }

    /// The events of a publish whose stories are kept by their traces.
    pub(super) fn note(&self, topic: &str, events: &[Event]) -> Vec<Noted> {
        let noted = |event: &Event| {
            let creation = trace::creation(topic, event);
            self.sampling.keeps(&creation).then(|| Noted::of(event, creation))
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

    /// Events were handed out together: a receive span, and which of their stories are kept anyway.
    pub(super) fn received(&self, subscription: &str, calls: &[Call], at: Timestamp) {
        let kept: Vec<(&Call, Creation)> = calls
            .iter()
            .map(|call| (call, creation_of(call)))
            .filter(|(call, creation)| self.sampling.keeps(creation) || call.delivery > 1)
            .collect();
        let Some((first, creation)) = kept.first() else { return };
        let mut attributes = common("receive", "receive", topic_of(first), subscription);
        let single = calls.len() == 1;
        if single {
            attributes.extend(about(&first.delivered.event));
            attributes.push((named::PARTITION, partition_of(first).as_str().into()));
        } else {
            attributes.push((named::BATCH_COUNT, u32::try_from(calls.len()).unwrap_or(u32::MAX).into()));
        }
        // Its id is that of an attempt number that no attempt has.
        let span = trace::span_of(&first.key.0, u64::from(first.delivery) | 1 << 40);
        self.queue.push(Span {
            at: TraceParent { span, flags: 1, ..creation.at },
            parent: single.then_some(creation.at.span),
            state: String::new(),
            name: format!("receive {}", topic_of(first)),
            kind: Kind::Client,
            began: first.delivered.appended.min(at),
            ended: at,
            attributes,
            links: kept.iter().map(|(_, creation)| creation.at).collect(),
            error: None,
        });
    }

    /// An attempt came back.
    pub(super) fn attempted(&self, subscription: &Arc<str>, call: &Call, went: Went) {
        let creation = creation_of(call);
        let is_kept = self.sampling.keeps(&creation);
        // The first failure, or an attempt after one: the whole story is kept from here on.
        if !is_kept && went.error.is_none() && call.delivery == 1 {
            return;
        }
        let event = &call.delivered.event;
        let state = event.extension("tracestate").unwrap_or_default();
        if !is_kept && !creation.is_told && self.sent.put(creation.at.trace, ()) {
            let appended = call.delivered.appended;
            self.queue.push(Noted::of(event, creation).send(topic_of(call), appended, appended));
        }
        let at = TraceParent { span: trace::attempt_of(call), flags: 1, ..creation.at };
        let mut links = vec![creation.at];
        if call.delivery > 1 {
            links.push(TraceParent { span: trace::attempt(&call.key, call.delivery - 1), ..creation.at });
        }
        let mut attributes = common("process", "process", topic_of(call), subscription);
        attributes.extend(about(event));
        attributes.extend(call_of(call));
        attributes.push((named::VERDICT, went.verdict.into()));
        attributes.extend(went.handler_version.map(|version| (named::HANDLER_VERSION, (&*version).into())));
        let mut error = None;
        if let Some((kind, words)) = went.error {
            attributes.push((named::ERROR_TYPE, kind.as_str().into()));
            error = Some(words);
        }
        let key = (subscription.clone(), call.delivered.arrival.at.clone());
        let open = Open { creation: creation.at, attempt: at, state: state.clone(), attributes: about(event) };
        self.open.put(key, open);
        self.queue.push(Span {
            at,
            parent: Some(creation.at.span),
            state,
            name: format!("process {}", topic_of(call)),
            kind: Kind::Consumer,
            began: went.began,
            ended: went.ended,
            attributes,
            links,
            error,
        });
    }

    /// A round was committed: a settle span for each event whose story is kept.
    pub(super) fn settled(&self, subscription: &str, round: &Settling, ended: Timestamp) {
        if self.open.is_empty() {
            return;
        }
        let subscription: Arc<str> = Arc::from(subscription);
        for (position, outcome) in &round.ends {
            let Some(open) = self.open.take(&(subscription.clone(), position.clone())) else { continue };
            let name = if *outcome == evenkeel_model::Outcome::Completed { "ack" } else { outcome.name() };
            let mut attributes = common(name, "settle", &position.shard.topic, &subscription);
            attributes.extend(open.attributes);
            attributes.push((named::PARTITION, position.shard.partition.to_string().as_str().into()));
            attributes.push((named::OUTCOME, outcome.name().into()));
            let mut seed = [0; 16];
            seed[..8].copy_from_slice(&open.attempt.span);
            self.queue.push(Span {
                at: TraceParent { span: trace::span_of(&seed, 1 << 41), ..open.attempt },
                parent: Some(open.attempt.span),
                state: open.state,
                name: format!("{name} {}", position.shard.topic),
                kind: Kind::Client,
                began: round.began,
                ended,
                attributes,
                links: vec![open.creation],
                error: None,
            });
        }
    }
}

impl Noted {
    fn of(event: &Event, creation: Creation) -> Noted {
        Noted {
            creation,
            state: event.extension("tracestate").unwrap_or_default(),
            id: event.id.clone(),
            kind: event.kind.clone(),
            subject: event.subject.clone(),
            conversation: event.extension("correlationid"),
        }
    }

    /// The span of storing it. Where the event has a trace of its own its creation is elsewhere, and this is a
    /// client's span in that trace; else this is the creation.
    fn send(&self, topic: &str, began: Timestamp, ended: Timestamp) -> Span {
        let Creation { at, is_told } = self.creation;
        let mut attributes = vec![
            (named::MESSAGING_SYSTEM, named::SYSTEM.into()),
            (named::OPERATION_NAME, "send".into()),
            (named::OPERATION_TYPE, "send".into()),
            (named::DESTINATION, topic.into()),
        ];
        attributes.extend(identity(&self.id, &self.kind, self.subject.as_deref(), self.conversation.as_deref()));
        let own = trace::span_of(&at.trace, 1 << 42);
        Span {
            at: if is_told { TraceParent { span: own, ..at } } else { TraceParent { flags: 1, ..at } },
            parent: is_told.then_some(at.span),
            state: self.state.clone(),
            name: format!("send {topic}"),
            kind: if is_told { Kind::Client } else { Kind::Producer },
            began,
            ended,
            attributes,
            links: if is_told { vec![at] } else { Vec::new() },
            error: None,
        }
    }
}

fn creation_of(call: &Call) -> Creation {
    trace::creation(topic_of(call), &call.delivered.event)
}

fn topic_of(call: &Call) -> &str {
    &call.delivered.arrival.at.shard.topic
}

fn partition_of(call: &Call) -> String {
    call.delivered.arrival.at.shard.partition.to_string()
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

fn about(event: &Event) -> Vec<Attribute> {
    identity(&event.id, &event.kind, event.subject.as_deref(), event.extension("correlationid").as_deref())
}

fn identity(id: &EventId, kind: &str, subject: Option<&str>, conversation: Option<&str>) -> Vec<Attribute> {
    let mut attributes = vec![
        (named::MESSAGE_ID, id.id.as_str().into()),
        (named::EVENT_ID, id.id.as_str().into()),
        (named::EVENT_SOURCE, id.source.as_str().into()),
        (named::EVENT_TYPE, kind.into()),
        (named::EVENT_SPEC_VERSION, "1.0".into()),
    ];
    attributes.extend(subject.map(|subject| (named::EVENT_SUBJECT, subject.into())));
    attributes.extend(conversation.map(|id| (named::CONVERSATION_ID, id.into())));
    attributes
}

fn call_of(call: &Call) -> Vec<Attribute> {
    let offset = i64::try_from(call.delivered.arrival.at.offset).unwrap_or(i64::MAX);
    vec![
        (named::PARTITION, partition_of(call).as_str().into()),
        (named::OFFSET, super::wire::Value::Number(offset)),
        (named::ATTEMPT, call.attempt.into()),
        (named::DELIVERY, call.delivery.into()),
    ]
}
