//! `evenkeel dead list|show|groups|export|redrive|rewind|drop`.

mod conditions;
mod redrive;
mod returning;

use clap::Subcommand;
use serde_json::Value;

use super::asking::{Where, escaped};
use super::output::{line, print, rows, table};
use crate::error::{Error, codes};
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
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        conditions: Conditions,
        /// Also or only those that were redriven or dropped
        #[arg(long, value_name = "open|closed|all")]
        state: Option<String>,
        /// The first offset in its dead-letter topic, or with --topic a place like 0:17: `next` of an earlier answer
        #[arg(long)]
        from: Option<String>,
        /// At most so many
        #[arg(long)]
        limit: Option<usize>,
        #[command(flatten)]
        node: Where,
    },
    /// One dead letter, with its event
    Show {
        /// The subscription, and the event's id or its number among the dead letters (`letter`); with --topic only
        /// the id, or a place like 0:17
        #[arg(num_args = 1..=2, required = true, value_names = ["SUBSCRIPTION", "ID"])]
        of: Vec<String>,
        /// Of this topic, whoever wrote it
        #[arg(long, value_name = "TOPIC")]
        topic: Option<String>,
        #[command(flatten)]
        node: Where,
    },
    /// What killed them: one line for each kind of failure, the largest first
    Groups {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        conditions: Conditions,
        #[command(flatten)]
        node: Where,
    },
    /// Dead letters with their events, as JSON lines
    Export {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        conditions: Conditions,
        #[command(flatten)]
        node: Where,
    },
    /// Take dead events up again, as a job; with --topic, give letters of other frameworks back to the topics that they
    /// came from; with --dry-run, say what it would do
    Redrive(redrive::Start),
    /// Back to the first event that a handler version failed: redrives what it killed, and resumes
    Rewind(redrive::Rewind),
    /// Such jobs: list, show, pause, resume, cancel
    Redrives(redrive::Args),
    /// Drop dead letters: they are not offered again
    Drop(redrive::Drop),
}

/// Whose dead letters.
#[derive(Debug, clap::Args)]
struct Whose {
    /// The subscription
    #[arg(required_unless_present = "topic", conflicts_with = "topic")]
    subscription: Option<String>,
    /// Those of any topic, as Spring, Kafka Streams, Kafka Connect, MassTransit, NServiceBus and others wrote them
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
}

impl Whose {
    fn path(&self, what: &str) -> String {
        match (&self.topic, &self.subscription) {
            (Some(topic), _) => format!("/v1/topics/{}/dead{what}", escaped(topic)),
            (None, name) => {
                format!("/v1/subscriptions/{}/dead{what}", escaped(name.as_deref().unwrap_or_default()))
            }
        }
    }
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        What::List { whose, conditions, state, from, limit, node } => {
            let mut query = conditions.query();
            query.extend(state.map(|s| format!("state={}", escaped(&s))));
            query.extend(from.map(|place| format!("from={}", escaped(&place))));
            query.extend(limit.map(|n| format!("limit={n}")));
            let answer = node.get(&format!("{}?{}", whose.path(""), query.join("&"))).await?;
            print(node.output, &answer, if whose.topic.is_some() { told } else { listed });
        }
        What::Show { of, topic, node } => {
            let (whose, id) = one(of, topic)?;
            let place = find(&node, &whose, &id).await?.unwrap_or(id);
            let answer = node.get(&whose.path(&format!("/{}", escaped(&place)))).await?;
            print(node.output, &answer, |a| serde_json::to_string_pretty(a).unwrap_or_default());
        }
        What::Groups { whose, conditions, node } => {
            let query = conditions.query().join("&");
            let answer = node.get(&format!("{}?{query}", whose.path("/groups"))).await?;
            print(node.output, &answer, grouped);
        }
        What::Redrive(start) => match &start.whose.topic {
            Some(_) => returning::give_back(start).await?,
            None => redrive::begin(start).await?,
        },
        What::Rewind(rewind) => redrive::rewind(rewind).await?,
        What::Redrives(args) => redrive::run(args).await?,
        What::Drop(drop) => redrive::drop_letters(drop).await?,
        What::Export { whose, conditions, node } => {
            pages(&node, &whose, &conditions, |item| line(&item.to_string())).await?;
        }
    }
    Ok(())
}

/// Which letter of whose.
fn one(of: Vec<String>, topic: Option<String>) -> Result<(Whose, String), Error> {
    let mut of = of.into_iter();
    match (of.next(), of.next(), topic) {
        (Some(id), None, Some(topic)) => Ok((Whose { subscription: None, topic: Some(topic) }, id)),
        (Some(name), Some(id), None) => Ok((Whose { subscription: Some(name), topic: None }, id)),
        _ => Err(Error::new(codes::INPUT, "`dead show` takes a subscription and an id, or `--topic` and an id")),
    }
}

fn listed(answer: &Value) -> String {
    let cells = ["/letter", "/id", "/key", "/reason", "/class", "/attempts", "/last_failed_at", "/message"];
    let head = ["OFFSET", "ID", "KEY", "REASON", "CLASS", "ATTEMPTS", "LAST FAILED", "MESSAGE"];
    table(&head, &rows(answer, "items", &cells))
}

/// What other frameworks wrote.
fn told(answer: &Value) -> String {
    let cells =
        ["/dead_partition", "/dead_offset", "/written_by", "/reason", "/from", "/partition", "/offset", "/message"];
    let head = ["PARTITION", "OFFSET", "WRITTEN BY", "REASON", "FROM", "PARTITION", "OFFSET", "MESSAGE"];
    table(&head, &rows(answer, "items", &cells))
}

fn grouped(answer: &Value) -> String {
    let cells = ["/count", "/keys", "/reason", "/class", "/fingerprint", "/first_died_at", "/last_died_at", "/message"];
    let head = ["LETTERS", "KEYS", "REASON", "CLASS", "FINGERPRINT", "FIRST DIED", "LAST DIED", "MESSAGE"];
    table(&head, &rows(answer, "groups", &cells))
}

/// Shows each letter with its event to `see`, page by page.
async fn pages(node: &Where, whose: &Whose, conditions: &Conditions, mut see: impl FnMut(&Value)) -> Result<(), Error> {
    let mut from = String::new();
    loop {
        let mut query = conditions.query();
        query.push("events=true".to_owned());
        if !from.is_empty() {
            query.push(format!("from={from}"));
        }
        let page = node.get(&format!("{}?{}", whose.path(""), query.join("&"))).await?;
        page["items"].as_array().into_iter().flatten().for_each(&mut see);
        let next = match &page["next"] {
            Value::String(place) => place.clone(),
            Value::Null => return Ok(()),
            offset => offset.to_string(),
        };
        if next == from {
            return Ok(());
        }
        from = next;
    }
}

/// The place of the newest dead letter with that event id.
async fn find(node: &Where, whose: &Whose, id: &str) -> Result<Option<String>, Error> {
    let mut found = None;
    let place = |item: &Value| match whose.topic {
        Some(_) => format!("{}:{}", item["dead_partition"], item["dead_offset"]),
        None => item["letter"].to_string(),
    };
    pages(node, whose, &Conditions::of_id(id), |item| found = Some(place(item))).await?;
    Ok(found)
}
