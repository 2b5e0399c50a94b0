//! `evenkeel dead list|show`.

use clap::Subcommand;

use super::asking::{Where, escaped};
use super::output::{print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The dead letters of a subscription, oldest first
    List {
        /// The subscription
        subscription: String,
        /// The first offset in its dead-letter topic: `next` of an earlier answer
        #[arg(long)]
        from: Option<u64>,
        /// At most so many
        #[arg(long)]
        limit: Option<usize>,
        #[command(flatten)]
        node: Where,
    },
    /// One dead letter, with its event
    Show {
        /// The subscription
        subscription: String,
        /// The event's id, or its offset in the dead-letter topic (`dead_offset`)
        id: String,
        #[command(flatten)]
        node: Where,
    },
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        What::List { subscription, from, limit, node } => {
            let query: Vec<String> = [from.map(|n| format!("from={n}")), limit.map(|n| format!("limit={n}"))]
                .into_iter()
                .flatten()
                .collect();
            let path = format!("/v1/subscriptions/{}/dead?{}", escaped(&subscription), query.join("&"));
            let answer = node.get(&path).await?;
            print(node.output, &answer, |a| {
                let cells =
                    ["/dead_offset", "/id", "/key", "/reason", "/class", "/attempts", "/last_failed_at", "/message"];
                let head = ["OFFSET", "ID", "KEY", "REASON", "CLASS", "ATTEMPTS", "LAST FAILED", "MESSAGE"];
                table(&head, &rows(a, "items", &cells))
            });
        }
        What::Show { subscription, id, node } => {
            let offset = find(&node, &subscription, &id).await?.unwrap_or(id);
            let path = format!("/v1/subscriptions/{}/dead/{}", escaped(&subscription), escaped(&offset));
            let answer = node.get(&path).await?;
            print(node.output, &answer, |a| serde_json::to_string_pretty(a).unwrap_or_default());
        }
    }
    Ok(())
}

/// The offset of the newest dead letter with that event id.
async fn find(node: &Where, subscription: &str, id: &str) -> Result<Option<String>, Error> {
    let (mut from, mut found) = (0, None);
    loop {
        let page = node.get(&format!("/v1/subscriptions/{}/dead?from={from}", escaped(subscription))).await?;
        let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let newest = items.iter().rfind(|item| item["id"] == id);
        found = newest.map(|item| item["dead_offset"].to_string()).or(found);
        match page["next"].as_u64() {
            Some(next) if next > from && !items.is_empty() => from = next,
            _ => return Ok(found),
        }
    }
}
