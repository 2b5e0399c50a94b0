//! Sound documents that the tests begin with.

/// A ratio, a rolling window, everything in place.
pub(super) const RATIO: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata:
  name: payment-latency
  displayName: Payments in time
  labels: { team: [ a, b ], env: prod }
  annotations: { my-domain.org/my-key: value }
spec:
  description: words
  service: shop
  indicator:
    metadata: { name: payment-in-time }
    spec:
      description: words
      ratioMetric:
        counter: true
        good: { metricSource: { type: evenkeel, spec: { subscription: payment, outcome: completed, within: 500ms } } }
        total: { metricSource: { type: evenkeel, spec: { subscription: payment } } }
  timeWindow: [ { duration: 30d, isRolling: true } ]
  budgetingMethod: Occurrences
  objectives: [ { displayName: in time, target: 0.999 } ]
  alertPolicies:
    - kind: AlertPolicy
      metadata: { name: quick }
      spec:
        description: words
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata: { name: page-quick, annotations: { evenkeel/short-window: 5m } }
            spec:
              description: words
              severity: page
              condition: { kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 1h, alertAfter: 2m }
        notificationTargets:
          - kind: AlertNotificationTarget
            metadata: { name: on-call }
            spec: { description: words, target: slack }
"#;

/// A threshold metric, slices, a calendar, nothing told.
pub(super) const THRESHOLD: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata: { name: payment-slices }
spec:
  service: shop
  indicator:
    metadata: { name: payment-latency }
    spec:
      thresholdMetric: { metricSource: { type: evenkeel, spec: { subscription: payment, metric: latency } } }
  timeWindow:
    - duration: 1M
      isRolling: false
      calendar: { startTime: "2026-01-01 00:00:00", timeZone: America/New_York }
  budgetingMethod: Timeslices
  objectives:
    - { op: lte, value: 0.5, target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 5m }
"#;

/// Every kind, and everything by reference.
pub(super) const REFERENCES: &str = r#"apiVersion: openslo/v1
kind: Service
metadata: { name: shop }
spec: { description: words }
---
apiVersion: openslo/v1
kind: DataSource
metadata: { name: here }
spec: { description: words, type: evenkeel, connectionDetails: { subscription: payment } }
---
apiVersion: openslo/v1
kind: SLI
metadata: { name: payment-good }
spec:
  description: words
  ratioMetric:
    bad: { metricSource: { metricSourceRef: here, spec: { outcome: [ expired, dead ] } } }
    total: { metricSource: { metricSourceRef: here, spec: { subscription: payment } } }
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: { name: on-call }
spec: { description: words, target: slack }
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: { name: page-quick }
spec:
  description: words
  severity: sev1
  condition: { kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h }
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: { name: quick }
spec:
  description: words
  alertWhenBreaching: true
  conditions: [ { conditionRef: page-quick } ]
  notificationTargets: [ { targetRef: on-call } ]
---
apiVersion: openslo/v1
kind: SLO
metadata: { name: payment-success }
spec:
  service: shop
  indicatorRef: payment-good
  timeWindow: [ { duration: 4w, isRolling: true } ]
  budgetingMethod: Occurrences
  objectives: [ { targetPercent: 99.9 } ]
  alertPolicies: [ { alertPolicyRef: quick } ]
"#;

/// Two indicators with weights.
pub(super) const COMPOSITE: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata: { name: shop }
spec:
  service: shop
  timeWindow: [ { duration: 30d, isRolling: true } ]
  budgetingMethod: RatioTimeslices
  objectives:
    - target: 0.99
      timeSliceWindow: 1m
      compositeWeight: 2
      indicator:
        metadata: { name: payment }
        spec:
          ratioMetric:
            rawType: success
            raw: { metricSource: { type: evenkeel, spec: { subscription: payment, within: 1s } } }
    - target: 0.999
      timeSliceWindow: 1m
      indicatorRef: inventory
---
apiVersion: openslo/v1
kind: SLI
metadata: { name: inventory }
spec:
  ratioMetric:
    good: { metricSource: { type: evenkeel, spec: { subscription: inventory } } }
    total: { metricSource: { type: evenkeel, spec: { subscription: inventory } } }
"#;
