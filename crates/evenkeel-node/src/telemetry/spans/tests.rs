//! Which spans there are of which stories.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{Call, Delivered};
use evenkeel_delivery::{Arrival, Mark, Screen, Version};
use evenkeel_model::{AttributeValue, Created, Event, Outcome, Position, Record, Shard, Timestamp};
use evenkeel_transport::Published;
use evenkeel_transport::trace::Sampling;
use tokio::sync::mpsc;

use super::super::Settling;
use super::super::export::Queue;
use super::super::span::Span;
use super::super::wire::Value;
use super::{Spans, Went, aside};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

struct World {
    spans: Spans,
    told: mpsc::Receiver<Span>,
}

impl World {
    /// Nothing is kept for its own sake.
    fn new() -> World {
        World::sampling(0.0)
    }

    fn sampling(share: f64) -> World {
        let (queue, told) = Queue::with_room(100_000);
        World { spans: Spans::new(queue, Sampling { share, follow: true }), told }
    }

    /// Hands out, and gives back; `wrong` says what was wrong.
    fn attempt(&self, subscription: &str, event: &Event, offset: u64, delivery: u32, wrong: Option<&str>) {
        let call = call(subscription, event, offset, delivery);
        let began = at(10 * i64::from(delivery));
        let told = self.spans.received(subscription, std::slice::from_ref(&call), began);
        let went = Went {
            began,
            ended: at(10 * i64::from(delivery) + 5),
            verdict: if wrong.is_some() { "failed" } else { "ack" },
            error: wrong.map(|words| ("500".to_owned(), words.to_owned())),
            handler_version: None,
            is_received: told.first().copied().unwrap_or(false),
            together: 1,
        };
        self.spans.attempted(&Arc::from(subscription), &call, went);
    }

    fn settle(&self, subscription: &str, offset: u64, outcome: Outcome) {
        let ends = vec![(place(offset), outcome)];
        self.spans.settled(subscription, &Settling { began: at(90), ends }, at(95));
    }

    /// What was told since the last time: operation, subscription, name.
    fn told(&mut self) -> Vec<(String, String)> {
        let mut told: Vec<Span> = Vec::new();
        while let Ok(span) = self.told.try_recv() {
            told.push(span);
        }
        let ids: HashSet<_> = told.iter().map(|span| (span.at.trace, span.at.span)).collect();
        assert_eq!(ids.len(), told.len(), "a span of its own each: {told:#?}");
        assert!(told.iter().all(|span| span.began <= span.ended), "{told:#?}");
        let mut words: Vec<_> = told
            .iter()
            .map(|span| (text(span, "messaging.operation.name"), text(span, "messaging.consumer.group.name")))
            .collect();
        words.sort();
        words
    }
}

