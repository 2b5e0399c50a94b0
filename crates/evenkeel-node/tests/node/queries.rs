//! What the query of a request may say: nothing in it is ignored.

use serde_json::{Value, json};

use crate::support::{Started, start};

const FILE: &str = "topics: { orders: { partitions: 1 } }\n";
const EVENTS: &str = "/v1/topics/orders/events";

async fn problem(node: &Started, path: &str) -> Value {
    let said = node.text(path).await;
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("no problem document at {path}: {said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_not_known_or_cannot_be_read_is_told_with_field_value_and_rule() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), FILE).await;
    for (path, field, value, rule) in [
        (format!("{EVENTS}?next=0:2"), "next", "0:2", "`cursor`"),
        (format!("{EVENTS}?limit=all"), "limit", "all", "whole number"),
        (format!("{EVENTS}?partition=-1"), "partition", "-1", "whole number"),
        (format!("{EVENTS}?from=yesterday"), "from", "yesterday", "`next`"),
        (format!("{EVENTS}?limit=1&limit=2"), "limit", "1", "twice"),
        ("/v1/events/7?sauce=x".to_owned(), "sauce", "x", "`source`"),
        ("/v1/why?what=7&colour=red".to_owned(), "colour", "red", "`key`"),
    ] {
        let told = problem(&node, &path).await;
        assert_eq!((&told["code"], &told["status"]), (&json!("invalid-parameter"), &json!(400)), "{path}: {told}");
        assert_eq!((&told["field"], &told["value"]), (&json!(field), &json!(value)), "{path}: {told}");
        assert!(told["rule"].as_str().unwrap().contains(rule), "{path}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_with_next_as_cursor_or_as_from() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), FILE).await;
    for id in ["1", "2", "3"] {
        let event = json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T" });
        node.publish("orders", event).await;
    }
    let first = node.get(&format!("{EVENTS}?limit=2")).await;
    let next = first["next"].as_str().unwrap();
    for name in ["cursor", "from"] {
        let rest = node.get(&format!("{EVENTS}?{name}={next}")).await;
        let ids: Vec<&Value> = rest["items"].as_array().unwrap().iter().map(|item| &item["event"]["id"]).collect();
        assert_eq!(ids, [&json!("3")], "{name}");
    }
}
