//! `evenkeel parked list|release|skip`.

use clap::Subcommand;
use serde_json::{Value, json};

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
    /// The first few parked keys
    List {
        /// The subscription
        subscription: String,
        #[command(flatten)]
        node: Where,
    },
    /// Fresh attempts now, for a key or for all
    Release {
        /// The subscription
        subscription: String,
        /// The key; all of them without it
        #[arg(long)]
        key: Option<String>,
        #[command(flatten)]
        node: Where,
    },
    /// Dead-letter the first event of a key; its lane goes on
    Skip {
        /// The subscription
        subscription: String,
        /// The key
        #[arg(long)]
        key: String,
        #[command(flatten)]
        node: Where,
    },
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let path = |subscription: &str, what: &str| format!("/v1/subscriptions/{}/parked{what}", escaped(subscription));
    let (node, answer) = match args.what {
        What::List { subscription, node } => {
            let answer = node.get(&path(&subscription, "")).await?;
            (node, answer)
        }
        What::Release { subscription, key, node } => {
            let answer = node.post(&path(&subscription, "/release"), key.map(|key| json!({ "key": key }))).await?;
            (node, answer)
        }
        What::Skip { subscription, key, node } => {
            let answer = node.post(&path(&subscription, "/skip"), Some(json!({ "key": key }))).await?;
            (node, answer)
        }
    };
    print(node.output, &answer, shown);
    Ok(())
}

fn shown(answer: &Value) -> String {
    let cells = ["/key", "/topic", "/partition", "/offset", "/behind", "/attempts", "/next_at", "/message"];
    let head = ["KEY", "TOPIC", "PARTITION", "OFFSET", "BEHIND", "ATTEMPTS", "NEXT", "MESSAGE"];
    table(&head, &rows(answer, "items", &cells))
}
