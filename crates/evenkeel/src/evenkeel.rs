//! What runs: publish into it, look at it, shut it down.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_log::Log;
use evenkeel_model::{Clock, Event};
use evenkeel_transport::audit::{Audit, Audited, audit};
use evenkeel_transport::{Ingress, PublishError, Published};

use crate::changing::Keepers;
use crate::runtime::{self, Dependencies, Drained, RetentionTask, SubscriptionHandle};
use crate::{Builder, Subscribe};

/// A running backbone: a log and the subscriptions on it.
///
/// Dropping it stops everything at once, as a crash would: nothing is lost, and what was at a
/// handler goes out again, with the same idempotency key, after the next start.
/// [`Evenkeel::shutdown`] lets handlers finish first.
pub struct Evenkeel {
    pub(crate) log: Log,
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) running: Vec<(SubscriptionHandle, Audited)>,
    pub(crate) keepers: Keepers,
    pub(crate) retention: RetentionTask,
    pub(crate) dependencies: Dependencies,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: u64,
}

impl Evenkeel {
    /// Declares what is to run.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Publishes an event; returns when it is on the medium, with its place. One that was
    /// published before, by source and id, is not stored again: the answer names the first
    /// one's place. Publish again, with the same id, whenever the outcome is unknown.
    pub async fn publish(&self, topic: &str, event: Event) -> Result<Published, PublishError> {
        let mut published = self.publish_all(topic, vec![event]).await?;
        published.pop().ok_or_else(|| PublishError::Stopped("no answer for the event".to_owned()))
    }

    /// Publishes a batch, all or nothing; one answer for each event, in order.
    pub async fn publish_all(&self, topic: &str, events: Vec<Event>) -> Result<Vec<Published>, PublishError> {
        self.ingress.publish(topic, events).await
    }

    /// The subscription of that name.
    pub fn subscription(&self, name: &str) -> Option<&SubscriptionHandle> {
        self.running.iter().map(|(handle, _)| handle).find(|handle| &**handle.name() == name)
    }

    /// The dependencies that subscriptions share: how their breakers stand, and a way to force them.
    pub fn dependencies(&self) -> &Dependencies {
        &self.dependencies
    }

    /// The log, for whatever is not offered here.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Applies retention now instead of at its next turn, a minute away at most: parked events are
    /// held aside, then topics let go of what is beyond their limits.
    pub async fn retain(&self) -> Result<(), PortError> {
        runtime::tend(&self.log, self.keepers.all(), &self.log.wanted()).await?;
        let log = self.log.clone();
        let retained = tokio::task::spawn_blocking(move || log.retain()).await;
        retained.map_err(|e| PortError(e.to_string()))?.map(drop).map_err(|e| PortError(e.to_string()))
    }

    /// What became of every event, computed from the log and not from counters: each is
    /// accounted for, or the audit says what does not add up. Reads the whole ledger.
    pub async fn audit(&self) -> Result<Audit, PortError> {
        let mut audited = Vec::new();
        for (handle, plain) in &self.running {
            audited.push(Audited { live: handle.pending().await, ..plain.clone() });
        }
        let log = self.log.clone();
        let done = tokio::task::spawn_blocking(move || audit(&log, &audited)).await;
        done.map_err(|broke| PortError(format!("the audit broke: {broke}")))?
    }

    /// Stops reading and dispatching, lets handlers finish within `grace`, commits what came of
    /// it, and closes the log. One report for each subscription, by name.
    pub async fn shutdown(self, grace: Duration) -> Vec<(Arc<str>, Drained)> {
        let mut draining = tokio::task::JoinSet::new();
        for (handle, _) in &self.running {
            let handle = handle.clone();
            draining.spawn(async move { (handle.name().clone(), handle.drain(grace).await) });
        }
        let mut drained = draining.join_all().await;
        drained.sort_by(|a, b| a.0.cmp(&b.0));
        self.retention.stop();
        let log = self.log.clone();
        let _ = tokio::task::spawn_blocking(move || log.close()).await;
        drained
    }
}

/// How an audit is to look at the subscription.
pub(crate) fn audited(subscribe: &Subscribe) -> Audited {
    Audited {
        name: subscribe.name.clone(),
        topic: subscribe.topic.clone(),
        order: subscribe.policy.order,
        effects: subscribe.effects.clone(),
        live: None,
    }
}
