//! Dead letters of a subscription: list, show, group. What is to be done with them stands in `redrives`.

pub(super) mod returning;
pub(super) mod topics;

use axum::Json;
use axum::extract::{Path, Query, State};
use evenkeel_cloudevents::json;
use evenkeel_delivery::letter_place;
use evenkeel_transport::dead::{CONDITIONS, DeadLetter, Filter, FilterError, Group, Groups};
use serde_json::{Value, json};

use super::{Node, Problem, redrives};
use crate::error::{Error, codes};
use crate::forms::{key, time};
use crate::wiring::{Wire, Wired, letters};

/// Letters that are dealt with: from, and behind the last, in order.
type Closed = Vec<(u64, u64)>;

/// At most so many in one answer.
const LIMIT_MAX: usize = 1_000;

/// The query of a list: where to begin, how many, and the conditions of a filter.
#[derive(Default)]
struct Asked {
    from: u64,
    limit: usize,
    whole: bool,
    /// Letters that are not dealt with, and those that are.
    open: bool,
    closed: bool,
    filter: Filter,
}

impl Asked {
    fn of(pairs: &[(String, String)]) -> Result<Asked, Problem> {
        let mut asked = Asked { limit: LIMIT_MAX, open: true, ..Asked::default() };
        for (name, value) in pairs {
            let number = || Problem::parameter(name, value, "must be a whole number");
            match name.as_str() {
                "from" => asked.from = value.parse().map_err(|_| number())?,
                "limit" => asked.limit = value.parse::<usize>().map_err(|_| number())?.clamp(1, LIMIT_MAX),
                "state" => {
                    (asked.open, asked.closed) = match value.as_str() {
                        "open" => (true, false),
                        "closed" => (false, true),
                        "all" => (true, true),
                        _ => return Err(Problem::parameter(name, value, "must be open, closed or all")),
                    }
                }
                "events" => {
                    let either = || Problem::parameter(name, value, "must be true or false");
                    asked.whole = value.parse().map_err(|_| either())?;
                }
                _ => asked.filter.set(name, value).map_err(|e| unusable(&e))?,
            }
        }
        Ok(asked)
    }

    fn means(&self, letter: &DeadLetter, closed: &Closed) -> bool {
        self.means_so(letter, redrives::is_closed(closed, letter.at.offset))
    }

    fn means_so(&self, letter: &DeadLetter, is_closed: bool) -> bool {
        (if is_closed { self.closed } else { self.open }) && self.filter.matches(letter)
    }
}

/// A condition that cannot be used, with the nearest one that can.
pub(super) fn unusable(e: &FilterError) -> Problem {
    let rule = match crate::config::nearest(&e.field, CONDITIONS) {
        Some(near) if near != e.field => format!("{} (did you mean `{near}`?)", e.rule),
        _ => e.rule.clone(),
    };
    Problem::parameter(&e.field, &e.value, &rule)
}

/// `GET /v1/subscriptions/{name}/dead`.
pub(super) async fn list(
    State(node): Node,
    Path(name): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let (wire, asked, closed) = asked(&node, &name, &pairs).await?;
    let nothing: (Vec<Value>, Option<u64>) = (Vec::new(), None);
    let (items, next) = letters(&node, &wire, asked.from, nothing, move |(items, next), letter| {
        if items.len() == asked.limit {
            *next = Some(letter.at.offset);
        } else if asked.means(&letter, &closed) {
            items.push(form(&letter, &closed, asked.whole));
        }
        next.is_none()
    })
    .await?;
    Ok(Json(json!({ "items": items, "next": next })))
}

/// `GET /v1/subscriptions/{name}/dead/groups`.
pub(super) async fn groups(
    State(node): Node,
    Path(name): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    let (wire, asked, closed) = asked(&node, &name, &pairs).await?;
    let groups = letters(&node, &wire, asked.from, Groups::default(), move |groups, letter| {
        if asked.means(&letter, &closed) {
            groups.add(&letter);
        }
        true
    })
    .await?
    .finish();
    let letters: u64 = groups.iter().map(|g| g.count).sum();
    Ok(Json(json!({ "groups": groups.iter().map(group).collect::<Vec<_>>(), "letters": letters })))
}

/// What is asked for, and which letters are dealt with.
async fn asked(node: &Wired, name: &str, pairs: &[(String, String)]) -> Result<(Wire, Asked, Closed), Problem> {
    let wire = node.wire(name).ok_or_else(|| Problem::unknown_subscription(node, name))?;
    let closed = redrives::seen(&wire).await.closed;
    Ok((wire, Asked::of(pairs)?, closed))
}

/// `GET /v1/subscriptions/{name}/dead/{offset}`.
pub(super) async fn show(State(node): Node, Path((name, offset)): Path<(String, u64)>) -> Result<Json<Value>, Problem> {
    let wire = node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    let closed = redrives::seen(&wire).await.closed;
    let found = letters(&node, &wire, offset, None, move |found, letter| {
        *found = Some(letter).filter(|letter| letter.at.offset == offset);
        false
    });
    match found.await? {
        Some(letter) => Ok(Json(form(&letter, &closed, true))),
        None => {
            let said = format!("subscription `{name}` has no dead letter {offset}");
            Err(Problem::new(404, Error::new(codes::UNKNOWN_EVENT, said)))
        }
    }
}

fn form(letter: &DeadLetter, closed: &Closed, whole: bool) -> Value {
    formed(letter, redrives::is_closed(closed, letter.at.offset), whole)
}

fn formed(letter: &DeadLetter, is_closed: bool, whole: bool) -> Value {
    let state = if is_closed { "closed" } else { "open" };
    let mut form = json!({
        "source": letter.source, "id": letter.id, "type": letter.kind, "key": key(letter.key.as_ref()),
        "topic": letter.origin.as_ref().map(|at| at.shard.topic.to_string()),
        "partition": letter.origin.as_ref().map(|at| at.shard.partition),
        "offset": letter.origin.as_ref().map(|at| at.offset),
        "letter": letter.at.offset,
        "dead_partition": letter.at.shard.partition, "dead_offset": letter_place(letter.at.offset).1, "state": state, "died_at": time(letter.appended),
        "reason": letter.reason, "class": letter.class, "fingerprint": letter.fingerprint,
        "message": letter.message, "attempts": letter.attempts,
        "first_failed_at": letter.first_failed_at, "last_failed_at": letter.last_failed_at,
        "handler_version": letter.handler_version, "subscription": letter.subscription,
        "written_by": letter.written_by, "from": letter.from,
    });
    if whole {
        form["event"] = letter.event.as_ref().map_or(Value::Null, json::encode);
    }
    form
}

pub(super) fn group(group: &Group) -> Value {
    json!({
        "fingerprint": group.fingerprint, "reason": group.reason, "class": group.class, "message": group.message,
        "count": group.count, "keys": group.keys,
        "first_died_at": time(group.first_died_at), "last_died_at": time(group.last_died_at),
        "handler_versions": group.versions, "types": group.types, "sample": group.sample,
    })
}
