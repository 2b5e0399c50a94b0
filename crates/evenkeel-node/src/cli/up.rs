//! `evenkeel up`: a node in the foreground.

use std::path::{Path, PathBuf};

use crate::config::{self, Plan};
use crate::error::{Error, codes};
use crate::happenings::{FileChanged, FileRefused, FileUnchanged, GoingDown, NoKafka, Sabotaged};
use crate::logs;
use crate::node::{Means, Node, RunningNode};
use crate::sabotage::Sabotage;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration; ./evenkeel.yaml when it is there, else the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where HTTP is served, in place of the configuration's; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Where Kafka's protocol will be served; bound to nothing in this version
    #[arg(long, value_name = "ADDR")]
    kafka: Option<String>,
    /// Cheat, to prove the proof
    #[arg(long, hide = true)]
    sabotage: Option<Sabotage>,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let means = Means { sabotage: args.sabotage, ..Means::default() };
    let clock = means.clock.clone();
    let began = clock.now();
    let plan = plan(&args)?;
    logs::start(&plan.log, clock.clone());
    if let Some(how) = args.sabotage {
        Sabotaged { how: format!("{how:?}") }.tell();
    }
    if args.kafka.is_some() {
        NoKafka { address: plan.kafka.to_string() }.tell();
    }
    let mut ends = Ends::listen()?;
    let data = shown(&plan.data);
    let node = Node::start(plan, means).await?;
    let took = clock.now().since(began);
    let state = if node.is_damaged { "damaged, for reading only" } else { "ready" };
    super::output::line(&format!("evenkeel {state}: http {} (data {data}, {} ms)", node.http, took.as_millis()));
    while ends.wait().await == End::Hangup {
        again(&args, &node).await;
    }
    GoingDown {}.tell();
    node.shutdown().await;
    Ok(())
}

fn plan(args: &Args) -> Result<Plan, Error> {
    let mut plan = config::found(args.config.as_deref())?;
    if let Some(data) = &args.data {
        plan.data.clone_from(data);
    }
    if let Some(address) = &args.http {
        plan.http = config::listen("--http", address).map_err(|e| e.exit(2))?;
    }
    if let Some(address) = &args.kafka {
        plan.kafka = config::listen("--kafka", address).map_err(|e| e.exit(2))?;
    }
    Ok(plan)
}

/// A relative folder is shown as one.
fn shown(data: &Path) -> String {
    let text = data.display().to_string();
    if data.is_relative() && !text.starts_with('.') { format!("./{text}") } else { text }
}

/// SIGHUP: the file is read again and taken in; one that is wrong changes nothing.
async fn again(args: &Args, node: &RunningNode) {
    let applied = match plan(args) {
        Ok(plan) => node.apply(plan).await,
        Err(problem) => Err(problem),
    };
    match applied {
        Ok(changes) if changes.is_empty() => FileUnchanged {}.tell(),
        Ok(changes) => changes.into_iter().for_each(|change| FileChanged { change }.tell()),
        Err(problem) => FileRefused { problem: problem.to_string() }.tell(),
    }
}

/// Which signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stop,
    Hangup,
}

/// SIGTERM and SIGINT, which end it, and SIGHUP.
struct Ends {
    hangup: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Ends {
    fn listen() -> Result<Ends, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let cannot = |e: std::io::Error| Error::new(codes::INTERNAL, format!("signals cannot be heard: {e}"));
        Ok(Ends {
            terminate: signal(SignalKind::terminate()).map_err(cannot)?,
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
            hangup: signal(SignalKind::hangup()).map_err(cannot)?,
        })
    }

    async fn wait(&mut self) -> End {
        tokio::select! {
            _ = self.terminate.recv() => End::Stop,
            _ = self.interrupt.recv() => End::Stop,
            _ = self.hangup.recv() => End::Hangup,
        }
    }
}
