//! `evenkeel dead list|show|groups|export|redrive|drop`.

mod conditions;
mod redrive;

use clap::Subcommand;
use serde_json::Value;

use super::asking::{Where, escaped};
use super::output::{line, print, rows, table};
use crate::error::Error;
use conditions::Conditions;

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
        #[command(flatten)]
        conditions: Conditions,
        /// Also or only those that were redriven or dropped
        #[arg(long, value_name = "open|closed|all")]
        state: Option<String>,
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
    /// What killed them: one line for each kind of failure, the largest first
    Groups {
        /// The subscription
        subscription: String,
        #[command(flatten)]
        conditions: Conditions,
        #[command(flatten)]
        node: Where,
    },
    /// Dead letters with their events, as JSON lines
    Export {
        /// The subscription
        subscription: String,
        #[command(flatten)]
        conditions: Conditions,
        #[command(flatten)]
        node: Where,
    },
    /// Take dead events up again, as a job; with --dry-run, say what it would do
    Redrive(redrive::Start),
    /// Back to the first event that a handler version failed: redrives what it killed, and resumes
    Rewind(redrive::Rewind),
    /// Such jobs: list, show, pause, resume, cancel
    Redrives(redrive::Args),
    /// Drop dead letters: they are not offered again
    Drop(redrive::Drop),
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        What::List { subscription, conditions, state, from, limit, node } => {
            let mut query = conditions.query();
            query.extend(state.map(|s| format!("state={}", escaped(&s))));
            query.extend(from.map(|n| format!("from={n}")));
            query.extend(limit.map(|n| format!("limit={n}")));
            let answer = node.get(&format!("{}?{}", path(&subscription, ""), query.join("&"))).await?;
            print(node.output, &answer, listed);
        }
        What::Show { subscription, id, node } => {
            let offset = find(&node, &subscription, &id).await?.unwrap_or(id);
            let answer = node.get(&path(&subscription, &format!("/{}", escaped(&offset)))).await?;
            print(node.output, &answer, |a| serde_json::to_string_pretty(a).unwrap_or_default());
        }
        What::Groups { subscription, conditions, node } => {
            let query = conditions.query().join("&");
            let answer = node.get(&format!("{}?{query}", path(&subscription, "/groups"))).await?;
            print(node.output, &answer, grouped);
        }
        What::Redrive(start) => redrive::begin(start).await?,
        What::Rewind(rewind) => redrive::rewind(rewind).await?,
        What::Redrives(args) => redrive::run(args).await?,
        What::Drop(drop) => redrive::drop_letters(drop).await?,
        What::Export { subscription, conditions, node } => {
            pages(&node, &subscription, &conditions, |item| line(&item.to_string())).await?;
        }
    }
    Ok(())
}

fn path(subscription: &str, what: &str) -> String {
    format!("/v1/subscriptions/{}/dead{what}", escaped(subscription))
}

fn listed(answer: &Value) -> String {
    let cells = ["/dead_offset", "/id", "/key", "/reason", "/class", "/attempts", "/last_failed_at", "/message"];
    let head = ["OFFSET", "ID", "KEY", "REASON", "CLASS", "ATTEMPTS", "LAST FAILED", "MESSAGE"];
    table(&head, &rows(answer, "items", &cells))
}

fn grouped(answer: &Value) -> String {
    let cells = ["/count", "/keys", "/reason", "/class", "/fingerprint", "/first_died_at", "/last_died_at", "/message"];
    let head = ["LETTERS", "KEYS", "REASON", "CLASS", "FINGERPRINT", "FIRST DIED", "LAST DIED", "MESSAGE"];
    table(&head, &rows(answer, "groups", &cells))
}

/// Shows each letter with its event to `see`, page by page.
async fn pages(
    node: &Where,
    subscription: &str,
    conditions: &Conditions,
    mut see: impl FnMut(&Value),
) -> Result<(), Error> {
    let mut from = 0;
    loop {
        let mut query = conditions.query();
        query.extend(["events=true".to_owned(), format!("from={from}")]);
        let page = node.get(&format!("{}?{}", path(subscription, ""), query.join("&"))).await?;
        page["items"].as_array().into_iter().flatten().for_each(&mut see);
        match page["next"].as_u64() {
            Some(next) if next > from => from = next,
            _ => return Ok(()),
        }
    }
}

/// The offset of the newest dead letter with that event id.
async fn find(node: &Where, subscription: &str, id: &str) -> Result<Option<String>, Error> {
    let mut found = None;
    pages(node, subscription, &Conditions::of_id(id), |item| found = Some(item["dead_offset"].to_string())).await?;
    Ok(found)
}
