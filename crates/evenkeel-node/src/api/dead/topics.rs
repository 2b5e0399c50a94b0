//! Dead letters in any topic, as other frameworks wrote them: list, show, group. How they go back to where they came
//! from stands in `returning`: their subscription is elsewhere.

use axum::Json;
use axum::extract::{Path, Query, State};
use evenkeel_delivery::ports::PortError;
use evenkeel_transport::dead::{self, DeadLetter, Groups, Place, Returns};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

use super::returning::written;
use super::{Asked, formed, group};
use crate::api::{Node, Problem};
use crate::error::{Error, codes};
use crate::wiring::{Wired, blocking, failed};

/// A place, `partition:offset`.
pub(super) fn place(name: &str, text: &str) -> Result<Place, Problem> {
    let parts = text.split_once(':').and_then(|(p, o)| Some((p.parse().ok()?, o.parse().ok()?)));
    parts.ok_or_else(|| Problem::parameter(name, text, "must be a partition and an offset, like `0:17`"))
}

/// The topic must be there; `from` is a place here, that one went back is on record.
fn asked(node: &Wired, topic: &str, pairs: Vec<(String, String)>) -> Result<(Place, Asked), Problem> {
    if node.log.topic(topic).is_none() {
        return Err(Problem::unknown_topic(node, topic));
    }
    let (from, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| name == "from");
    let from = from.last().map_or(Ok((0, 0)), |(name, value)| place(name, value))?;
    Ok((from, Asked::of(&rest)?))
}

fn place_of(letter: &DeadLetter) -> Place {
    (letter.at.shard.partition, letter.at.offset)
}

/// Which letters went back, up to now.
fn looked(returns: &Arc<Mutex<Returns>>) -> Result<impl Fn(Place) -> bool + use<'_>, PortError> {
    returns.lock().unwrap_or_else(PoisonError::into_inner).look()?;
    Ok(|place| returns.lock().unwrap_or_else(PoisonError::into_inner).has(place))
}

/// `GET /v1/topics/{topic}/dead`.
pub(in crate::api) async fn list(
    State(node): Node,
    Path(topic): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let (from, asked) = asked(&node, &topic, pairs)?;
    let (log, returns) = (node.log.clone(), node.returning.of(&node.log, &topic));
    let read = blocking(move || {
        let gone = looked(&returns)?;
        let (mut items, mut next) = (Vec::new(), None);
        dead::each_of_topic(&log, &topic, from, |letter| {
            let went_back = gone(place_of(&letter));
            if items.len() == asked.limit {
                next = Some(written(place_of(&letter)));
            } else if asked.means_so(&letter, went_back) {
                items.push(formed(&letter, went_back, asked.whole));
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
    let (log, returns) = (node.log.clone(), node.returning.of(&node.log, &topic));
    let groups = blocking(move || {
        let gone = looked(&returns)?;
        let mut groups = Groups::default();
        dead::each_of_topic(&log, &topic, from, |letter| {
            if asked.means_so(&letter, gone(place_of(&letter))) {
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
    let returns = node.returning.of(&node.log, &topic);
    let mut found = None;
    let read = blocking(move || {
        let gone = looked(&returns)?;
        dead::each_of_topic(&log, &asks, from, |letter| {
            found = Some((gone(place_of(&letter)), letter));
            false
        })
        .map(|()| found)
    });
    let letter = read.await?.map_err(|e| failed(&e))?;
    match letter.filter(|(_, letter)| place_of(letter) == from) {
        Some((went_back, letter)) => Ok(Json(formed(&letter, went_back, true))),
        None => {
            let said = format!("topic `{topic}` has no record at {at}");
            Err(Problem::new(404, Error::new(codes::UNKNOWN_EVENT, said)))
        }
    }
}
