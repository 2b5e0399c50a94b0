//! Parked keys of a subscription: list, release, skip.

use axum::Json;
use axum::extract::{Path, Request, State};
use bytes::Bytes;
use evenkeel_delivery::{Command, LaneView};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, Problem, limits};
use crate::forms::{key, time};

/// `GET /v1/subscriptions/{name}/parked`: the first few parked keys.
pub(super) async fn list(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let wire = node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    let view = wire.handle.view().await.unwrap_or_default();
    let items: Vec<Value> = view.lanes.iter().map(form).collect();
    Ok(Json(json!({ "items": items, "keys": view.parked_keys, "events": view.parked })))
}

/// Gives a parked key, or all of them, fresh attempts now.
pub(super) async fn release(
    State(node): Node,
    Path(name): Path<String>,
    body: Request,
) -> Result<Json<Value>, Problem> {
    let key = asked(body).await?.key.map(Bytes::from);
    if !node.command(&name, Command::Release { key }) {
        return Err(Problem::unknown_subscription(&node, &name));
    }
    list(State(node), Path(name)).await
}

/// Dead-letters the first event of a parked key; its lane goes on.
pub(super) async fn skip(State(node): Node, Path(name): Path<String>, body: Request) -> Result<Json<Value>, Problem> {
    let Some(key) = asked(body).await?.key else {
        return Err(Problem::parameter("key", "", "must name the parked key"));
    };
    if !node.command(&name, Command::Skip { key: Bytes::from(key) }) {
        return Err(Problem::unknown_subscription(&node, &name));
    }
    list(State(node), Path(name)).await
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    key: Option<String>,
}

async fn asked(request: Request) -> Result<Asked, Problem> {
    const BYTES_MAX: usize = 64 << 10;
    let (parts, body) = request.into_parts();
    let body = limits::body(&parts.headers, body, BYTES_MAX).await?;
    if body.is_empty() {
        return Ok(Asked::default());
    }
    serde_json::from_slice(&body).map_err(|e| {
        Problem::parameter("body", &String::from_utf8_lossy(&body), &format!("must be like {{\"key\": …}} ({e})"))
    })
}

fn form(lane: &LaneView) -> Value {
    json!({
        "key": key(lane.key.as_ref()),
        "topic": &*lane.at.shard.topic, "partition": lane.at.shard.partition, "offset": lane.at.offset,
        "behind": lane.behind, "next_at": time(lane.next_at), "attempts": lane.attempts, "crashes": lane.crashes,
        "message": lane.message,
    })
}
