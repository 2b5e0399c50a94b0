//! `delivery`: the speed table of delivery, with every promise on: durable input, inbox, order by
//! key, ledger, journal.
//!
//! Each trial is a process of its own on an empty folder, so that memory and caches of one do not
//! reach the next; trials take turns, so that a busy neighbour hits all of them, and the table
//! shows medians. Nothing is kept.

pub(crate) mod backlog;
mod parked;
mod report;
pub(crate) mod shop;
mod steady;
mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
pub(crate) use trial::trial;

/// The trials, in the order of the table.
pub(crate) const TRIALS: [&str; 9] =
    ["in-process", "bare", "http", "bare-batch", "http-batch", "steady", "healthy", "handled", "parked"];

/// What is measured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DeliveryPlan {
    /// Names of trials; none means all.
    pub(crate) only: Vec<String>,
    /// Events of a backlog.
    pub(crate) events: u64,
    /// Events that are parked.
    pub(crate) parked: u64,
    /// How often each trial runs.
    pub(crate) runs: usize,
    /// A folder on the disk to be measured; that of this program by default.
    pub(crate) data: Option<PathBuf>,
}

impl Default for DeliveryPlan {
    fn default() -> DeliveryPlan {
        DeliveryPlan { only: Vec::new(), events: 500_000, parked: 1_000_000, runs: 3, data: None }
    }
}

/// One trial, as its process is told.
pub(crate) struct DeliveryTrial {
    pub(crate) name: String,
    pub(crate) events: u64,
    pub(crate) parked: u64,
    /// Empty, and this trial's alone.
    pub(crate) folder: PathBuf,
}

/// What a trial found: figures by name.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Measures what the plan names.
pub(crate) fn delivery(plan: &DeliveryPlan) -> Outcome<()> {
    let beside = std::env::current_exe()?.parent().map(Path::to_path_buf);
    let data = plan.data.clone().or(beside).ok_or("this program lies in no folder")?;
    fs::create_dir_all(&data)?;
    let mut runs: BTreeMap<&str, Vec<Figures>> = BTreeMap::new();
    for time in 1..=plan.runs {
        for name in TRIALS.into_iter().filter(|name| plan.only.is_empty() || plan.only.iter().any(|n| n == name)) {
            eprintln!("{name} ({time} of {})", plan.runs);
            runs.entry(name).or_default().push(process(plan, name, &data)?);
        }
    }
    report::print(plan, &runs);
    Ok(())
}

fn process(plan: &DeliveryPlan, name: &str, data: &Path) -> Outcome<Figures> {
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(data)?;
    let done = Command::new(std::env::current_exe()?)
        .args(["delivery-trial", name, &plan.events.to_string(), &plan.parked.to_string()])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !done.status.success() {
        return Err(format!("trial `{name}` ended with {}", done.status).into());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}
