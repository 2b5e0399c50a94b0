//! Events as they lie in a topic, and the story of one by its id.

mod abroad;

use axum::Json;
use axum::extract::{Path, State};
use evenkeel_cloudevents::json;
use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_log::{ReadError, ReadLimit};
use evenkeel_model::{Shard, Stored};
use evenkeel_transport::story::{Story, StoryAttempt, StorySubscription};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cursor::{Cursor, From};
use super::{Node, Parameters, Problem};
use crate::config::brokers::home;
use crate::error::{Error, codes};
use crate::forms::{key, time};
use crate::wiring::{Unseen, failed, stories};

/// At most so many events in one answer.
const LIMIT_MAX: usize = 1_000;

const PLACES: &str = "must be earliest, latest, an offset, a time (RFC 3339), or the `next` of an earlier answer";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    partition: Option<u32>,
    from: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// `GET /v1/topics/{topic}/events`.
pub(super) async fn list(
    State(node): Node,
    Path(name): Path<String>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Value>, Problem> {
    if let Some(home) = home("topic", &name, &node.plan().brokers)? {
        return abroad::list(&node, &home, &name, &asked).await;
    }
    let topic = node.log.topic(&name).ok_or_else(|| Problem::unknown_topic(&node, &name))?;
    let partitions: Vec<u32> = match asked.partition {
        Some(partition) if partition >= topic.partitions => {
            let said = format!("topic `{name}` has no partition {partition} (it has {})", topic.partitions);
            return Err(Problem::new(404, Error::new(codes::UNKNOWN_PARTITION, said)));
        }
        Some(partition) => vec![partition],
        None => (0..topic.partitions).collect(),
    };
    let mut cursor = match place(&asked)? {
        Ok(cursor) => cursor,
        Err(from) => Cursor::begin(&node.log, &name, &partitions, from)?,
    };
    let mut left = asked.limit.unwrap_or(100).clamp(1, LIMIT_MAX);
    let mut items = Vec::new();
    for (partition, next) in &mut cursor.0 {
        if left == 0 {
            break;
        }
        let shard = Shard::new(topic.name.clone(), *partition);
        let records = match node.log.read(&shard, *next, ReadLimit::records(left)) {
            Err(ReadError::BelowStart { start }) => node.log.read(&shard, start, ReadLimit::records(left)),
            other => other,
        };
        let records = records.map_err(|e| unreadable(&e))?;
        if let Some(last) = records.last() {
            *next = last.at.offset + 1;
        }
        left -= records.len();
        items.extend(records.iter().map(|stored| item(stored, &name)));
    }
    Ok(Json(json!({ "items": items, "next": cursor.to_text() })))
}

/// Where to go on, or where to begin.
fn place(asked: &Asked) -> Result<Result<Cursor, From>, Problem> {
    Ok(match (&asked.cursor, asked.from.as_deref()) {
        (Some(text), _) => Ok(Cursor::parse(text)?),
        (None, None) => Err(From::Earliest),
        // `next` of an earlier answer is a place like any other.
        (None, Some(text)) => match (From::parse(text), Cursor::parse(text)) {
            (Ok(from), _) => Err(from),
            (Err(_), Ok(cursor)) => Ok(cursor),
            (Err(_), Err(_)) => return Err(Problem::parameter("from", text, PLACES)),
        },
    })
}

/// What the medium does not give back is told as damage, whenever it is found.
fn unreadable(e: &ReadError) -> Problem {
    let ReadError::Corrupt { .. } = e else { return failed(e).into() };
    let hint = "what lies before and behind it can be read; stop the node and look with `evenkeel log verify`";
    Problem::new(500, Error::new(codes::DATA_CORRUPT, e.to_string()).hint(hint))
}

fn item(stored: &Stored, topic: &str) -> Value {
    let mut form = json!({
        "topic": topic,
        "partition": stored.at.shard.partition,
        "offset": stored.at.offset,
        "appended_at": time(stored.appended),
        "key": key(stored.record.key.as_ref()),
    });
    let (name, value) = match from_record(&stored.record, &stored.at) {
        Read::Event(event) | Read::Plain(event) => ("event", json::encode(&event)),
        Read::NotAnEvent(problem) => ("not_an_event", Value::from(problem.to_string())),
    };
    form[name] = value;
    form
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) source: Option<String>,
}

