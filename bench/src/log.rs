//! `log`: the speed table of the log, each row beside the device's limit and beside what a user
//! has instead.
//!
//! Each trial is a process of its own, on an empty folder, so that memory and caches of one do not
//! reach the next; trials of one row take turns, so that a busy neighbour hits all of them, and
//! the table shows medians. Nothing is kept.

pub(crate) mod row;
mod verdict;
mod race;
mod trial;
mod load;
mod bulk;
mod cold;
mod idle;
mod store;
mod bare;
mod committer;
mod peer;
mod histogram;
pub(crate) mod machine;
mod measured;
mod report;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use race::race;
pub(crate) use trial::trial;

/// What is raced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LogPlan {
    /// Numbers of rows; none means all.
    pub(crate) rows: Vec<u64>,
    /// Names of trials; none means all.
    pub(crate) only: Vec<String>,
    /// How often each trial runs; 3 by default, 1 with `long`.
    pub(crate) runs: Option<usize>,
    /// How long each is measured; 2 s by default, 60 s with `long`.
    pub(crate) seconds: Option<Duration>,
    /// The sustained form, with 20 GB of bulk and 10 GB of replay.
    pub(crate) long: bool,
    /// Threads of the appenders' runtime; 2 by default.
    pub(crate) workers: Option<usize>,
    /// A folder on the disk to be measured; that of this program by default.
    pub(crate) data: Option<PathBuf>,
    /// How the result is printed.
    pub(crate) form: Form,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// A Markdown table for each row.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// One trial, as its process is told.
pub(crate) struct TrialPlan {
    pub(crate) trial: row::Trial,
    pub(crate) seconds: Duration,
    pub(crate) long: bool,
    pub(crate) workers: usize,
    /// What the bare loop writes at once.
    pub(crate) write_bytes: usize,
    /// Empty, and this trial's alone.
    pub(crate) folder: PathBuf,
}
