//! `GET /v1/why` and `GET /v1/subscriptions/{name}/why`: what holds an event or a key up, what waits behind it,
//! what comes next; in words, and as plain values.

mod away;

use axum::Json;
use axum::extract::{Path, State};
use evenkeel_delivery::{BreakerView, Exhausted, PendingWhy, Why, WhyAsked, WhyEvent, WhyState};
use evenkeel_model::{Position, Timestamp};
use evenkeel_transport::story::Story;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, Parameters, Problem};
use crate::config::units::show_duration;
use crate::forms::{key as key_text, time};
use crate::wiring::{Elsewhere, Unseen, Wire, Wired, elsewhere, stories};

/// What is asked: a key, an event's id, or a text that may be either.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    key: Option<String>,
    id: Option<String>,
    source: Option<String>,
    what: Option<String>,
}

/// Of all subscriptions.
pub(super) async fn all(State(node): Node, Parameters(asked): Parameters<Asked>) -> Result<Json<Value>, Problem> {
    answer(&node, None, asked).await
}

/// Of one.
pub(super) async fn one(
    State(node): Node,
    Path(name): Path<String>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Problem> {
    node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    answer(&node, Some(&name), asked).await
}

async fn answer(node: &Wired, only: Option<&str>, asked: Asked) -> Result<Json<Value>, Problem> {
    let id = asked.id.as_ref().or(asked.what.as_ref());
    let key = asked.key.as_ref().or(asked.what.as_ref());
    if id.is_none() && key.is_none() {
        return Err(Problem::parameter("key", "", "or `id` must say of what"));
    }
    let (stories, mut unseen) = match id {
        Some(id) => stories(node, id, asked.source.as_deref()).await?,
        None => (Vec::new(), Vec::new()),
    };
    let mut found = Vec::new();
    for wire in node.wires.all().iter().filter(|w| only.is_none_or(|name| *w.plan.name == *name)) {
        for story in &stories {
            found.extend(of_event(node, wire, story, &mut unseen).await);
        }
        if stories.is_empty()
            && let Some(key) = key
        {
            found.extend(of_key(node, wire, key, &mut unseen).await);
        }
    }
    let what = if stories.is_empty() { "key" } else { "event" };
    let unseen: Vec<Value> = unseen.iter().map(super::events::unseen).collect();
    Ok(Json(json!({ "asked": id.or(key), "as": what, "subscriptions": found, "unseen": unseen })))
}

async fn of_key(node: &Wired, wire: &Wire, key: &str, unseen: &mut Vec<Unseen>) -> Option<Value> {
    let asked = WhyAsked::Key(key.to_owned().into());
    if let Ok(Some(elsewhere)) = beyond(node, wire, &asked, unseen).await {
        let waits = elsewhere.pending.is_some();
        return waits.then(|| form(&wire.plan.name, &Why::default(), away::says(&elsewhere, node.clock.now())));
    }
    // Of a broker that is away, what this node has of it.
    let why = wire.handle.why(asked).await.filter(|why| why.first.is_some())?;
    Some(form(&wire.plan.name, &why, says(&why, node.clock.now())))
}

/// What another node has of it; an error when its broker is away, which is said once.
async fn beyond(
    node: &Wired,
    wire: &Wire,
    asked: &WhyAsked,
    unseen: &mut Vec<Unseen>,
) -> Result<Option<Elsewhere>, ()> {
    let Some(home) = &wire.plan.home else { return Ok(None) };
    if unseen.iter().any(|of| of.is_all_of(home)) {
        return Err(());
    }
    elsewhere(node, wire, asked).await.map_err(|e| unseen.push(Unseen::broker(home, &e)))
}

/// What became of each record of the event that the subscription reads.
async fn of_event(node: &Wired, wire: &Wire, story: &Story, unseen: &mut Vec<Unseen>) -> Vec<Value> {
    let mut all = Vec::new();
    for record in story.records.iter().filter(|r| r.at.shard.topic == wire.plan.topic) {
        let told = story.subscriptions.iter().find(|s| *s.name == *wire.plan.name && s.at == record.at);
        let mut there = record.at.clone();
        // At its broker the topic has no address.
        there.shard.topic = wire.plan.home.as_ref().map_or(there.shard.topic, |home| home.topic.clone());
        let asked = WhyAsked::At(there);
        let beyond = beyond(node, wire, &asked, unseen).await;
        let is_told = beyond.is_ok();
        let away = beyond.ok().flatten();
        let waits = away.as_ref().is_some_and(|away| away.pending.is_some());
        let hidden = !is_told || unseen.iter().any(|of| of.hides(&wire.plan.name, record.at.shard.partition));
        let why = match &away {
            Some(_) => Why::default(),
            None => match wire.handle.why(asked).await {
                Some(why) => why,
                None => continue,
            },
        };
        let outcome =
            told.and_then(|t| Some((t.outcome?, t.ended_at, t.reason.clone()))).filter(|_| why.first.is_none());
        let mut said = match &outcome {
            Some((outcome, ended, reason)) => {
                let when = ended.map(|at| format!(" at {}", time(at))).unwrap_or_default();
                let why = reason.as_deref().map(|r| format!(" ({r})")).unwrap_or_default();
                vec![format!("{} is {}{when}{why}: nothing holds it up", place(&record.at), outcome.name())]
            }
            None if hidden && why.first.is_none() && !waits => {
                vec![format!("what became of {} is not known: not all was looked at", place(&record.at))]
            }
            None if away.is_some() => Vec::new(),
            None if why.first.is_none() && why.unread => vec![format!("{} was not read yet", place(&record.at))],
            None if why.first.is_none() => {
                vec![format!("{} was read before this subscription began", place(&record.at))]
            }
            None => Vec::new(),
        };
        if outcome.is_none() {
            said.extend(says(&why, node.clock.now()));
            said.extend(away.iter().filter(|_| waits || !hidden).flat_map(|away| away::says(away, node.clock.now())));
        }
        let mut form = form(&wire.plan.name, &why, said);
        form["outcome"] = outcome.map_or(Value::Null, |(outcome, ..)| Value::from(outcome.name()));
        all.push(form);
    }
    all
}

fn form(name: &str, why: &Why, says: Vec<String>) -> Value {
    json!({
        "name": name, "says": says, "paused": why.paused, "suspects": why.suspects,
        "breakers": why.breakers.iter().map(|b| json!({
            "dependency": &*b.dependency, "since": time(b.since), "next_probe": b.next_probe.map(time),
        })).collect::<Vec<_>>(),
        "first": why.first.as_ref().map(event), "event": why.event.as_ref().map(event),
        "ahead": why.ahead, "behind": why.behind, "unread": why.unread,
        "next": why.next.iter().map(at).collect::<Vec<_>>(),
    })
}

fn at(of: &Position) -> Value {
    json!({ "topic": &*of.shard.topic, "partition": of.shard.partition, "offset": of.offset })
}

fn event(of: &WhyEvent) -> Value {
    let counters = of.counters;
    let failure = of.failure.as_ref().map(
        |f| json!({ "class": f.class.name(), "status": f.status, "message": f.message, "at": time(f.last_failed_at) }),
    );
    json!({
        "topic": &*of.at.shard.topic, "partition": of.at.shard.partition, "offset": of.at.offset,
        "key": key_text(of.key.as_ref()), "state": state(of.state), "next_at": of.next_at.map(time),
        "attempts": counters.attempts, "attempts_max": of.attempts_max, "provisional": of.unbooked,
        "deliveries": counters.deliveries.saturating_add(of.given_before), "given_before": of.given_before,
        "deferrals": counters.deferrals, "crashes": counters.crashes,
        "age_s": counters.aged.as_secs_f64(), "created_at": time(of.created), "failure": failure,
        "duplicates": of.duplicates, "redrive": of.redrive.as_deref(), "suspect": of.suspect,
    })
}

fn state(of: WhyState) -> &'static str {
    match of {
        WhyState::Queued => "queued",
        WhyState::Ready => "ready",
        WhyState::Waiting(PendingWhy::Deferred) => "deferred",
        WhyState::Waiting(PendingWhy::Undecided) => "undecided",
        WhyState::Waiting(PendingWhy::Retry | PendingWhy::Exhausted) => "waiting",
        WhyState::Held => "held",
        WhyState::AtHandler => "at_handler",
        WhyState::Ending => "ending",
        WhyState::Duplicate => "duplicate",
    }
}

