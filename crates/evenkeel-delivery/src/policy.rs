//! The policies of a subscription: a closed set of plain values, checked before they get here.

use std::sync::Arc;
use std::time::Duration;

/// Which events wait for which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// Each key is a lane; an event without a key is a lane of its own.
    #[default]
    Key,
    /// Each partition is a lane.
    Partition,
    /// No event waits for another.
    None,
}

/// The one retry schedule: the delay before try n+1 is drawn from 0 to
/// min(max, initial × factor^(n−1)), never earlier than `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySchedule {
    /// How many attempts, the first one included.
    pub attempts: u32,
    /// The bound of the first delay.
    pub initial: Duration,
    /// What the bound grows by.
    pub factor: f64,
    /// The bound of the bound.
    pub max: Duration,
    /// From the first dispatch, standing still behind an open breaker, a pause or a shed.
    pub age: Duration,
    /// Delays below this hold the lane in memory; longer ones park it durably.
    pub inline: Duration,
}

impl Default for RetrySchedule {
    fn default() -> RetrySchedule {
        RetrySchedule {
            attempts: 8,
            initial: Duration::from_millis(200),
            factor: 4.0,
            max: Duration::from_secs(3600),
            age: Duration::from_secs(24 * 3600),
            inline: Duration::from_millis(200),
        }
    }
}

/// What happens to an event, and its key, when its attempts run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Exhausted {
    /// Dead letter; the lane goes on.
    #[default]
    Skip,
    /// The lane stays parked until `parked release` or `parked skip`.
    ParkKey,
    /// The subscription stops until `resume`.
    Pause,
}

/// Which of several events that may go out goes first, within one class of priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Freshness {
    /// The oldest.
    #[default]
    Fifo,
    /// The newest, while the oldest is older than this; each key keeps its order all the same.
    LifoWhenBacklogged {
        /// From this age on.
        after: Duration,
    },
}

/// When a breaker opens and how long it stays so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerPolicy {
    /// The sliding window.
    pub window: Duration,
    /// The ratio counts from this many calls on.
    pub min_calls: u32,
    /// Opens at this share of failures.
    pub failure_ratio: f64,
    /// Opens after this many failures in a row, over at least two events.
    pub consecutive: u32,
    /// How long it stays open before the first probe.
    pub open: Duration,
    /// Each probe that fails doubles the open time, up to this (and up to a fifth is drawn on top);
    /// `None`: up to four times `open`.
    pub open_max: Option<Duration>,
    /// A call that takes this long is a slow one, though it succeeds; `None`: none is.
    pub slow_call: Option<Duration>,
    /// Opens at this share of slow calls.
    pub slow_ratio: f64,
}

impl BreakerPolicy {
    /// How long it stays open after `failed` probes in a row have failed, jitter apart.
    pub fn open_time(&self, failed: u32) -> Duration {
        self.open.saturating_mul(1 << failed.min(20)).min(self.longest_open())
    }

    /// What the open time grows to.
    pub fn longest_open(&self) -> Duration {
        self.open_max.unwrap_or(self.open.saturating_mul(4)).max(self.open)
    }
}

impl Default for BreakerPolicy {
    fn default() -> BreakerPolicy {
        BreakerPolicy {
            window: Duration::from_secs(60),
            min_calls: 20,
            failure_ratio: 0.5,
            consecutive: 10,
            open: Duration::from_secs(30),
            open_max: None,
            slow_call: None,
            slow_ratio: 0.8,
        }
    }
}

/// How many events may be at the handler at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// `busy`, 429 and 503 never lower it below this.
    pub min: u32,
    /// It never rises above this.
    pub max: u32,
    /// Their bytes together; one event is always let through, however big.
    pub bytes: u64,
}

impl Default for Concurrency {
    fn default() -> Concurrency {
        Concurrency { min: 1, max: 64, bytes: 64 << 20 }
    }
}

/// How many at once, and how many per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Events per second, in the long run.
    pub per_second: f64,
    /// How many may go out at once after a pause.
    pub burst: u32,
}

/// How many retries may go out beside first tries. Retries beyond it wait and spend nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// So many retries for each first try.
    pub share: f64,
    /// And so many per second besides.
    pub min_per_second: f64,
}

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget { share: 0.2, min_per_second: 10.0 }
    }
}

