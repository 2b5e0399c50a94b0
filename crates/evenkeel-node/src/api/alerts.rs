//! `GET /v1/alerts`: those that fire, and the last that did, newest first; and those that hold, but
//! not for as long as their condition says. Of each that fires it tells who is told, and what keeps it quiet.

use axum::Json;
use axum::extract::State;
use evenkeel_watch::Alert;
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::alert::AlertForm;
use crate::forms::time;
use crate::watching::Told;

/// Alerts, newest first; `state` says which fire.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let report = node.watching.report().await;
    let report = report.ok_or_else(|| Error::new(codes::NOT_READY, "the node is going down"))?;
    let mut alerts: Vec<AlertForm> = report.past;
    alerts.extend(report.spent);
    let mut alerts: Vec<Value> = alerts.into_iter().map(|form| json!(form)).collect();
    alerts.extend(report.firing.iter().zip(&report.told).map(|(alert, told)| row(alert, told)));
    let since = |row: &Value| row["started_at"].as_str().unwrap_or_default().to_owned();
    alerts.sort_by_key(|row| std::cmp::Reverse(since(row)));
    let pending: Vec<Value> = report
        .pending
        .iter()
        .map(|(objective, name, since)| {
            json!({ "state": "pending", "objective": &**objective, "name": &**name, "started_at": time(*since) })
        })
        .collect();
    Ok(Json(json!({ "alerts": alerts, "pending": pending })))
}

/// An alert that fires.
fn row(alert: &Alert, told: &Told) -> Value {
    let mut row = json!(AlertForm::from(alert));
    if let Some(id) = &told.silenced_by {
        (row["state"], row["silenced_by"]) = (json!("silenced"), json!(id));
    }
    row["inhibited_by"] = json!(told.inhibited_by);
    row["receivers"] = told.receivers.iter().map(|(name, knows)| json!({ "name": name, "told": knows })).collect();
    row
}
