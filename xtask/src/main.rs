//! The project's own commands: `cargo xtask check | tidy | generate | bench | soak`.
//!
//! Cargo alone is enough to run them; this crate has no dependencies, so that `cargo xtask tidy`
//! answers within seconds on a fresh clone.

mod bench;
mod check;
mod generate;
mod run;
mod native;
mod skipped;
mod soak;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask check            fmt, clippy, tests, docs, tidy: what must be green before a commit
cargo xtask tidy             the rules of the house alone
cargo xtask generate         write anew what is generated: docs/reference/, docs/grafana/
cargo xtask bench chain      the whole chain measured, beside a bare HTTP client loop
cargo xtask bench delivery   the speed table of delivery, beside a bare HTTP client loop
cargo xtask bench trials     what others do when things go wrong, tried on us
cargo xtask bench log        the log's speed table, beside the device's limit, fjall, redb, SQLite and a plain file
cargo xtask bench transports   delivery over each broker that runs, beside its bare client
cargo xtask bench watch      how fast the ledger folds into counts, and what a tick of 10,000 objectives costs
cargo xtask soak             hours if need be: many seeds, many kills, long fuzzing";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let root = workspace_root();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => check::check(&root),
        ["tidy"] => tidy::tidy(&root),
        ["generate"] => generate::generate(&root),
        ["bench", rest @ ..] => bench::bench(&root, rest),
        ["soak", rest @ ..] => soak::soak(&root, rest),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(format!("`{}` is not a command of xtask\n{USAGE}", other.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}
