//! `GET /v1/topics[/{topic}]`.

use axum::Json;
use axum::extract::{Path, State};
use evenkeel_log::{Log, Topic};
use evenkeel_model::{Shard, names};
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::config::units::{show_duration, show_size};

/// All topics, the node's own ones included.
pub(super) async fn list(State(node): Node) -> Json<Value> {
    let topics: Vec<Value> = node.log.topics().iter().map(|topic| form(&node.log, topic)).collect();
    Json(json!({ "topics": topics }))
}

/// One topic.
pub(super) async fn show(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let topic = node.log.topic(&name).ok_or_else(|| Problem::unknown_topic(&node, &name))?;
    Ok(Json(form(&node.log, &topic)))
}

fn form(log: &Log, topic: &Topic) -> Value {
    let ends: Vec<Value> = (0..topic.partitions)
        .filter_map(|partition| {
            let ends = log.ends(&Shard::new(topic.name.clone(), partition)).ok()?;
            Some(json!({ "partition": partition, "start": ends.start, "end": ends.high_watermark }))
        })
        .collect();
    let count = |ends: &Value| Some(ends["end"].as_u64()?.saturating_sub(ends["start"].as_u64()?));
    let kept = topic.settings.retention;
    json!({
        "name": &*topic.name,
        "partitions": topic.partitions,
        "own": topic.name.starts_with(names::OWN_PREFIX) || topic.name.ends_with(names::DEAD_SUFFIX),
        "records": ends.iter().filter_map(count).sum::<u64>(),
        "retention": { "age": kept.age.map(show_duration), "size": kept.bytes.map(show_size) },
        "ends": ends,
    })
}
