//! `evenkeel slo [NAME]`, and what is excluded from objectives.

mod rules;

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::asking::{Where, escaped};
use super::output::{cell, print, rows, table};
use crate::config::units::show_duration;
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
    /// All objectives: target, indicator, budget, burn, time to exhaustion
    List(Where),
    /// One of them, with its parts, its burn over every window and its last bad events
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        node: Where,
    },
    /// Recording rules for Prometheus, under the names that Sloth gives them; no node is asked
    Rules {
        /// The configuration that names the objectives
        #[arg(default_value = "evenkeel.yaml")]
        file: PathBuf,
    },
    /// What is excluded
    Exclusions(Where),
    /// Count a stretch of time for nobody, past or future; on record
    Exclude(Excluding),
    /// Take an exclusion back
    Include {
        /// Its name
        id: String,
        #[command(flatten)]
        node: Where,
    },
}

#[derive(Debug, clap::Args)]
struct Excluding {
    /// Of this objective
    #[arg(long)]
    objective: Option<String>,
    /// Of the objectives of this subscription
    #[arg(long)]
    subscription: Option<String>,
    /// Of the objectives of this service
    #[arg(long)]
    service: Option<String>,
    /// From when on, as 2026-11-21T14:00:00Z
    #[arg(long)]
    from: String,
    /// Until when
    #[arg(long)]
    until: String,
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
        Some(What::Show { name, node }) => show(&node, &name).await,
        Some(What::Rules { file }) => rules::run(&file),
        Some(What::Exclusions(node)) => {
            let answer = node.get("/v1/slos/exclusions").await?;
            exclusions(&node, &answer);
            Ok(())
        }
        Some(What::Exclude(said)) => exclude(said).await,
        Some(What::Include { id, node }) => {
            let answer = node.delete(&format!("/v1/slos/exclusions/{}", escaped(&id))).await?;
            exclusions(&node, &json!({ "exclusions": [answer] }));
            Ok(())
        }
    }
}

