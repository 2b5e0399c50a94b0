//! `evenkeel dependencies list|show|open|close|auto`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::asking::{Where, escaped};
use super::output::{cell, print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    node: Where,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All that running subscriptions depend on, with their breakers
    List(Where),
    /// One of them
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        node: Where,
    },
    /// Open a breaker until further notice: nothing is called, nothing probes, nothing is lost
    Open(Forcing),
    /// Close a breaker until further notice: events pass, whatever fails
    Close(Forcing),
    /// Let a breaker decide itself again; one that is open probes at once
    Auto {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        node: Where,
    },
}

#[derive(Debug, clap::Args)]
struct Forcing {
    #[command(flatten)]
    which: Which,
    /// Why, for whoever finds it like that
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    node: Where,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The dependency
    name: Option<String>,
    /// The breaker of this subscription's handler instead
    #[arg(long)]
    subscription: Option<String>,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        None => list(&args.node).await,
        Some(What::List(node)) => list(&node).await,
        Some(What::Show { name, node }) => {
            let answer = node.get(&format!("/v1/dependencies/{}", escaped(&name))).await?;
            show(&node, &answer);
            Ok(())
        }
        Some(What::Open(force)) => say(&force.which, &force.node, "open", &force.reason).await,
        Some(What::Close(force)) => say(&force.which, &force.node, "closed", &force.reason).await,
        Some(What::Auto { which, node }) => say(&which, &node, "automatic", "").await,
    }
}

async fn say(which: &Which, node: &Where, state: &str, reason: &str) -> Result<(), Error> {
    let path = match (&which.name, &which.subscription) {
        (_, Some(subscription)) => format!("/v1/subscriptions/{}/breaker", escaped(subscription)),
        (name, None) => format!("/v1/dependencies/{}/breaker", escaped(name.as_deref().unwrap_or_default())),
    };
    let answer = node.post(&path, Some(json!({ "state": state, "reason": reason }))).await?;
    show(node, &answer);
    Ok(())
}

async fn list(node: &Where) -> Result<(), Error> {
    const HEAD: [&str; 9] =
        ["DEPENDENCY", "STATE", "SINCE", "NEXT PROBE", "FORCED", "CALLS", "FAILED", "SLOW", "SUBSCRIPTIONS"];
    const CELLS: [&str; 9] =
        ["/name", "/state", "/since", "/next_probe", "/forced/reason", "/calls", "/failed", "/slow", "/subscriptions"];
    let answer = node.get("/v1/dependencies").await?;
    print(node.output, &answer, |a| table(&HEAD, &rows(a, "dependencies", &CELLS)));
    Ok(())
}

fn show(node: &Where, answer: &Value) {
    print(node.output, answer, |a| {
        let members = a.as_object().into_iter().flatten();
        let lines: Vec<Vec<String>> = members.map(|(name, value)| vec![name.clone(), cell(Some(value))]).collect();
        table(&["", ""], &lines)
    });
}
