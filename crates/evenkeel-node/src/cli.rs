//! The command line: one file for each verb.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage,
//! 3 the check said no. Invariant: a verb prints nothing but data on stdout, so that it can be
//! piped.

mod asking;
mod output;
mod up;
mod check;
mod apply;
mod publish;
mod tail;
mod topics;
mod intakes;
mod mirror;
mod subscriptions;
mod replay;
mod dead;
mod parked;
mod dependencies;
mod story;
mod why;
mod audit;
mod doctor;
mod log;
mod slo;
mod sla;
mod producers;
mod alerts;
mod chains;
mod incidents;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Error;

/// Events in, each handled exactly as promised, and the proof of it.
#[derive(Debug, Parser)]
#[command(
    name = "evenkeel",
    version,
    about = "An event backbone that keeps its promises: no event lost, no effect twice, no outage that cascades, and proof of all three",
    disable_help_subcommand = true
)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a node, in the foreground; prints one line when it is ready
    Up(up::Args),
    /// The shop, with its mishaps, and the proof
    Demo(crate::demo::DemoArgs),
    /// Explain the effective configuration, or say what is wrong with it
    Check(check::Args),
    /// Take a changed file into a running node, and show the difference
    Apply(apply::Args),
    /// Publish JSON lines: CloudEvents, or bare data
    Publish(publish::Args),
    /// Show the events of a topic
    Tail(tail::Args),
    /// List topics, or show one
    Topics(topics::Args),
    /// What comes in from brokers, how much of it, and why nothing does
    Intakes(intakes::Args),
    /// Where a consumer of a mirrored topic goes on in the copy
    Mirror(mirror::Args),
    /// List subscriptions, show one; create, delete, pause, resume, drain
    Subscriptions(subscriptions::Args),
    /// Call a subscription's handler once more for a window of its topic
    Replay(replay::Args),
    /// Dead letters: list, show, group, export, redrive, drop
    Dead(dead::Args),
    /// List parked keys; release or skip them
    Parked(parked::Args),
    /// What holds an event or a key up, what waits behind it, what comes next
    Why(why::Args),
    /// List dependencies and their breakers; open, close, or leave one to itself
    Dependencies(dependencies::Args),
    /// Everything that happened to one event
    Story(story::Args),
    /// Prove from the log that nothing was lost and nothing done twice
    Audit(audit::Args),
    /// Examine the machine under a data folder: can the promises be kept there?
    Doctor(doctor::Args),
    /// Verify, dump or repair a data folder that no node has open
    Log(log::Args),
    /// Objectives and their budgets
    Slo(slo::Args),
    /// Service level agreements: reports of their months, computed again by whoever has the slices
    Sla(sla::Args),
    /// Who sends to which topic, how much, and whether that is as usual
    Producers(producers::Args),
    /// Chains of events that belong together: completed, late, stuck
    Chains(chains::Args),
    /// Alerts that fire, and the last that did
    Alerts(alerts::Args),
    /// Incidents with their timelines
    Incidents(incidents::Args),
    /// One of the shop's services
    #[command(hide = true)]
    ShopService(crate::demo::ServiceArgs),
}

/// Runs a command line.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line = match Line::try_parse_from(words) {
        Ok(line) => line,
        Err(e) => {
            // A closed stdout or stderr must not turn help into a crash.
            let _ = e.print();
            return ExitCode::from(u8::from(e.use_stderr()) * 2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: the runtime does not start: {e}");
            return ExitCode::from(1);
        }
    };
    let exit = runtime.block_on(verb(line.verb));
    // What still blocks a thread must not hold up the end of the process.
    runtime.shutdown_background();
    exit
}

async fn verb(verb: Verb) -> ExitCode {
    let done = match verb {
        Verb::Demo(args) => return crate::demo::run(args).await,
        Verb::ShopService(args) => return crate::demo::service(args).await,
        Verb::Up(args) => up::run(args).await,
        Verb::Check(args) => check::run(&args).await,
        Verb::Apply(args) => apply::run(args).await,
        Verb::Publish(args) => publish::run(args).await,
        Verb::Tail(args) => tail::run(args).await,
        Verb::Topics(args) => topics::run(args).await,
        Verb::Intakes(args) => intakes::run(args).await,
        Verb::Mirror(args) => mirror::run(args).await,
        Verb::Subscriptions(args) => subscriptions::run(args).await,
        Verb::Replay(args) => replay::run(args).await,
        Verb::Dead(args) => dead::run(args).await,
        Verb::Parked(args) => parked::run(args).await,
        Verb::Why(args) => why::run(args).await,
        Verb::Dependencies(args) => dependencies::run(args).await,
        Verb::Story(args) => story::run(args).await,
        Verb::Audit(args) => audit::run(args).await,
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Log(args) => log::run(args),
        Verb::Slo(args) => slo::run(args).await,
        Verb::Sla(args) => sla::run(args).await,
        Verb::Producers(args) => producers::run(args).await,
        Verb::Chains(args) => chains::run(args).await,
        Verb::Alerts(args) => alerts::run(args).await,
        Verb::Incidents(args) => incidents::run(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(error.exit)
}
