//! Examines the machine under a data folder: whether what the log promises can be kept there.
//!
//! One file for each check, each in two parts: one looks, one judges what was seen, and only the
//! first touches the machine. It changes nothing but one small file of its own, which it takes
//! away again, and never opens the log, so that it may run beside a node.

mod file_system;
mod flush;
mod space;
mod limits;
mod clock;
mod folder;

use std::path::{Path, PathBuf};

use evenkeel_model::Clock;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Good,
    /// It works, and an operator should know.
    Warning,
    /// A promise cannot be kept here.
    Bad,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Warning => "warning",
            Level::Bad => "bad",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: &'static str,
    /// How it ended.
    pub level: Level,
    /// The fact.
    pub found: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { check, level: Level::Good, found: found.into(), fix: None }
    }

    fn warning(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { check, level: Level::Warning, found: found.into(), fix: Some(fix.into()) }
    }

    fn bad(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { check, level: Level::Bad, found: found.into(), fix: Some(fix.into()) }
    }
}

/// All checks of a data folder, in the order in which they matter.
pub fn examine(data: &Path, clock: &dyn Clock) -> Vec<Finding> {
    let place = place(data);
    let mut found = vec![folder::check(data)];
    found.extend(file_system::check(&place));
    found.extend(flush::check(&place, clock));
    found.push(space::check(&place));
    found.push(limits::check(data));
    found.push(clock::check(data, clock));
    found
}

/// What a node says at its start of the folder that it was given: what is not as it should be,
/// as far as a look without a write can tell.
pub(crate) fn at_start(data: &Path) -> Vec<Finding> {
    let place = place(data);
    let mut found = file_system::check(&place);
    found.push(space::check(&place));
    found.push(limits::check(data));
    found.retain(|f| f.level != Level::Good);
    found
}

/// Bytes that are free under a data folder, where that is known.
pub(crate) fn free_bytes(data: &Path) -> Option<u64> {
    space::free(&place(data)).map(|free| free.bytes)
}

/// The folder itself, or the nearest one above it that is there: it will be made on the same disk.
fn place(data: &Path) -> PathBuf {
    let whole = std::path::absolute(data).unwrap_or_else(|_| data.to_path_buf());
    let there = whole.ancestors().find(|p| p.is_dir());
    there.map_or_else(|| PathBuf::from("/"), |p| p.canonicalize().unwrap_or_else(|_| p.to_path_buf()))
}

#[cfg(test)]
mod tests;
