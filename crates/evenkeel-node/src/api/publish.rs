//! `POST /v1/topics/{topic}/events`: CloudEvents in, positions out, once they are durable.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use evenkeel_cloudevents::{Limits, http as cloudevents};
use evenkeel_model::names;
use evenkeel_transport::{PublishError, senseless};
use serde_json::{Value, json};

use super::{Node, Problem, limits};
use crate::error::{Error, codes};
use crate::wiring::auto_create;

/// Takes one event or a batch.
pub(super) async fn publish(
    State(node): Node,
    Path(topic): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let (parts, body) = request.into_parts();
    let plan = node.plan();
    let bytes_max = plan.limits.body_bytes_max;
    let body = limits::body(&parts.headers, body, bytes_max).await?;
    if names::is_own(&topic) {
        let error = Error::new(codes::OWN_TOPIC, format!("`{topic}` belongs to the node: it can be read, not written"));
        return Err(Problem::new(403, error));
    }
    if node.log.topic(&topic).is_none() && !auto_create(&plan, &node.log, &topic).await? {
        return Err(Problem::unknown_topic(&node, &topic));
    }
    let limits =
        Limits { body_bytes_max: bytes_max, batch_events_max: plan.limits.batch_events_max, ..Limits::default() };
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let events = cloudevents::decode(headers, body, &limits).map_err(|p| malformed(&parts.headers, &p))?;
    for (index, event) in events.iter().enumerate() {
        if let Some(problem) = senseless(event) {
            let field = if events.len() > 1 { format!("[{index}].{}", problem.field) } else { problem.field };
            return Err(malformed(&parts.headers, &evenkeel_cloudevents::Problem { field, ..problem }));
        }
    }
    let publishing = node.telemetry.as_ref().map(|telemetry| telemetry.publishing(&topic, &events));
    let came = node.ingress.publish(&topic, events).await;
    if let Some(publishing) = publishing {
        publishing.done(came.as_deref().map_err(kind));
    }
    let published = came.map_err(|e| refused(&e))?;
    let results: Vec<Value> = published
        .into_iter()
        .map(|p| {
            json!({
                "source": p.id.source, "id": p.id.id,
                "partition": p.partition, "offset": p.offset, "duplicate": p.duplicate,
            })
        })
        .collect();
    Ok(Json(json!({ "results": results })))
}

/// What went wrong, of few kinds.
fn kind(e: &PublishError) -> &'static str {
    match e {
        PublishError::UnknownTopic { .. } => "unknown_topic",
        PublishError::Conflict { .. } => "conflict",
        PublishError::TooLarge { .. } => "too_large",
        PublishError::Full => "log_full",
        PublishError::TopicFull { .. } => "topic_full",
        PublishError::ReadOnly(_) => "read_only",
        PublishError::Stopped(_) => "log_stopped",
    }
}

/// What is no CloudEvent: 415 when nothing says that it was meant to be one, else 400.
fn malformed(headers: &HeaderMap, problem: &evenkeel_cloudevents::Problem) -> Problem {
    let claims = headers.keys().any(|name| name.as_str().starts_with("ce-"))
        || headers
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.trim_start().to_ascii_lowercase().starts_with("application/cloudevents"));
    let (status, code) = if claims { (400, codes::INVALID_EVENT) } else { (415, codes::UNSUPPORTED_MEDIA) };
    let mut error = Error::new(code, problem.to_string());
    if !claims {
        error = error.hint(
            "send `ce-id`, `ce-source`, `ce-type` and `ce-specversion` headers, or the content type \
             application/cloudevents+json or application/cloudevents-batch+json",
        );
    }
    Problem::new(status, error)
        .with("field", problem.field.as_str())
        .with("value", problem.value.as_str())
        .with("rule", problem.rule.as_str())
}

fn refused(e: &PublishError) -> Problem {
    let said = e.to_string();
    match e {
        PublishError::UnknownTopic { .. } => Problem::new(404, Error::new(codes::UNKNOWN_TOPIC, said)),
        PublishError::Conflict { id, first } => {
            let problem = Problem::new(409, Error::new(codes::EVENT_CONFLICT, said))
                .with("source", id.source.as_str())
                .with("id", id.id.as_str());
            match first {
                Some(at) => problem.with(
                    "first",
                    json!({ "topic": &*at.shard.topic, "partition": at.shard.partition, "offset": at.offset }),
                ),
                None => problem,
            }
        }
        PublishError::TooLarge { max, .. } => Problem::new(413, Error::new(codes::TOO_LARGE, said))
            .with("limit", "group_bytes_max")
            .with("limit_bytes", *max),
        PublishError::Full => {
            Problem::new(503, Error::new(codes::LOG_FULL, said).hint("make room on the disk of the data folder"))
        }
        PublishError::TopicFull { topic, partition, max, .. } => {
            let hint = format!(
                "it clears by itself when the subscription that owes the oldest events catches up; `topics.{topic}.retention.limit` is the limit"
            );
            Problem::new(503, Error::new(codes::TOPIC_FULL, said).hint(hint))
                .with("partition", *partition)
                .with("limit", "retention.limit")
                .with("limit_bytes", *max)
        }
        PublishError::ReadOnly(_) => Problem::new(503, Error::new(codes::DATA_CORRUPT, said)),
        PublishError::Stopped(_) => Problem::new(503, Error::new(codes::LOG_STOPPED, said)),
    }
}
