//! `POST /v1/apply`: takes a changed file into the running node, or says what it would change.

use std::path::PathBuf;

use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Node, Problem, limits};
use crate::changing::{self, Change, How, Kind, What};
use crate::config;

const BODY_BYTES_MAX: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The file's text.
    text: String,
    /// What relative paths in it are relative to, on the node's machine.
    folder: PathBuf,
    #[serde(default)]
    prune: bool,
    #[serde(default)]
    dry_run: bool,
}

/// Applies the file.
pub(super) async fn apply(State(node): Node, request: Request) -> Result<Json<Value>, Problem> {
    let (parts, body) = request.into_parts();
    let body = limits::body(&parts.headers, body, BODY_BYTES_MAX).await?;
    let File { text, folder, prune, dry_run } = serde_json::from_slice(&body).map_err(|e| {
        Problem::parameter(
            "body",
            "",
            &format!("must be like {{\"text\": \"topics: …\", \"folder\": \"/etc/evenkeel\"}} ({e})"),
        )
    })?;
    let wanted = config::parse(&text, &folder)?;
    let changes = changing::apply(&node, wanted, How { prune, dry_run }).await?;
    let changes: Vec<Value> = changes.iter().map(form).collect();
    Ok(Json(json!({ "applied": !dry_run, "changes": changes })))
}

/// A line of the difference.
pub(crate) fn form(change: &Change) -> Value {
    let kind = match change.kind {
        Kind::Topic => "topic",
        Kind::Subscription => "subscription",
        Kind::Objectives => "objectives",
        Kind::NextStart => "next_start",
    };
    let what = match change.what {
        What::Make => "make",
        What::Change => "change",
        What::TakeOver => "take_over",
        What::Keep => "keep",
        What::Remove => "remove",
    };
    let keys = change.keys.iter().map(|k| json!({ "key": k.key, "from": k.from, "to": k.to }));
    json!({ "kind": kind, "name": change.name, "what": what, "keys": keys.collect::<Vec<_>>() })
}
