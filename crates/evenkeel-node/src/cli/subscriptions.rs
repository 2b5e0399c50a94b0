//! `evenkeel subscriptions`.

mod changing;

use clap::Subcommand;
use serde_json::Value;

use super::asking::{Where, escaped};
use super::output::{print, rows, table};
use crate::error::Error;

const HEAD: [&str; 11] = [
    "SUBSCRIPTION",
    "TOPIC",
    "STATE",
    "COMPLETED",
    "DEAD",
    "IN FLIGHT",
    "PARKED",
    "UNREAD",
    "P50 MS",
    "P99 MS",
    "LAG MS",
];
const CELLS: [&str; 11] = [
    "/name",
    "/topic",
    "/state",
    "/completed",
    "/dead",
    "/in_flight",
    "/parked",
    "/unread",
    "/latency/p50_ms",
    "/latency/p99_ms",
    "/lag_ms",
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    node: Where,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All subscriptions
    List(Where),
    /// One subscription
    Show(One),
    /// Stop dispatching until it is resumed; what is in flight finishes
    Pause(One),
    /// Dispatch again, after a pause or a drain
    Resume(One),
    /// Make a subscription, or change one that was made so
    Create(changing::Create),
    /// Stop reading, finish what is at the handler, and rest until it is resumed
    Drain(changing::Drain),
    /// Remove a subscription; its dead letters stay
    Delete(changing::Delete),
}

#[derive(Debug, clap::Args)]
struct One {
    /// Its name
    name: String,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        None => list(&args.node).await,
        Some(What::List(node)) => list(&node).await,
        Some(What::Show(one)) => {
            let answer = one.node.get(&path(&one.name, "")).await?;
            show(&one, &answer);
            Ok(())
        }
        Some(What::Pause(one)) => command(one, "/pause").await,
        Some(What::Resume(one)) => command(one, "/resume").await,
        Some(What::Create(create)) => create.run().await,
        Some(What::Drain(drain)) => drain.run().await,
        Some(What::Delete(delete)) => delete.run().await,
    }
}

async fn list(node: &Where) -> Result<(), Error> {
    let answer = node.get("/v1/subscriptions").await?;
    print(node.output, &answer, |a| table(&HEAD, &rows(a, "subscriptions", &CELLS)));
    Ok(())
}

async fn command(one: One, what: &str) -> Result<(), Error> {
    let answer = one.node.post(&path(&one.name, what), None).await?;
    show(&one, &answer);
    Ok(())
}

fn show(one: &One, answer: &Value) {
    print(one.node.output, answer, |a| {
        let members = a.as_object().into_iter().flatten();
        let lines: Vec<Vec<String>> =
            members.map(|(name, value)| vec![name.clone(), super::output::cell(Some(value))]).collect();
        table(&["", ""], &lines)
    });
}

fn path(name: &str, what: &str) -> String {
    format!("/v1/subscriptions/{}{what}", escaped(name))
}
