//! One cycle: a child under load, killed with SIGKILL after so many acknowledgements.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::load::{Name, acked};

/// Moments for kills, under a seed.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// When to kill: so many lines after the child's first. Some fall into recovery, most into the
    /// load, a few into a log that has turned and checkpointed many times.
    pub fn lines(&mut self) -> u64 {
        match self.roll(8) {
            0 => 0,
            1 => 1,
            2 => self.roll(1500),
            _ => 2 + self.roll(250),
        }
    }
}

/// What a child was told was acknowledged.
type Said = Vec<(Name, Vec<u64>)>;

/// Runs this very program as the child, kills it after so many lines, and gives back what it had
/// said by then.
pub fn run_and_kill(folder: &Path, run: u64, lines: u64, more: &[String]) -> Result<Said, String> {
    let mut child = spawn(folder, run, more)?;
    let out = child.stdout.take().ok_or("no pipe")?;
    let mut said = Vec::new();
    let mut killed = false;
    for (number, line) in (0_u64..).zip(BufReader::new(out).lines()) {
        said.extend(acked(&line.map_err(|e| e.to_string())?));
        if number >= lines && !killed {
            child.kill().map_err(|e| e.to_string())?;
            killed = true;
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if killed { Ok(said) } else { Err(format!("the child ended by itself: {status}")) }
}

/// Runs the child until its disk fails.
#[allow(dead_code, reason = "only a disk that can be told to fails")]
pub fn run(folder: &Path, run: u64, more: &[String]) -> Result<Said, String> {
    let mut child = spawn(folder, run, more)?;
    let out = child.stdout.take().ok_or("no pipe")?;
    let lines = BufReader::new(out).lines().collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    child.wait().map_err(|e| e.to_string())?;
    Ok(lines.iter().filter_map(|line| acked(line)).collect())
}

fn spawn(folder: &Path, run: u64, more: &[String]) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    Command::new(program)
        .args(["--load", &folder.display().to_string(), &run.to_string()])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())
}
