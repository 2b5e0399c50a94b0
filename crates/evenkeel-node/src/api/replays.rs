//! `…/{name}/replays`: a window through the handler again. `POST`, `GET`, `GET …/{id}`, `DELETE …/{id}`.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use evenkeel_model::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cursor::{Cursor, From};
use super::{Node, Problem, limits};
use crate::error::{Error, codes};
use crate::forms::time;
use crate::replaying::{self, Ask, Ended, Replay};

const BODY_BYTES_MAX: usize = 64 << 10;
const FAILURES_MAX: u64 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    from: Value,
    to: Option<Value>,
    partition: Option<u32>,
    #[serde(default)]
    shadow: bool,
    failures_max: Option<u64>,
}

/// Begins a replay; 202.
pub(super) async fn begin(
    State(node): Node,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (parts, body) = request.into_parts();
    let body = limits::body(&parts.headers, body, BODY_BYTES_MAX).await?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|e| {
        let like = "{\"from\": \"2026-11-21T08:00:00Z\", \"to\": \"latest\", \"shadow\": true}";
        Problem::parameter("body", &String::from_utf8_lossy(&body), &format!("must be like {like} ({e})"))
    })?;
    let wire = node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    let topic = &wire.plan.topic;
    if wire.plan.home.is_some() {
        let said = format!("subscription `{name}` reads `{topic}` at a broker: a replay reads this node's log only");
        let hint = "a subscription of another name with `from: TIME` reads the window again; what died goes again by `evenkeel dead redrive`";
        return Err(Problem::new(409, Error::new(codes::OVER_A_BROKER, said).hint(hint)));
    }
    let count = node.log.topic(topic).map_or(0, |t| t.partitions);
    let partitions: Vec<u32> = match asked.partition {
        Some(p) if p >= count => {
            let said = format!("topic `{topic}` has no partition {p} (it has {count})");
            return Err(Problem::new(404, Error::new(codes::UNKNOWN_PARTITION, said)));
        }
        Some(p) => vec![p],
        None => (0..count).collect(),
    };
    let place = |value: &Value| -> Result<Cursor, Problem> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Cursor::begin(&node.log, topic, &partitions, From::parse(&text)?)
    };
    let from = place(&asked.from)?;
    let to = place(&asked.to.unwrap_or_else(|| "latest".into()))?;
    let window = from.0.iter().zip(&to.0).map(|((p, from), (_, to))| (*p, *from, *to)).collect();
    let failures_max = asked.failures_max.unwrap_or(FAILURES_MAX).max(1);
    let ask = Ask { subscription: wire.plan.name.clone(), window, shadow: asked.shadow, failures_max };
    let job = replaying::begin(&node, ask).await?;
    Ok((StatusCode::ACCEPTED, Json(form(&job))))
}

/// All of a subscription, the newest last.
pub(super) async fn list(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    node.wire(&name).ok_or_else(|| Problem::unknown_subscription(&node, &name))?;
    let items: Vec<Value> = node.replays.of(&name).iter().map(|job| form(job)).collect();
    Ok(Json(json!({ "items": items })))
}

/// One of them.
pub(super) async fn show(State(node): Node, Path((name, id)): Path<(String, u64)>) -> Result<Json<Value>, Problem> {
    let job = node.replays.find(&name, id).ok_or_else(|| unknown(&name, id))?;
    Ok(Json(form(&job)))
}

/// Stops one after the calls that are under way; on record before it is answered.
pub(super) async fn stop(State(node): Node, Path((name, id)): Path<(String, u64)>) -> Result<Json<Value>, Problem> {
    let job = node.replays.find(&name, id).ok_or_else(|| unknown(&name, id))?;
    replaying::stop(&node, &job).await?;
    Ok(Json(form(&job)))
}

fn unknown(name: &str, id: u64) -> Problem {
    let said = format!("there is no replay {id} of `{name}`; the newest 50 of all are remembered");
    Problem::new(404, Error::new(codes::UNKNOWN_PATH, said))
}

fn form(job: &Replay) -> Value {
    let progress = job.progress();
    let c = progress.counts;
    let (state, why) = match &progress.ended {
        None => ("running", None),
        Some((_, Ended::Done)) => ("done", None),
        Some((_, Ended::Stopped)) => ("stopped", None),
        Some((_, Ended::Failed(why))) => ("failed", Some(why.clone())),
    };
    let differences = progress.differences.iter().map(|d| {
        json!({
            "id": d.id, "partition": d.at.shard.partition, "offset": d.at.offset,
            "was": Outcome::name(d.was), "now": d.now.name(),
        })
    });
    let window = job.ask.window.iter().map(|(p, from, to)| json!({ "partition": p, "from": from, "to": to }));
    json!({
        "id": job.id, "subscription": &*job.ask.subscription, "shadow": job.ask.shadow, "state": state, "why": why,
        "began": time(job.began), "ended": progress.ended.as_ref().map(|(at, _)| time(*at)),
        "window": window.collect::<Vec<_>>(),
        "total": job.ask.window.iter().map(|(_, from, to)| to.saturating_sub(*from)).sum::<u64>(),
        "events": c.events, "completed": c.completed, "dead": c.dead, "dropped": c.dropped,
        "not_called": c.not_called, "failed": c.failed, "returned": c.returned,
        "same": c.same, "different": c.different, "unknown": c.unknown,
        "differences": differences.collect::<Vec<_>>(),
    })
}
