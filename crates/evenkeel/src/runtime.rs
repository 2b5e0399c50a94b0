//! Drives the pure cores: one task per subscription owns its state and speaks to its ports.
//!
//! What it does: reads within the core's credit, fairly over the partitions; hands events to the
//! handler (`runners`); commits rounds to the journal; keeps time; stops.
//! What it does not: decide. Every decision is the core's ([`evenkeel_delivery::Subscription`]).
//!
//! Invariants: an input is one of a closed set (`happening`); nothing is settled before its round
//! is durable; events that a handler returned are kept by attempt until the round that ends
//! their cause takes them along; when the journal fails, nothing is dispatched or read any more,
//! since outcomes could not be remembered.

mod handle;
mod happening;
mod give_way;
mod owner;
mod reading;
mod patience;
mod payloads;
mod attempt;
mod runners;
mod batch;
mod gathering;
mod committing;
mod redriving;
mod draining;
mod dependencies;
mod timer;
mod holding;
mod retention;
mod fence;
mod shares;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use evenkeel_delivery::Policy;
use evenkeel_delivery::ports::{Handler, Journal, Source};
use evenkeel_model::Clock;

pub use dependencies::{Dependencies, DependencyView};
pub use fence::new_fence;
pub use handle::{Drained, SubscriptionHandle};
pub use holding::{Keeper, save, tend};
pub use retention::{RetentionTask, retain};
pub use shares::{Opener, SharedSpec, share_out};

/// All that a subscription consists of.
pub struct SubscriptionSpec {
    /// Its name.
    pub name: Arc<str>,
    /// What its effects' identities are derived from; stays when the name changes.
    pub uid: String,
    /// Its policies.
    pub policy: Policy,
    /// Where its events come from.
    pub source: Arc<dyn Source>,
    /// What remembers for it.
    pub journal: Arc<dyn Journal>,
    /// Who handles its events.
    pub handler: Arc<dyn Handler>,
    /// Who takes what meets an open breaker, where the policy says that somebody does.
    pub fallback: Option<FallbackTo>,
    /// Greater than that of whoever ran this subscription before.
    pub fence: u64,
}

/// Who takes events that meet an open breaker.
#[derive(Clone)]
pub enum FallbackTo {
    /// Another handler.
    Handler(Arc<dyn Handler>),
    /// The topic that the journal knows of: it takes their records, in one set with their outcome.
    Topic,
}

/// Starts a subscription: it loads its journal, then reads and dispatches until it is drained.
/// `seed` feeds the jitter of its retries.
///
/// # Panics
/// When it is called outside a tokio runtime.
pub fn start(spec: SubscriptionSpec, clock: Arc<dyn Clock>, seed: u64) -> SubscriptionHandle {
    start_sharing(spec, clock, seed, Dependencies::default())
}

/// As [`start`], with dependencies that it shares with other subscriptions: what one of them finds
/// out shuts the gate of all that name it.
///
/// # Panics
/// When it is called outside a tokio runtime.
pub fn start_sharing(
    spec: SubscriptionSpec,
    clock: Arc<dyn Clock>,
    seed: u64,
    dependencies: Dependencies,
) -> SubscriptionHandle {
    let (handle, reins) = handle::pair(spec.name.clone());
    let task = tokio::spawn(owner::Owner::new(spec, clock, seed, reins).run(dependencies));
    handle.with_task(task.abort_handle())
}
