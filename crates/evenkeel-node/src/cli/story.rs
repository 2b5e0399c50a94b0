//! `evenkeel story ID`.

use serde_json::Value;

use super::asking::{Where, escaped};
use super::output::{cell, print};
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The event's id
    id: String,
    /// Its source, when several have an event of that id
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    node: Where,
}

pub(super) async fn run(args: Args) -> Result<(), Error> {
    let source = args.source.map(|s| format!("?source={}", escaped(&s))).unwrap_or_default();
    let answer = args.node.get(&format!("/v1/events/{}{source}", escaped(&args.id))).await?;
    print(args.node.output, &answer, |story| format!("{}\nas a picture: {}", told(story), picture(&args.node, story)));
    Ok(())
}

/// Where the page of this story is.
fn picture(node: &Where, story: &Value) -> String {
    let at = |name: &str| escaped(story[name].as_str().unwrap_or_default());
    format!("{}/events/{}?source={}", node.url(), at("id"), at("source"))
}

fn told(story: &Value) -> String {
    let at = |v: &Value, p: &str| cell(v.pointer(p));
    let list = |v: &Value, name: &str| v.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let place = |v: &Value| format!("{}/{} offset {}", at(v, "/topic"), at(v, "/partition"), at(v, "/offset"));
    let mut lines = vec![format!("event {} of {}", at(story, "/id"), at(story, "/source"))];
    for record in list(story, "records") {
        let what = format!(
            "{}  stored in {} ({}, key {})",
            at(&record, "/appended_at"),
            place(&record),
            at(&record, "/type"),
            at(&record, "/key")
        );
        lines.push(what);
    }
    for one in list(story, "subscriptions") {
        let outcome = match one.get("outcome").and_then(Value::as_str) {
            Some(outcome) => {
                format!("{outcome} at {} after {} ms", at(&one, "/ended_at"), at(&one, "/created_to_ended_ms"))
            }
            None if list(story, "unseen").iter().any(|of| of["outcomes_of"] == one["name"]) => {
                "no outcome was found, and not all of its ledger was looked at".to_owned()
            }
            None => "has no outcome yet".to_owned(),
        };
        lines.push(format!(
            "{}: {outcome} ({} attempts, {} deliveries)",
            at(&one, "/name"),
            at(&one, "/attempts_counted"),
            at(&one, "/deliveries")
        ));
        for redriven in list(&one, "redriven") {
            lines.push(format!("  {}  redriven by {}", at(&redriven, "/at"), at(&redriven, "/job")));
        }
        for attempt in list(&one, "attempts") {
            lines.push(format!(
                "  {}  delivery {}: {} in {} ms, status {} {}",
                at(&attempt, "/at"),
                at(&attempt, "/delivery"),
                attempt.get("class").and_then(Value::as_str).unwrap_or("answered"),
                at(&attempt, "/took_ms"),
                at(&attempt, "/status"),
                at(&attempt, "/message"),
            ));
        }
    }
    for caused in list(story, "caused") {
        let what = format!(
            "caused {} {} in {} (by {})",
            at(&caused, "/type"),
            at(&caused, "/id"),
            place(&caused),
            caused["subscription"].as_str().unwrap_or("its causationid")
        );
        lines.push(what);
    }
    for related in list(story, "related") {
        let (kind, id) = (at(&related, "/type"), at(&related, "/id"));
        lines.push(format!("{}  of the same chain: {kind} {id} in {}", at(&related, "/appended_at"), place(&related)));
    }
    lines.extend(list(story, "unseen").iter().map(unseen));
    lines.join("\n")
}

/// What the answer does not know of.
pub(super) fn unseen(of: &Value) -> String {
    format!("not looked at: {}", cell(of.get("says")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::told;

    #[test]
    fn no_outcome_is_only_said_where_the_whole_ledger_was_looked_at() {
        let story = |unseen| {
            let one = json!({ "name": "stock", "outcome": null });
            told(&json!({ "id": "o-1", "source": "/shop", "subscriptions": [one], "unseen": unseen }))
        };
        assert!(story(json!([])).contains("stock: has no outcome yet"));
        let said = story(json!([{ "outcomes_of": "stock", "says": "stock.ledger/3" }]));
        assert!(said.contains("no outcome was found, and not all of its ledger was looked at"), "{said}");
        assert!(said.contains("not looked at: stock.ledger/3") && !said.contains("has no outcome yet"), "{said}");
    }
}
