//! From bad events to an alert, an incident, a playbook's step and the end of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{Handler, start, until};

const OBJECTIVE: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: { name: in-time }
spec:
  service: shop
  indicator:
    metadata: { name: in-time }
    spec:
      ratioMetric:
        good: { metricSource: { type: evenkeel, spec: { subscription: s, outcome: completed, within: 1s } } }
        total: { metricSource: { type: evenkeel, spec: { subscription: s } } }
  timeWindow: [ { duration: 1h, isRolling: true } ]
  budgetingMethod: Occurrences
  objectives: [ { target: 0.99 } ]
  alertPolicies:
    - kind: AlertPolicy
      metadata: { name: quick }
      spec:
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata:
              name: quick
              annotations: { evenkeel/budget-share: "1%", evenkeel/long-window: 4s, evenkeel/short-window: 1s }
            spec: { severity: page, condition: { kind: burnrate, op: gt, threshold: 9, lookbackWindow: 1m } }
        notificationTargets: [ { kind: AlertNotificationTarget, metadata: { name: team }, spec: { target: webhook } } ]
"#;

fn write(folder: &Path, handler: &str, recycle: &str, hook: &str) -> String {
    std::fs::create_dir(folder.join("objectives")).unwrap();
    std::fs::write(folder.join("objectives/in-time.yaml"), OBJECTIVE).unwrap();
    format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions:
  s:
    topic: orders
    handler: {{ http: {{ url: \"{handler}/\" }} }}
    retry: {{ initial: 20ms, factor: 1, max: 50ms }}
    breaker: {{ open: 200ms }}
objectives: objectives/*.yaml
alerts: {{ webhooks: [ {{ name: team, url: \"{hook}/\" }} ] }}
playbooks:
  - name: recycle
    when: {{ objective: in-time, severity: page }}
    steps:
      - do: {{ call: {{ url: \"{recycle}/\", body: {{ why: wedged }} }} }}
        check: {{ objective: in-time, burn_below: 5, within: 120s }}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wedged_handler_fires_an_alert_opens_an_incident_and_is_healed_by_the_playbook() {
    let folder = tempfile::tempdir().unwrap();
    let wedged = Arc::new(AtomicBool::new(false));
    let (state, switch) = (wedged.clone(), wedged.clone());
    let handler = Handler::start(move |_| if state.load(Ordering::SeqCst) { 503 } else { 200 }).await;
    let recycle = Handler::start(move |_| {
        switch.store(false, Ordering::SeqCst);
        200
    })
    .await;
    let hook = Handler::start(|_| 200).await;
    let yaml = write(folder.path(), &handler.url, &recycle.url, &hook.url);
    let node = start(folder.path(), &yaml).await;

    let mut every = tokio::time::interval(Duration::from_millis(40));
    let mut number = 0;
    let healed = async {
        loop {
            every.tick().await;
            number += 1;
            let id = number.to_string();
            node.publish(
                "orders",
                json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T", "subject": id }),
            )
            .await;
            wedged.fetch_or(number == 25, Ordering::SeqCst);
            if number % 10 == 0 {
                let incidents = node.get("/v1/incidents").await;
                if incidents["incidents"][0]["state"] == "resolved" {
                    return incidents["incidents"][0].clone();
                }
            }
        }
    };
    let incident = tokio::time::timeout(crate::support::PATIENCE, healed).await.expect("the incident is resolved");
    assert_eq!(incident["objective"], "in-time");
    assert_eq!(incident["runs"][0]["ending"], "succeeded", "{incident}");
    assert!(incident["time_to_detect_ms"].is_u64() && incident["time_to_recover_ms"].is_u64(), "{incident}");
    assert_eq!(recycle.seen().len(), 1, "the step ran once");
    assert_eq!(recycle.seen()[0].body, r#"{"why":"wedged"}"#);
    assert!(!recycle.seen()[0].header("idempotency-key").is_empty());
    let kinds = until("both states of the alert at the webhook", || async {
        let kinds: Vec<String> = hook.seen().iter().map(|s| s.header("ce-type")).collect();
        (kinds.len() >= 2).then_some(kinds)
    })
    .await;
    assert_eq!(kinds[..2], ["evenkeel.alert.firing", "evenkeel.alert.resolved"]);
    let slo = &node.get("/v1/slos").await["slos"][0];
    assert!(slo["bad"].as_u64().unwrap() > 0 && slo["good"].as_u64().unwrap() > 0, "{slo}");

    node.node.shutdown().await;
    let node = start(folder.path(), &yaml).await;
    let again = node.get("/v1/incidents").await;
    assert_eq!(again["incidents"][0]["resolved_at"], incident["resolved_at"], "incidents outlive a restart");
    let alerts = until("the alert's past", || async {
        let alerts = node.get("/v1/alerts").await;
        (!alerts["alerts"].as_array().unwrap().is_empty()).then_some(alerts)
    })
    .await;
    assert_eq!(alerts["alerts"][0]["state"], "resolved");
    assert_eq!(recycle.seen().len(), 1, "a restart runs no step again");
    node.node.shutdown().await;
}
