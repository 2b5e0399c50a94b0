//! What an operator sees of a subscription.
//!
//! Made of what is counted anyway, so that whoever asks often costs those that flow nothing, however many
//! are parked; only what an audit asks for walks over all open events. It decides nothing.

use bytes::Bytes;
use evenkeel_model::{Position, Timestamp};

use super::Subscription;
use super::events::{Open, State};
use super::lanes::Lane;
use crate::{Forced, PendingWhy};

/// How many parked lanes a view shows.
const LANES_SHOWN: usize = 20;

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
    /// Bytes at the handler.
    pub in_flight_bytes: u64,
    /// Retries that wait for the retry budget.
    pub unpaid_retries: usize,
    /// Events that were open when the process died: each runs alone.
    pub suspects: usize,
    /// Keys whose newest completed version is known.
    pub versions: usize,
    /// Events whose version could not be read, since the start.
    pub unversioned: u64,
    /// Events with a priority below this are shed now; 0: none are.
    pub shed_below: u8,
    /// Events that were shed since the process began; an event counts each time.
    pub shed: u64,
    /// Events that the fallback handled since the process began.
    pub fell_back: u64,
    /// Why it is paused.
    pub paused: Option<String>,
    /// Its breakers, `handler` first.
    pub breakers: Vec<BreakerView>,
    /// Creation time of the oldest event without an outcome that was read.
    pub oldest: Option<Timestamp>,
    /// The first few parked lanes.
    pub lanes: Vec<LaneView>,
    /// What keeps it from its broker, as that was said last.
    pub trouble: Option<String>,
}

impl View {
    /// Why the dead-letter budget is spent, while the subscription is paused for it.
    pub fn budget_spent(&self) -> Option<&str> {
        self.paused.as_deref().filter(|why| why.starts_with(super::deaths::SPENT))
    }
}

/// A breaker, as an operator sees it.
#[derive(Clone, Debug)]
pub struct BreakerView {
    /// The dependency.
    pub dependency: std::sync::Arc<str>,
    /// Its state.
    pub state: BreakerState,
    /// Since when.
    pub since: Timestamp,
    /// When the next probe goes out, while it is open.
    pub next_probe: Option<Timestamp>,
    /// Times in a row that it opened without having closed in between.
    pub steps: u32,
    /// An operator's word, where one stands.
    pub forced: Option<Forced>,
    /// How many subscriptions share it, this one included.
    pub sharers: u32,
}

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything passes.
    Closed,
    /// Nothing passes.
    Open,
    /// A few at a time pass, to find out.
    HalfOpen,
}

/// A parked lane, as an operator sees it.
#[derive(Clone, Debug)]
pub struct LaneView {
    /// Its key.
    pub key: Option<Bytes>,
    /// The event that holds it up.
    pub at: Position,
    /// Why it waits.
    pub why: PendingWhy,
    /// Events behind it.
    pub behind: usize,
    /// When it is tried again.
    pub next_at: Timestamp,
    /// Its booked attempts.
    pub attempts: u32,
    /// How often the process died while it ran alone.
    pub crashes: u32,
    /// The last failure's message.
    pub message: String,
}

impl Subscription {
    /// What an operator sees.
    pub fn view(&self, now: Timestamp) -> View {
        let flying = self.flights.values().filter(|flight| self.lanes[self.events[flight.slot].lane].is_parked());
        let parked = self.lanes.parked_events() - flying.count();
        View {
            parked_keys: self.lanes.parked_keys(),
            concurrency: self.limiter.limit(),
            in_flight_bytes: self.flying_bytes,
            unpaid_retries: self.budget.waiting(),
            suspects: self.suspects_open(),
            versions: self.versions.len(),
            unversioned: self.unversioned,
            shed_below: self.shedding.below(now),
            shed: self.shedding.shed(),
            fell_back: self.falling_back.handled(),
            paused: self.paused.clone(),
            breakers: self.breakers.view(),
            lanes: self.lanes.parked().filter_map(|lane| self.lane_view(lane)).take(LANES_SHOWN).collect(),
            in_flight: self.flights.len(),
            parked,
            queued: self.events.len() - parked - self.flights.len(),
            oldest: self.events.oldest(),
            trouble: None,
        }
    }

    /// Events read and without a committed outcome, by position, and whether they are parked (and not at the
    /// handler): what an audit counts as in flight or parked.
    pub fn pending(&self) -> Vec<(Position, bool)> {
        let at = |event: &Open| Position { shard: self.offsets.shard(event.shard()).clone(), offset: event.offset };
        let parked = |event: &Open| event.state != State::Flying && self.lanes[event.lane].is_parked();
        self.events.iter().map(|event| (at(event), parked(event))).collect()
    }

    fn lane_view(&self, lane: &Lane) -> Option<LaneView> {
        let head = lane.head()?;
        let event = &self.events[head];
        Some(LaneView {
            key: self.key_of(head).cloned(),
            at: self.position(head),
            why: event.detour.why,
            behind: lane.behind(),
            next_at: event.detour.next_at,
            attempts: event.course.counters.attempts,
            crashes: event.course.counters.crashes,
            message: event.detour.failure.as_ref().map_or_else(String::new, |f| f.message.clone()),
        })
    }
}
