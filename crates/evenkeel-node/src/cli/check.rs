//! `evenkeel check`: the effective configuration, and what it means in words.

use std::path::PathBuf;

use crate::config::{self, Plan};
use crate::error::Error;
use crate::wiring;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration
    #[arg(default_value = "evenkeel.yaml")]
    file: PathBuf,
    /// Ask the brokers, too: whether they answer, and what would be created there
    #[arg(long)]
    connect: bool,
}

/// The YAML is the data; the words go to stderr, as comments for whoever reads along.
pub(super) async fn run(args: &Args) -> Result<(), Error> {
    let plan = config::load(&args.file)?;
    super::output::line(config::effective(&plan).trim_end());
    eprintln!("\n{}", config::explain(&plan));
    if args.connect { connect(&plan).await } else { Ok(()) }
}

/// What the brokers say; the first that refuses ends it.
async fn connect(plan: &Plan) -> Result<(), Error> {
    for broker in &plan.brokers {
        for line in wiring::connect(broker, &plan.subscriptions).await? {
            eprintln!("{line}");
        }
    }
    for intake in &plan.intakes {
        let found = wiring::verify(intake).await?;
        let rest = if found.is_empty() { ", and so is what comes in." } else { ":" };
        eprintln!("Topic {}: broker {} is there{rest}", intake.topic, intake.broker.name);
        found.iter().for_each(|line| eprintln!("  {line}."));
    }
    Ok(())
}
