//! `evenkeel tail`: the events of a topic, as they lie or as they come.

use std::time::Duration;

use serde_json::Value;

use super::asking::{Output, Where, escaped};
use super::output::{cell, line};
use crate::error::Error;

/// How often a followed topic is asked.
const ASK_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topic
    topic: String,
    /// earliest, latest, an offset, or a time (RFC 3339); latest with --follow, else earliest
    #[arg(long, value_name = "PLACE")]
    from: Option<String>,
    /// One partition only
    #[arg(long)]
    partition: Option<u32>,
    /// Go on when the end is reached
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let from = args.from.unwrap_or_else(|| if args.follow { "latest" } else { "earliest" }.to_owned());
    let partition = args.partition.map(|p| format!("&partition={p}")).unwrap_or_default();
    let path = format!("/v1/topics/{}/events?limit=500", escaped(&args.topic));
    let mut place = format!("&from={}{partition}", escaped(&from));
    loop {
        let answer = args.node.get(&format!("{path}{place}")).await?;
        let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        for item in &items {
            match args.node.output {
                Output::Json => line(&item.to_string()),
                Output::Text => line(&shown(item)),
            }
        }
        place = format!("&cursor={}", escaped(&cell(answer.get("next"))));
        match (items.is_empty(), args.follow) {
            (true, false) => return Ok(()),
            (true, true) => tokio::time::sleep(ASK_EVERY).await,
            (false, _) => {}
        }
    }
}

fn shown(item: &Value) -> String {
    let at = |pointer: &str| cell(item.pointer(pointer));
    let place = format!("{}/{}", at("/partition"), at("/offset"));
    if let Some(why) = item.get("not_an_event") {
        return format!("{place}  {}  not an event: {}", at("/appended_at"), cell(Some(why)));
    }
    let data = match item.pointer("/event/data") {
        Some(data) => cell(Some(data)),
        None => at("/event/data_base64"),
    };
    format!("{place}  {}  {}  {}  key {}  {data}", at("/appended_at"), at("/event/type"), at("/event/id"), at("/key"))
}
