//! `evenkeel producers`.

use super::asking::Where;
use super::output::{print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    const HEAD: [&str; 7] = ["TOPIC", "SOURCE", "SENDS", "SINCE", "PER MINUTE", "USUALLY", "LAST"];
    const CELLS: [&str; 7] =
        ["/topic", "/source", "/sending", "/since", "/recent_per_minute", "/usual_per_minute", "/last"];
    let answer = args.node.get("/v1/producers").await?;
    print(args.node.output, &answer, |a| table(&HEAD, &rows(a, "producers", &CELLS)));
    Ok(())
}
