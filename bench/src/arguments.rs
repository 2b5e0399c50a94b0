//! What the user typed.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "usage: evenkeel-bench chain [--events N] [--runs N] [--data DIR]";

pub(crate) enum Command {
    Chain(Plan),
    Sink,
}

/// How much is measured, and where the log lies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Events of one run at full speed.
    pub(crate) events: u64,
    /// Runs; the table shows medians.
    pub(crate) runs: usize,
    /// A folder on the disk to be measured; that of this program by default.
    pub(crate) data: Option<PathBuf>,
}

pub(crate) fn parse(words: &[String]) -> Result<Command, String> {
    let mut plan = Plan { events: 50_000, runs: 3, data: None };
    let mut words = words.iter().map(String::as_str);
    match words.next() {
        Some("chain") => {}
        Some("sink") => return Ok(Command::Sink),
        Some(other) => return Err(format!("`{other}` is not a benchmark")),
        None => return Err("name a benchmark".to_owned()),
    }
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{flag}` needs a value"))?;
        let number = || value.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(|| format!("`{value}` is no count"));
        match flag {
            "--events" => plan.events = number()?,
            "--runs" => plan.runs = usize::try_from(number()?).map_err(|error| error.to_string())?,
            "--data" => plan.data = Some(value.into()),
            other => return Err(format!("`{other}` is not an option")),
        }
    }
    Ok(Command::Chain(plan))
}
