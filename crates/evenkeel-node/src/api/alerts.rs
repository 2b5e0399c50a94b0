//! `GET /v1/alerts`: those that fire, and the last that did, newest first; and those that hold, but
//! not for as long as their condition says.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::alert::AlertForm;
use crate::forms::time;

/// Alerts, newest first; `state` says which fire.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let report = node.watching.report().await;
    let report = report.ok_or_else(|| Error::new(codes::NOT_READY, "the node is going down"))?;
    let mut alerts: Vec<AlertForm> = report.past;
    alerts.extend(report.firing.iter().map(AlertForm::from));
    alerts.extend(report.spent);
    alerts.sort_by(|a, b| b.started_at.cmp(&a.started_at));
    let pending: Vec<Value> = report
        .pending
        .iter()
        .map(|(objective, name, since)| {
            json!({ "state": "pending", "objective": &**objective, "name": &**name, "started_at": time(*since) })
        })
        .collect();
    Ok(Json(json!({ "alerts": alerts, "pending": pending })))
}
