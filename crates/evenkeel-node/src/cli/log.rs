//! `evenkeel log`: verify, dump, repair a data folder that no node has open.

mod verify;
mod dump;
mod repair;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use evenkeel_log::{Disk, OpenError, RealDisk};

use super::asking::Output;
use crate::error::{Error, codes};
use crate::node;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Hold the folder against all of its checksums; changes nothing; exit code 3 on damage
    Verify(Folder),
    /// Everything in the folder, whole or damaged, as JSON lines; changes nothing
    Dump(dump::Args),
    /// Give up what is damaged, so that the log goes on; says what that is, and does it with --yes
    Repair(repair::Args),
}

/// The folder, and the form of the answer.
#[derive(Debug, clap::Args)]
struct Folder {
    /// The data folder
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// The form of the data on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) fn run(args: Args) -> Result<(), Error> {
    match args.what {
        What::Verify(folder) => verify::run(&folder),
        What::Dump(args) => dump::run(args),
        What::Repair(args) => repair::run(&args),
    }
}

/// The disk of a folder that is there. Looking at one that is not must not make it.
fn disk(data: &Path) -> Result<Arc<dyn Disk>, Error> {
    if !data.is_dir() {
        return Err(Error::new(codes::DATA_FOLDER, format!("there is no folder `{}`", data.display())).exit(2));
    }
    Ok(Arc::new(RealDisk::new(data)))
}

fn unopened(data: &Path, e: &OpenError) -> Error {
    let error = node::unopened(data, e);
    match e {
        OpenError::Locked { .. } => error.hint("stop the node first, or look at a copy of the folder"),
        _ => error,
    }
}
