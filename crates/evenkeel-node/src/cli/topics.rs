//! `evenkeel topics`.

mod settings;
mod changing;

use clap::Subcommand;
use serde_json::Value;

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
    /// All topics
    List(Where),
    /// One topic: what it keeps, and the ends of its partitions
    Show(One),
    /// Make a topic
    Create(changing::Create),
    /// Change what a topic keeps; what is not named stays as it is
    Configure(changing::Configure),
    /// Give a topic more partitions; the keys of new events spread over all of them
    AddPartitions(changing::AddPartitions),
    /// Take the oldest records away
    DeleteRecords(changing::DeleteRecords),
    /// Delete a topic and all that it holds
    Delete(changing::Delete),
}

#[derive(Debug, clap::Args)]
struct One {
    /// Its name
    topic: String,
    #[command(flatten)]
    node: Where,
}

impl One {
    fn path(&self, what: &str) -> String {
        format!("/v1/topics/{}{what}", escaped(&self.topic))
    }

    async fn get(&self) -> Result<Value, Error> {
        self.node.get(&self.path("")).await
    }

    fn show(&self, answer: &Value) {
        print(self.node.output, answer, shown);
    }
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        None => list(&args.node).await,
        Some(What::List(node)) => list(&node).await,
        Some(What::Show(one)) => {
            one.show(&one.get().await?);
            Ok(())
        }
        Some(What::Create(create)) => create.run().await,
        Some(What::Configure(configure)) => configure.run().await,
        Some(What::AddPartitions(add)) => add.run().await,
        Some(What::DeleteRecords(delete)) => delete.run().await,
        Some(What::Delete(delete)) => delete.run().await,
    }
}

async fn list(node: &Where) -> Result<(), Error> {
    let answer = node.get("/v1/topics").await?;
    print(node.output, &answer, |a| {
        let cells = [
            "/name",
            "/partitions",
            "/records",
            "/bytes",
            "/retention/age",
            "/retention/size",
            "/retention/limit",
            "/cleanup",
            "/declared",
        ];
        let head = ["TOPIC", "PARTITIONS", "RECORDS", "BYTES", "AGE", "SIZE", "LIMIT", "CLEANUP", "IN THE FILE"];
        let mut rows = rows(a, "topics", &cells);
        for declared in rows.iter_mut().filter_map(|row| row.last_mut()) {
            *declared = if declared == "true" { "yes".to_owned() } else { "-".to_owned() };
        }
        table(&head, &rows)
    });
    Ok(())
}

/// The settings in words, then the partitions.
fn shown(topic: &Value) -> String {
    let kept = topic.get("kept").and_then(Value::as_str).unwrap_or_default();
    let declared = match topic.get("declared") {
        Some(Value::Bool(true)) => "the file declares it: only the file changes it",
        _ if topic.get("own") == Some(&Value::Bool(true)) => "it belongs to the node",
        _ => "made at run time",
    };
    let ends = table(
        &["PARTITION", "START", "END", "BYTES"],
        &rows(topic, "ends", &["/partition", "/start", "/end", "/bytes"]),
    );
    format!("{kept}\n  {} records; {declared}.\n\n{ends}", cell(topic.get("records")))
}
