//! `evenkeel dead redrive`, `evenkeel dead redrives list|show|pause|resume|cancel`, `evenkeel dead drop`.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::conditions::Conditions;
use super::{Where, Whose};
use crate::cli::asking::escaped;
use crate::cli::output::{cell, print, rows, table};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The redrives of a subscription, oldest first
    List {
        /// The subscription
        subscription: String,
        #[command(flatten)]
        node: Where,
    },
    /// One redrive: how far it is, or what came of it
    Show(One),
    /// Take up no more until it is resumed
    Pause(One),
    /// Go on, with a fresh look at failures
    Resume(One),
    /// Take up no more at all; what was taken up goes on
    Cancel(One),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The subscription
    subscription: String,
    /// The redrive's id
    id: String,
    #[command(flatten)]
    node: Where,
}

#[derive(Debug, clap::Args)]
pub(super) struct Start {
    #[command(flatten)]
    pub(super) whose: Whose,
    #[command(flatten)]
    pub(super) conditions: Conditions,
    /// With --topic: to this topic, instead of where each came from
    #[arg(long, value_name = "TOPIC", requires = "topic")]
    pub(super) to: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Why, for the record
    #[arg(long, default_value = "")]
    pub(super) because: String,
    /// So many events go first; the others follow when these do not fail
    #[arg(long, default_value_t = 10, conflicts_with = "topic")]
    canary: u32,
    /// At most so fast, such as 50/s; as fast as the subscription goes without it
    #[arg(long)]
    pub(super) rate: Option<String>,
    /// Events that may be open at once
    #[arg(long, default_value_t = 64, conflicts_with = "topic")]
    at_once: u32,
    /// Stop by itself when more than this share of the events fail
    #[arg(long, default_value_t = 0.2, conflicts_with = "topic")]
    stop_share: f64,
    /// The share counts from so many events on
    #[arg(long, default_value_t = 20, conflicts_with = "topic")]
    stop_min: u32,
    /// Calls carry an idempotency key of this redrive's own, for receivers that store error answers
    #[arg(long, conflicts_with = "topic")]
    new_key: bool,
    #[command(flatten)]
    pub(super) node: Where,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rewind {
    /// The subscription
    subscription: String,
    /// The version that failed; that of the newest open letter without it
    #[arg(long, value_name = "VERSION")]
    handler_version: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Why, for the record
    #[arg(long, default_value = "")]
    because: String,
    /// So many events go first; the others follow when these do not fail
    #[arg(long, default_value_t = 10)]
    canary: u32,
    /// At most so fast, such as 50/s
    #[arg(long)]
    rate: Option<String>,
    #[command(flatten)]
    node: Where,
}

#[derive(Debug, clap::Args)]
pub(super) struct Drop {
    /// The subscription
    subscription: String,
    #[command(flatten)]
    conditions: Conditions,
    /// Every letter that is open
    #[arg(long)]
    all: bool,
    /// Why, for the record
    #[arg(long)]
    because: String,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        What::List { subscription, node } => {
            let answer = node.get(&path(&subscription, "")).await?;
            print(node.output, &answer, listed);
            Ok(())
        }
        What::Show(one) => {
            let answer = one.node.get(&one.path("")).await?;
            print(one.node.output, &answer, told);
            Ok(())
        }
        What::Pause(one) => one.ask("POST", "/pause").await,
        What::Resume(one) => one.ask("POST", "/resume").await,
        What::Cancel(one) => one.ask("DELETE", "").await,
    }
}

/// Drops letters.
pub(super) async fn drop_letters(drop: Drop) -> Result<(), Error> {
    let body = json!({ "filter": filter(&drop.conditions), "all": drop.all, "reason": drop.because });
    let path = format!("/v1/subscriptions/{}/dead/drop", escaped(&drop.subscription));
    let answer = drop.node.post(&path, Some(body)).await?;
    print(drop.node.output, &answer, |a| format!("{} letters dropped", cell(a.get("dropped"))));
    Ok(())
}

impl One {
    fn path(&self, what: &str) -> String {
        path(&self.subscription, &format!("/{}{what}", escaped(&self.id)))
    }

    async fn ask(&self, method: &str, what: &str) -> Result<(), Error> {
        let answer = self.node.client().json(method, &self.path(what), None).await?;
        print(self.node.output, &answer, told);
        Ok(())
    }
}

/// Starts one.
pub(super) async fn begin(start: Start) -> Result<(), Error> {
    let body = json!({
        "filter": filter(&start.conditions), "dry_run": start.dry_run, "reason": start.because,
        "canary": start.canary, "rate": start.rate, "at_once": start.at_once, "new_key": start.new_key,
        "stop": { "share": start.stop_share, "min": start.stop_min },
    });
    let subscription = start.whose.subscription.as_deref().unwrap_or_default();
    let answer = start.node.post(&path(subscription, ""), Some(body)).await?;
    print(start.node.output, &answer, if start.dry_run { planned } else { told });
    Ok(())
}

/// Rewinds.
pub(super) async fn rewind(rewind: Rewind) -> Result<(), Error> {
    let body = json!({
        "handler_version": rewind.handler_version, "dry_run": rewind.dry_run, "reason": rewind.because,
        "canary": rewind.canary, "rate": rewind.rate,
    });
    let path = format!("/v1/subscriptions/{}/rewind", escaped(&rewind.subscription));
    let answer = rewind.node.post(&path, Some(body)).await?;
    print(rewind.node.output, &answer, if rewind.dry_run { planned } else { told });
    Ok(())
}

pub(super) fn filter(conditions: &Conditions) -> Map<String, Value> {
    conditions.pairs().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

fn path(subscription: &str, what: &str) -> String {
    format!("/v1/subscriptions/{}/redrives{what}", escaped(subscription))
}

fn planned(answer: &Value) -> String {
    let at = |name: &str| cell(answer.get(name));
    let head = format!(
        "{} events would be taken up ({} letters; {} more are dealt with already), {} of them first; at least {} s; it stops when {}",
        at("events"),
        at("letters"),
        at("passed_over"),
        at("canary"),
        at("takes_at_least_s"),
        at("stops_when")
    );
    format!("{head}{}\n{}", elsewhere(answer), super::grouped(answer))
}

/// Over a broker several nodes share the partitions, and a redrive is the job of one.
fn elsewhere(answer: &Value) -> String {
    match answer["elsewhere"].as_u64() {
        None | Some(0) => String::new(),
        Some(letters) => {
            format!(
                "\n{letters} more letters are of partitions that other nodes have: ask each of them (--node URL) likewise"
            )
        }
    }
}

fn listed(answer: &Value) -> String {
    let cells = ["/id", "/state", "/phase", "/selected", "/taken", "/completed", "/dead", "/open", "/reason", "/why"];
    let head = ["REDRIVE", "STATE", "PHASE", "SELECTED", "TAKEN", "COMPLETED", "DEAD", "OPEN", "REASON", "WHY"];
    table(&head, &rows(answer, "redrives", &cells))
}

fn told(answer: &Value) -> String {
    let members = answer.as_object().into_iter().flatten();
    let lines: Vec<Vec<String>> = members.map(|(name, value)| vec![name.clone(), cell(Some(value))]).collect();
    format!("{}{}", table(&["", ""], &lines), elsewhere(answer))
}
