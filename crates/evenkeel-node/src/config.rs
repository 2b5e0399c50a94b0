//! Configuration: from YAML text to a checked [`Plan`].
//!
//! [`raw`] is what may be written, [`plan`] what is meant; `checked` turns one into the other,
//! `effective` back again with every default filled in, and `explain` says it in words.
//! Invariants: an unknown key is an error with its path; nothing is bound, opened or called here.

pub mod raw;
pub mod plan;
pub mod units;
mod reading;
mod checked;
mod addresses;
pub mod push;
pub mod receivers;
pub mod brokers;
pub mod telemetry;
pub mod chains;
pub mod intakes;
mod objectives;
pub(crate) mod slas;
mod playbooks;
mod nearest;
mod glob;
mod effective;
mod explain;

use std::path::Path;

pub(crate) use addresses::listen;
pub(crate) use checked::subscription::read as read_subscription;
pub(crate) use checked::topic::read as read_topic;
pub(crate) use effective::config as written;
pub use effective::effective;
pub(crate) use effective::{subscription as written_subscription, topic as written_topic};
pub use explain::explain;
pub(crate) use explain::subscribed;
pub(crate) use explain::topic::kept;
pub use glob::matches as glob_matches;
pub use nearest::nearest;
pub use plan::Plan;

use crate::error::{Error, codes};

/// Read when no other file is named and it is there.
const DEFAULT_FILE: &str = "evenkeel.yaml";

/// The plan of a configuration file. Relative paths in it are relative to it. An objective that
/// can't be executed is an error.
pub fn load(path: &Path) -> Result<Plan, Error> {
    let plan = of_file(path)?;
    objectives::refusal(&plan.refused).map_or(Ok(plan), Err)
}

fn of_file(path: &Path) -> Result<Plan, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::new(codes::CONFIG_FILE, format!("cannot read `{}`: {e}", path.display())).exit(2))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse(&text, folder).map_err(|e| Error { message: format!("{}: {}", path.display(), e.message), ..e })
}

/// The plan of the file that is named, else of `./evenkeel.yaml` where it is there, else the
/// defaults. Objectives that can't be executed are in [`Plan::refused`]: a node runs with the others.
pub fn found(named: Option<&Path>) -> Result<Plan, Error> {
    match named {
        Some(path) => of_file(path),
        None if Path::new(DEFAULT_FILE).is_file() => of_file(Path::new(DEFAULT_FILE)),
        None => parse("", Path::new(".")),
    }
}

/// The plan of configuration text, with `folder` for relative paths.
pub fn parse(text: &str, folder: &Path) -> Result<Plan, Error> {
    let raw = if text.trim().is_empty() { raw::Config::default() } else { reading::read(text)? };
    checked::check(raw, folder).map_err(|e| e.exit(3))
}

#[cfg(test)]
mod tests;