/// `GET /v1/events/{id}`.
pub(super) async fn story(
    State(node): Node,
    Path(id): Path<String>,
    Parameters(Source { source }): Parameters<Source>,
) -> Result<Json<Value>, Problem> {
    let (stories, left) = stories(&node, &id, source.as_deref()).await?;
    let left: Vec<Value> = left.iter().map(unseen).collect();
    match stories.as_slice() {
        [] if left.is_empty() => {
            Err(Problem::new(404, Error::new(codes::UNKNOWN_EVENT, format!("no event has the id `{id}`"))))
        }
        [] => {
            let said = format!("no event with the id `{id}` was found, and not everything was looked at");
            Err(Problem::new(404, Error::new(codes::UNKNOWN_EVENT, said)).with("unseen", left))
        }
        [one] => {
            let mut form = form(one);
            form["unseen"] = left.into();
            Ok(Json(form))
        }
        many => {
            let sources: Vec<&str> = many.iter().map(|s| s.event.source.as_str()).collect();
            let said = format!("{} sources have an event `{id}`", many.len());
            let error = Error::new(codes::INVALID_PARAMETER, said).hint("name one with `?source=` (`--source`)");
            Err(Problem::new(409, error).with("sources", sources))
        }
    }
}

/// What was not looked at.
pub(super) fn unseen(of: &Unseen) -> Value {
    let part = of.part.as_ref();
    json!({
        "place": &*of.place, "partition": part.map(|part| part.partition), "from": part.and_then(|part| part.from),
        "below": part.and_then(|part| part.below), "outcomes_of": of.outcomes_of.as_deref(), "why": of.why, "says": of.says(),
    })
}

fn form(story: &Story) -> Value {
    let place = |at: &evenkeel_model::Position| (at.shard.topic.to_string(), at.shard.partition, at.offset);
    let records: Vec<Value> = story
        .records
        .iter()
        .map(|r| {
            let (topic, partition, offset) = place(&r.at);
            json!({
                "topic": topic, "partition": partition, "offset": offset, "appended_at": time(r.appended),
                "type": r.kind, "key": key(r.key.as_ref()), "bytes": r.bytes, "caused_by": r.caused_by,
            })
        })
        .collect();
    let caused: Vec<Value> = story
        .caused
        .iter()
        .map(|c| {
            let (topic, partition, offset) = place(&c.at);
            json!({
                "source": c.event.source, "id": c.event.id, "type": c.kind, "topic": topic, "partition": partition,
                "offset": offset, "appended_at": time(c.appended), "subscription": c.subscription,
            })
        })
        .collect();
    let related: Vec<Value> = story
        .related
        .iter()
        .map(|r| {
            let (topic, partition, offset) = place(&r.at);
            json!({
                "source": r.event.source, "id": r.event.id, "type": r.kind, "topic": topic, "partition": partition,
                "offset": offset, "appended_at": time(r.appended),
            })
        })
        .collect();
    json!({
        "source": story.event.source, "id": story.event.id, "records": records,
        "subscriptions": story.subscriptions.iter().map(subscription).collect::<Vec<_>>(),
        "caused": caused, "chain": story.chain, "related": related,
    })
}

fn subscription(of: &StorySubscription) -> Value {
    json!({
        "name": &*of.name,
        "topic": &*of.at.shard.topic, "partition": of.at.shard.partition, "offset": of.at.offset,
        "outcome": of.outcome.map(|o| o.name()),
        "ended_at": of.ended_at.map(time),
        "created_to_ended_ms": of.created_to_ended.map(millis),
        "overdue_at": of.overdue_at.map(time),
        "attempts_counted": of.attempts_counted,
        "deliveries": of.deliveries,
        "handler_version": &*of.handler_version,
        "reason": of.reason,
        "redriven": of.redriven.iter().map(|r| json!({ "at": time(r.at), "job": r.job })).collect::<Vec<_>>(),
        "attempts": of.attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

fn attempt(of: &StoryAttempt) -> Value {
    json!({
        "delivery": of.delivery, "at": time(of.at), "took_ms": millis(of.took),
        "class": of.class.map(|c| c.name()), "status": of.status, "message": of.message,
        "next_at": of.next_at.map(time),
    })
}

pub(super) fn millis(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
