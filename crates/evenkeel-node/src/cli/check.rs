//! `evenkeel check`: the effective configuration, and what it means in words.

use std::path::PathBuf;

use crate::config;
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration
    #[arg(default_value = "evenkeel.yaml")]
    file: PathBuf,
}

/// The YAML is the data; the words go to stderr, as comments for whoever reads along.
pub(super) fn run(args: &Args) -> Result<(), Error> {
    let plan = config::load(&args.file)?;
    super::output::line(config::effective(&plan).trim_end());
    eprintln!("\n{}", config::explain(&plan));
    Ok(())
}
