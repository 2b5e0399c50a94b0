//! Dependencies with their breakers: what an operator sees, and may say.

use axum::Json;
use axum::extract::{Path, Request, State};
use evenkeel::runtime::DependencyView;
use evenkeel_delivery::{BreakerState, BreakerView, Command, Force};
use evenkeel_model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, Problem, limits};
use crate::forms::time;
use crate::happenings::BreakerForced;
use crate::wiring::Wired;

/// `GET /v1/dependencies`: all that running subscriptions name.
pub(super) async fn list(State(node): Node) -> Json<Value> {
    let all = node.dependencies.view(node.clock.now());
    Json(json!({ "dependencies": all.iter().map(form).collect::<Vec<_>>() }))
}

/// `GET /v1/dependencies/{name}`.
pub(super) async fn show(State(node): Node, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    Ok(Json(form(&find(&node, &name)?)))
}

/// `POST /v1/dependencies/{name}/breaker`: open, closed or automatic, until told otherwise.
pub(super) async fn force(State(node): Node, Path(name): Path<String>, body: Request) -> Result<Json<Value>, Problem> {
    let force = asked(body).await?;
    find(&node, &name)?;
    node.dependencies.force(node.clock.now(), &name, &force);
    BreakerForced { of: name.clone(), force: format!("{force:?}") }.tell();
    show(State(node), Path(name)).await
}

/// `POST /v1/subscriptions/{name}/breaker`: likewise, for the breaker of its own handler.
pub(super) async fn force_handler(
    State(node): Node,
    Path(name): Path<String>,
    body: Request,
) -> Result<Json<Value>, Problem> {
    let force = asked(body).await?;
    BreakerForced { of: name.clone(), force: format!("{force:?}") }.tell();
    if !node.command(&name, Command::Breaker { dependency: "handler".to_owned(), force }) {
        return Err(Problem::unknown_subscription(&node, &name));
    }
    super::subscriptions::show(State(node), Path(name)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    state: String,
    #[serde(default)]
    reason: String,
}

async fn asked(request: Request) -> Result<Force, Problem> {
    const BYTES_MAX: usize = 16 << 10;
    const REASON_MAX: usize = 1024;
    let (parts, body) = request.into_parts();
    let body = limits::body(&parts.headers, body, BYTES_MAX).await?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|e| {
        let rule = format!("must be like {{\"state\": \"open\", \"reason\": \"maintenance until 14:00\"}} ({e})");
        Problem::parameter("body", &String::from_utf8_lossy(&body), &rule)
    })?;
    let reason = asked.reason.trim().to_owned();
    if reason.len() > REASON_MAX {
        return Err(Problem::parameter("reason", &reason, "must be 1024 bytes or less"));
    }
    match asked.state.as_str() {
        "automatic" => Ok(Force::Automatic),
        "open" | "closed" if reason.is_empty() => {
            Err(Problem::parameter("reason", "", "must say why, for whoever finds it like that"))
        }
        "open" => Ok(Force::Open { reason }),
        "closed" => Ok(Force::Closed { reason }),
        other => Err(Problem::parameter("state", other, "must be open, closed or automatic")),
    }
}

fn find(node: &Wired, name: &str) -> Result<DependencyView, Problem> {
    let mut all = node.dependencies.view(node.clock.now());
    match all.iter().position(|d| &*d.breaker.dependency == name) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let known: Vec<&str> = all.iter().map(|d| &*d.breaker.dependency).collect();
            Err(Problem::unknown_dependency(name, known))
        }
    }
}

fn form(view: &DependencyView) -> Value {
    let mut form = breaker(&view.breaker);
    form["name"] = Value::from(&*view.breaker.dependency);
    form["subscriptions"] = view.subscriptions.iter().map(|s| &**s).collect();
    form["calls"] = Value::from(view.calls);
    form["failed"] = Value::from(view.failed);
    form["slow"] = Value::from(view.slow);
    form
}

/// A breaker, wherever it is shown.
pub(super) fn breaker(view: &BreakerView) -> Value {
    let state = match view.state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half_open",
    };
    let forced = view.forced.as_ref().map(|forced| {
        json!({ "state": if forced.open { "open" } else { "closed" }, "reason": forced.reason, "at": time(forced.at) })
    });
    // One that never opened has been closed since there is one.
    let changed = (view.since != Timestamp::EPOCH).then_some(view.since);
    json!({
        "dependency": &*view.dependency, "state": state, "since": changed.map(time),
        "next_probe": view.next_probe.map(time), "opened_in_a_row": view.steps, "forced": forced,
        "sharers": view.sharers,
    })
}