fn text(span: &Span, name: &str) -> String {
    let value = span.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
    match value {
        Some(Value::Text(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        None => String::new(),
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

fn place(offset: u64) -> Position {
    Position { shard: Shard::new("orders", 0), offset }
}

fn event(id: &str) -> Event {
    Event::new("/shop", id, "OrderCreated")
}

/// In a trace that others do not keep.
fn told(id: &str, flags: &str) -> Event {
    let mut event = event(id);
    event.set_extension("traceparent", AttributeValue::String(format!("00-{TRACE}-00f067aa0ba902b7-{flags}")));
    event
}

fn call(subscription: &str, event: &Event, offset: u64, delivery: u32) -> Call {
    let mark = Mark::of(subscription, &event.id.source, &event.id.id);
    let arrival = Arrival {
        at: place(offset),
        key: None,
        mark,
        created: Created { at: at(0), believed: true },
        expires: None,
        bytes: 0,
        priority: 4,
        kind: "OrderCreated".into(),
        source: "/shop".into(),
        version: Version::None,
        given_before: 0,
        screen: Screen::Wanted,
    };
    let delivered = Delivered { arrival, appended: at(1), event: event.clone(), record: Record::default() };
    Call {
        delivered: Arc::new(delivered),
        key: mark,
        attempt: delivery,
        attempts_max: 8,
        delivery,
        timeout: Duration::from_secs(5),
        fence: 1,
    }
}

fn words(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut words: Vec<_> = all.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned())).collect();
    words.sort();
    words
}

#[test]
fn what_goes_well_and_is_in_no_share_leaves_no_span() {
    let mut world = World::new();
    world.attempt("a", &event("1"), 0, 1, None);
    world.settle("a", 0, Outcome::Completed);
    world.attempt("b", &event("1"), 0, 1, None);
    world.settle("b", 0, Outcome::Completed);
    assert_eq!(world.told(), words(&[]));
}

#[test]
fn what_fails_is_told_whole_over_all_subscriptions_and_once() {
    let mut world = World::new();
    let event = event("1");
    world.attempt("well", &event, 0, 1, None);
    world.settle("well", 0, Outcome::Completed);
    assert_eq!(world.told(), words(&[]), "nobody knows yet");
    world.attempt("fails", &event, 0, 1, Some("away"));
    let before = [("send", ""), ("receive", "well"), ("process", "well"), ("ack", "well")];
    let failure = [("receive", "fails"), ("process", "fails")];
    assert_eq!(world.told(), words(&[&before[..], &failure[..]].concat()));
    world.attempt("fails", &event, 0, 2, Some("away"));
    world.settle("fails", 0, Outcome::Dead);
    assert_eq!(world.told(), words(&[&failure[..], &[("dead", "fails")]].concat()));
    world.attempt("late", &event, 0, 1, None);
    world.settle("late", 0, Outcome::Completed);
    assert_eq!(world.told(), words(&[("receive", "late"), ("process", "late"), ("ack", "late")]));
    // Its neighbour has nothing to do with it.
    world.attempt("well", &self::event("2"), 1, 1, None);
    assert_eq!(world.told(), words(&[]));
}

#[test]
fn an_event_that_ends_badly_without_a_call_tells_what_others_did_with_it() {
    let mut world = World::new();
    world.attempt("well", &event("1"), 0, 1, None);
    world.settle("late", 0, Outcome::Expired);
    world.settle("well", 0, Outcome::Completed);
    assert_eq!(world.told(), words(&[("send", ""), ("receive", "well"), ("process", "well"), ("ack", "well")]));
}

#[test]
fn an_attempt_after_others_that_are_forgotten_is_told_with_its_send() {
    let mut world = World::new();
    world.attempt("a", &event("1"), 0, 3, None);
    world.settle("a", 0, Outcome::Completed);
    assert_eq!(world.told(), words(&[("send", ""), ("receive", "a"), ("process", "a"), ("ack", "a")]));
}

#[test]
fn a_share_is_told_whole_as_it_happens() {
    let mut world = World::sampling(1.0);
    let events = [event("1"), event("2")];
    let noted = world.spans.note("orders", &events);
    let placed = |event: &Event, duplicate| Published { id: event.id.clone(), partition: 0, offset: 0, duplicate };
    let came = [placed(&events[0], false), placed(&events[1], true)];
    world.spans.published("orders", &noted, Ok(&came), (at(0), at(1)));
    assert_eq!(world.told(), words(&[("send", "")]), "a repeat is not stored");
    world.attempt("a", &events[0], 0, 1, None);
    world.settle("a", 0, Outcome::Completed);
    assert_eq!(world.told(), words(&[("receive", "a"), ("process", "a"), ("ack", "a")]));
}

#[test]
fn events_of_one_trace_have_spans_of_their_own() {
    let mut world = World::new();
    let events = [told("1", "01"), told("2", "01")];
    let noted = world.spans.note("orders", &events);
    world.spans.published("orders", &noted, Err("away"), (at(0), at(1)));
    assert_eq!(world.told(), words(&[("send", ""), ("send", "")]));
    for (offset, event) in [told("3", "00"), told("4", "00")].iter().enumerate() {
        world.attempt("a", event, offset as u64, 1, Some("away"));
    }
    let one = [("send", ""), ("receive", "a"), ("process", "a")];
    assert_eq!(world.told(), words(&[one, one].concat()));
}

#[test]
fn what_is_kept_aside_is_bounded_and_a_failure_after_too_many_others_tells_of_itself() {
    let mut world = World::new();
    world.attempt("well", &event("0"), 0, 1, None);
    for n in 1..=aside::ASIDE_MAX as u64 {
        world.attempt("well", &event(&n.to_string()), n, 1, None);
    }
    world.attempt("fails", &event("0"), 0, 1, Some("away"));
    world.attempt("fails", &event("1"), 1, 1, Some("away"));
    let one = [("send", ""), ("receive", "fails"), ("process", "fails")];
    assert_eq!(world.told(), words(&[&one[..], &one[..], &[("receive", "well"), ("process", "well")]].concat()));
}
