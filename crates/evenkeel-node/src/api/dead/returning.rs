//! Dead letters of other frameworks, and of brokers, go back to where they came from, some at a time: whoever asks sets the pace, and
//! what went back is on record, so that whoever is cut off may ask again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, Request, State};
use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_delivery::ports::Outgoing;
use evenkeel_log::Log;
use evenkeel_transport::dead::{Abroad, Belongs, Place, Returns, Wanted};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::topics::place;
use crate::api::redrives::{body, filter};
use crate::api::{Node, Problem};
use crate::config::brokers::{BrokerKind, home};
use crate::config::intakes::IntakePlan;
use crate::config::plan::Plan;
use crate::error::Error;
use crate::wiring::{self, Wired, blocking, failed};

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
    let brokers = Brokers::of(&node, &topic);
    if let Some(to) = asked.to.as_deref().filter(|to| to.contains("://")) {
        brokers.sink(to).map_err(|e| Problem::parameter("to", to, &format!("names no place to go to: {e}")))?;
    } else if let Some(to) = asked.to.as_deref().filter(|to| node.log.topic(to).is_none() || *to == topic) {
        return Err(Problem::parameter("to", to, "must be another topic that exists, or an address at a broker"));
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
        returns.lock().unwrap_or_else(PoisonError::into_inner).give_back(&wanted, &brokers, now)
    });
    let done = done.await?.map_err(|e| failed(&e))?;
    Ok(Json(json!({
        "dry_run": dry_run, "given": done.given, "stayed": done.stayed, "passed_over": done.passed_over,
        "next": done.next.map(written), "until": until,
    })))
}

/// The brokers of the file, as the letters of one topic see them. Used where one may block.
struct Brokers {
    plan: Arc<Plan>,
    /// What takes in the letters, if a broker is behind them.
    from: Option<IntakePlan>,
    /// What takes in from the same broker: which topics, from which queues.
    beside: Vec<(String, String)>,
    runtime: tokio::runtime::Handle,
}

impl Brokers {
    fn of(node: &Wired, topic: &str) -> Brokers {
        let from = node.intakes.plans().find(|plan| *plan.topic == *topic).cloned();
        let same = |plan: &&IntakePlan| from.as_ref().is_some_and(|from| from.broker.name == plan.broker.name);
        let beside = node.intakes.plans().filter(same);
        let beside = beside.map(|plan| (plan.topic.to_string(), plan.from.name().to_owned())).collect();
        Brokers { plan: node.plan(), from, beside, runtime: tokio::runtime::Handle::current() }
    }

    fn sink(&self, address: &str) -> Result<Arc<dyn evenkeel_delivery::ports::Sink>, Error> {
        match home("to", address, &self.plan.brokers)? {
            Some(home) => wiring::sink(&home),
            None => Err(failed(&"it is no address")),
        }
    }
}

impl Abroad for Brokers {
    fn belongs(&self, queue: &str) -> Option<Belongs> {
        let broker = &self.from.as_ref()?.broker;
        if let Some((topic, _)) = self.beside.iter().find(|(_, known)| known == queue) {
            return Some(Belongs::Topic(topic.clone()));
        }
        match broker.kind {
            BrokerKind::RabbitMq if !queue.contains('/') => {
                Some(Belongs::Address(format!("amqp://{}/{queue}", broker.name)))
            }
            BrokerKind::Aws => Some(Belongs::Address(format!("aws://{}/sqs/{queue}", broker.name))),
            _ => None,
        }
    }

    fn send(&self, address: &str, letters: Vec<Outgoing>) -> Vec<Result<(), String>> {
        let count = letters.len();
        match self.sink(address) {
            Ok(sink) => {
                let answers = self.runtime.block_on(sink.publish(letters));
                answers.into_iter().map(|answer| answer.map(drop).map_err(|e| e.message)).collect()
            }
            Err(e) => vec![Err(e.to_string()); count],
        }
    }
}

/// A place as text.
pub(super) fn written((partition, offset): Place) -> String {
    format!("{partition}:{offset}")
}
