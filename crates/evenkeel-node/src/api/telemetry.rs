//! `GET /v1/telemetry`: what is sent by OTLP, what waits, and what was dropped since nobody took it.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Node;

/// Where to, and how much of each signal.
pub(super) async fn show(State(node): Node) -> Json<Value> {
    let Some(telemetry) = &node.telemetry else { return Json(json!({ "otlp": null })) };
    let signals: Vec<Value> = telemetry
        .sent()
        .iter()
        .map(|of| json!({ "signal": of.signal.name(), "sent": of.sent, "dropped": of.dropped, "queued": of.queued }))
        .collect();
    let plan = telemetry.plan();
    let sample = plan.sampling.share;
    Json(json!({ "otlp": { "endpoint": plan.endpoint, "sample": sample, "signals": signals } }))
}
