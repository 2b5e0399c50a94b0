//! Dead letters of a subscription.

use axum::Json;
use axum::extract::{Path, Query, State};
use evenkeel_cloudevents::json;
use evenkeel_transport::dead::{DeadLetter, list as read, show as read_one};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::{key, time};
use crate::wiring::{blocking, failed};

/// At most so many in one answer.
const LIMIT_MAX: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct Asked {
    from: Option<u64>,
    limit: Option<usize>,
}

/// `GET /v1/subscriptions/{name}/dead`.
pub(super) async fn list(
    State(node): Node,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Problem> {
    node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    let log = node.log.clone();
    let (from, limit) = (asked.from.unwrap_or(0), asked.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX));
    let page = blocking(move || read(&log, &name, from, limit)).await?.map_err(|e| failed(&e))?;
    let items: Vec<Value> = page.items.iter().map(|letter| form(letter, false)).collect();
    Ok(Json(json!({ "items": items, "next": page.next })))
}

/// `GET /v1/subscriptions/{name}/dead/{offset}`.
pub(super) async fn show(State(node): Node, Path((name, offset)): Path<(String, u64)>) -> Result<Json<Value>, Problem> {
    node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    let log = node.log.clone();
    let asked = name.clone();
    let letter = blocking(move || read_one(&log, &asked, offset)).await?.map_err(|e| failed(&e))?;
    match letter {
        Some(letter) => Ok(Json(form(&letter, true))),
        None => {
            let said = format!("subscription `{name}` has no dead letter {offset}");
            Err(Problem::new(404, Error::new(codes::UNKNOWN_EVENT, said)))
        }
    }
}

fn form(letter: &DeadLetter, whole: bool) -> Value {
    let mut form = json!({
        "source": letter.source, "id": letter.id, "type": letter.kind, "key": key(letter.key.as_ref()),
        "topic": letter.origin.as_ref().map(|at| at.shard.topic.to_string()),
        "partition": letter.origin.as_ref().map(|at| at.shard.partition),
        "offset": letter.origin.as_ref().map(|at| at.offset),
        "dead_offset": letter.at.offset, "died_at": time(letter.appended),
        "reason": letter.reason, "class": letter.class, "fingerprint": letter.fingerprint,
        "message": letter.message, "attempts": letter.attempts,
        "first_failed_at": letter.first_failed_at, "last_failed_at": letter.last_failed_at,
        "handler_version": letter.handler_version,
    });
    if whole {
        form["event"] = letter.event.as_ref().map_or(Value::Null, json::encode);
    }
    form
}
