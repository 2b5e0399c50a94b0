//! Benchmarks that a user can run: `cargo xtask bench chain`.
//!
//! `chain` measures the life of an event with every promise on, in process and by HTTP push,
//! beside a bare HTTP client loop against the same service. It prints a Markdown table and keeps
//! nothing. `sink` is that service: this program again, as a process of its own.

mod arguments;
mod load;
mod sink;
mod bare;
mod chain;
mod tally;
mod report;

use std::process::ExitCode;

use arguments::{Command, USAGE};

/// What every measurement may fail with: a sentence for whoever ran it.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments::parse(&words) {
        Ok(command) => run(command),
        Err(why) => Err(format!("{why}\n{USAGE}").into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        Command::Chain(plan) => runtime.block_on(chain::chain(&plan)),
        Command::Sink => runtime.block_on(sink::serve()),
    }
}
