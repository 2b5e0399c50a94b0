//! `GET /v1/subscriptions/{name}/mirror?partition=…&offset=…`: where what lies there lies in the copy.

use axum::Json;
use axum::extract::{Path, State};
use evenkeel_transport::mirror;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, Parameters, Problem};
use crate::wiring::{blocking, failed};

/// What is asked: a place in the topic that is mirrored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    partition: u32,
    offset: u64,
}

pub(super) async fn translate(
    State(node): Node,
    Path(name): Path<String>,
    Parameters(Asked { partition, offset }): Parameters<Asked>,
) -> Result<Json<Value>, Problem> {
    let wire = node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    if !wire.plan.mirror {
        return Err(Problem::parameter("name", &name, "must be a mirror: `handler: { publish: …, mirror: true }`"));
    }
    let log = node.log.clone();
    let there = blocking(move || mirror::translate(&log, &name, partition, offset)).await?.map_err(|e| failed(&e))?;
    Ok(Json(json!({
        "from": &*wire.plan.topic, "to": wire.plan.push.shown(), "partition": partition, "offset": offset,
        "translated": there,
    })))
}
