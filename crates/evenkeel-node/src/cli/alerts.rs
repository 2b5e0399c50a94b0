//! `evenkeel alerts`: what fires and why, who is told, and silences.

use clap::Subcommand;
use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_model::{Clock, SystemClock};
use serde_json::{Value, json};

use super::asking::{Where, escaped};
use super::output::{cell, print, rows, table};
use crate::config::units;
use crate::error::{Error, codes};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    node: Where,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Those that fire, and the last that did
    List(Where),
    /// One objective's alerts, with the numbers that made each fire, and who is told
    Show {
        /// Its name
        objective: String,
        #[command(flatten)]
        node: Where,
    },
    /// The silences that are not over
    Silences(Where),
    /// Tell nobody of some alerts for a while; on record
    Silence(Box<Silencing>),
    /// End a silence
    Unsilence {
        /// Its name
        id: String,
        #[command(flatten)]
        node: Where,
    },
}

#[derive(Debug, clap::Args)]
struct Silencing {
    /// Alerts of this objective
    #[arg(long)]
    objective: Option<String>,
    /// Alerts of this subscription
    #[arg(long)]
    subscription: Option<String>,
    /// Alerts of this service
    #[arg(long)]
    service: Option<String>,
    /// Alerts of this name
    #[arg(long)]
    alert: Option<String>,
    /// Alerts of this severity: page or ticket
    #[arg(long)]
    severity: Option<String>,
    /// From when on, as 2026-11-21T14:00:00Z; from now on without it
    #[arg(long)]
    from: Option<String>,
    /// Until when
    #[arg(long, required_unless_present = "within", conflicts_with = "within")]
    until: Option<String>,
    /// For how long, as 2h
    #[arg(long = "for", id = "within", value_name = "DURATION")]
    within: Option<String>,
    /// Why
    #[arg(long)]
    reason: String,
    /// Who says so
    #[arg(long, env = "USER")]
    by: String,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    match args.what {
        None => list(&args.node).await,
        Some(What::List(node)) => list(&node).await,
        Some(What::Show { objective, node }) => show(&node, &objective).await,
        Some(What::Silences(node)) => {
            let answer = node.get("/v1/alerts/silences").await?;
            silences(&node, &answer);
            Ok(())
        }
        Some(What::Silence(said)) => silence(*said).await,
        Some(What::Unsilence { id, node }) => {
            let answer = node.delete(&format!("/v1/alerts/silences/{}", escaped(&id))).await?;
            silences(&node, &json!({ "silences": [answer] }));
            Ok(())
        }
    }
}

async fn list(node: &Where) -> Result<(), Error> {
    let answer = node.get("/v1/alerts").await?;
    print(node.output, &answer, |a| {
        let cells = ["/state", "/severity", "/objective", "/name", "/started_at", "/resolved_at", "/summary"];
        let mut all = rows(a, "pending", &cells);
        all.extend(rows(a, "alerts", &cells));
        table(&["STATE", "SEVERITY", "OBJECTIVE", "ALERT", "SINCE", "UNTIL", ""], &all)
    });
    Ok(())
}

async fn show(node: &Where, objective: &str) -> Result<(), Error> {
    let mut answer = node.get("/v1/alerts").await?;
    for list in ["alerts", "pending"] {
        if let Some(all) = answer[list].as_array_mut() {
            all.retain(|alert| alert["objective"] == objective);
        }
    }
    if ["alerts", "pending"].iter().all(|list| answer[*list].as_array().is_none_or(Vec::is_empty)) {
        let message = format!("no alert of `{objective}` fires, and none of the last was its");
        return Err(Error::new(codes::INVALID_PARAMETER, message).hint("`evenkeel alerts` lists those that there are"));
    }
    print(node.output, &answer, |a| {
        let all = a["pending"].as_array().into_iter().flatten().chain(a["alerts"].as_array().into_iter().flatten());
        all.map(shown).collect::<Vec<_>>().join("\n\n")
    });
    Ok(())
}

fn shown(alert: &Value) -> String {
    const FIELDS: [&str; 16] = [
        "name",
        "state",
        "severity",
        "summary",
        "trigger",
        "started_at",
        "first_bad_at",
        "resolved_at",
        "burn_long",
        "burn_short",
        "factor",
        "long_s",
        "short_s",
        "bad",
        "valid",
        "silenced_by",
    ];
    let fields = FIELDS.iter().filter(|field| !alert[**field].is_null());
    let mut lines: Vec<Vec<String>> = fields.map(|f| vec![(*f).to_owned(), cell(alert.get(f))]).collect();
    if let Some(by) = alert["inhibited_by"].as_str() {
        lines.push(vec!["inhibited_by".to_owned(), by.to_owned()]);
    }
    for receiver in alert["receivers"].as_array().into_iter().flatten() {
        let knows = if receiver["told"] == true { "was told" } else { "was not told" };
        lines.push(vec!["receiver".to_owned(), format!("{} {knows}", cell(receiver.get("name")))]);
    }
    table(&["", ""], &lines)
}

async fn silence(said: Silencing) -> Result<(), Error> {
    let until = match (&said.until, &said.within) {
        (Some(until), _) => until.clone(),
        (None, within) => {
            let text = within.as_deref().unwrap_or_default();
            let wrong = |why| Error::new(codes::INVALID_PARAMETER, format!("`--for`: {why}")).exit(2);
            format_rfc3339(SystemClock::new().now() + units::duration(text).map_err(wrong)?)
        }
    };
    let named = [
        ("objective", &said.objective),
        ("subscription", &said.subscription),
        ("service", &said.service),
        ("alert", &said.alert),
        ("severity", &said.severity),
    ];
    let matches: serde_json::Map<String, Value> =
        named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text.clone()?)))).collect();
    let mut body = json!({ "matches": matches, "until": until, "reason": said.reason, "by": said.by });
    if let Some(from) = said.from {
        body["from"] = json!(from);
    }
    let answer = said.node.post("/v1/alerts/silences", Some(body)).await?;
    silences(&said.node, &json!({ "silences": [answer] }));
    Ok(())
}

fn silences(node: &Where, answer: &Value) {
    print(node.output, answer, |a| {
        let all = a["silences"].as_array().into_iter().flatten().map(|one| {
            let matches = one["matches"].as_object().into_iter().flatten();
            let of: Vec<String> = matches.map(|(name, value)| format!("{name} {}", cell(Some(value)))).collect();
            let of = if of.is_empty() { "all alerts".to_owned() } else { of.join(", ") };
            let mut row: Vec<String> = ["id", "from", "until"].iter().map(|field| cell(one.get(field))).collect();
            row.extend([of, cell(one.get("reason")), cell(one.get("by"))]);
            row
        });
        table(&["ID", "FROM", "UNTIL", "ALERTS", "REASON", "BY"], &all.collect::<Vec<_>>())
    });
}