/// All of it in sentences.
fn says(why: &Why, now: Timestamp) -> Vec<String> {
    let mut said = Vec::new();
    let Some(first) = &why.first else { return said };
    said.push(holds(first, now));
    if let Some(failure) = &first.failure {
        let status = failure.status.map(|s| format!(" {s}")).unwrap_or_default();
        said.push(format!(
            "it failed last at {}: {}{status}, {}",
            time(failure.last_failed_at),
            failure.class.name(),
            failure.message
        ));
    }
    said.extend(
        why.paused
            .iter()
            .map(|reason| format!("the subscription is paused ({reason}): nothing goes out before `resume`")),
    );
    said.extend(suspicion(why, first));
    if why.draining {
        said.push("the subscription goes down: nothing goes out any more".to_owned());
    }
    said.extend(
        why.shed_until.map(|until| format!("the handler is overloaded: nothing goes out before {}", time(until))),
    );
    said.extend(why.breakers.iter().map(gate));
    if let Some(event) = &why.event {
        let nth = if why.ahead == 1 { "it is next".to_owned() } else { format!("{} events are before it", why.ahead) };
        said.push(format!("{} waits behind it: {nth}", place(&event.at)));
    }
    said.push(comes_next(why, first));
    said
}

/// What a breaker that is not closed does, and until when.
fn gate(breaker: &BreakerView) -> String {
    let BreakerView { dependency, since, next_probe, forced, .. } = breaker;
    let next = match (forced, next_probe) {
        (Some(forced), _) => {
            let auto = match &**dependency {
                "handler" => "`dependencies auto --subscription`".to_owned(),
                dependency => format!("`dependencies auto {dependency}`"),
            };
            format!("an operator opened it ({}): nothing goes out before {auto}", forced.reason)
        }
        (None, Some(at)) => format!("the next probe goes out at {}", time(*at)),
        (None, None) => "a probe is out".to_owned(),
    };
    format!("the breaker of `{dependency}` is open since {}; {next}", time(*since))
}

