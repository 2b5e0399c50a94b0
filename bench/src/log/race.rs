//! Runs the trials of each row in turns, and prints medians.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::LogPlan;
use super::bulk::BATCH_BYTES;
use super::measured::{Measured, Named};
use super::report;
use super::row::{Load, Row, Trial, Who, rows};
use crate::Outcome;

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(60);
const RUNS: usize = 3;

/// Threads of the appenders' runtime, where nobody says.
const WORKERS: usize = 2;

/// Blocks that are written before the first trial, and given back.
const TOUCHED_BYTES: u64 = 1 << 30;

/// All runs of a row's trials, by name.
pub(crate) type Runs = BTreeMap<String, Vec<Measured>>;

/// Races what the plan names.
pub(crate) fn race(plan: &LogPlan) -> Outcome<()> {
    let beside = std::env::current_exe()?.parent().map(Path::to_path_buf);
    let data = plan.data.clone().or(beside).ok_or("this program lies in no folder")?;
    fs::create_dir_all(&data)?;
    touch(&data)?;
    let mut done = Vec::new();
    for row in rows() {
        if plan.rows.is_empty() || plan.rows.contains(&row.number) {
            let runs = race_row(plan, &row, &data)?;
            done.push((row, runs));
        }
    }
    report::print(plan.form, &done)
}

fn race_row(plan: &LogPlan, row: &Row, data: &Path) -> Outcome<Runs> {
    let mut runs = Runs::new();
    let wanted = |t: &&Trial| plan.only.is_empty() || plan.only.iter().any(|name| name == t.name);
    let times = plan.runs.unwrap_or(if plan.long { 1 } else { RUNS });
    for time in 1..=times {
        for trial in row.trials.iter().filter(wanted) {
            eprintln!("row {}, {} ({time} of {times})", row.number, trial.name);
            let write_bytes = write_bytes(trial, &runs);
            for named in process(plan, row, trial, write_bytes, data)? {
                runs.entry(named.name).or_default().push(named.measured);
            }
        }
    }
    Ok(runs)
}

/// What the bare loop writes at once: what the log's groups had in the run before it.
fn write_bytes(trial: &Trial, runs: &Runs) -> usize {
    let group = runs.get("evenkeel").and_then(|r| r.last()).map(|m| m.group_bytes as usize);
    let bytes = match (trial.load, group) {
        (Load::Serial { bytes }, _) => bytes + 1,
        (_, Some(group)) if trial.who == Who::Bare && group > 0 => group,
        (Load::Many(many), _) => many.bytes * many.appenders / 2,
        _ => BATCH_BYTES,
    };
    bytes.next_multiple_of(super::bare::BLOCK)
}

fn process(plan: &LogPlan, row: &Row, trial: &Trial, write_bytes: usize, data: &Path) -> Outcome<Vec<Named>> {
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(data)?;
    let seconds = plan.seconds.unwrap_or(if plan.long { LONG } else { SHORT });
    let output = Command::new(std::env::current_exe()?)
        .args(["log-trial", &row.number.to_string(), trial.name, &seconds.as_secs().to_string()])
        .args([
            if plan.long { "long" } else { "short" },
            &plan.workers.unwrap_or(WORKERS).to_string(),
            &write_bytes.to_string(),
        ])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    drop(folder);
    settle();
    if !output.status.success() {
        return Err(format!("row {}, {}: its process failed ({})", row.number, trial.name, output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Writes many blocks and gives them back: virtual disks are several times slower on blocks that
/// were never written before.
fn touch(data: &Path) -> Outcome<()> {
    let path: PathBuf = data.join("touched");
    let mut file = fs::File::create(&path)?;
    let part = vec![0xa5; 4 << 20];
    for _ in 0..TOUCHED_BYTES / part.len() as u64 {
        std::io::Write::write_all(&mut file, &part)?;
    }
    file.sync_all()?;
    fs::remove_file(&path)?;
    settle();
    Ok(())
}

/// What one trial left to be written is not the next one's burden.
fn settle() {
    rustix::fs::sync();
}