async fn list(node: &Where) -> Result<(), Error> {
    const HEAD: [&str; 9] =
        ["OBJECTIVE", "SUBSCRIPTION", "TARGET", "NOW", "GOOD", "BAD", "BUDGET LEFT", "BURN", "LASTS"];
    let answer = node.get("/v1/slos").await?;
    print(node.output, &answer, |a| {
        let cells = ["/name", "/subscription", "/target", "/share_good", "/good", "/bad"];
        let mut all = rows(a, "slos", &cells);
        let slos = a["slos"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (row, slo) in all.iter_mut().zip(slos) {
            row.push(percent(&slo["remaining"]));
            row.push(burn(slo).unwrap_or_else(|| "-".to_owned()));
            row.push(lasts(slo));
        }
        let mut text = table(&HEAD, &all);
        for slo in slos.iter().filter(|slo| slo["firing"].as_u64().unwrap_or(0) > 0) {
            text +=
                &format!("\n{}: {} alerts fire; `evenkeel alerts` lists them", cell(slo.get("name")), slo["firing"]);
        }
        text
    });
    Ok(())
}

async fn show(node: &Where, name: &str) -> Result<(), Error> {
    let answer = node.get("/v1/slos").await?;
    let slos = answer["slos"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(slo) = slos.iter().find(|slo| slo["name"] == name) else {
        let names: Vec<&str> = slos.iter().filter_map(|slo| slo["name"].as_str()).collect();
        let message = format!("there is no objective `{name}`");
        let code = crate::error::codes::INVALID_PARAMETER;
        return Err(Error::new(code, message).hint(format!("there are: {}", names.join(", "))));
    };
    print(node.output, slo, |slo| {
        let line = |name: &str, value: String| vec![name.to_owned(), value];
        let mut lines: Vec<Vec<String>> =
            ["name", "service", "description", "method", "target", "share_good", "good", "bad", "from", "until"]
                .map(|field| line(field, cell(slo.get(field))))
                .to_vec();
        lines.push(line("budget left", percent(&slo["remaining"])));
        lines.push(line("lasts", lasts(slo)));
        for burn in slo["burn"].as_array().into_iter().flatten() {
            lines.push(line(&format!("burn over {}", seconds(&burn["window_s"])), cell(burn.get("burn"))));
        }
        for part in slo["parts"].as_array().into_iter().flatten() {
            let of =
                ["subscription", "type", "source", "handler_version", "indicator", "within_ms", "target", "weight"];
            let said = of.iter().filter(|f| !part[**f].is_null()).map(|f| format!("{f} {}", cell(part.get(*f))));
            lines.push(line("part", said.collect::<Vec<_>>().join(", ")));
        }
        for bad in slo["bad_events"].as_array().into_iter().flatten() {
            let at = format!("{}/{}@{}", cell(bad.get("topic")), bad["partition"], bad["offset"]);
            lines.push(line("bad event", format!("{at} {} {}", cell(bad.get("when")), cell(bad.get("outcome")))));
        }
        table(&["", ""], &lines)
    });
    Ok(())
}

async fn exclude(said: Excluding) -> Result<(), Error> {
    let body = json!({
        "objective": said.objective, "subscription": said.subscription, "service": said.service,
        "from": said.from, "until": said.until, "reason": said.reason, "by": said.by,
    });
    let answer = said.node.post("/v1/slos/exclusions", Some(body)).await?;
    exclusions(&said.node, &json!({ "exclusions": [answer] }));
    Ok(())
}

fn exclusions(node: &Where, answer: &Value) {
    const HEAD: [&str; 8] = ["ID", "FROM", "UNTIL", "OBJECTIVE", "SUBSCRIPTION", "SERVICE", "REASON", "BY"];
    const CELLS: [&str; 8] = ["/id", "/from", "/until", "/objective", "/subscription", "/service", "/reason", "/by"];
    print(node.output, answer, |a| table(&HEAD, &rows(a, "exclusions", &CELLS)));
}

fn percent(share: &Value) -> String {
    share.as_f64().map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// How fast the budget burns, over the longest window of at most an hour.
fn burn(slo: &Value) -> Option<String> {
    let windows = slo["burn"].as_array()?;
    let pace = windows.iter().rev().find(|w| w["window_s"].as_f64().is_some_and(|s| s <= 3_600.0))?;
    Some(format!("{:.1}x over {}", pace["burn"].as_f64()?, seconds(&pace["window_s"])))
}

fn lasts(slo: &Value) -> String {
    match slo["exhausted_in_s"].as_f64() {
        Some(0.0) => "spent".to_owned(),
        Some(_) => seconds(&slo["exhausted_in_s"]),
        None => "-".to_owned(),
    }
}

/// Seconds as people say them, to a part in a hundred.
fn seconds(value: &Value) -> String {
    let Some(seconds) = value.as_f64() else { return "-".to_owned() };
    let unit = [(86_400.0, 86_400), (3_600.0, 3_600), (60.0, 60), (1.0, 1)]
        .into_iter()
        .find(|(from, _)| seconds >= 100.0 * from);
    let step = unit.map_or(1, |(_, step)| step);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float to integer casts saturate")]
    let whole = (seconds as u64).div_euclid(step).saturating_mul(step);
    show_duration(std::time::Duration::from_secs(whole))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn burn_and_what_is_left_are_said_as_people_say_them() {
        let slo = json!({
            "burn": [{ "window_s": 300.0, "burn": 9.0 }, { "window_s": 3600.0, "burn": 2.345 }, { "window_s": 21600.0, "burn": 1.0 }],
            "exhausted_in_s": 900_123.0, "remaining": 0.4321,
        });
        assert_eq!(super::burn(&slo).unwrap(), "2.3x over 1h");
        assert_eq!(super::lasts(&slo), "250h");
        assert_eq!(super::percent(&slo["remaining"]), "43.2 %");
        assert_eq!(super::lasts(&json!({ "exhausted_in_s": 0.0 })), "spent");
        assert_eq!(super::lasts(&json!({ "exhausted_in_s": null })), "-");
    }
}
