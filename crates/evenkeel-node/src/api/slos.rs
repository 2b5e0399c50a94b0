//! `GET /v1/slos`: objectives, their budgets and how they burn.

use axum::Json;
use axum::extract::State;
use evenkeel_watch::ObjectiveSnapshot;
use evenkeel_watch::objective::Part;
use serde_json::{Value, json};

use super::{Node, Problem};
use crate::error::{Error, codes};
use crate::forms::time;
use crate::watching::ObjectiveReport;

/// All objectives.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let report = node.watching.report().await;
    let report = report.ok_or_else(|| Error::new(codes::NOT_READY, "the node is going down"))?;
    let slos: Vec<Value> = report.objectives.iter().zip(&report.snapshot.objectives).map(|(r, s)| form(r, s)).collect();
    Ok(Json(json!({ "slos": slos })))
}

fn form(report: &ObjectiveReport, seen: &ObjectiveSnapshot) -> Value {
    let (objective, budget) = (&report.objective, &seen.budget);
    let burn: Vec<Value> =
        budget.burn.iter().map(|(window, burn)| json!({ "window_s": window.as_secs_f64(), "burn": burn })).collect();
    let history: Vec<Value> =
        report.history.iter().map(|p| json!({ "until": time(p.until), "good": p.good, "bad": p.bad })).collect();
    let bad: Vec<Value> = report
        .bad
        .iter()
        .map(|b| {
            json!({
                "topic": &*b.at.shard.topic, "partition": b.at.shard.partition, "offset": b.at.offset,
                "when": time(b.when), "outcome": b.outcome.map(|o| o.name()),
            })
        })
        .collect();
    json!({
        "name": &*objective.name, "service": &*objective.service, "subscription": &*objective.subscription(),
        "description": objective.description,
        "indicator": objective.indicator().name(),
        "within_ms": objective.indicator().threshold().map(super::events::millis),
        "method": objective.method().name(), "parts": objective.parts.iter().map(part).collect::<Vec<_>>(),
        "target": objective.target(), "window_s": objective.window.length().as_secs_f64(),
        "calendar": objective.window.is_calendar(), "from": time(budget.from), "until": time(budget.until),
        "slices": budget.slices.map(|(bad, all)| json!({ "bad": bad, "all": all })),
        "good": budget.good, "bad": budget.bad, "valid": budget.valid, "share_good": budget.indicator,
        "allowed_bad": budget.allowed, "remaining": budget.remaining,
        "exhausted_in_s": budget.exhausted_in.map(|d| d.as_secs_f64()),
        "burn": burn, "firing": seen.firing, "history": history, "bad_events": bad,
    })
}

fn part(part: &Part) -> Value {
    json!({
        "subscription": &*part.scope.subscription, "type": part.scope.kind.as_deref(),
        "source": part.scope.source.as_deref(), "handler_version": part.scope.handler_version.as_deref(),
        "indicator": part.indicator.name(), "within_ms": part.indicator.threshold().map(super::events::millis),
        "target": part.target, "weight": part.weight,
        "slice_s": part.method.slice().map(|slice| slice.as_secs_f64()),
    })
}
