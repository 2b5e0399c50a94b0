//! `evenkeel slo`.

use super::asking::Where;
use super::output::{print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let answer = args.node.get("/v1/slos").await?;
    print(args.node.output, &answer, |a| {
        let cells = ["/name", "/subscription", "/target", "/share_good", "/good", "/bad", "/remaining", "/firing"];
        let head = ["OBJECTIVE", "SUBSCRIPTION", "TARGET", "NOW", "GOOD", "BAD", "BUDGET LEFT", "ALERTS"];
        table(&head, &rows(a, "slos", &cells))
    });
    Ok(())
}
