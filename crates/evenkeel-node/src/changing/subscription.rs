//! One subscription: made or changed by `PUT`, removed by `DELETE`.

use evenkeel::runtime::Drained;
use evenkeel_delivery::View;
use evenkeel_model::{Shard, names};
use serde_json::Value;

use super::{changeable, end, ready, replace};
use crate::config;
use crate::config::plan::{From, Plan, SubscriptionPlan};
use crate::error::{Error, codes};
use crate::wiring::{Registered, Wired, around};

/// What came of a `PUT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Made,
    Changed,
    Same,
}

/// Makes the subscription, or changes the one of that name.
pub(crate) async fn put(node: &Wired, name: &str, written: Value) -> Result<Put, Error> {
    let _turn = node.changing.lock().await;
    changeable(node, name)?;
    let wanted = config::read_subscription(name, written.clone(), &everything(node))?;
    let registered = Registered { written, left_the_file: false };
    let now = node.clock.now();
    let Some(running) = node.wires.find(name) else {
        within_the_topic(node, &wanted)?;
        // Where it begins is durable before the subscription is.
        let prepared = ready(node, wanted).await?;
        registered.keep(&node.log, name, now).await?;
        node.wires.put(prepared.start(&node.clock, &node.dependencies));
        return Ok(Put::Made);
    };
    unmoved(&running.plan, &wanted)?;
    if is_same(&running.plan, &wanted) {
        return Ok(Put::Same);
    }
    replace(node, &running, wanted).await?;
    registered.keep(&node.log, name, now).await?;
    Ok(Put::Changed)
}

/// Removes the subscription; its dead letters and its past stay.
pub(crate) async fn remove(node: &Wired, name: &str) -> Result<(Drained, View), Error> {
    let _turn = node.changing.lock().await;
    changeable(node, name)?;
    let running = node
        .wires
        .find(name)
        .ok_or_else(|| Error::new(codes::UNKNOWN_SUBSCRIPTION, format!("there is no subscription `{name}`")))?;
    unread(node, name)?;
    let view = running.handle.view().await.unwrap_or_default();
    Registered::forget(&node.log, name, node.clock.now()).await?;
    Ok((end(node, &running).await, view))
}

/// The plan with all that runs and all that is there.
fn everything(node: &Wired) -> Plan {
    let mut plan = around(&node.plan(), &node.log);
    let wires = node.wires.all();
    plan.subscriptions = wires.iter().filter(|w| !w.is_own()).map(|w| w.plan.clone()).collect();
    plan
}

/// Whether nothing would be other than it is. Where it begins matters once, at its beginning.
pub(super) fn is_same(running: &SubscriptionPlan, wanted: &SubscriptionPlan) -> bool {
    let written = |plan: &SubscriptionPlan| {
        serde_json::to_value(config::written_subscription(&SubscriptionPlan { from: From::Default, ..plan.clone() }))
            .unwrap_or_default()
    };
    running.policy == wanted.policy && written(running) == written(wanted)
}

/// Its past is of one topic and under one identity; another one is another subscription.
pub(super) fn unmoved(running: &SubscriptionPlan, wanted: &SubscriptionPlan) -> Result<(), Error> {
    let name = &running.name;
    let refused = |key: &str, is: &str, wants: &str| {
        let said = format!("`subscriptions.{name}.{key}`: it is `{is}`, and cannot become `{wants}`");
        Err(Error::new(codes::CONFIG_VALUE, said)
            .hint("make a subscription of another name, and remove this one when it has caught up"))
    };
    match () {
        () if running.topic != wanted.topic => refused("topic", &running.topic, &wanted.topic),
        () if running.uid != wanted.uid => refused("uid", &running.uid, &wanted.uid),
        () => Ok(()),
    }
}

/// An offset to begin at must be one that the partition has, or its end.
fn within_the_topic(node: &Wired, wanted: &SubscriptionPlan) -> Result<(), Error> {
    if wanted.home.is_some() {
        return Ok(());
    }
    let partitions = node.log.topic(&wanted.topic).map_or(0, |t| t.partitions);
    let asked: Vec<(u32, u64)> = match &wanted.from {
        From::Offset(offset) => (0..partitions).map(|p| (p, *offset)).collect(),
        From::Offsets(offsets) => offsets.iter().map(|(p, offset)| (*p, *offset)).collect(),
        From::Default | From::Earliest | From::Latest | From::Time(_) => return Ok(()),
    };
    for (partition, offset) in asked {
        let (topic, key) = (&wanted.topic, format!("subscriptions.{}.from", wanted.name));
        let ends = node.log.ends(&Shard::new(topic.clone(), partition)).map_err(|_| {
            let said = format!("`{key}`: topic `{topic}` has no partition {partition} (it has {partitions})");
            Error::new(codes::CONFIG_VALUE, said)
        })?;
        if offset < ends.start || offset > ends.high_watermark {
            let (start, end) = (ends.start, ends.high_watermark);
            let said = format!("`{key}`: partition {partition} holds the offsets from {start} to {end}, not {offset}");
            return Err(Error::new(codes::CONFIG_VALUE, said));
        }
    }
    Ok(())
}

/// Somebody may live on its dead letters.
pub(super) fn unread(node: &Wired, name: &str) -> Result<(), Error> {
    let dead = format!("{name}{}", names::DEAD_SUFFIX);
    match node.wires.all().iter().find(|w| *w.plan.topic == *dead) {
        None => Ok(()),
        Some(reader) => {
            let reader = &reader.plan.name;
            let said = format!("subscription `{reader}` reads the dead letters of `{name}`");
            Err(Error::new(codes::SUBSCRIPTION_IN_USE, said).hint(format!("remove `{reader}` first")))
        }
    }
}
