//! `GET /v1/producers`: who sends to which topic, how much, and whether that is as usual.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::producer::form;

/// All sources that are known; those that are not as usual first.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let snapshot = node.watching.snapshot().await;
    let mut snapshot = snapshot.ok_or_else(|| Error::new(codes::NOT_READY, "the node is going down"))?;
    snapshot.producers.sort_by_key(|p| (std::cmp::Reverse(p.sending), p.topic.clone(), p.source.clone()));
    let producers: Vec<Value> = snapshot.producers.iter().map(form).collect();
    Ok(Json(json!({ "producers": producers, "events_of_others": snapshot.producers_folded })))
}
