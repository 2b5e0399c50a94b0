//! `GET /v1/audit`: the proof, from one cut of the log.

use axum::Json;
use axum::extract::State;
use evenkeel_transport::audit::{Audit, SubscriptionAudit};
use serde_json::{Value, json};

use super::{Node, Problem};

/// Audits now.
pub(super) async fn show(State(node): Node) -> Result<Json<Value>, Problem> {
    Ok(Json(form(&node.audit().await?)))
}

/// The audit's JSON, as the CLI prints it too.
pub(crate) fn form(audit: &Audit) -> Value {
    json!({ "ok": audit.ok, "subscriptions": audit.subscriptions.iter().map(subscription).collect::<Vec<_>>() })
}

fn subscription(of: &SubscriptionAudit) -> Value {
    json!({
        "name": &*of.name, "appended": of.appended, "completed": of.completed, "duplicate": of.duplicate,
        "stale": of.stale, "filtered": of.filtered, "dead": of.dead, "dropped": of.dropped, "expired": of.expired,
        "in_flight": of.in_flight, "parked": of.parked, "unread": of.unread, "not_an_event": of.not_an_event,
        "order_violations": of.order_violations, "problems": of.problems,
    })
}
