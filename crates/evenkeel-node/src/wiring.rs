//! Puts the parts together: topics, the way in, one running subscription per plan.
//!
//! Decides nothing about events. Invariants: every topic is durable before anything reads or
//! writes it; where a subscription begins is journaled before the first event is taken in, so
//! that a restart can't move it; the node's own subscriptions run on the same engine.

mod topics;
mod registry;
mod subscribing;
mod bounded;
mod overlay;
mod letters;
mod stories;
mod tailing;
mod intakes;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq", feature = "aws"))]
mod login;
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
mod queues;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "kafka")]
mod kafka;
mod wires;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use evenkeel::runtime::{Dependencies, SubscriptionHandle};
use evenkeel_delivery::Command;
use evenkeel_log::Log;
use evenkeel_model::{Clock, Position, Timestamp, names};
use evenkeel_transport::audit::{Audit, Audited, audit};
use evenkeel_transport::story::StoryIndex;
use evenkeel_transport::{Callbacks, Held, HttpHandler, Ingress};

pub(crate) use intakes::{Intakes, verify};
pub(crate) use letters::letters;
pub(crate) use overlay::{connect, sink};
pub(crate) use registry::{Registered, around, written_by as registered};
#[cfg(test)]
pub(crate) use stories::UnseenPart;
pub(crate) use stories::{Elsewhere, Unseen, elsewhere, stories};
pub(crate) use subscribing::{Calling, Prepared, Ways, prepare, replay_handler, with_own};
pub(crate) use tailing::{Begin, Page, page, places};
pub(crate) use topics::all as all_topics;
pub(crate) use topics::{auto_create, begin_at, create, delete, owed_by_nobody, reshape};
pub(crate) use wires::Wires;

use crate::api::{Proofs, Returning};
use crate::config::plan::{Plan, SubscriptionPlan};
use crate::error::{Error, codes};
use crate::replaying::Replays;
use crate::responding::Responding;
use crate::sabotage::{self, Sabotage};
use crate::telemetry::Telemetry;
use crate::watching::Watching;

/// A node's parts, as the API sees them.
pub(crate) struct Wired {
    pub(crate) plan: RwLock<Arc<Plan>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started_at: Timestamp,
    pub(crate) log: Log,
    /// What the write-ahead log may grow to.
    pub(crate) wal_bytes_max: u64,
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) wires: Wires,
    /// What the subscriptions share.
    pub(crate) dependencies: Dependencies,
    /// What comes in from brokers.
    pub(crate) intakes: Intakes,
    pub(crate) watching: Watching,
    pub(crate) responding: Responding,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) http: SocketAddr,
    /// Who is told of what happens.
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) proofs: Proofs,
    /// Where later answers of handlers come in.
    pub(crate) callbacks: Arc<Callbacks>,
    /// Held by whoever changes what runs: changes come one at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) replays: Replays,
    /// How chains of events stand.
    pub(crate) chains: crate::watching::chains::Following,
    /// Where the records of events are.
    pub(crate) stories: Arc<StoryIndex>,
    /// The events that exemplars of the last metrics page stood for.
    pub(crate) exemplars: crate::metrics::Remembered,
    /// Which dead letters of other frameworks went back.
    pub(crate) returning: Returning,
    /// When the page was asked for last, and the processor time up to then, in seconds.
    pub(crate) processor: std::sync::Mutex<Option<(Timestamp, f64)>>,
}

/// A running subscription and what it was made from.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) plan: SubscriptionPlan,
    pub(crate) handle: SubscriptionHandle,
    /// `None`: it is a bridge.
    pub(crate) http: Option<Arc<HttpHandler>>,
    /// What it holds aside of what is parked.
    pub(crate) held: Arc<Held>,
}

impl Wire {
    /// The node's own subscriptions are called as its topics are.
    pub(crate) fn is_own(&self) -> bool {
        self.plan.name.starts_with(names::OWN_PREFIX)
    }
}

/// Topics, the way in, and all subscriptions of the plan, running.
pub(crate) struct Base {
    pub(crate) log: Log,
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) wires: Wires,
    /// What the subscriptions share.
    pub(crate) dependencies: Dependencies,
    /// What comes in from brokers.
    pub(crate) intakes: Intakes,
}

