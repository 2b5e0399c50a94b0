//! The order desk: makes the orders of its plan at their pace, publishes each until it is
//! acknowledged, and writes down what it was told. Cancels orders whose payment died.
//!
//! Its book of acknowledgments is the first of the proof's three. It never reads the node's
//! answers to anything else than its own publishing.

mod acks;
mod pace;
mod lane;
mod publishing;
mod compensation;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use evenkeel_model::SystemClock;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Place;
use super::book::Book;
use super::effect::Effect;
use super::serving;
use crate::demo::plan::DeskPlan;
use crate::demo::web::Web;
use acks::Ack;

const PATIENCE: Duration = Duration::from_secs(5);

/// The desk, shared by its endpoint, its pace and its lanes.
pub(super) struct Desk {
    plan: DeskPlan,
    acks: Book<Ack>,
    cancels: Book<Effect>,
    web: Web,
    clock: SystemClock,
    control: watch::Sender<Control>,
    counts: Counts,
    stopped: Mutex<Option<String>>,
}

/// What the supervisor may ask of the desk; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    node: Option<String>,
    factor: Option<f64>,
    again_percent: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
struct Control {
    node: Option<String>,
    factor: f64,
    again_percent: u32,
}

#[derive(Default)]
struct Counts {
    made: AtomicU64,
    acked: AtomicU64,
    again_sent: AtomicU64,
    again_acked: AtomicU64,
    failed_tries: AtomicU64,
    unknown_then_there: AtomicU64,
}

pub(crate) async fn open(place: Place, plan: Option<PathBuf>) -> Result<(), String> {
    let path = plan.ok_or("the order desk needs --plan")?;
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let plan: DeskPlan = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let desk = Desk::open(&place, plan)?;
    let orders = desk.plan.orders()?;
    tokio::select! {
        served = serving::serve(&place, routes(Arc::clone(&desk))) => served,
        worked = pace::work(Arc::clone(&desk), orders) => worked,
    }
}

impl Desk {
    fn open(place: &Place, plan: DeskPlan) -> Result<Arc<Desk>, String> {
        let control = Control { node: None, factor: 1.0, again_percent: 0 };
        Ok(Arc::new(Desk {
            plan,
            acks: Book::open(&place.dir.join("acks.jsonl"))?,
            cancels: Book::open(&place.dir.join("cancels.jsonl"))?,
            web: Web::patient_for(PATIENCE),
            clock: SystemClock::new(),
            control: watch::Sender::new(control),
            counts: Counts::default(),
            stopped: Mutex::new(None),
        }))
    }

    fn asked(&self, asked: Asked) {
        self.control.send_modify(|control| {
            control.node = asked.node.or(control.node.take());
            control.factor = asked.factor.unwrap_or(control.factor);
            control.again_percent = asked.again_percent.unwrap_or(control.again_percent);
        });
    }

    /// The node refused an order for good: nothing that follows could be believed.
    fn stop(&self, why: String) {
        eprintln!("order desk: {why}");
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    fn status(&self) -> Value {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let counts = &self.counts;
        let (acked, sent, answered) = (count(&counts.acked), count(&counts.again_sent), count(&counts.again_acked));
        let total = self.plan.total as u64;
        json!({
            "total": total,
            "made": count(&counts.made),
            "acked": acked,
            "again_sent": sent,
            "again_acked": answered,
            "failed_tries": count(&counts.failed_tries),
            "unknown_then_there": count(&counts.unknown_then_there),
            "done": acked == total && sent == answered,
            "stopped": *self.stopped.lock().unwrap_or_else(PoisonError::into_inner),
        })
    }
}

fn routes(desk: Arc<Desk>) -> axum::Router {
    axum::Router::new()
        .route("/control", post(control))
        .route("/status", get(status))
        .route("/compensate", post(compensation::cancel))
        .with_state(desk)
}

async fn control(State(desk): State<Arc<Desk>>, Json(asked): Json<Asked>) -> StatusCode {
    desk.asked(asked);
    StatusCode::NO_CONTENT
}

async fn status(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(desk.status())
}

#[cfg(test)]
mod tests;
