//! The verbs that make, drain and remove a subscription.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::super::output::print;
use super::{One, path, show};
use crate::error::{Error, codes};

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    one: One,
    /// Its settings, with the keys that a subscription has in the configuration; `-` is stdin
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The topic that it reads
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Where its handler is
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Where it begins: earliest, latest, a time, an offset
    #[arg(long, value_name = "FROM")]
    from: Option<String>,
    /// Which events wait for which: key, partition, none
    #[arg(long, value_name = "ORDER")]
    order: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Drain {
    #[command(flatten)]
    one: One,
    /// How long what is at the handler may still take
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    grace: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    #[command(flatten)]
    one: One,
    /// Without this nothing is removed, and what would be is said
    #[arg(long)]
    yes: bool,
}

impl Create {
    pub(super) async fn run(self) -> Result<(), Error> {
        let written = self.written()?;
        let answer = self.one.node.client().json("PUT", &path(&self.one.name, ""), Some(written)).await?;
        show(&self.one, &answer);
        Ok(())
    }

    /// What the file says, and the flags over it.
    fn written(&self) -> Result<Value, Error> {
        let mut written = match self.file.as_deref().map(read).transpose()? {
            None => Map::new(),
            Some(Value::Object(written)) => written,
            Some(_) => return Err(Error::new(codes::INPUT, "the file is no subscription: it has no keys").exit(2)),
        };
        for (key, flag) in [("topic", &self.topic), ("from", &self.from), ("order", &self.order)] {
            written.extend(flag.as_ref().map(|text| (key.to_owned(), Value::from(text.clone()))));
        }
        if let Some(url) = &self.url {
            written.insert("handler".to_owned(), json!({ "http": { "url": url } }));
        }
        if written.is_empty() {
            let said = "say what it is: `--topic` and `--url`, or `--file`";
            return Err(Error::new(codes::INPUT, said).exit(2));
        }
        Ok(Value::Object(written))
    }
}

impl Drain {
    pub(super) async fn run(self) -> Result<(), Error> {
        let what = format!("/drain?grace={}", super::escaped(&self.grace));
        let answer = self.one.node.post(&path(&self.one.name, &what), None).await?;
        show(&self.one, &answer);
        Ok(())
    }
}

impl Delete {
    pub(super) async fn run(self) -> Result<(), Error> {
        let (name, node) = (&self.one.name, &self.one.node);
        if !self.yes {
            let there = node.get(&path(name, "")).await?;
            let count = |key: &str| there.get(key).and_then(Value::as_u64).unwrap_or(0);
            let (parked, unread) = (count("parked"), count("unread"));
            let said =
                format!("subscription `{name}` has {parked} parked and {unread} unread events, which nobody would get");
            return Err(Error::new(codes::INPUT, said).hint("say `--yes` to remove it").exit(2));
        }
        let answer = node.client().json("DELETE", &path(name, ""), None).await?;
        print(node.output, &answer, |_| format!("deleted {name}"));
        Ok(())
    }
}

fn read(file: &Path) -> Result<Value, Error> {
    let cannot = |e: &dyn std::fmt::Display| {
        Error::new(codes::INPUT, format!("`{}` cannot be read: {e}", file.display())).exit(2)
    };
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| cannot(&e))?;
        text
    } else {
        std::fs::read_to_string(file).map_err(|e| cannot(&e))?
    };
    serde_saphyr::from_str(&text).map_err(|e| cannot(&e))
}
