//! `evenkeel replay`: a window of a topic goes through a subscription's handler once more.

use std::time::Duration;

use serde_json::{Value, json};

use super::asking::{Where, escaped};
use super::output::{cell, print, table};
use crate::error::{Error, codes};

/// Between two looks at the job.
const EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The subscription
    subscription: String,
    /// Where the window begins
    #[arg(long, value_name = "earliest|OFFSET|TIME")]
    from: String,
    /// Where it ends; without it at the end that the topic has now
    #[arg(long, value_name = "latest|OFFSET|TIME")]
    to: Option<String>,
    /// This partition only
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
    /// Tell the handler to leave its effects out (`evenkeel-shadow: true`)
    #[arg(long)]
    shadow: bool,
    /// Give up after so many events that failed
    #[arg(long, value_name = "N")]
    failures_max: Option<u64>,
    /// Return at once, and leave it running
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let path = format!("/v1/subscriptions/{}/replays", escaped(&args.subscription));
    let mut asked = json!({ "from": args.from, "shadow": args.shadow });
    if let Value::Object(asked) = &mut asked {
        asked.extend(args.to.map(|to| ("to".to_owned(), Value::from(to))));
        asked.extend(args.partition.map(|p| ("partition".to_owned(), Value::from(p))));
        asked.extend(args.failures_max.map(|n| ("failures_max".to_owned(), Value::from(n))));
    }
    let mut job = args.node.post(&path, Some(asked)).await?;
    let one = format!("{path}/{}", job["id"]);
    while !args.detach && job["state"] == "running" {
        eprint!("\r{} of {}", job["events"], job["total"]);
        tokio::time::sleep(EVERY).await;
        job = args.node.get(&one).await?;
    }
    if !args.detach {
        eprintln!("\r{} of {}", job["events"], job["total"]);
    }
    print(args.node.output, &job, shown);
    match job["state"].as_str() {
        Some("failed") => {
            let why = cell(job.get("why"));
            Err(Error::new(codes::NODE_ANSWER, format!("the replay gave up: {why}")))
        }
        _ => Ok(()),
    }
}

fn shown(job: &Value) -> String {
    let sums =
        ["events", "completed", "dead", "dropped", "not_called", "failed", "returned", "same", "different", "unknown"];
    let sums: Vec<Vec<String>> = sums.iter().map(|name| vec![(*name).to_owned(), cell(job.get(name))]).collect();
    let mut text =
        format!("replay {}: {}\n{}", job["id"], cell(job.get("state")), table(&["", ""], &sums).trim_start());
    let differences = job["differences"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !differences.is_empty() {
        let names = ["id", "partition", "offset", "was", "now"];
        let rows: Vec<Vec<String>> =
            differences.iter().map(|d| names.iter().map(|name| cell(d.get(name))).collect()).collect();
        text.push_str(&format!("\n\n{}", table(&["EVENT", "PARTITION", "OFFSET", "WAS", "NOW"], &rows)));
    }
    text
}
