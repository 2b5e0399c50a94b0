//! Topics: `GET /v1/topics[/{topic}]`, and what changes them.

mod changing;

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use evenkeel_log::Topic;
use evenkeel_model::{Shard, names};
use serde_json::{Value, json};

pub(super) use changing::{delete, delete_records, put};

use super::{Node, Problem, intakes};
use crate::config;
use crate::config::plan::TopicPlan;
use crate::wiring::Wired;

/// All topics, the node's own ones included.
pub(super) async fn list(State(node): Node) -> Json<Value> {
    let sizes = sizes(&node);
    let topics: Vec<Value> = node.log.topics().iter().map(|topic| form(&node, topic, &sizes)).collect();
    Json(json!({ "topics": topics }))
}

/// One topic.
pub(super) async fn show(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let topic = node.log.topic(&name).ok_or_else(|| Problem::unknown_topic(&node, &name))?;
    Ok(Json(form(&node, &topic, &sizes(&node))))
}

/// Bytes of each partition.
type Sizes = HashMap<Shard, u64>;

fn sizes(node: &Wired) -> Sizes {
    node.log.sizes().into_iter().collect()
}

/// A topic whose settings have the keys of the configuration file.
fn form(node: &Wired, topic: &Topic, sizes: &Sizes) -> Value {
    let ends: Vec<Value> = (0..topic.partitions)
        .filter_map(|partition| {
            let shard = Shard::new(topic.name.clone(), partition);
            let ends = node.log.ends(&shard).ok()?;
            let bytes = sizes.get(&shard).copied().unwrap_or(0);
            Some(json!({ "partition": partition, "start": ends.start, "end": ends.high_watermark, "bytes": bytes }))
        })
        .collect();
    let bytes = |ends: &Value| ends["bytes"].as_u64();
    let count = |ends: &Value| Some(ends["end"].as_u64()?.saturating_sub(ends["start"].as_u64()?));
    let mut form = json!({
        "name": &*topic.name,
        "own": is_own(&topic.name),
        "declared": is_declared(node, &topic.name),
        "records": ends.iter().filter_map(count).sum::<u64>(),
        "bytes": ends.iter().filter_map(bytes).sum::<u64>(),
        "kept": config::kept(&TopicPlan {
            name: topic.name.clone(), settings: topic.settings, identity: None, sequence: None,
        }),
        "ends": ends,
    });
    let settings = serde_json::to_value(config::written_topic(&topic.settings)).unwrap_or_default();
    if let (Value::Object(form), Value::Object(settings)) = (&mut form, settings) {
        form.extend(settings);
        form.extend(intakes::of(node, &topic.name).map(|intake| ("intake".to_owned(), intake)));
    }
    form
}

/// Whether only the node writes it.
fn is_own(name: &str) -> bool {
    names::is_own(name)
}

/// Whether the file declares it, so that only the file changes it.
fn is_declared(node: &Wired, name: &str) -> bool {
    node.plan().topics.iter().any(|t| &*t.name == name)
}
