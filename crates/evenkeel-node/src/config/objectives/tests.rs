//! OpenSLO files, good and bad.

use std::time::Duration;

use evenkeel_watch::openslo::Indicator;

use super::parse;
use crate::error::codes;

const FILE: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: { name: payment-latency, displayName: Payments in time }
spec:
  description: 99.9 % of payments are captured within 500 ms
  service: shop
  indicator:
    metadata: { name: payment-in-time }
    spec:
      ratioMetric:
        counter: true
        good: { metricSource: { type: evenkeel, spec: { subscription: payment, outcome: completed, within: 500ms } } }
        total: { metricSource: { type: evenkeel, spec: { subscription: payment } } }
  timeWindow: [ { duration: 30d, isRolling: true } ]
  budgetingMethod: Occurrences
  objectives: [ { displayName: in time, target: 0.999 } ]
  alertPolicies:
    - kind: AlertPolicy
      metadata: { name: burn }
      spec:
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata: { name: page-quick }
            spec: { severity: page, condition: { kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m } }
          - kind: AlertCondition
            metadata: { name: page-demo, annotations: { evenkeel/budget-share: "0.1%" } }
            spec: { severity: page, condition: { kind: burnrate, op: gt, lookbackWindow: 10s, alertAfter: 2s } }
"#;

#[test]
fn a_file_says_target_threshold_window_and_the_share_of_each_alert() {
    let objective = parse(FILE).unwrap();
    assert_eq!(&*objective.name, "payment-latency");
    assert_eq!(&*objective.subscription, "payment");
    assert_eq!(objective.indicator, Indicator::Latency { threshold: Duration::from_millis(500) });
    assert_eq!(objective.window, Duration::from_secs(30 * 86_400));
    assert!((objective.alerts[0].budget_share - 0.02).abs() < 1e-9);
    assert!((objective.alerts[1].budget_share - 0.001).abs() < 1e-12);
}

#[test]
fn without_alert_policies_the_four_tiers_of_the_workbook_apply() {
    let bare = FILE.split("  alertPolicies").next().unwrap();
    let names: Vec<String> = parse(bare).unwrap().alerts.iter().map(|a| a.name.to_string()).collect();
    assert_eq!(names, ["page-quick", "page-slow", "ticket-quick", "ticket-slow"]);
}

#[test]
fn what_is_not_executed_is_refused_by_name() {
    for (from, to, word) in [
        ("Occurrences", "Timeslices", "budgetingMethod"),
        ("isRolling: true", "isRolling: false", "isRolling"),
        (
            "type: evenkeel, spec: { subscription: payment,",
            "type: prometheus, spec: { subscription: payment,",
            "good.metricSource.type",
        ),
        ("target: 0.999", "target: 1.0", "target"),
        ("within: 500ms", "withn: 500ms", "withn"),
        ("openslo/v1", "openslo/v2", "apiVersion"),
    ] {
        let error = parse(&FILE.replacen(from, to, 1)).unwrap_err();
        assert!(error.message.contains(word), "{to}: {}", error.message);
    }
}

#[test]
fn an_alert_that_can_never_fire_is_refused() {
    let error = parse(&FILE.replace("threshold: 14.4", "threshold: 1000")).unwrap_err();
    assert_eq!(error.code, codes::CONFIG_VALUE);
    assert!(error.message.contains("never fire"), "{}", error.message);
}
