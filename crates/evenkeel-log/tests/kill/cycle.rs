//! One cycle: a child under load, killed with SIGKILL after so many acknowledgements.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

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
            2 => self.roll(2500),
            _ => 2 + self.roll(500),
        }
    }
}

/// Runs this very program as the child, kills it, and gives back what it had said by then.
pub fn run_and_kill(folder: &Path, run: u64, lines: u64) -> Result<Vec<(Name, Vec<u64>)>, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut child = Command::new(program)
        .args(["--load", &folder.display().to_string(), &run.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
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
