//! `evenkeel alerts`.

use super::asking::Where;
use super::output::{print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let answer = args.node.get("/v1/alerts").await?;
    print(args.node.output, &answer, |a| {
        let cells = ["/state", "/severity", "/objective", "/name", "/started_at", "/resolved_at", "/summary"];
        let mut all = rows(a, "pending", &cells);
        all.extend(rows(a, "alerts", &cells));
        table(&["STATE", "SEVERITY", "OBJECTIVE", "ALERT", "SINCE", "UNTIL", ""], &all)
    });
    Ok(())
}
