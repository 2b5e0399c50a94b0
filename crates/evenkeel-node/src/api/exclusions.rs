//! `/v1/slos/exclusions`: stretches of time that count for nobody, on record.

use axum::Json;
use axum::extract::{Path, Request, State};
use evenkeel_watch::Exclusion;
use serde_json::{Value, json};

use super::{Node, Problem, limits};
use crate::error::{Error, codes};
use crate::forms::exclusion::ExclusionForm;
use crate::forms::time;
use crate::happenings::TimeExcluded;

const TEXT_MAX: usize = 1024;

/// `GET`: all that hold.
pub(super) async fn list(State(node): Node) -> Result<Json<Value>, Problem> {
    let report = node.watching.report().await;
    let report = report.ok_or_else(|| Error::new(codes::NOT_READY, "the node is going down"))?;
    let all: Vec<ExclusionForm> = report.exclusions.iter().map(ExclusionForm::from).collect();
    Ok(Json(json!({ "exclusions": all })))
}

/// `POST`: says one, for the past or the future.
pub(super) async fn say(State(node): Node, body: Request) -> Result<Json<Value>, Problem> {
    let (parts, body) = body.into_parts();
    let body = limits::body(&parts.headers, body, 16 << 10).await?;
    let mut form: ExclusionForm = serde_json::from_slice(&body).map_err(|e| {
        let like = "{\"subscription\": \"payment\", \"from\": \"2026-11-21T14:00:00Z\", \"until\": \
                    \"2026-11-21T14:30:00Z\", \"reason\": \"release 7\", \"by\": \"ann\"}";
        Problem::parameter("body", &String::from_utf8_lossy(&body), &format!("must be like {like} ({e})"))
    })?;
    let now = node.clock.now();
    form.said_at = time(now);
    if form.id.is_empty() {
        form.id = format!("ex-{}", now.micros());
    }
    for (name, text) in [("reason", &form.reason), ("by", &form.by), ("id", &form.id)] {
        if text.trim().is_empty() || text.len() > TEXT_MAX {
            return Err(Problem::parameter(name, text, "must be said, in 1024 bytes or less"));
        }
    }
    let exclusion = form.read().map_err(|field| {
        let text = if field == "from" { &form.from } else { &form.until };
        Problem::parameter(field, text, "must be a time of RFC 3339, like 2026-11-21T14:00:00Z")
    })?;
    if exclusion.from >= exclusion.until {
        return Err(Problem::parameter("until", &form.until, "must be later than `from`"));
    }
    matches_something(&node, &exclusion).await?;
    node.watching.exclude(exclusion.clone()).await?;
    let (id, reason, by) = (exclusion.id.to_string(), exclusion.reason.to_string(), exclusion.by.to_string());
    TimeExcluded { id, reason, by }.tell();
    Ok(Json(json!(ExclusionForm::from(&exclusion))))
}

/// `DELETE`: takes one back.
pub(super) async fn withdraw(State(node): Node, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    match node.watching.include(id.clone()).await? {
        Some(exclusion) => Ok(Json(json!(ExclusionForm::from(&exclusion)))),
        None => Err(Problem::unknown_id("exclusion", codes::UNKNOWN_EXCLUSION, &id, "evenkeel slo exclusions")),
    }
}

/// An exclusion of nothing is most likely a slip of the pen.
async fn matches_something(node: &crate::wiring::Wired, exclusion: &Exclusion) -> Result<(), Problem> {
    let report = node.watching.report().await;
    let report = report.ok_or_else(|| Error::new(codes::NOT_READY, "the node is going down"))?;
    if report.objectives.iter().any(|of| exclusion.holds(&of.objective)) {
        return Ok(());
    }
    let plan = node.plan();
    let named = |name: &std::sync::Arc<str>| exclusion.of.objective.as_ref() == Some(name);
    if plan.agreements.iter().any(|agreement| named(&agreement.name)) {
        return Ok(());
    }
    let agreements = plan.agreements.iter().map(|agreement| &*agreement.name);
    let names: Vec<&str> = report.objectives.iter().map(|of| &*of.objective.name).chain(agreements).collect();
    let rule = format!("must name an objective or an agreement that there is: [{}]", names.join(", "));
    let of = &exclusion.of;
    let said = of.objective.as_ref().or(of.subscription.as_ref()).or(of.service.as_ref());
    Err(Problem::parameter("objective", said.map_or("", |name| name), &rule))
}
