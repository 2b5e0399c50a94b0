//! `GET /v1/subscriptions[/{name}]`, and what an operator may do with one.

use axum::Json;
use axum::extract::{Path, State};
use evenkeel_delivery::{Command, View};
use evenkeel_model::{Outcome, Shard};
use evenkeel_transport::HeldSize;
use evenkeel_transport::http::EndpointView;
use evenkeel_watch::{GroupSnapshot, SubscriptionSnapshot};
use serde_json::{Value, json};

use super::dependencies::breaker;
use super::{Node, Problem};
use crate::changing;
use crate::config;
use crate::config::plan::From;
use crate::forms::time;
use crate::wiring::{Wire, Wired};

/// All subscriptions, the node's own ones included.
pub(super) async fn list(State(node): Node) -> Json<Value> {
    let seen = snapshots(&node).await;
    let wires = node.wires.all();
    let mut forms = Vec::with_capacity(wires.len());
    for wire in wires.iter() {
        forms.push(form(&node, wire, &seen).await);
    }
    Json(json!({ "subscriptions": forms }))
}

/// One subscription.
pub(super) async fn show(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let wire = node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    Ok(Json(form(&node, &wire, &snapshots(&node).await).await))
}

/// Stops dispatching until it is resumed; what is in flight finishes.
pub(super) async fn pause(node: Node, name: Path<String>) -> Result<Json<Value>, Problem> {
    command(node, name, Command::Pause { reason: "paused by an operator".to_owned() }).await
}

async fn command(State(node): Node, Path(name): Path<String>, command: Command) -> Result<Json<Value>, Problem> {
    if !node.command(&name, command) {
        return Err(Problem::unknown_subscription(&node, &name));
    }
    show(State(node), Path(name)).await
}

async fn snapshots(node: &Wired) -> Vec<SubscriptionSnapshot> {
    node.watching.report().await.map(|report| report.snapshot.subscriptions).unwrap_or_default()
}

async fn form(node: &Wired, wire: &Wire, seen: &[SubscriptionSnapshot]) -> Value {
    let view = wire.handle.view().await.unwrap_or_default();
    let plan = &wire.plan;
    let stopped = wire.handle.is_stopped();
    let state = match (&stopped, &view.paused) {
        (Some(_), _) => "stopped",
        (None, _) if wire.handle.is_ended() => "drained",
        (None, Some(_)) => "paused",
        (None, None) => "running",
    };
    let mut form = json!({
        "name": &*plan.name, "uid": plan.uid, "topic": &*plan.topic, "handler": plan.push.shown(), "own": wire.is_own(),
        "declared": changing::is_declared(node, &plan.name), "written": config::written_subscription(plan),
        "effects_topic": plan.effects_topic.as_deref(),
        "state": state, "why": stopped.or(view.paused.clone()).or(view.trouble.clone()),
        "in_flight": view.in_flight, "queued": view.queued, "parked": view.parked, "parked_keys": view.parked_keys,
        "concurrency": view.concurrency, "in_flight_bytes": view.in_flight_bytes,
        "held": held(wire.held.size()),
        "shed": view.shed, "shed_below": view.shed_below, "fell_back": view.fell_back,
        "unpaid_retries": view.unpaid_retries, "suspects": view.suspects, "versions": view.versions,
        "unversioned": view.unversioned, "oldest": view.oldest.map(time),
        "endpoints": wire.http.as_ref().map(|http| http.endpoints()).unwrap_or_default().iter().map(endpoint).collect::<Vec<_>>(),
        "breakers": view.breakers.iter().map(breaker).collect::<Vec<_>>(),
    });
    let seen = seen.iter().find(|s| s.subscription == plan.name);
    for outcome in Outcome::ALL {
        let count = seen.and_then(|s| s.outcomes.iter().find(|(o, _)| *o == outcome)).map_or(0, |(_, n)| *n);
        form[outcome.name()] = Value::from(count);
    }
    if let Some(seen) = seen {
        let ms = |us: Option<u64>| us.map(|us| us as f64 / 1e3);
        form["latency"] = json!({ "p50_ms": ms(seen.p50_us), "p99_ms": ms(seen.p99_us), "over_s": 60 });
        form["ended_per_second"] = Value::from(seen.ended_per_second);
        form["lag_ms"] = Value::from(u64::try_from(seen.lag.as_millis()).unwrap_or(u64::MAX));
        form["lag_events"] = Value::from(seen.distance);
        form["lag_distance_ms"] = Value::from(u64::try_from(seen.distance_in_time.as_millis()).unwrap_or(u64::MAX));
        form["pace"] = Value::from(seen.pace.name());
        form["groups"] = seen.groups.iter().map(group).collect();
        form["groups_folded"] = Value::from(seen.folded);
        form["deliveries"] = Value::from(seen.deliveries);
        form["overdue"] = Value::from(seen.overdue);
    }
    form["unread"] = unread(node, wire, &view, seen).map_or(Value::Null, Value::from);
    form
}

fn held(size: HeldSize) -> Value {
    json!({ "events": size.events, "bytes": size.bytes, "bytes_max": size.bytes_max })
}

fn group(seen: &GroupSnapshot) -> Value {
    let outcomes: serde_json::Map<String, Value> =
        seen.outcomes.iter().map(|(outcome, count)| (outcome.name().to_owned(), Value::from(*count))).collect();
    let ms = |us: Option<u64>| us.map(|us| us as f64 / 1e3);
    json!({
        "topic": &*seen.key.topic, "type": &*seen.key.kind, "source": &*seen.key.source,
        "handler_version": &*seen.key.handler_version, "outcomes": outcomes,
        "latency": { "p50_ms": ms(seen.p50_us), "p99_ms": ms(seen.p99_us) },
    })
}

fn endpoint(view: &EndpointView) -> Value {
    json!({ "url": view.url, "state": view.state, "in_flight": view.in_flight, "until": view.until.map(time) })
}

/// What lies in the topic and was not read yet. Only the audit knows it of a subscription that
/// did not begin at the beginning.
fn unread(node: &Wired, wire: &Wire, view: &View, seen: Option<&SubscriptionSnapshot>) -> Option<u64> {
    if wire.plan.from != From::Earliest {
        return None;
    }
    let topic = node.log.topic(&wire.plan.topic)?;
    let mut appended = 0;
    for partition in 0..topic.partitions {
        appended += node.log.ends(&Shard::new(topic.name.clone(), partition)).ok()?.high_watermark;
    }
    let ended: u64 = seen.map_or(0, |s| s.outcomes.iter().map(|(_, n)| n).sum());
    let read = ended + (view.in_flight + view.queued + view.parked) as u64;
    Some(appended.saturating_sub(read))
}
