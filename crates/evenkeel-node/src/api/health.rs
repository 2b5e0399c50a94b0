//! `/livez` and `/readyz`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::damage;
use crate::wiring::Wired;

/// The process answers.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// Events can be taken in and outcomes journaled.
pub(super) async fn ready(State(node): Node) -> Result<Json<Value>, Problem> {
    if let Some(damaged) = node.damaged() {
        let damage: Vec<Value> = node.log.damage().iter().map(damage::form).collect();
        return Err(Problem::from(damaged).with("damage", damage));
    }
    if let Some(why) = node.log.status().stopped {
        return Err(stopped(&node, &why).into());
    }
    let stopped = node.wires.all().iter().find_map(|w| Some((w.plan.name.clone(), w.handle.is_stopped()?)));
    if let Some((name, why)) = stopped {
        return Err(Error::new(codes::NOT_READY, format!("subscription `{name}` has stopped: {why}")).into());
    }
    Ok(Json(json!({ "ready": true })))
}

fn stopped(node: &Wired, why: &str) -> Error {
    let plan = node.plan();
    let data = plan.data.display();
    Error::new(codes::LOG_STOPPED, format!("the log has stopped: {why}; nothing is acknowledged any more, reads go on"))
        .hint(format!("find out what the device said (the node's log, `evenkeel doctor --data {data}`), then start the node again: what was acknowledged is kept, and what was not is published again with the same ids"))
}
