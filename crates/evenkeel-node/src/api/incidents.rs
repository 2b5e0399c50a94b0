//! `GET /v1/incidents`: what broke, what was done, and how long it took; newest first.

use axum::Json;
use axum::extract::State;
use evenkeel_respond::{Ending, Incident};
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::time;

/// All incidents that are kept.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let incidents = node.responding.incidents().await;
    let incidents = incidents.ok_or_else(|| Error::new(codes::NOT_READY, "incidents are not recorded any more"))?;
    let forms: Vec<Value> = incidents.iter().rev().map(form).collect();
    Ok(Json(json!({ "incidents": forms })))
}

fn form(incident: &Incident) -> Value {
    let ms = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let alerts: Vec<Value> =
        incident.alerts.iter().map(|(name, firing)| json!({ "name": &**name, "firing": firing })).collect();
    let runs: Vec<Value> = incident
        .runs
        .iter()
        .map(|(run, ending)| json!({ "run": run.to_string(), "ending": ending.map(ended) }))
        .collect();
    let timeline: Vec<Value> =
        incident.timeline.iter().map(|line| json!({ "at": time(line.at), "text": line.text })).collect();
    json!({
        "id": incident.id.to_string(), "state": if incident.is_open() { "open" } else { "resolved" },
        "objective": &*incident.objective, "service": &*incident.service, "subscription": &*incident.subscription,
        "severity": incident.severity.name(), "escalated": incident.escalated,
        "first_bad_at": time(incident.first_bad_at), "opened_at": time(incident.opened_at),
        "acknowledged_by": incident.acknowledged.as_ref().map(|(_, by)| by.clone()),
        "resolved_at": incident.resolved_at.map(time),
        "time_to_detect_ms": ms(incident.time_to_detect()),
        "time_to_recover_ms": incident.time_to_recover().map(ms),
        "alerts": alerts, "runs": runs, "timeline": timeline,
    })
}

fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Succeeded => "succeeded",
        Ending::DryRun => "dry_run",
        Ending::Failed => "failed",
        Ending::Aborted => "aborted",
        Ending::UndoFailed => "undo_failed",
    }
}
