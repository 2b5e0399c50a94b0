//! Everything that can happen to a subscription's task: a closed set.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{Answer, Delivered, News, PortError};
use evenkeel_delivery::{
    Alarm, AttemptId, Command, DependencyNews, Letter, Owed, RedrivePlan, RedrivesView, View, Why, WhyAsked,
};
use evenkeel_model::{Position, Shard};
use tokio::sync::oneshot;

use super::handle::Drained;

/// One thing that happened.
pub(super) enum Happening {
    /// Attempts came back.
    Finished,
    /// A read brought something.
    Fetched(Batch),
    /// A read is over.
    ReadOver(ReadOver),
    /// A commit came back.
    Committed(Committed),
    /// The next round waited long enough for quick handlers.
    PatienceOver,
    /// Dead letters came back.
    Brought(Brought),
    /// The time that the core asked for has come.
    Timer,
    /// What was gathered for a call has waited long enough.
    LingerOver,
    /// The source is to be told what is no longer owed.
    SettlingDue,
    /// There may be more to read.
    Changed(News),
    /// The source named its partitions again.
    Shards(Result<Vec<(Shard, u64)>, PortError>),
    /// Somebody spoke through a handle.
    Control(Control),
    /// The last handle was dropped.
    Abandoned,
    /// The grace of a drain is over.
    GraceOver,
    /// A task of this subscription broke; why.
    Broke(String),
}

/// What is said through a handle.
pub(super) enum Control {
    /// An operator's wish.
    Command(Command),
    /// Redrive these, unless another redrive is not over: then the answer is that one's name.
    Redrive { plan: RedrivePlan, told: oneshot::Sender<Result<(), Arc<str>>> },
    /// What of its redrives?
    Redrives(oneshot::Sender<RedrivesView>),
    /// What holds this up?
    Why { asked: WhyAsked, told: oneshot::Sender<Why> },
    /// A shared dependency is told of.
    Dependency(Arc<str>, DependencyNews),
    /// What is owed to it, event by event?
    Owed(oneshot::Sender<Vec<Owed>>),
    /// What does it look like?
    View(oneshot::Sender<View>),
    /// Which events have no outcome, and is each parked?
    Pending(oneshot::Sender<Vec<(Position, bool)>>),
    /// Stop, and lose nothing.
    Drain { grace: Duration, done: oneshot::Sender<Drained> },
}

/// What came back at once.
pub(super) enum Back {
    One(Finished),
    /// Those of one call.
    Many(Vec<Finished>),
    /// Nothing: it broke, and this is how.
    Broke(String),
}

/// How an attempt came back.
pub(super) struct Finished {
    pub(super) attempt: AttemptId,
    pub(super) came: Came,
    pub(super) took: Duration,
    /// What an operator should know of it, where the attempt could not even be made.
    pub(super) alarm: Option<Alarm>,
}

/// What came of an attempt.
pub(super) enum Came {
    /// The handler's answer.
    Answered(Answer),
    /// Nothing: the event's record is gone; what is, in words.
    Gone(String),
}

/// How a read ended: the number of the partition that could not be read, and why.
pub(super) struct ReadOver {
    pub(super) failed: Option<(usize, PortError)>,
}

/// What was read of one partition.
pub(super) struct Batch {
    /// Its number among the subscription's partitions.
    pub(super) shard: usize,
    pub(super) events: Vec<Arc<Delivered>>,
    /// When the journal saw each of them before; empty: none of them.
    pub(super) seen: Vec<Option<evenkeel_model::Timestamp>>,
    /// The offset to go on from.
    pub(super) next: u64,
}

/// How letters came back.
pub(super) struct Brought {
    pub(super) letters: Vec<(Letter, Option<Arc<Delivered>>)>,
    pub(super) over: bool,
    pub(super) problem: Option<String>,
}

/// How a commit came back.
pub(super) struct Committed {
    pub(super) round: u64,
    pub(super) result: Result<(), PortError>,
    pub(super) alarms: Vec<Alarm>,
}
