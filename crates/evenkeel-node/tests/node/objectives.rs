//! Objectives on a started node: counted from its ledger, excluded on record, told by the CLI.

use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out};
use crate::support::{Handler, Started, row, start, until};

const OBJECTIVE: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: { name: success }
spec:
  service: shop
  indicatorRef: of-s
  timeWindow: [ { duration: 1M, calendar: { startTime: "2026-01-01 00:00:00", timeZone: America/New_York } } ]
  budgetingMethod: Occurrences
  objectives: [ { target: 0.9 } ]
---
apiVersion: openslo/v1
kind: SLI
metadata: { name: of-s }
spec:
  ratioMetric:
    bad: { metricSource: { type: evenkeel, spec: { subscription: s } } }
    total: { metricSource: { type: evenkeel, spec: { subscription: s } } }
"#;

fn write(folder: &Path, handler: &str) -> String {
    std::fs::create_dir(folder.join("objectives")).unwrap();
    std::fs::write(folder.join("objectives/a.yaml"), OBJECTIVE).unwrap();
    let unsound = OBJECTIVE.replace("name: success", "name: other").replace("America/New_York", "Mars/Base");
    std::fs::write(folder.join("objectives/b.yaml"), unsound.split("---").next().unwrap()).unwrap();
    format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{handler}/\" }} }}, retry: {{ attempts: 1 }} }} }}
objectives: objectives/*.yaml
"
    )
}

async fn slo(node: &Started) -> Value {
    row(&node.get("/v1/slos").await, "slos", "success")
}

/// Good and bad events of the objective, when there are so many.
async fn counted(node: &Started, good: u64, bad: u64) -> Value {
    until("the counts", || async {
        let slo = slo(node).await;
        (slo["good"] == good && slo["bad"] == bad).then_some(slo)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objective_is_counted_excluded_on_record_and_told_and_an_unsound_one_keeps_nobody_down() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|seen| if seen.header("ce-id") == "7" { 422 } else { 200 }).await;
    let yaml = write(folder.path(), &handler.url);
    let node = start(folder.path(), &yaml).await;
    for id in 0..20 {
        let kind = if id % 2 == 0 { "Even" } else { "Odd" };
        let event = json!({ "specversion": "1.0", "id": id.to_string(), "source": "/s", "type": kind });
        node.publish("orders", event).await;
    }
    let slo = counted(&node, 19, 1).await;
    assert_eq!((slo["calendar"].as_bool(), slo["method"].as_str()), (Some(true), Some("Occurrences")), "{slo}");
    assert!((slo["remaining"].as_f64().unwrap() - 0.5).abs() < 1e-9, "one of two that may be bad: {slo}");

    let seen = until("nothing lags", || async {
        let seen = node.get("/v1/subscriptions/s").await;
        (seen["lag_events"] == 0).then_some(seen)
    })
    .await;
    let groups = seen["groups"].as_array().unwrap();
    // They stand as their first outcomes came.
    let kinds: std::collections::BTreeMap<&str, u64> = groups
        .iter()
        .map(|g| {
            (g["type"].as_str().unwrap(), g["outcomes"].as_object().unwrap().values().filter_map(Value::as_u64).sum())
        })
        .collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [("Even", 10), ("Odd", 10)], "{seen}");
    assert_eq!(seen["groups_folded"].as_u64(), Some(0), "{seen}");

    let url = format!("http://{}", node.node.http);
    let run = |words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().chain(["--node", &url]).collect();
        let done = evenkeel(folder.path(), &words);
        assert_eq!(done.status.code(), Some(0), "{words:?}: {}", err(&done));
        out(&done)
    };
    let table = run(&["slo"]);
    assert!(table.contains("BUDGET LEFT") && table.contains("success") && table.contains("50.0 %"), "{table}");
    assert!(run(&["slo", "show", "success"]).contains("burn over 1h"));
    let exclude = ["slo", "exclude", "--subscription", "s", "--from", "2020-01-01T00:00:00Z"];
    let said: Vec<&str> =
        exclude.into_iter().chain(["--until", "2099-01-01T00:00:00Z", "--reason", "release", "--by", "ann"]).collect();
    run(&said);
    counted(&node, 0, 0).await;

    node.node.shutdown().await;
    let node = start(folder.path(), &yaml).await;
    counted(&node, 0, 0).await;
    let exclusions = node.get("/v1/slos/exclusions").await;
    let id = exclusions["exclusions"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(exclusions["exclusions"][0]["reason"], "release", "{exclusions}");
    let url = format!("http://{}", node.node.http);
    let done = evenkeel(folder.path(), &["slo", "include", &id, "--node", &url]);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    counted(&node, 19, 1).await;
    let nothing = evenkeel(folder.path(), &["slo", "include", &id, "--node", &url]);
    assert_eq!(nothing.status.code(), Some(1), "it is taken back already");
    node.node.shutdown().await;
}
