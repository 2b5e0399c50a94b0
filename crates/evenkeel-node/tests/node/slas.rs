//! Agreements on a started node: counted from its ledger, reported, and computed again without the node.

use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out};
use crate::support::{Handler, start, until};

const SLA: &str = r#"
name: acme
customer: ACME
subscription: s
zone: America/New_York
slice: 1m
availability: all_bad
empty: skipped
credits: { tiers: [ { below: 99.9%, credit: 10% } ], more_than: "1.00" }
"#;

fn run(folder: &Path, words: &[&str], code: i32) -> String {
    let done = evenkeel(folder, words);
    assert_eq!(done.status.code(), Some(code), "{words:?}: {}", err(&done));
    if code == 0 { out(&done) } else { err(&done) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_reported_from_the_ledger_and_a_customer_computes_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 422).await;
    std::fs::create_dir(folder.path().join("slas")).unwrap();
    std::fs::write(folder.path().join("slas/acme.yaml"), SLA).unwrap();
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{}/\" }} }} }} }}
slas: slas/*.yaml
",
        handler.url
    );
    std::fs::write(folder.path().join("evenkeel.yaml"), &yaml).unwrap();
    assert!(err(&evenkeel(folder.path(), &["check"])).contains("acme (for ACME)"));
    let node = start(folder.path(), &yaml).await;
    for id in 0..5 {
        let event = json!({ "specversion": "1.0", "id": id.to_string(), "source": "/s", "type": "T" });
        node.publish("orders", event).await;
    }
    let all_bad = async || {
        let answer = node.get("/v1/slas/acme?billed=100.00").await;
        (answer["report"]["bad"].as_u64()? + answer["report"]["excluded_bad"].as_u64()? == 5).then_some(answer)
    };
    let report = until("five bad events", all_bad).await;
    // The minute that runs is not judged before it is over: only then it is down.
    assert_eq!((report["agreement"]["slice"].as_str(), report["month"].is_string()), (Some("1m"), true), "{report}");

    let url = format!("http://{}", node.node.http);
    let nobody: Value = serde_json::from_str(&node.text("/v1/slas/acne").await).unwrap();
    assert_eq!(
        (nobody["status"].as_u64(), nobody["code"].as_str()),
        (Some(404), Some("unknown-agreement")),
        "{nobody}"
    );
    assert_eq!(nobody["hint"], "did you mean `acme`?", "{nobody}");
    let table = run(folder.path(), &["sla", "--node", &url], 0);
    assert!(table.contains("AVAILABILITY") && table.contains("acme") && table.contains("ACME"), "{table}");
    let json = run(folder.path(), &["sla", "acme", "--output", "json", "--billed", "100.00", "--node", &url], 0);
    let file = folder.path().join("report.json");
    std::fs::write(&file, &json).unwrap();
    node.node.shutdown().await;
    let again = run(folder.path(), &["sla", "verify", "report.json"], 0);
    assert!(again.starts_with("acme, "), "{again}");
    let html = run(folder.path(), &["sla", "verify", "report.json", "--output", "html"], 0);
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("Each slice"), "{html}");
    let mut forged: Value = serde_json::from_str(&json).unwrap();
    forged["report"]["bad"] = json!(0);
    std::fs::write(&file, forged.to_string()).unwrap();
    let said = run(folder.path(), &["sla", "verify", "report.json"], 3);
    assert!(said.contains("`report.bad` says 0; the slices give 5"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "topics: { orders: {} }\n").await;
    let url = format!("http://{}", node.node.http);
    let said = run(folder.path(), &["sla", "nobody", "--node", &url], 1);
    assert!(said.contains("there is no agreement `nobody`") && said.contains("unknown-agreement"), "{said}");
    let said = run(folder.path(), &["sla", "nobody", "--month", "October", "--node", &url], 1);
    assert!(said.contains("`month` must be a month, like 2026-10"), "{said}");
    let said = run(folder.path(), &["sla", "verify", "absent.json"], 2);
    assert!(said.contains("absent.json"), "{said}");
    node.node.shutdown().await;
}
