//! `/v1/alerts/silences`: alerts that nobody is told of for a while, on record.

use axum::Json;
use axum::extract::{Path, Request, State};
use serde_json::{Value, json};

use super::{Node, Problem, limits};
use crate::error::{Error, codes};
use crate::forms::silence::SilenceForm;
use crate::forms::time;
use crate::happenings::AlertsSilenced;

const TEXT_MAX: usize = 1024;

/// `GET`: all that are not over.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let report = node.watching.report().await;
    let report = report.ok_or_else(|| Error::new(codes::NOT_READY, "the node is going down"))?;
    let all: Vec<SilenceForm> = report.silences.iter().map(SilenceForm::from).collect();
    Ok(Json(json!({ "silences": all })))
}

/// `POST`: says one, from now or from later on.
pub(super) async fn say(State(node): Node, body: Request) -> Result<Json<Value>, Problem> {
    let (parts, body) = body.into_parts();
    let body = limits::body(&parts.headers, body, 16 << 10).await?;
    let mut form: SilenceForm = serde_json::from_slice(&body).map_err(|e| {
        let like = "{\"matches\": {\"objective\": \"payment-latency\"}, \"until\": \"2026-11-21T14:30:00Z\", \
                    \"reason\": \"release 7\", \"by\": \"ann\"}";
        Problem::parameter("body", &String::from_utf8_lossy(&body), &format!("must be like {like} ({e})"))
    })?;
    let now = node.clock.now();
    if form.from.is_empty() {
        form.from = time(now);
    }
    if form.id.is_empty() {
        form.id = format!("si-{}", now.micros());
    }
    for (name, text) in [("reason", &form.reason), ("by", &form.by), ("id", &form.id)] {
        if text.trim().is_empty() || text.len() > TEXT_MAX {
            return Err(Problem::parameter(name, text, "must be said, in 1024 bytes or less"));
        }
    }
    let silence = form.read().map_err(|(field, why)| {
        let text = match field {
            "from" => form.from.clone(),
            "until" => form.until.clone(),
            _ => serde_json::to_string(&form.matches).unwrap_or_default(),
        };
        Problem::parameter(field, &text, &why)
    })?;
    if silence.until <= now || silence.until <= silence.from {
        return Err(Problem::parameter("until", &form.until, "must be later than now, and than `from`"));
    }
    node.watching.silence(silence.clone()).await?;
    let (id, reason, by) = (silence.id.to_string(), silence.reason.to_string(), silence.by.to_string());
    AlertsSilenced { id, reason, by }.tell();
    Ok(Json(json!(SilenceForm::from(&silence))))
}

/// `DELETE`: ends one.
pub(super) async fn withdraw(State(node): Node, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    match node.watching.unsilence(id.clone()).await? {
        Some(silence) => Ok(Json(json!(SilenceForm::from(&silence)))),
        None => Err(Problem::unknown_id("silence", codes::UNKNOWN_SILENCE, &id, "evenkeel alerts silences")),
    }
}
