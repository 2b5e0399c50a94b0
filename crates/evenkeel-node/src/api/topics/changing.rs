//! What changes topics at run time: `PUT` and `DELETE /v1/topics/{topic}`, and
//! `POST /v1/topics/{topic}/delete-records`.
//!
//! Invariants: what the file declares, only the file changes; what belongs to the node, nobody
//! does; nothing goes that a subscription still owes, unless the request says so in so many words.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use evenkeel::runtime;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::Topic;
use evenkeel_model::Shard;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::cursor::{Cursor, From};
use super::super::{Node, Problem, limits};
use super::{form, is_declared, is_own, sizes};
use crate::config;
use crate::error::{Error, codes};
use crate::wiring::{self, Wired};

const BODY_BYTES_MAX: usize = 64 << 10;

/// Makes the topic, or changes what it keeps; 201 when it is new.
pub(crate) async fn put(
    State(node): Node,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let written: Value = body(request, "{\"partitions\": 4, \"retention\": {\"age\": \"7d\"}}").await?;
    changeable(&node, &name)?;
    let there = node.log.topic(&name);
    let wanted = config::read_topic(&name, written, there.as_ref().map(|t| t.partitions));
    let wanted = wanted.map_err(|e| Problem::new(400, e))?.settings;
    let status = match &there {
        None => StatusCode::CREATED,
        Some(_) => StatusCode::OK,
    };
    match there {
        None => wiring::create(&node.log, &name, wanted).await?,
        Some(there) => wiring::reshape(&node.log, &there, wanted).await?,
    }
    Ok((status, Json(form(&node, &found(&node, &name)?, &sizes(&node)))))
}

/// Deletes the topic and all that it holds.
pub(crate) async fn delete(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    changeable(&node, &name)?;
    found(&node, &name)?;
    let users = users(&node, &name);
    if !users.is_empty() {
        let said = format!("topic `{name}` is used by {}", users.join(", "));
        let error = Error::new(codes::TOPIC_IN_USE, said).hint("remove the subscription first");
        return Err(Problem::new(409, error).with("subscriptions", users));
    }
    wiring::delete(&node.log, &name).await?;
    Ok(Json(json!({ "deleted": name })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    before: Value,
    partition: Option<u32>,
    /// Also what subscriptions still owe.
    #[serde(default)]
    owed: bool,
}

/// Takes away the records that lie before an offset, a time, or the end.
pub(crate) async fn delete_records(
    State(node): Node,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let Before { before, partition, owed } = body(request, "{\"before\": \"latest\"}").await?;
    changeable_records(&name)?;
    let topic = found(&node, &name)?;
    let text = before.as_str().map_or_else(|| before.to_string(), str::to_owned);
    let before = From::parse(&text)
        .ok()
        .filter(|from| !matches!(from, From::Earliest))
        .ok_or_else(|| Problem::parameter("before", &text, "must be latest, an offset, or a time (RFC 3339)"))?;
    let partitions: Vec<u32> = match (partition, before) {
        (Some(p), _) if p >= topic.partitions => {
            let said = format!("topic `{name}` has no partition {p} (it has {})", topic.partitions);
            return Err(Problem::new(404, Error::new(codes::UNKNOWN_PARTITION, said)));
        }
        (Some(p), _) => vec![p],
        (None, From::Offset(_)) if topic.partitions > 1 => {
            return Err(Problem::parameter("partition", "", "must be given with an offset"));
        }
        (None, _) => (0..topic.partitions).collect(),
    };
    let starts = Cursor::begin(&node.log, &name, &partitions, before)?;
    let starts: Vec<(Shard, u64)> =
        starts.0.into_iter().map(|(p, at)| (Shard::new(topic.name.clone(), p), at)).collect();
    // What is parked outlives its topic.
    let saved = match owed {
        true => runtime::save(&node.log, node.wires.keepers(), &starts).await,
        false => runtime::tend(&node.log, node.wires.keepers(), &starts).await,
    };
    saved.map_err(|e| unsaved(&e))?;
    if !owed {
        wiring::owed_by_nobody(&node.log, &starts)?;
    }
    wiring::begin_at(&node.log, &starts).await?;
    Ok(Json(form(&node, &found(&node, &name)?, &sizes(&node))))
}

async fn body<T: DeserializeOwned>(request: Request, like: &str) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let body = limits::body(&parts.headers, body, BODY_BYTES_MAX).await?;
    let body = if body.is_empty() { "{}".into() } else { body };
    serde_json::from_slice(&body)
        .map_err(|e| Problem::parameter("body", &String::from_utf8_lossy(&body), &format!("must be like {like} ({e})")))
}

fn found(node: &Wired, name: &str) -> Result<Topic, Problem> {
    node.log.topic(name).ok_or_else(|| Problem::unknown_topic(node, name))
}

fn changeable(node: &Wired, name: &str) -> Result<(), Problem> {
    changeable_records(name)?;
    if is_declared(node, name) {
        let error =
            Error::new(codes::TOPIC_DECLARED, format!("the file declares topic `{name}`: only the file changes it"))
                .hint(format!("change `topics.{name}` in the file, then `evenkeel apply`"));
        return Err(Problem::new(409, error));
    }
    Ok(())
}

fn changeable_records(name: &str) -> Result<(), Problem> {
    if is_own(name) {
        return Err(Problem::new(403, Error::new(codes::OWN_TOPIC, format!("`{name}` belongs to the node"))));
    }
    Ok(())
}

fn unsaved(why: &PortError) -> Problem {
    let error = Error::new(codes::TOPIC_IN_USE, why.to_string());
    Problem::new(409, error.hint("release or skip what is parked, or raise `parking.held` of that subscription"))
}

/// The subscriptions that read the topic, or write to it.
fn users(node: &Wired, name: &str) -> Vec<String> {
    let uses = |w: &&wiring::Wire| {
        &*w.plan.topic == name || w.plan.effects_topic.as_deref() == Some(name) || w.plan.falls_to() == Some(name)
    };
    node.wires.all().iter().filter(uses).map(|w| w.plan.name.to_string()).collect()
}