/// What crashes have to do with it.
fn suspicion(why: &Why, first: &WhyEvent) -> Option<String> {
    let crashes = first.counters.crashes;
    match (first.suspect, why.suspects) {
        (_, 0) => None,
        (true, _) => Some(format!(
            "it was open when the process died: it runs alone; {crashes} crashes of {} are its own",
            first.crashes_max
        )),
        (false, suspects) => {
            Some(format!("{suspects} events were open when the process died: each runs alone before it goes out"))
        }
    }
}

fn holds(first: &WhyEvent, now: Timestamp) -> String {
    let place = place(&first.at);
    let until = first.next_at.map(|at| in_a_while(at, now)).unwrap_or_default();
    let tried = format!(
        "{} of {} attempts are booked, {} provisional",
        first.counters.attempts, first.attempts_max, first.unbooked
    );
    match first.state {
        WhyState::AtHandler => {
            let delivery = first.counters.deliveries.saturating_add(first.given_before);
            format!("{place} is at the handler, delivery {delivery}")
        }
        WhyState::Ready => format!("{place} may go out ({tried})"),
        WhyState::Waiting(PendingWhy::Deferred) => format!("{place} was put off at no cost until {until}"),
        WhyState::Waiting(PendingWhy::Undecided) => {
            format!(
                "nobody can tell whether {place} or its handler is at fault; it is tried again at {until}, or as soon as another event succeeds"
            )
        }
        WhyState::Waiting(_) => format!("{place} waits for its next try at {until}: {tried}"),
        WhyState::Held => {
            format!("the attempts of {place} ran out, and it waits for an operator: `parked release` or `parked skip`")
        }
        WhyState::Ending => format!("{place} has its outcome, which becomes durable now"),
        WhyState::Queued | WhyState::Duplicate => format!("{place} waits"),
    }
}

fn in_a_while(at: Timestamp, now: Timestamp) -> String {
    let left = std::time::Duration::from_secs(at.since(now).as_secs());
    format!("{} (in {})", time(at), show_duration(left))
}

fn comes_next(why: &Why, first: &WhyEvent) -> String {
    let left = first.attempts_max.saturating_sub(first.counters.attempts);
    let age =
        show_duration(std::time::Duration::from_secs(first.age_max.saturating_sub(first.counters.aged).as_secs()));
    let end = match first.when_exhausted {
        Exhausted::Skip => "it is dead-lettered and its key goes on",
        Exhausted::ParkKey => "its key stays parked until an operator acts",
        Exhausted::Pause => "the subscription pauses",
    };
    let behind = match why.next.first() {
        Some(next) => format!("; {} wait behind it, {} comes next", why.behind, place(next)),
        None => "; nothing waits behind it".to_owned(),
    };
    format!("when {left} more attempts fail, or after {age}, {end}{behind}")
}

fn place(at: &Position) -> String {
    format!("{}/{}@{}", at.shard.topic, at.shard.partition, at.offset)
}
