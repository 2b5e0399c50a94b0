//! What the page is told: plain values, gathered by whoever serves it.
//!
//! Nothing is derived here. Rates, quantiles and shares come as the audit, the watch and the
//! subscriptions' views have them; `None` is "not known", and is shown so.

mod intake;
mod objective;

use std::time::Duration;

use evenkeel_model::{Position, Timestamp};

pub use intake::Intake;
pub use objective::Objective;

/// Everything that one page shows, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The moment.
    pub now: Timestamp,
    /// The node.
    pub node: Node,
    /// The newest proof; `None` until there is one.
    pub proof: Option<Proof>,
    /// Objectives, in the order of the configuration.
    pub objectives: Vec<Objective>,
    /// Subscriptions, in the order of the configuration.
    pub flows: Vec<Flow>,
    /// What happened, in any order; the page sorts it, newest first.
    pub happenings: Vec<Happening>,
    /// Users' topics, and the node's own after them.
    pub topics: Vec<Topic>,
    /// What comes in from brokers, in the order of the configuration.
    pub intakes: Vec<Intake>,
    /// The log.
    pub log: Log,
}

/// The node itself.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its version.
    pub version: String,
    /// Its address, as a URL: `http://127.0.0.1:8080`.
    pub url: String,
    /// Its data folder.
    pub data: String,
    /// When it started.
    pub started: Timestamp,
    /// What its process uses.
    pub usage: Usage,
    /// It takes its leave: nothing new is dispatched.
    pub draining: bool,
}

/// What the node's process uses, each figure where it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processors, on average since the page was asked for last: 0.5 is half of one.
    pub processors: Option<f64>,
    /// How many it may use.
    pub processors_max: Option<u64>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Those that the machine has, and those that may be taken.
    pub machine_bytes: Option<(u64, u64)>,
    /// Files and connections that are open, and how many may be.
    pub files: Option<(u64, u64)>,
    /// Bytes read from and written to disks since the start.
    pub disk_bytes: Option<(u64, u64)>,
    /// Bytes that the machine received and sent since it started, the loopback left out.
    pub network_bytes: Option<(u64, u64)>,
}

/// What the newest audit found, over all subscriptions.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// When it was made.
    pub at: Timestamp,
    /// Over how many events: the sum of what was appended for each subscription.
    pub events: u64,
    /// Events without an outcome that are nowhere.
    pub lost: u64,
    /// Events with two outcomes.
    pub twice: u64,
    /// Events of a key that ended before an earlier one.
    pub out_of_order: u64,
    /// Events that went to a handler again after an attempt whose result is unknown.
    pub sent_again: u64,
    /// Everything that does not add up, in words.
    pub problems: Vec<String>,
}

/// One subscription: topic → subscription → handler.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// The topic that it reads.
    pub topic: String,
    /// Its name.
    pub subscription: String,
    /// Its handler, as a URL or a function's name.
    pub handler: String,
    /// Records that came in, per second.
    pub rate_in: f64,
    /// Events that ended, per second.
    pub rate_out: f64,
    /// Created to completed, median.
    pub p50: Option<Duration>,
    /// Created to completed, 99th percentile.
    pub p99: Option<Duration>,
    /// The age of the oldest event that has no outcome; `None`: there is none.
    pub lag: Option<Duration>,
    /// Not yet read.
    pub unread: u64,
    /// At the handler.
    pub in_flight: u64,
    /// Waiting durably.
    pub parked: u64,
    /// Keys that are held back.
    pub parked_keys: u64,
    /// In the dead letters, those apart that were redriven or dropped.
    pub dead: u64,
    /// Events with a priority below this are put off for others; 0: none are.
    pub shed_below: u8,
    /// True when events that meet an open breaker go to a fallback.
    pub falls_back: bool,
    /// Whether events pass.
    pub gate: Gate,
    /// What keeps it from its broker.
    pub trouble: Option<String>,
    /// Breakers that an operator holds open, or closed.
    pub forced: Vec<Forced>,
    /// Where its handler is, when that is in several places, or not all of them are called.
    pub endpoints: Vec<Endpoint>,
    /// How it got on, evenly spaced, oldest first; `None` is a gap.
    pub moments: Vec<Option<Moment>>,
    /// How long each of them is.
    pub moment: Duration,
    /// What its objectives allow from creation to completion.
    pub thresholds: Vec<Duration>,
    /// The first few parked lanes.
    pub lanes: Vec<Lane>,
    /// Dead letters by fingerprint.
    pub dead_groups: Vec<DeadGroup>,
    /// The policy in words, a sentence each.
    pub policy: Vec<String>,
}

/// A stretch of a subscription's last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Created to completed, median; `None`: nothing completed.
    pub p50: Option<Duration>,
    /// Created to completed, 99th percentile.
    pub p99: Option<Duration>,
    /// The age of the oldest event that had no outcome.
    pub lag: Duration,
    /// Events that ended.
    pub ended: u64,
}

