//! `evenkeel why KEY|EVENT_ID`.

use serde_json::Value;

use super::asking::{Where, escaped};
use super::output::{cell, print};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An event's id, else a key
    what: String,
    /// In this subscription only
    #[arg(long)]
    subscription: Option<String>,
    /// It is a key, though an event may have that id
    #[arg(long)]
    key: bool,
    /// The event's source, when several have an event of that id
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let within = args.subscription.map(|name| format!("/subscriptions/{}", escaped(&name))).unwrap_or_default();
    let name = if args.key { "key" } else { "what" };
    let source = args.source.map(|s| format!("&source={}", escaped(&s))).unwrap_or_default();
    let answer = args.node.get(&format!("/v1{within}/why?{name}={}{source}", escaped(&args.what))).await?;
    print(args.node.output, &answer, told);
    Ok(())
}

fn told(answer: &Value) -> String {
    let subscriptions = answer["subscriptions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines = Vec::new();
    if subscriptions.is_empty() {
        lines.push(format!("nothing of `{}` is held up", cell(answer.get("asked"))));
    }
    for one in subscriptions {
        lines.push(format!("{}:", cell(one.get("name"))));
        let says = one["says"].as_array().into_iter().flatten().filter_map(Value::as_str);
        lines.extend(says.map(|said| format!("  {said}")));
    }
    lines.extend(answer["unseen"].as_array().into_iter().flatten().map(super::story::unseen));
    lines.join("\n")
}
