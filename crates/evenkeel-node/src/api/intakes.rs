//! What comes in from brokers: `GET /v1/intakes`, and the part of a topic that is filled so.

use axum::Json;
use axum::extract::State;
use evenkeel_transport::IntakeView;
use serde_json::{Value, json};

use super::Node;
use crate::config::plan::IntakePlan;
use crate::wiring::Wired;

/// All intakes.
pub(super) async fn list(State(node): Node) -> Json<Value> {
    let form = |(plan, view): (&IntakePlan, IntakeView)| form(plan, &view);
    Json(json!({ "intakes": node.intakes.all().map(form).collect::<Vec<_>>() }))
}

/// What comes into that topic.
pub(super) fn of(node: &Wired, topic: &str) -> Option<Value> {
    node.intakes.view(topic).map(|(plan, view)| form(&plan, &view))
}

fn form(plan: &IntakePlan, view: &IntakeView) -> Value {
    json!({
        "topic": &*plan.topic,
        "broker": &*plan.broker.name,
        "kind": plan.broker.kind.name(),
        "from": plan.from.name(),
        "connected": view.connected,
        "held": view.held,
        "held_max": view.held_max,
        "received": view.received,
        "placed": view.placed,
        "given_again": view.again,
        "settled": view.settled,
        "renewed": view.renewed,
        "oversized": view.oversized,
        "problem": view.problem,
    })
}
