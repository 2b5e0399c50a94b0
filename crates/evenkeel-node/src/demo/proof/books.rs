//! The books, read from where each wrote them. The forms stand here once more, on purpose: the
//! proof reads what is on the medium, and shares no type with who wrote it.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// All that the proof compares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// How many orders there were to publish.
    pub(crate) total: u64,
    /// The orders whose payment can never succeed.
    pub(crate) poison: Vec<String>,
    /// How many orders the desk says that it sent a second time on purpose.
    pub(crate) again_sent: u64,
    pub(crate) acks: Vec<Ack>,
    pub(crate) inventory: Vec<Effect>,
    pub(crate) payment: Vec<Effect>,
    pub(crate) shipping: Vec<Effect>,
    pub(crate) cancels: Vec<Effect>,
    pub(crate) audit: Audit,
    pub(crate) dead: Vec<Dead>,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) alerts: Alerts,
    pub(crate) budgets: Vec<Budget>,
    pub(crate) mishaps: Vec<Mishap>,
    /// The objective whose incident only the playbook can end.
    pub(crate) healed_objective: String,
}

/// A line of the producer's book.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Ack {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) customer: Option<String>,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) duplicate: bool,
    pub(crate) again: bool,
    pub(crate) units: i64,
    pub(crate) pence: i64,
}

/// A line of a service's book.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Effect {
    pub(crate) key: String,
    pub(crate) effect: String,
    pub(crate) order: String,
    pub(crate) customer: Option<String>,
    pub(crate) units: i64,
    pub(crate) pence: i64,
}

/// The node's audit of its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Audit {
    pub(crate) ok: bool,
    pub(crate) subscriptions: Vec<Account>,
}

/// One subscription in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) appended: u64,
    pub(crate) completed: u64,
    pub(crate) duplicate: u64,
    pub(crate) stale: u64,
    pub(crate) filtered: u64,
    pub(crate) dead: u64,
    pub(crate) dropped: u64,
    pub(crate) expired: u64,
    pub(crate) in_flight: u64,
    pub(crate) parked: u64,
    pub(crate) unread: u64,
    pub(crate) not_an_event: u64,
    #[serde(default)]
    pub(crate) problems: Vec<String>,
}

/// A dead letter, as the node lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Dead {
    pub(crate) id: String,
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) attempts: u64,
}

/// An incident, as the node tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Incident {
    pub(crate) objective: String,
    pub(crate) resolved: bool,
    /// The playbook step that ran in it succeeded.
    pub(crate) healed: bool,
    pub(crate) detect_ms: Option<u64>,
    pub(crate) recover_ms: Option<u64>,
}

/// The alerts that arrived at the webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alerts {
    /// Objectives of alerts that fired.
    pub(crate) firing: Vec<String>,
    /// Objectives of alerts that cleared.
    pub(crate) resolved: Vec<String>,
}

/// An objective's budget.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Budget {
    pub(crate) objective: String,
    pub(crate) good: u64,
    pub(crate) bad: u64,
    /// 1 is all of it; below 0 when more was spent than there was.
    pub(crate) remaining: f64,
}

/// A mishap that was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mishap {
    pub(crate) name: String,
    pub(crate) happened: bool,
}

pub(crate) fn read_acks(path: &Path) -> Result<Vec<Ack>, String> {
    read(path)
}

pub(crate) fn read_effects(path: &Path) -> Result<Vec<Effect>, String> {
    read(path)
}

/// Reads the receiver's book.
pub(crate) fn read_alerts(path: &Path) -> Result<Alerts, String> {
    #[derive(Deserialize)]
    struct Arrived {
        data: serde_json::Value,
    }
    let mut alerts = Alerts::default();
    for Arrived { data } in read(path)? {
        let text = |name: &str| data.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        match text("state").as_str() {
            "firing" => alerts.firing.push(text("objective")),
            "resolved" => alerts.resolved.push(text("objective")),
            _ => {}
        }
    }
    Ok(alerts)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| format!("{}:{}: {e}", path.display(), number + 1))
    };
    text.lines().enumerate().map(line).collect()
}
