//! What delivery needs of the world: a source of events, a handler for them, a journal of what
//! became of them, a sink for those that leave, a group that shares out partitions. Each port is small (at most five methods), belongs to
//! delivery, and is implemented in transport; what its broker can do an adapter declares as
//! [`Capabilities`].

mod capabilities;
mod membership;
mod sink;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Event, Position, Record, Shard, Timestamp, Verdict};

use crate::{Arrival, AttemptId, Bring, Mark, Remembered, Round};

pub use capabilities::{Capabilities, Delay, GivenOrder, NativeLimits, Redelivery};
pub use membership::{Change, Membership};
pub use sink::{Outgoing, Placed, Sink, SinkError, Unsent};

/// A future behind a pointer, so that ports are object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A port could not do its work; the message says what and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortError(pub String);

impl std::fmt::Display for PortError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PortError {}

/// An event with its bytes: what the source gives and the handler gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    /// What the core needs of it.
    pub arrival: Arrival,
    /// When the log took it.
    pub appended: Timestamp,
    /// The event; for a plain record without CloudEvents headers, one made from its place.
    pub event: Event,
    /// The record as it stands in the topic.
    pub record: Record,
}

/// Events that were fetched, and the offset to go on from.
pub type Fetched = (Vec<Arc<Delivered>>, u64);

/// What changed at a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// There may be more to fetch.
    More,
    /// There may be partitions that [`Source::shards`] did not name before; and more to fetch.
    Shards,
}

/// Where events come from: the partitions of the topics of one subscription.
pub trait Source: Send + Sync + 'static {
    /// The partitions to read, each with the offset at which this subscription begins when it
    /// has no progress yet. A partition that was added later begins at its beginning.
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>>;
    /// Events from `from` on, durable ones only; none when there are none yet. Offsets that hold
    /// no event (gaps) are skipped; the second value is the offset to go on from.
    fn fetch(&self, shard: &Shard, from: u64, max: usize) -> BoxFuture<'_, Result<Fetched, PortError>>;
    /// One event again, by its own place or by that of its dead letter (then the arrival's place is
    /// still the event's own); `None` when nothing is left of it.
    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<Delivered>>, PortError>>;
    /// Completes when there may be more to fetch, or more partitions, than when it was called last.
    fn changed(&self) -> BoxFuture<'_, News>;
    /// Everything below these offsets is no longer owed to this subscription.
    fn settle(&self, floors: &[(Shard, u64)]);
}

/// One call of a handler.
#[derive(Clone, Debug)]
pub struct Call {
    /// The event.
    pub delivered: Arc<Delivered>,
    /// The identity of the effect: equal over attempts, restarts and redrives.
    pub key: Mark,
    /// The number of this attempt among those that count, from 1.
    pub attempt: u32,
    /// How many attempts the policy allows.
    pub attempts_max: u32,
    /// How often the event was delivered, this time included: handed out here, and given by the broker that it came
    /// from before it came here.
    pub delivery: u32,
    /// When the attempt is given up.
    pub timeout: Duration,
    /// Grows with each change of owner, for handlers that check it.
    pub fence: u64,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The verdict, or the failure.
    pub verdict: Verdict,
    /// Events that the handler returned; counted only with `Ack`.
    pub emitted: Vec<Event>,
    /// The handler's version, where it was told.
    pub handler_version: Option<Arc<str>>,
}

/// Who handles events. An implementation keeps its own time-out of `call.timeout`.
pub trait Handler: Send + Sync + 'static {
    /// Handles one event. Never panics for the event's sake: a panic of user code is a failure.
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer>;
    /// True when what it does with an event is done in another process, so that it cannot crash this one.
    fn is_elsewhere(&self) -> bool {
        false
    }
    /// How many events it takes in one call: one, unless it says otherwise.
    fn batching(&self) -> Batching {
        Batching::default()
    }
    /// Handles several events, each of a lane of its own: one answer for each, in order.
    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        let each: Vec<_> = calls.into_iter().map(|call| self.handle(call)).collect();
        Box::pin(async move {
            let mut answers = Vec::with_capacity(each.len());
            for one in each {
                answers.push(one.await);
            }
            answers
        })
    }
}

/// How a handler takes events: several in one call, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Events of one call.
    pub max: usize,
    /// How long the first of them may wait for others.
    pub linger: Duration,
}

impl Default for Batching {
    fn default() -> Batching {
        Batching { max: 1, linger: Duration::ZERO }
    }
}

/// A round, with the bytes that go with it.
#[derive(Clone, Debug)]
pub struct Commit {
    /// What was decided.
    pub round: Round,
    /// Events that handlers returned with the outcomes of this round, each with its cause.
    pub emitted: Vec<(Position, AttemptId, Vec<Event>)>,
    /// The events whose bytes go along with their outcome: those that end as dead in this round,
    /// and those that the fallback took ([`crate::FALLBACK`]).
    pub dead: Vec<Arc<Delivered>>,
}

/// Dead letters that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// The places of letter and event, in the order of the events' places; of an event that died
    /// several times only the newest letter.
    pub found: Vec<(Position, Position)>,
    /// True when the selection has no more.
    pub over: bool,
}

/// What delivery remembers. `commit` is one atomic fact: outcomes, progress, returned events,
/// dead letters and state together, durable when it completes.
pub trait Journal: Send + Sync + 'static {
    /// All that was committed, in order: what [`crate::Subscription::restore`] takes.
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>>;
    /// Commits a round. An error means that its outcome is unknown: dispatch stops.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), PortError>>;
    /// The dead letters that a redrive takes next. A journal that keeps none refuses.
    fn letters(&self, wanted: Bring) -> BoxFuture<'_, Result<Letters, PortError>> {
        let _ = wanted;
        Box::pin(std::future::ready(Err(PortError("this journal keeps no dead letters".to_owned()))))
    }
    /// When each of these identities had its outcome, where that is in a sealed round, or was
    /// left out of what `load` gave; one answer each. A journal that seals nothing and leaves
    /// nothing out knows of none.
    fn seen<'a>(&'a self, marks: &'a [Mark]) -> BoxFuture<'a, Result<Vec<Option<Timestamp>>, PortError>> {
        Box::pin(std::future::ready(Ok(vec![None; marks.len()])))
    }
    /// The identities of rounds up to this one are known to `seen`; 0: of none.
    fn sealed(&self) -> u64 {
        0
    }
}
