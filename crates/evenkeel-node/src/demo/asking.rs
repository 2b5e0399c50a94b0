//! What the node says of itself over HTTP, as far as the demo wants to know it.
//!
//! Reads leniently for the screen (a field that is missing is shown as unknown) and strictly for
//! the proof (a field that is missing is an error).

use std::time::Duration;

use serde_json::Value;

use super::proof::{Audit, Budget, Dead, Incident};
use super::web::Web;

/// A node that can be asked.
pub(crate) struct Node {
    web: Web,
    url: String,
}

/// One subscription, for the screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Flow {
    pub(crate) name: String,
    /// The node's own, such as the one that delivers alerts.
    pub(crate) own: bool,
    pub(crate) completed: u64,
    pub(crate) parked: u64,
    pub(crate) dead: u64,
    pub(crate) open: u64,
    pub(crate) breakers: Vec<String>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

impl Node {
    pub(crate) fn at(url: String) -> Node {
        Node { web: Web::patient_for(Duration::from_secs(10)), url }
    }

    pub(crate) async fn flows(&self) -> Result<Vec<Flow>, String> {
        let said = self.get("/v1/subscriptions").await?;
        Ok(list(&said, "subscriptions")?.iter().map(flow).collect())
    }

    pub(crate) async fn audit(&self) -> Result<Audit, String> {
        serde_json::from_value(self.get("/v1/audit").await?).map_err(|e| format!("/v1/audit: {e}"))
    }

    pub(crate) async fn dead(&self, subscription: &str) -> Result<Vec<Dead>, String> {
        let path = format!("/v1/subscriptions/{subscription}/dead");
        let said = self.get(&path).await?;
        let items = list(&said, "items")?.to_vec();
        serde_json::from_value(Value::Array(items)).map_err(|e| format!("{path}: {e}"))
    }

    /// Objectives whose alerts fire.
    pub(crate) async fn alerts(&self) -> Result<Vec<String>, String> {
        let said = self.get("/v1/alerts").await?;
        let fires = |alert: &&Value| text(alert, "state").as_deref().is_none_or(|state| state == "firing");
        let name = |alert: &Value| {
            let both = (text(alert, "objective").unwrap_or_default(), text(alert, "name").unwrap_or_default());
            format!("{}/{}", both.0, both.1)
        };
        Ok(list(&said, "alerts")?.iter().filter(fires).map(name).collect())
    }

    pub(crate) async fn incidents(&self) -> Result<Vec<Incident>, String> {
        let said = self.get("/v1/incidents").await?;
        Ok(list(&said, "incidents")?.iter().map(incident).collect())
    }

    pub(crate) async fn budgets(&self) -> Result<Vec<Budget>, String> {
        let said = self.get("/v1/slos").await?;
        list(&said, "slos")?
            .iter()
            .map(|slo| budget(slo).ok_or_else(|| format!("/v1/slos: no budget in {slo}")))
            .collect()
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        self.web.get(&format!("{}{path}", self.url)).await
    }
}

fn list<'a>(said: &'a Value, name: &str) -> Result<&'a Vec<Value>, String> {
    said.get(name).and_then(Value::as_array).ok_or_else(|| format!("the node's answer has no `{name}`: {said}"))
}

fn text(of: &Value, name: &str) -> Option<String> {
    of.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn flow(said: &Value) -> Flow {
    let count = |name: &str| said.get(name).and_then(Value::as_u64).unwrap_or_default();
    let latency = |name: &str| said.pointer(&format!("/latency/{name}")).and_then(Value::as_f64);
    let breakers = said.get("breakers").and_then(Value::as_array).cloned().unwrap_or_default();
    let open = |breaker: &Value| {
        let state = text(breaker, "state").unwrap_or_default();
        (state != "closed").then(|| format!("{} {state}", text(breaker, "dependency").unwrap_or_default()))
    };
    Flow {
        name: text(said, "name").unwrap_or_default(),
        own: said.get("own") == Some(&Value::Bool(true)),
        completed: count("completed"),
        parked: count("parked"),
        dead: count("dead"),
        open: ["in_flight", "queued", "parked", "unread"].into_iter().map(count).sum(),
        breakers: breakers.iter().filter_map(open).collect(),
        p50_ms: latency("p50_ms"),
        p99_ms: latency("p99_ms"),
    }
}

fn incident(said: &Value) -> Incident {
    let millis = |name: &str| said.get(name).and_then(Value::as_u64);
    let runs = said.get("runs").and_then(Value::as_array).cloned().unwrap_or_default();
    Incident {
        objective: text(said, "objective").unwrap_or_default(),
        resolved: said.get("resolved_at").is_some_and(|at| !at.is_null()),
        healed: runs.iter().any(|run| text(run, "ending").as_deref() == Some("succeeded")),
        detect_ms: millis("time_to_detect_ms"),
        recover_ms: millis("time_to_recover_ms"),
    }
}

fn budget(said: &Value) -> Option<Budget> {
    Some(Budget {
        objective: text(said, "name")?,
        good: said.get("good")?.as_u64()?,
        bad: said.get("bad")?.as_u64()?,
        remaining: said.get("remaining")?.as_f64()?,
    })
}
