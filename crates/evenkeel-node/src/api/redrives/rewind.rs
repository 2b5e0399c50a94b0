//! Rewind: back to the first event that a handler version failed, and on from there.
//!
//! What a bad version dead-lettered is redriven, oldest first, and the subscription, which its
//! dead-letter budget has paused, goes on. It is a redrive like any, with the version for a filter.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use evenkeel_delivery::Command;
use evenkeel_transport::dead::{DeadLetter, Filter};
use serde_json::{Map, Value, json};

use super::{Asked, begin, body, is_closed, plan, seen, wire};
use crate::api::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::time;
use crate::wiring::{Wire, Wired, letters};

/// `POST …/rewind`.
pub(crate) async fn rewind(
    State(node): Node,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let wire = wire(&node, &name)?;
    let mut members: Map<String, Value> = body(request).await?;
    let version = match members.remove("handler_version") {
        None | Some(Value::Null) => None,
        Some(Value::String(version)) => Some(version),
        Some(other) => return Err(Problem::parameter("handler_version", &other.to_string(), "must be a text")),
    };
    let found = first_of(&node, &wire, version).await?;
    let Some((version, first)) = found else {
        let said = format!("subscription `{name}` has no open dead letter of that handler version");
        return Err(Problem::new(
            404,
            Error::new(codes::UNKNOWN_EVENT, said)
                .hint(format!("`evenkeel dead groups {name}` shows the open letters")),
        ));
    };
    let mut asked: Asked = serde_json::from_value(Value::Object(members))
        .map_err(|e| Problem::parameter("body", "", &format!("cannot be used: {e}")))?;
    asked.filter.insert("version".to_owned(), Value::from(version.clone()));
    let (plan, mut answer) = plan(&node, &wire, &asked).await?;
    let mut status = StatusCode::OK;
    if !asked.dry_run {
        answer = begin(&wire, &name, plan).await?;
        wire.handle.command(Command::Resume);
        status = StatusCode::ACCEPTED;
    }
    answer["handler_version"] = Value::from(version);
    answer["first"] = json!({
        "id": first.id, "source": first.source, "died_at": time(first.appended),
        "topic": first.origin.as_ref().map(|at| at.shard.topic.to_string()),
        "partition": first.origin.as_ref().map(|at| at.shard.partition),
        "offset": first.origin.as_ref().map(|at| at.offset),
    });
    Ok((status, Json(answer)))
}

/// The version that is meant (that of the newest open letter, unless it is named) and the first
/// open letter that it made.
async fn first_of(node: &Wired, wire: &Wire, version: Option<String>) -> Result<Option<(String, DeadLetter)>, Error> {
    let closed = Arc::new(seen(wire).await.closed);
    let mut newest = version.clone();
    if version.is_none() {
        let closed = closed.clone();
        newest = letters(node, wire, 0, None, move |newest, letter| {
            if !is_closed(&closed, letter.at.offset) {
                *newest = Some(letter.handler_version);
            }
            true
        })
        .await?;
    }
    let Some(version) = newest else { return Ok(None) };
    let mut filter = Filter::default();
    // A text is taken whatever stands in it.
    let _ = filter.set("version", &version);
    let first = letters(node, wire, 0, None, move |first, letter| {
        if filter.matches(&letter) && !is_closed(&closed, letter.at.offset) {
            *first = Some(letter);
        }
        first.is_none()
    });
    Ok(first.await?.map(|first| (version, first)))
}
