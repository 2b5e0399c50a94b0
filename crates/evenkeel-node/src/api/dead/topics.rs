//! Dead letters in any topic, as other frameworks wrote them: list, show, group. They are shown, not redriven: their
//! subscription is elsewhere.

use axum::Json;
use axum::extract::{Path, Query, State};
use evenkeel_transport::dead::{self, Groups};
use serde_json::{Value, json};

use super::{Asked, form, group};
use crate::api::{Node, Problem};
use crate::error::{Error, codes};
use crate::wiring::{Wired, blocking, failed};

/// A place, `partition:offset`.
fn place(name: &str, text: &str) -> Result<(u32, u64), Problem> {
    let parts = text.split_once(':').and_then(|(p, o)| Some((p.parse().ok()?, o.parse().ok()?)));
    parts.ok_or_else(|| Problem::parameter(name, text, "must be a partition and an offset, like `0:17`"))
}

/// The topic must be there; `from` is a place here, and nothing is dealt with.
fn asked(node: &Wired, topic: &str, pairs: Vec<(String, String)>) -> Result<((u32, u64), Asked), Problem> {
    if node.log.topic(topic).is_none() {
        return Err(Problem::unknown_topic(node, topic));
    }
    let (from, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| name == "from");
    let from = from.last().map_or(Ok((0, 0)), |(name, value)| place(name, value))?;
    Ok((from, Asked::of(&rest)?))
}

/// `GET /v1/topics/{topic}/dead`.
pub(in crate::api) async fn list(
    State(node): Node,
    Path(topic): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let (from, asked) = asked(&node, &topic, pairs)?;
    let log = node.log.clone();
    let read = blocking(move || {
        let (mut items, mut next) = (Vec::new(), None);
        dead::each_of_topic(&log, &topic, from, |letter| {
            if items.len() == asked.limit {
                next = Some(format!("{}:{}", letter.at.shard.partition, letter.at.offset));
            } else if asked.means(&letter, &Vec::new()) {
                items.push(form(&letter, &Vec::new(), asked.whole));
            }
            next.is_none()
        })
        .map(|()| json!({ "items": items, "next": next }))
    });
    Ok(Json(read.await?.map_err(|e| failed(&e))?))
}

/// `GET /v1/topics/{topic}/dead/groups`.
pub(in crate::api) async fn groups(
    State(node): Node,
    Path(topic): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let (from, asked) = asked(&node, &topic, pairs)?;
    let log = node.log.clone();
    let groups = blocking(move || {
        let mut groups = Groups::default();
        dead::each_of_topic(&log, &topic, from, |letter| {
            if asked.means(&letter, &Vec::new()) {
                groups.add(&letter);
            }
            true
        })
        .map(|()| groups.finish())
    });
    let groups = groups.await?.map_err(|e| failed(&e))?;
    let letters: u64 = groups.iter().map(|g| g.count).sum();
    Ok(Json(json!({ "groups": groups.iter().map(group).collect::<Vec<_>>(), "letters": letters })))
}

/// `GET /v1/topics/{topic}/dead/{place}`, where a place is `partition:offset`.
pub(in crate::api) async fn show(
    State(node): Node,
    Path((topic, at)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let from = place("place", &at)?;
    if node.log.topic(&topic).is_none() {
        return Err(Problem::unknown_topic(&node, &topic));
    }
    let (log, asks) = (node.log.clone(), topic.clone());
    let mut found = None;
    let read = blocking(move || {
        dead::each_of_topic(&log, &asks, from, |letter| {
            found = Some(letter);
            false
        })
        .map(|()| found)
    });
    let letter = read.await?.map_err(|e| failed(&e))?;
    match letter.filter(|l| (l.at.shard.partition, l.at.offset) == from) {
        Some(letter) => Ok(Json(form(&letter, &Vec::new(), true))),
        None => {
            let said = format!("topic `{topic}` has no record at {at}");
            Err(Problem::new(404, Error::new(codes::UNKNOWN_EVENT, said)))
        }
    }
}
