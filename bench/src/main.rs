//! Benchmarks that a user can run: `cargo xtask bench chain | delivery | log | watch | transports | trials`.
//!
//! `chain` measures the life of an event with every promise on, in process and by HTTP push,
//! beside a bare HTTP client loop against the same service. It prints a Markdown table and keeps
//! nothing. `sink` is that service: this program again, as a process of its own. `delivery` is the
//! speed table of delivery. `log` measures the log alone, beside the device's limit and what a user
//! has instead. `watch` measures how fast the ledger folds into counts, and what a tick of many
//! objectives costs. `transports` measures delivery over each broker beside its bare client.

mod arguments;
mod load;
mod sink;
mod bare;
mod chain;
mod tally;
mod report;
mod delivery;
mod log;
mod watch;
#[cfg(feature = "brokers")]
mod transports;
mod trials;

use std::process::ExitCode;

/// As the node's binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use arguments::{Command, USAGE};

/// What every measurement may fail with: a sentence for whoever ran it.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    // As the node's binary does (docs/why/stalls.md).
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
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
    match command {
        Command::Chain(plan) => with_runtime(chain::chain(&plan)),
        Command::Sink => with_runtime(sink::serve()),
        Command::Delivery(plan) => delivery::delivery(&plan),
        Command::DeliveryTrial(plan) => with_runtime(delivery::trial(&plan)),
        Command::Trials(size) => with_runtime(tried(size)),
        Command::Log(plan) => log::race(&plan),
        Command::Watch(plan) => watch::watch(&plan),
        #[cfg(feature = "brokers")]
        Command::Transports(plan) => with_runtime(transports::transports(&plan)),
        Command::Trial(plan) => log::trial(&plan),
    }
}

async fn tried(size: trials::Size) -> Outcome<()> {
    if trials::trials(size).await? { Ok(()) } else { Err("a promise was broken".into()) }
}

fn with_runtime(work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
