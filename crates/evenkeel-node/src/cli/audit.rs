//! `evenkeel audit`: the proof. Exit code 3 when it does not add up.

use std::path::PathBuf;
use std::sync::Arc;

use evenkeel_log::{Log, Options, RealDisk};
use evenkeel_model::SystemClock;
use evenkeel_transport::audit::audit;
use serde_json::Value;

use super::asking::Where;
use super::output::{print, rows, table};
use crate::config;
use crate::error::{Error, codes};
use crate::node::unopened;
use crate::wiring::{all_plans, audited_of, failed};

const COUNTS: [&str; 14] = [
    "/name",
    "/appended",
    "/completed",
    "/duplicate",
    "/stale",
    "/filtered",
    "/dead",
    "/dropped",
    "/expired",
    "/in_flight",
    "/parked",
    "/unread",
    "/not_an_event",
    "/order_violations",
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Audit this folder, which no node has open, in place of asking a node
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// With --data: the configuration that names the subscriptions
    #[arg(long, value_name = "FILE", default_value = "evenkeel.yaml")]
    config: PathBuf,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let answer = match &args.data {
        None => args.node.get("/v1/audit").await?,
        Some(folder) => offline(folder, &args.config)?,
    };
    print(args.node.output, &answer, shown);
    if answer.get("ok") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    Err(Error::new(codes::AUDIT_FAILED, "the books do not add up; the problems are named above").exit(3))
}

fn offline(folder: &std::path::Path, file: &std::path::Path) -> Result<Value, Error> {
    let mut plan = config::load(file)?;
    plan.data = folder.to_path_buf();
    if !folder.is_dir() {
        return Err(Error::new(codes::DATA_FOLDER, format!("there is no folder `{}`", folder.display())));
    }
    let log = Log::open(Arc::new(RealDisk::new(folder)), Options::default(), Arc::new(SystemClock::new()))
        .map_err(|e| unopened(&plan.data, &e))?;
    let subscriptions: Vec<_> = all_plans(&plan, &log)?.iter().map(|s| audited_of(s, None)).collect();
    let audited = audit(&log, &subscriptions).map_err(|e| failed(&e));
    log.close();
    Ok(crate::api::audit::form(&audited?))
}

fn shown(answer: &Value) -> String {
    let head = [
        "SUBSCRIPTION",
        "APPENDED",
        "COMPLETED",
        "DUPLICATE",
        "STALE",
        "FILTERED",
        "DEAD",
        "DROPPED",
        "EXPIRED",
        "IN FLIGHT",
        "PARKED",
        "UNREAD",
        "NOT EVENTS",
        "DISORDER",
    ];
    let mut text = table(&head, &rows(answer, "subscriptions", &COUNTS));
    for one in answer.get("subscriptions").and_then(Value::as_array).into_iter().flatten() {
        for problem in one.get("problems").and_then(Value::as_array).into_iter().flatten() {
            text.push_str(&format!(
                "\n{}: {}",
                super::output::cell(one.get("name")),
                super::output::cell(Some(problem))
            ));
        }
    }
    let ok = answer.get("ok") == Some(&Value::Bool(true));
    text.push_str(if ok { "\nok: every event is accounted for" } else { "\nnot ok" });
    text
}