/// Wires what needs no watching. Must be called in a tokio runtime.
pub(crate) async fn base(
    plan: &Plan,
    log: Log,
    clock: &Arc<dyn Clock>,
    calling: &Calling,
    sabotage: Option<Sabotage>,
) -> Result<Base, Error> {
    let declared = subscribing::with_own(plan);
    topics::all(plan, &declared, &log)?;
    let made = registry::subscriptions(plan, &log)?;
    let ingress = {
        let (log, clock, window) = (log.clone(), clock.clone(), plan.publish_dedup);
        blocking(move || Ingress::open(log, clock, window)).await?.map_err(|e| failed(&e))?
    };
    let intakes = {
        let (plan, log, clock) = (plan.clone(), log.clone(), clock.clone());
        blocking(move || Intakes::open(&plan, &log, &clock)).await??
    };
    let mut ready = Vec::with_capacity(declared.len() + made.len());
    for plan in declared.into_iter().chain(made) {
        let ways = Ways { ingress: &ingress, intakes: &intakes };
        ready.push(subscribing::prepare(plan, &log, clock, calling, &ways, sabotage).await?);
    }
    let dependencies = Dependencies::default();
    let wires = ready.into_iter().map(|prepared| prepared.start(clock, &dependencies)).collect();
    intakes.start();
    Ok(Base { log, ingress, wires: Wires::new(wires), dependencies, intakes })
}

/// What there is without writing anything: no topic is made, no subscription runs.
pub(crate) fn reading_only(plan: &Plan, log: Log, clock: &Arc<dyn Clock>) -> Base {
    let ingress = Ingress::empty(log.clone(), clock.clone(), plan.publish_dedup);
    let (wires, dependencies) = (Wires::default(), Dependencies::default());
    Base { log, ingress, wires, dependencies, intakes: Intakes::default() }
}

impl Wired {
    /// Why nothing is taken in and nothing runs, on a damaged log.
    pub(crate) fn damaged(&self) -> Option<Error> {
        let damage = self.log.damage();
        let first = damage.first()?;
        let more = match damage.len() - 1 {
            0 => String::new(),
            n => format!(", and {n} more places"),
        };
        let plan = self.plan();
        let data = plan.data.display();
        let said = format!("the log is damaged at {first}{more}; what is whole is read, and nothing is written");
        Some(Error::new(codes::DATA_CORRUPT, said).hint(format!(
            "copy the folder, stop the node, look with `evenkeel log verify {data}`; `evenkeel log repair {data}` says what it would give up, and does it with --yes"
        )))
    }

    /// The plan that holds now; a changed file may replace it.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.plan.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The subscription of that name.
    pub(crate) fn wire(&self, name: &str) -> Option<Wire> {
        self.wires.find(name)
    }

    /// What the calls of all subscriptions have in common, by the plan that holds now.
    pub(crate) fn calling(&self) -> Calling {
        let plan = self.plan();
        let own_url = plan.callback.clone().unwrap_or_else(|| format!("http://{}", self.http));
        Calling {
            reach: Arc::new(plan.reach.clone()),
            callbacks: self.callbacks.clone(),
            own_url,
            telemetry: self.telemetry.clone(),
        }
    }

    /// Passes a command on to a subscription.
    pub(crate) fn command(&self, name: &str, command: Command) -> bool {
        self.wire(name).map(|wire| wire.handle.command(command)).is_some()
    }

    /// Audits all subscriptions on one cut of the log.
    pub(crate) async fn audit(&self) -> Result<Audit, Error> {
        if let Some(damaged) = self.damaged() {
            // Books that are cut off add up, and prove nothing.
            return Err(damaged);
        }
        let wires = self.wires.all();
        let mut audited = Vec::with_capacity(wires.len());
        for wire in wires.iter().filter(|wire| wire.plan.home.is_none()) {
            audited.push(audited_of(&wire.plan, wire.handle.pending().await));
        }
        let log = self.log.clone();
        let mut honest = blocking(move || audit(&log, &audited)).await?.map_err(|e| failed(&e))?;
        for (plan, home) in wires.iter().filter_map(|wire| Some((&wire.plan, wire.plan.home.as_ref()?))) {
            let one = overlay::audit(plan, home, &self.clock).await?;
            honest.ok &= one.problems.is_empty();
            honest.subscriptions.push(one);
        }
        Ok(sabotage::audit(self.sabotage, honest))
    }
}

/// What an audit must know of a subscription.
pub(crate) fn audited_of(plan: &SubscriptionPlan, live: Option<Vec<(Position, bool)>>) -> Audited {
    Audited {
        name: plan.name.clone(),
        topic: plan.topic.clone(),
        order: plan.policy.order,
        effects: plan.effects_topic.clone(),
        live,
    }
}

/// The subscriptions of the plan, those of the node itself, and those that were made at run time.
pub(crate) fn all_plans(plan: &Plan, log: &Log) -> Result<Vec<SubscriptionPlan>, Error> {
    let declared = subscribing::with_own(plan);
    Ok(declared.into_iter().chain(registry::subscriptions(plan, log)?).collect())
}

/// Runs what blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::new(codes::INTERNAL, format!("a task died: {e}")))
}

pub(crate) fn failed(e: &dyn std::fmt::Display) -> Error {
    Error::new(codes::INTERNAL, e.to_string())
}
