//! The verbs that change a topic.

use serde_json::{Value, json};

use super::super::output::print;
use super::One;
use super::settings::Settings;
use crate::error::{Error, codes};

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    one: One,
    /// How many partitions
    #[arg(long, value_name = "N")]
    partitions: Option<u32>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct Configure {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct AddPartitions {
    #[command(flatten)]
    one: One,
    /// How many it has then, in all
    #[arg(long, value_name = "N")]
    to: u32,
}

#[derive(Debug, clap::Args)]
pub(super) struct DeleteRecords {
    #[command(flatten)]
    one: One,
    /// What lies before goes: an offset (with --partition), `latest`, or a time
    #[arg(long, value_name = "OFFSET|latest|TIME")]
    before: String,
    /// This partition only
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
    /// Also what subscriptions still owe: it ends as expired
    #[arg(long)]
    owed: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    #[command(flatten)]
    one: One,
    /// Without this nothing is deleted, and what would be is said
    #[arg(long)]
    yes: bool,
}

impl Create {
    pub(super) async fn run(self) -> Result<(), Error> {
        match self.one.get().await {
            Ok(_) => {
                let topic = &self.one.topic;
                return Err(Error::new(codes::TOPIC_EXISTS, format!("topic `{topic}` is there already"))
                    .hint(format!("`evenkeel topics configure {topic}` changes what it keeps")));
            }
            Err(e) if e.code == codes::UNKNOWN_TOPIC => {}
            Err(e) => return Err(e),
        }
        put(&self.one, self.settings.over(&Value::Null), self.partitions).await
    }
}

impl Configure {
    pub(super) async fn run(self) -> Result<(), Error> {
        if self.settings.is_empty() {
            let said = "nothing to change: name a setting, such as `--retention-age 7d`";
            return Err(Error::new(codes::INPUT, said).exit(2));
        }
        let there = self.one.get().await?;
        put(&self.one, self.settings.over(&there), None).await
    }
}

impl AddPartitions {
    pub(super) async fn run(self) -> Result<(), Error> {
        let there = self.one.get().await?;
        let has = there.get("partitions").and_then(Value::as_u64).unwrap_or(0);
        if u64::from(self.to) <= has {
            let said = format!("topic `{}` has {has} partitions already; they can only grow", self.one.topic);
            return Err(Error::new(codes::INPUT, said).exit(2));
        }
        let nothing = Settings::default();
        put(&self.one, nothing.over(&there), Some(self.to)).await
    }
}

impl DeleteRecords {
    pub(super) async fn run(self) -> Result<(), Error> {
        let body = json!({ "before": self.before, "partition": self.partition, "owed": self.owed });
        let answer = self.one.node.post(&self.one.path("/delete-records"), Some(body)).await?;
        self.one.show(&answer);
        Ok(())
    }
}

impl Delete {
    pub(super) async fn run(self) -> Result<(), Error> {
        if !self.yes {
            let there = self.one.get().await?;
            let records = there.get("records").and_then(Value::as_u64).unwrap_or(0);
            let said = format!("topic `{}` holds {records} records, which go with it for good", self.one.topic);
            return Err(Error::new(codes::INPUT, said).hint("say `--yes` to delete it").exit(2));
        }
        let answer = self.one.node.client().json("DELETE", &self.one.path(""), None).await?;
        print(self.one.node.output, &answer, |_| format!("deleted {}", self.one.topic));
        Ok(())
    }
}

async fn put(one: &One, mut body: Value, partitions: Option<u32>) -> Result<(), Error> {
    if let (Value::Object(members), Some(n)) = (&mut body, partitions) {
        members.insert("partitions".to_owned(), json!(n));
    }
    let answer = one.node.client().json("PUT", &one.path(""), Some(body)).await?;
    one.show(&answer);
    Ok(())
}
