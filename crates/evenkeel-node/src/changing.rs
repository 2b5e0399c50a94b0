//! Changes what runs, while it runs: subscriptions made, changed, drained and removed, and a
//! changed file taken in.
//!
//! Each change is durable before it is answered, comes one at a time, and disturbs nobody that it
//! does not name: a changed subscription is drained and begins again where it was, the others
//! never notice. Invariants: what the file declares, only the file changes; where a new
//! subscription begins is journaled before it is registered, so that a restart can't move it;
//! a removed one owes nothing any more, and goes on where it was if it is made again.

mod subscription;
mod resuming;
mod difference;
mod apply;

use std::time::Duration;

use evenkeel::runtime::Drained;
use evenkeel_model::names;

use crate::config::plan::SubscriptionPlan;
use crate::error::{Error, codes};
use crate::wiring::{Prepared, Ways, Wire, Wired, prepare};

pub(crate) use apply::{How, apply};
pub(crate) use difference::{Change, Kind, What};
pub(crate) use resuming::{drain, resume};
pub(crate) use subscription::{Put, put, remove};

/// How long what is at the handler may still take when a subscription is changed or removed.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Whether the file declares it, so that only the file changes it.
pub(crate) fn is_declared(node: &Wired, name: &str) -> bool {
    node.plan().subscriptions.iter().any(|s| *s.name == *name)
}

/// Starts a subscription; the list has it from here on.
async fn begin(node: &Wired, plan: SubscriptionPlan) -> Result<(), Error> {
    let prepared = ready(node, plan).await?;
    node.wires.put(prepared.start(&node.clock, &node.dependencies));
    Ok(())
}

/// A subscription that could start: where it begins is durable.
async fn ready(node: &Wired, plan: SubscriptionPlan) -> Result<Prepared, Error> {
    let calling = node.calling();
    prepare(
        plan,
        &node.log,
        &node.clock,
        &calling,
        &Ways { ingress: &node.ingress, intakes: &node.intakes },
        node.sabotage,
    )
    .await
}

/// Drains the one that runs, and starts the other in its place; when that fails, the first goes on.
async fn replace(node: &Wired, running: &Wire, plan: SubscriptionPlan) -> Result<Drained, Error> {
    let drained = running.handle.drain(GRACE).await;
    match begin(node, plan).await {
        Ok(()) => Ok(drained),
        Err(problem) => {
            begin(node, running.plan.clone()).await?;
            Err(problem)
        }
    }
}

/// Drains it, takes it off the list, and lets retention have what it was owed.
async fn end(node: &Wired, running: &Wire) -> Drained {
    let drained = running.handle.drain(GRACE).await;
    node.wires.remove(&running.plan.name);
    node.log.release(&running.plan.name);
    node.intakes.forget(&running.plan.topic, &running.plan.name);
    drained
}

/// Refuses what is not made for a request to change.
fn changeable(node: &Wired, name: &str) -> Result<(), Error> {
    if name.starts_with(names::OWN_PREFIX) {
        return Err(Error::new(codes::OWN_TOPIC, format!("subscription `{name}` belongs to the node")));
    }
    if is_declared(node, name) {
        let said = format!("the file declares subscription `{name}`: only the file changes it");
        return Err(Error::new(codes::SUBSCRIPTION_DECLARED, said)
            .hint(format!("change `subscriptions.{name}` in the file, then `evenkeel apply`")));
    }
    Ok(())
}
