//! `GET /v1/alerts`: those that fire, and the last that did, newest first.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::alert::AlertForm;

/// Alerts, newest first; `state` says which fire.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let report = node.watching.report().await;
    let report = report.ok_or_else(|| Error::new(codes::NOT_READY, "the node is going down"))?;
    let mut alerts: Vec<AlertForm> = report.past;
    alerts.extend(report.firing.iter().map(AlertForm::from));
    alerts.extend(report.spent);
    alerts.sort_by(|a, b| b.started_at.cmp(&a.started_at));
    Ok(Json(json!({ "alerts": alerts })))
}
