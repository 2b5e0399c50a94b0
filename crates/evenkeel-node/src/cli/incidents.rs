//! `evenkeel incidents`.

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
    let answer = args.node.get("/v1/incidents").await?;
    print(args.node.output, &answer, |a| {
        let cells =
            ["/id", "/state", "/severity", "/objective", "/opened_at", "/time_to_detect_ms", "/time_to_recover_ms"];
        let head = ["INCIDENT", "STATE", "SEVERITY", "OBJECTIVE", "OPENED", "DETECTED MS", "RECOVERED MS"];
        let mut text = table(&head, &rows(a, "incidents", &cells));
        for incident in a.get("incidents").and_then(Value::as_array).into_iter().flatten() {
            text.push_str(&format!("\n\n{}", cell(incident.get("id"))));
            for line in incident.get("timeline").and_then(Value::as_array).into_iter().flatten() {
                text.push_str(&format!("\n  {}  {}", cell(line.get("at")), cell(line.get("text"))));
            }
        }
        text
    });
    Ok(())
}
