//! `GET /v1/usage`: what the node's process and its machine use.

use std::sync::PoisonError;

use axum::Json;
use axum::extract::State;
use evenkeel_model::Timestamp;
use serde_json::{Value, json};

use super::Node;
use crate::forms::time;
use crate::metrics::process::Usage;
use crate::wiring::Wired;

/// What is known of it now; what cannot be had is null, never 0.
pub(super) async fn show(State(node): Node) -> Json<Value> {
    let now = node.clock.now();
    let usage = Usage::read();
    let pair = |of: Option<(u64, u64)>, first: &str, second: &str| of.map(|(a, b)| json!({ first: a, second: b }));
    let network: Vec<Value> = usage
        .network
        .iter()
        .map(|(device, received, sent)| json!({ "device": device, "received_bytes": received, "sent_bytes": sent }))
        .collect();
    Json(json!({
        "at": time(now),
        "up_s": now.since(node.started_at).as_secs_f64(),
        "processor": { "used_s": usage.cpu_s, "recently": recently(&node, now, &usage), "there_are": usage.cpus },
        "memory": {
            "resident_bytes": usage.resident_bytes, "virtual_bytes": usage.virtual_bytes,
            "machine": pair(usage.memory, "all_bytes", "available_bytes"),
        },
        "files": { "open": usage.open_files, "open_max": usage.open_files_max },
        "threads": usage.threads,
        "disk": {
            "process": pair(usage.disk_bytes, "read_bytes", "written_bytes"),
            "free_bytes": crate::doctor::free_bytes(&node.plan().data),
        },
        "network": network,
    }))
}

/// How many processors were used since somebody asked last.
pub(super) fn recently(node: &Wired, now: Timestamp, usage: &Usage) -> Option<f64> {
    let used_s = usage.cpu_s?;
    let before = node.processor.lock().unwrap_or_else(PoisonError::into_inner).replace((now, used_s));
    let (from, before_s) = before.unwrap_or((node.started_at, 0.0));
    let seconds = now.since(from).as_secs_f64();
    (seconds > 0.0).then(|| (used_s - before_s).max(0.0) / seconds)
}
