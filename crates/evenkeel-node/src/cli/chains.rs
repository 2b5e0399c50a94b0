//! `evenkeel chains`: how chains of events stand.

use serde_json::Value;

use super::asking::Where;
use super::output::{cell, print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    const HEAD: [&str; 8] = ["CHAIN", "BEGUN", "COMPLETED", "LATE", "OPEN", "P50 MS", "P99 MS", "STUCK AFTER"];
    let answer = args.node.get("/v1/chains").await?;
    print(args.node.output, &answer, |a| {
        let cells = ["/name", "/begun", "/completed", "/late", "/open", "/took_p50_ms", "/took_p99_ms"];
        let mut all = rows(a, "chains", &cells);
        let chains = a["chains"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (row, chain) in all.iter_mut().zip(chains) {
            row.push(stuck(chain));
        }
        table(&HEAD, &all)
    });
    Ok(())
}

/// The steps after which chains wait, with the one that waits longest.
fn stuck(chain: &Value) -> String {
    let steps = chain["stuck"].as_array().into_iter().flatten().filter(|at| at["open"].as_u64() > Some(0));
    let said: Vec<String> = steps
        .map(|at| {
            let (after, open) = (cell(at.get("after")), cell(at.get("open")));
            format!("{after} ({open}, {} since {})", cell(at.get("oldest")), cell(at.get("since")))
        })
        .collect();
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}
