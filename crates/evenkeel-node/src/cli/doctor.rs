//! `evenkeel doctor`: whether what the log promises can be kept on this machine. Exit code 3 when not.

use std::path::{Path, PathBuf};

use evenkeel_model::SystemClock;
use serde_json::{Value, json};

use super::asking::Output;
use super::output::print;
use crate::config;
use crate::doctor::{Finding, Level, examine};
use crate::error::{Error, codes};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The data folder; the configuration's unless given
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration that names the data folder; ./evenkeel.yaml when it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The form of the data on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let data = match &args.data {
        Some(data) => data.clone(),
        None => config::found(args.config.as_deref())?.data,
    };
    let found = examine(&data, &SystemClock::new());
    let worst = found.iter().map(|f| f.level).max().unwrap_or(Level::Good);
    print(args.output, &form(&data, &found, worst), shown);
    if worst < Level::Bad {
        return Ok(());
    }
    let said = format!("the promises of the log cannot be kept in `{}`", data.display());
    Err(Error::new(codes::DATA_PROMISE, said).hint("what is bad is named above, with its fix").exit(3))
}

fn form(data: &Path, found: &[Finding], worst: Level) -> Value {
    let checks: Vec<Value> = found
        .iter()
        .map(|f| json!({ "check": f.check, "level": f.level.word(), "found": f.found, "fix": f.fix }))
        .collect();
    json!({ "ok": worst < Level::Bad, "data": data.display().to_string(), "checks": checks })
}

fn shown(answer: &Value) -> String {
    let text = |check: &Value, name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let checks = answer.get("checks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let lines = checks.iter().map(|check| {
        let fix = text(check, "fix");
        let more = if fix.is_empty() { fix } else { format!("\n  {:<22}{fix}", "") };
        format!("{:<8}  {:<13} {}{more}", text(check, "level"), text(check, "check"), text(check, "found"))
    });
    lines.collect::<Vec<_>>().join("\n")
}
