//! The core of one subscription. (Being built: the interface stands.)

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_model::{Shard, Timestamp};

use crate::{Action, Input, Policy, Remembered};

/// The state machine of one subscription.
pub struct Subscription {
    policy: Policy,
}

/// What an operator sees of a subscription.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Events at the handler.
    pub in_flight: usize,
    /// Events that wait durably for a later try, and those behind them.
    pub parked: usize,
    /// Parked keys.
    pub parked_keys: usize,
    /// Events read, not parked, not at the handler.
    pub queued: usize,
    /// The present limit of concurrency.
    pub concurrency: u32,
    /// Why it is paused.
    pub paused: Option<String>,
    /// Its breakers, `handler` first.
    pub breakers: Vec<BreakerView>,
    /// Creation time of the oldest event without an outcome that was read.
    pub oldest: Option<Timestamp>,
    /// The first few parked lanes.
    pub lanes: Vec<LaneView>,
    /// Events read and without an outcome, by position: what audit counts as in flight or parked.
    pub pending: Vec<(evenkeel_model::Position, bool)>,
}

/// A breaker, as an operator sees it.
#[derive(Clone, Debug)]
pub struct BreakerView {
    /// The dependency.
    pub dependency: Arc<str>,
    /// Its state.
    pub state: BreakerState,
    /// Since when.
    pub since: Timestamp,
    /// When the next probe goes out, while it is open.
    pub next_probe: Option<Timestamp>,
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything passes.
    Closed,
    /// Nothing passes.
    Open,
    /// One probe at a time passes.
    HalfOpen,
}

/// A parked lane, as an operator sees it.
#[derive(Clone, Debug)]
pub struct LaneView {
    /// Its key.
    pub key: Option<Bytes>,
    /// The event that holds it up.
    pub at: evenkeel_model::Position,
    /// Events behind it.
    pub behind: usize,
    /// When it is tried again.
    pub next_at: Timestamp,
    /// Its booked attempts.
    pub attempts: u32,
    /// The last failure's message.
    pub message: String,
}

impl Subscription {
    /// A subscription that remembers nothing. `seed` feeds the jitter.
    pub fn new(policy: Policy, seed: u64) -> Subscription {
        let _ = seed;
        Subscription { policy }
    }

    /// Takes back what the journal remembers, before the first step.
    pub fn restore(&mut self, now: Timestamp, remembered: Vec<Remembered>) {
        let _ = (now, remembered);
    }

    /// Where reading of a partition begins: the lowest offset without an outcome, or `from`.
    pub fn resume_at(&self, shard: &Shard, from: u64) -> u64 {
        let _ = shard;
        from
    }

    /// How many more events may be read now; 0 stops reading.
    pub fn credit(&self) -> usize {
        self.policy.window
    }

    /// The lowest offset of each partition that is still owed.
    pub fn floors(&self) -> Vec<(Shard, u64)> {
        Vec::new()
    }

    /// Decides.
    pub fn step(&mut self, now: Timestamp, input: Input, actions: &mut Vec<Action>) {
        let _ = (now, input, actions);
    }

    /// True when nothing is at the handler and nothing waits to be committed.
    pub fn is_idle(&self) -> bool {
        true
    }

    /// What an operator sees.
    pub fn view(&self, now: Timestamp) -> View {
        let _ = now;
        View::default()
    }
}
