//! `evenkeel apply`: a changed file is taken into a running node.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::asking::Where;
use super::output::{cell, print};
use crate::config;
use crate::error::{Error, codes};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration
    #[arg(default_value = "evenkeel.yaml")]
    file: PathBuf,
    /// Remove subscriptions that left the file; without it they are kept
    #[arg(long)]
    prune: bool,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    // Wrong here is wrong there: it is told with the file's name before the node is asked.
    config::load(&args.file)?;
    let unreadable = |e: std::io::Error| {
        Error::new(codes::CONFIG_FILE, format!("cannot read `{}`: {e}", args.file.display())).exit(2)
    };
    let text = std::fs::read_to_string(&args.file).map_err(unreadable)?;
    let parent = args.file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::path::absolute(parent).map_err(unreadable)?;
    let body = json!({ "text": text, "folder": folder, "prune": args.prune, "dry_run": args.dry_run });
    let answer = args.node.post("/v1/apply", Some(body)).await?;
    print(args.node.output, &answer, shown);
    Ok(())
}

fn shown(answer: &Value) -> String {
    let changes = answer.get("changes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if changes.is_empty() {
        return "nothing differs".to_owned();
    }
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn line(change: &Value) -> String {
    let text = |name: &str| change.get(name).and_then(Value::as_str).unwrap_or_default();
    let keys: Vec<String> = change["keys"].as_array().into_iter().flatten().map(key).collect();
    let keys = if keys.is_empty() { String::new() } else { format!(": {}", keys.join(", ")) };
    let (kind, name) = (text("kind"), text("name"));
    match (kind, text("what")) {
        ("next_start", _) => format!("! at the next start{keys}"),
        ("objectives", _) => "~ objectives".to_owned(),
        (_, "make") => format!("+ {kind} {name}"),
        (_, "remove") => format!("- {kind} {name}"),
        (_, "take_over") => format!("~ {kind} {name} belongs to the file from here on{keys}"),
        ("topic", "keep") => format!(
            "= topic {name} left the file and stays, with its events; `evenkeel topics delete {name}` deletes it"
        ),
        (_, "keep") => format!("= {kind} {name} left the file and is kept; `--prune` removes it"),
        _ => format!("~ {kind} {name}{keys}"),
    }
}

fn key(key: &Value) -> String {
    let text = |name: &str| cell(key.get(name));
    format!("{} {} → {}", text("key"), text("from"), text("to"))
}
