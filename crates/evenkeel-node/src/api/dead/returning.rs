//! Dead letters of other frameworks go back to where they came from, some at a time: whoever asks sets the pace, and
//! what went back is on record, so that whoever is cut off may ask again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, Request, State};
use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_log::Log;
use evenkeel_transport::dead::{Place, Returns, Wanted};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::topics::place;
use crate::api::redrives::{body, filter};
use crate::api::{Node, Problem};
use crate::wiring::{blocking, failed};

/// Letters of one request, at most.
const LIMIT_MAX: usize = 1_000;

/// Who knows which letters of which topic went back.
#[derive(Default)]
pub(crate) struct Returning(Mutex<HashMap<String, Arc<Mutex<Returns>>>>);

impl Returning {
    /// Of the letters of a topic that exists.
    pub(super) fn of(&self, log: &Log, topic: &str) -> Arc<Mutex<Returns>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Mutex::new(Returns::of(log.clone(), topic)));
        all.entry(topic.to_owned()).or_insert_with(new).clone()
    }
}

/// What is asked for. Every member has a default but the reason.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    filter: Map<String, Value>,
    from: Option<String>,
    limit: Option<usize>,
    to: Option<String>,
    reason: String,
    dry_run: bool,
}

/// `POST /v1/topics/{topic}/dead/redrives`.
pub(in crate::api) async fn give_back(
    State(node): Node,
    Path(topic): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    if node.log.topic(&topic).is_none() {
        return Err(Problem::unknown_topic(&node, &topic));
    }
    let asked: Asked = body(request).await?;
    if asked.reason.trim().is_empty() && !asked.dry_run {
        return Err(Problem::parameter("reason", "", "must say why the letters go back"));
    }
    if let Some(to) = asked.to.as_deref().filter(|to| node.log.topic(to).is_none() || *to == topic) {
        return Err(Problem::parameter("to", to, "must be another topic that exists"));
    }
    let from = asked.from.as_deref().map_or(Ok((0, 0)), |text| place("from", text))?;
    let now = node.clock.now();
    // What dies again meanwhile is for another redrive.
    let mut conditions = asked.filter.clone();
    let until = conditions.entry("until").or_insert_with(|| format_rfc3339(now).into()).clone();
    let (filter, limit) = (filter(&conditions)?, asked.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX));
    let returns = node.returning.of(&node.log, &topic);
    let dry_run = asked.dry_run;
    let done = blocking(move || {
        let (to, reason) = (asked.to.as_deref(), asked.reason.as_str());
        let wanted = Wanted { filter: &filter, from, limit, to, reason, dry_run };
        returns.lock().unwrap_or_else(PoisonError::into_inner).give_back(&wanted, now)
    });
    let done = done.await?.map_err(|e| failed(&e))?;
    Ok(Json(json!({
        "dry_run": dry_run, "given": done.given, "stayed": done.stayed, "passed_over": done.passed_over,
        "next": done.next.map(written), "until": until,
    })))
}

/// A place as text.
pub(super) fn written((partition, offset): Place) -> String {
    format!("{partition}:{offset}")
}