/// Limits of parking; at a limit reading stops, and resumes below 80 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parking {
    /// Parked keys.
    pub keys: usize,
    /// Events behind one parked key.
    pub per_key: usize,
    /// Bytes of parked events that may be held aside, so that their topic can let go of them; beyond
    /// that it keeps them. The core knows nothing of it: whoever runs retention does.
    pub held: u64,
    /// While the window is full, a key whose first event is at the handler for so long is put aside
    /// with all that waits behind it, so that others are read.
    pub slow_after: Duration,
}

impl Default for Parking {
    fn default() -> Parking {
        Parking { keys: 10_000, per_key: 1_000, held: 1 << 30, slow_after: Duration::from_secs(1) }
    }
}

/// How many dead letters one handler version may make before the subscription is paused: a bad
/// deploy must not empty the topic into them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeadBudget {
    /// So many in a row, of different events.
    pub run: u32,
    /// This share of the events that ended within `window`, from `min` of them on.
    pub share: f64,
    /// The share counts from so many events on.
    pub min: u32,
    /// How far back the share looks.
    pub window: Duration,
}

impl Default for DeadBudget {
    fn default() -> DeadBudget {
        DeadBudget { run: 50, share: 0.5, min: 100, window: Duration::from_secs(600) }
    }
}

/// What is promised of a handler's effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Effects {
    /// At least once.
    #[default]
    None,
    /// The handler promises to honour the idempotency key.
    Fenced,
    /// Events that the handler returns are committed with the outcome.
    Log,
}

/// Events that meet an open breaker go elsewhere instead of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// When the breaker has been open for so long.
    pub after: Duration,
}

/// All of a subscription's policies.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Which events wait for which.
    pub order: Order,
    /// When to try again.
    pub retry: RetrySchedule,
    /// When an attempt is given up.
    pub timeout: Duration,
    /// What happens when attempts run out.
    pub when_exhausted: Exhausted,
    /// How many at once.
    pub concurrency: Concurrency,
    /// How many per second; `None`: as many as the handler takes.
    pub rate: Option<Rate>,
    /// How many of them retries.
    pub retry_budget: RetryBudget,
    /// The breaker of the implicit dependency `handler`.
    pub handler_breaker: BreakerPolicy,
    /// The dependencies that an unnamed 5xx accuses, each with its breaker.
    pub depends_on: Vec<(Arc<str>, BreakerPolicy)>,
    /// Whether there is somebody who takes what meets an open breaker; `None`: it waits.
    pub fallback: Option<Fallback>,
    /// When dead letters pause it.
    pub dead_budget: DeadBudget,
    /// Limits of parking.
    pub parking: Parking,
    /// How long an event's identity is remembered after its outcome.
    pub inbox: Duration,
    /// The newest completed version of so many keys is remembered, where events have versions: an older event of
    /// such a key is stale. About 110 bytes each.
    pub versions: usize,
    /// With this many crashes of the process while it ran alone in its subscription an event is dead. 0: attempts
    /// inside this process are not on record before they begin, and nobody is suspected.
    pub crashes: u32,
    /// Which of those that may go out goes first.
    pub freshness: Freshness,
    /// While the most urgent event that waits is older than this, less urgent classes are shed, as
    /// they are while the handler sheds at its lowest concurrency; `None`: only then.
    pub backlog: Option<Duration>,
    /// What is promised of effects.
    pub effects: Effects,
    /// The handler's version, unless its answers tell another.
    pub handler_version: Arc<str>,
    /// Ages at which an event without an outcome is overdue: the objectives' thresholds.
    pub overdue_after: Vec<Duration>,
    /// How many events may be read and not ended, parked ones apart.
    pub window: usize,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            order: Order::default(),
            retry: RetrySchedule::default(),
            timeout: Duration::from_secs(5),
            when_exhausted: Exhausted::default(),
            concurrency: Concurrency::default(),
            rate: None,
            retry_budget: RetryBudget::default(),
            handler_breaker: BreakerPolicy::default(),
            depends_on: Vec::new(),
            fallback: None,
            dead_budget: DeadBudget::default(),
            parking: Parking::default(),
            inbox: Duration::from_secs(7 * 24 * 3600),
            versions: 100_000,
            crashes: 3,
            freshness: Freshness::default(),
            backlog: None,
            effects: Effects::default(),
            handler_version: Arc::from(""),
            overdue_after: Vec::new(),
            window: 4096,
        }
    }
}
