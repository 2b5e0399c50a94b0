//! `evenkeel intakes`: what comes in from brokers, how much of it, and why nothing does, if so.

use serde_json::Value;

use super::asking::Where;
use super::output::{print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let answer = args.node.get("/v1/intakes").await?;
    print(args.node.output, &answer, told);
    Ok(())
}

fn told(answer: &Value) -> String {
    let cells = ["/topic", "/broker", "/kind", "/from", "/connected", "/held", "/placed", "/given_again", "/settled"];
    let head = ["TOPIC", "BROKER", "KIND", "FROM", "CONNECTED", "HELD", "PLACED", "AGAIN", "SETTLED"];
    let all = answer["intakes"].as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "nothing comes in from a broker: the file declares no `intakes`".to_owned();
    }
    let problems = all.iter().filter_map(|one| Some((one["topic"].as_str()?, one["problem"].as_str()?)));
    let problems: String = problems.map(|(topic, why)| format!("\n{topic}: {why}")).collect();
    format!("{}{problems}", table(&head, &rows(answer, "intakes", &cells)))
}
