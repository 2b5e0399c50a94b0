//! The log on a real disk, killed with SIGKILL under load again and again.
//!
//! This program is its own child (`--load FOLDER RUN`). `EVENKEEL_KILLS` asks for more kills;
//! `cargo xtask soak` does.
#![allow(unreachable_pub, missing_docs, reason = "a test")]

#[path = "kill/load.rs"]
mod load;
#[path = "kill/check.rs"]
mod check;
#[path = "kill/cycle.rs"]
mod cycle;

use std::sync::Arc;

use evenkeel_log::RealDisk;

/// Kills of a usual run.
const KILLS: u64 = 8;

const NAME: &str = "a_log_that_is_killed_under_load_keeps_what_it_acknowledged";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--load", folder, run] => load::load(Arc::new(RealDisk::new(folder)), run.parse().expect("a number")),
        ["--list", ..] => println!("{NAME}: test"),
        filters if filters.iter().any(|f| !f.starts_with('-') && !NAME.contains(*f)) => {}
        _ => kills(),
    }
}

fn kills() {
    let kills = std::env::var("EVENKEEL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut dice = cycle::Dice(0x5eed_2026);
    let mut checker = check::Checker::default();
    for run in 1..=kills {
        let said =
            cycle::run_and_kill(folder.path(), run, dice.lines(), &[]).unwrap_or_else(|e| panic!("run {run}: {e}"));
        checker.acked(said);
        checker.check(folder.path()).unwrap_or_else(|e| panic!("after kill {run}: {e}"));
    }
    println!("{NAME}: {kills} kills, {} sets acknowledged", checker.count());
    assert!(checker.count() as u64 > 20 * kills, "hardly anything was acknowledged");
}
