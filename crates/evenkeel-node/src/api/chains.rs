//! `GET /v1/chains`: chains of events that belong together: completed, late, and where the others are stuck.

use axum::Json;
use axum::extract::State;
use evenkeel_watch::ChainsView;
use serde_json::{Value, json};

use super::Node;
use super::events::millis;
use crate::forms::time;

/// All of them.
pub(super) async fn list(State(node): Node) -> Json<Value> {
    let chains: Vec<Value> = node.chains.views().iter().map(form).collect();
    Json(json!({ "chains": chains }))
}

fn form(view: &ChainsView) -> Value {
    let at = view.rule.steps.iter().zip(&view.at).map(|(step, at)| {
        let (oldest, since) = at.oldest.clone().unzip();
        json!({ "after": &**step, "open": at.open, "oldest": oldest.as_deref(), "since": since.map(time) })
    });
    let [p50, p95, p99] = view.took.map_or([None; 3], |took| took.map(|took| Some(millis(took))));
    json!({
        "name": &*view.rule.name,
        "begun": view.begun, "completed": view.completed, "late": view.late, "forgotten": view.forgotten,
        "open": view.at.iter().map(|at| at.open).sum::<u64>(),
        "within_s": view.rule.within.as_secs_f64(),
        "took_p50_ms": p50, "took_p95_ms": p95, "took_p99_ms": p99,
        "stuck": at.collect::<Vec<_>>(),
    })
}
