//! A changed file is taken into the running node.
//!
//! What would change is decided first, and a file that is wrong anywhere changes nothing. Then
//! topics, subscriptions, objectives, in this order. Invariants: nothing is removed unless it is
//! asked for; what left the file and is kept runs on after a restart, too; topics are never
//! removed here.

use std::sync::{Arc, PoisonError};

use super::difference::{Change, Kind, Now, What, difference};
use super::{begin, end, replace};
use crate::config;
use crate::config::plan::{Plan, SubscriptionPlan};
use crate::error::Error;
use crate::wiring::{self, Registered, Wired};

/// How a file is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct How {
    /// Subscriptions that left the file are removed.
    pub(crate) prune: bool,
    /// Only the difference is wanted.
    pub(crate) dry_run: bool,
}

/// Takes `wanted` in; what that changed, or would change.
pub(crate) async fn apply(node: &Wired, wanted: Plan, how: How) -> Result<Vec<Change>, Error> {
    let _turn = node.changing.lock().await;
    let now = node.plan();
    let subscriptions = wiring::with_own(&wanted);
    let changes = {
        let running: Vec<SubscriptionPlan> = node.wires.all().iter().map(|w| w.plan.clone()).collect();
        let registered = wiring::registered(&node.log)?;
        let registered: Vec<(String, bool)> = registered.into_iter().map(|(n, r)| (n, r.left_the_file)).collect();
        let topics = node.log.topics();
        let now = Now { plan: &now, topics: &topics, running: &running, registered: &registered };
        difference(&now, &wanted, &subscriptions, how.prune)?
    };
    if how.dry_run {
        return Ok(changes);
    }
    wiring::all_topics(&wanted, &subscriptions, &node.log)?;
    for change in changes.iter().filter(|c| c.kind == Kind::Subscription) {
        let wanted = subscriptions.iter().find(|s| *s.name == *change.name);
        subscription(node, change, wanted.cloned()).await?;
    }
    if changes.iter().any(|c| c.kind == Kind::Objectives) {
        node.watching.replace(wanted.objectives.clone(), wanted.agreements.clone()).await?;
    }
    if now.receivers != wanted.receivers || now.producers != wanted.producers {
        node.watching.replace_receivers(wanted.receivers.clone(), wanted.producers).await?;
    }
    hold(node, &now, wanted);
    Ok(changes)
}

async fn subscription(node: &Wired, change: &Change, wanted: Option<SubscriptionPlan>) -> Result<(), Error> {
    let (name, now) = (&*change.name, node.clock.now());
    let Some(running) = node.wires.find(name) else {
        return match wanted {
            Some(plan) => begin(node, plan).await,
            None => Ok(()),
        };
    };
    match (change.what, wanted) {
        (What::Remove, _) => {
            Registered::forget(&node.log, name, now).await?;
            end(node, &running).await;
        }
        // One of the node's own runs until the next start, which follows the file.
        (What::Keep, _) if running.is_own() => {}
        (What::Keep, _) => {
            let written = serde_json::to_value(config::written_subscription(&running.plan)).unwrap_or_default();
            Registered { written, left_the_file: true }.keep(&node.log, name, now).await?;
        }
        (what, Some(wanted)) => {
            if what != What::TakeOver || !change.keys.is_empty() {
                replace(node, &running, wanted).await?;
            }
            if what == What::TakeOver {
                Registered::forget(&node.log, name, now).await?;
            }
        }
        (_, None) => {}
    }
    Ok(())
}

/// The plan from here on; what a node looks at when it starts stays as it was.
fn hold(node: &Wired, now: &Plan, wanted: Plan) {
    let plan = Plan {
        data: now.data.clone(),
        http: now.http,
        kafka: now.kafka,
        log: now.log.clone(),
        brokers: now.brokers.clone(),
        intakes: now.intakes.clone(),
        limits: now.limits,
        publish_dedup: now.publish_dedup,
        playbooks_from: now.playbooks_from.clone(),
        playbooks: now.playbooks.clone(),
        chains: now.chains.clone(),
        telemetry: now.telemetry.clone(),
        reach: now.reach.clone(),
        allow: now.allow.clone(),
        ..wanted
    };
    *node.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
}
