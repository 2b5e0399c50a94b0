//! What changes subscriptions at run time: `PUT` and `DELETE /v1/subscriptions/{name}`, and
//! `POST …/drain|resume`.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, Parameters, Problem, limits, subscriptions};
use crate::changing::{self, Put};
use crate::config::units;

const BODY_BYTES_MAX: usize = 256 << 10;
const LIKE: &str = "{\"topic\": \"orders\", \"handler\": {\"http\": {\"url\": \"http://127.0.0.1:9002/events\"}}}";

/// Makes the subscription (201) or changes it (200). The keys are those of the file.
pub(super) async fn put(
    State(node): Node,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (parts, body) = request.into_parts();
    let body = limits::body(&parts.headers, body, BODY_BYTES_MAX).await?;
    let written: Value = serde_json::from_slice(&body).map_err(|e| {
        Problem::parameter("body", &String::from_utf8_lossy(&body), &format!("must be like {LIKE} ({e})"))
    })?;
    let status = match changing::put(&node, &name, written).await? {
        Put::Made => StatusCode::CREATED,
        Put::Changed | Put::Same => StatusCode::OK,
    };
    Ok((status, subscriptions::show(State(node), Path(name)).await?))
}

/// Removes the subscription. Its dead letters stay, and so does what it knows: made again, it
/// goes on where it was.
pub(super) async fn remove(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    if node.wire(&name).is_none() {
        return Err(Problem::unknown_subscription(&node, &name));
    }
    let (drained, view) = changing::remove(&node, &name).await?;
    Ok(Json(json!({
        "deleted": name, "unfinished": drained.unfinished, "parked": view.parked, "queued": view.queued,
    })))
}

/// How a drain may be asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    /// How long what is at the handler may still take.
    grace: Option<String>,
}

/// Stops reading, finishes what is at the handler within the grace, journals, and rests.
pub(super) async fn drain(
    State(node): Node,
    Path(name): Path<String>,
    Parameters(asked): Parameters<Drain>,
) -> Result<Json<Value>, Problem> {
    let grace = match &asked.grace {
        None => changing::GRACE,
        Some(text) => units::duration(text).map_err(|why| Problem::parameter("grace", text, &why))?,
    };
    if node.wire(&name).is_none() {
        return Err(Problem::unknown_subscription(&node, &name));
    }
    let drained = changing::drain(&node, &name, grace).await?;
    let Json(mut form) = subscriptions::show(State(node), Path(name)).await?;
    form["unfinished"] = Value::from(drained.unfinished);
    Ok(Json(form))
}

/// Dispatches again, after a pause or a drain.
pub(super) async fn resume(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    if node.wire(&name).is_none() {
        return Err(Problem::unknown_subscription(&node, &name));
    }
    changing::resume(&node, &name).await?;
    subscriptions::show(State(node), Path(name)).await
}