/// Whether events pass to the handler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// They do.
    #[default]
    Flowing,
    /// A breaker is open: they wait.
    Holding {
        /// What is down.
        dependency: String,
        /// Since when.
        since: Timestamp,
        /// When one event is tried again.
        next_probe: Option<Timestamp>,
    },
    /// A breaker lets single events through.
    Probing {
        /// What may be up again.
        dependency: String,
        /// Since when it was down.
        since: Timestamp,
    },
    /// Somebody, or a rule, paused it.
    Paused {
        /// Why.
        why: String,
    },
    /// It cannot go on.
    Stopped {
        /// Why.
        why: String,
    },
}

/// A breaker that obeys an operator.
#[derive(Clone, Debug)]
pub struct Forced {
    /// Of what.
    pub dependency: String,
    /// Open, or closed.
    pub open: bool,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// One of the places where a handler is.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// Its URL.
    pub url: String,
    /// `in`, `starting`, `ejected` or `unhealthy`.
    pub state: String,
    /// Calls under way.
    pub in_flight: u64,
    /// When it is called again, if it is ejected.
    pub until: Option<Timestamp>,
}

/// A parked lane.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Its key; `None` for an event without one.
    pub key: Option<String>,
    /// The partition of the event that holds it up.
    pub partition: u32,
    /// The offset of that event.
    pub offset: u64,
    /// Events behind it.
    pub behind: u64,
    /// When it is tried again; `None`: an operator must act.
    pub next_at: Option<Timestamp>,
    /// Attempts that counted.
    pub attempts: u32,
    /// The last failure.
    pub message: String,
}

/// Dead letters that failed alike.
#[derive(Clone, Debug, Default)]
pub struct DeadGroup {
    /// What they share.
    pub fingerprint: String,
    /// The failure's class.
    pub class: String,
    /// Why they are dead: `rejected`, `attempts_exhausted`.
    pub reason: String,
    /// The newest one's message.
    pub message: String,
    /// How many.
    pub count: u64,
    /// When the newest one failed last.
    pub last_at: Timestamp,
    /// The id of the newest one.
    pub example: String,
}

/// Something that happened.
#[derive(Clone, Debug, Default)]
pub struct Happening {
    /// When it began.
    pub at: Timestamp,
    /// When it ended; `None`: it goes on, or it was a moment (see [`Happening::ongoing`]).
    pub until: Option<Timestamp>,
    /// It still goes on.
    pub ongoing: bool,
    /// What it was.
    pub kind: HappeningKind,
    /// The name to ask for it by: `inc-3`; empty when it has none.
    pub id: String,
    /// The objective that it is about; empty when it is about none.
    pub objective: String,
    /// In one sentence.
    pub text: String,
    /// What else there is to say, oldest first.
    pub details: Vec<String>,
    /// Events behind it, newest first.
    pub events: Vec<BehindIt>,
}

/// An event that something came of.
#[derive(Clone, Debug)]
pub struct BehindIt {
    /// Its id; empty where it is not known any more.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Where it is.
    pub place: Position,
    /// When it counted.
    pub at: Timestamp,
    /// What became of it.
    pub what: String,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HappeningKind {
    /// An incident.
    Incident,
    /// An alert.
    Alert,
    /// A breaker opened, or a subscription was paused.
    Gate,
    /// A source fell silent, or sends more than usual.
    Producer,
    /// A playbook ran.
    Playbook,
    /// An experiment ran.
    Experiment,
    /// The node started, stopped, or was found dead.
    #[default]
    Node,
}

/// One topic.
#[derive(Clone, Debug, Default)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: u32,
    /// Records that it holds.
    pub records: u64,
    /// Bytes of its segments; `None`: not known.
    pub bytes: Option<u64>,
    /// How full its fullest partition is, as a share of its limit, where that deserves a look.
    pub filled: Option<f64>,
    /// The records that came in, per second; where it is 0 for all topics the page leaves it out.
    pub rate_in: f64,
}

/// The log, and the disk under it.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Why it stopped, when it did.
    pub stopped: Option<String>,
    /// What is damaged; then it serves reads and takes nothing in.
    pub damage: Vec<Damage>,
    /// What is not as it should be under the data folder, a sentence each.
    pub warnings: Vec<String>,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// What it may grow to.
    pub wal_bytes_max: Option<u64>,
    /// Bytes that are only in the write-ahead log and in memory.
    pub behind_bytes: Option<u64>,
    /// Bytes of the segments.
    pub segment_bytes: u64,
    /// Bytes that are free; `None`: not known.
    pub free_bytes: Option<u64>,
    /// Groups that were made durable since the node started.
    pub groups: u64,
    /// Device flushes since the node started.
    pub flushes: u64,
    /// How long a durable write takes: the median and the 99th percentile.
    pub write: Option<(Duration, Duration)>,
    /// When the newest checkpoint was made.
    pub checkpoint_at: Option<Timestamp>,
}

/// One damaged place of the log.
#[derive(Clone, Debug, Default)]
pub struct Damage {
    /// The file, and the place in it.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// Acknowledged records that cannot be read: `orders-3 offsets 17 to 19`.
    pub lost: Vec<String>,
    /// Whole records that lie behind the damage.
    pub cut: Vec<String>,
    /// Whether that is all.
    pub exact: bool,
}
