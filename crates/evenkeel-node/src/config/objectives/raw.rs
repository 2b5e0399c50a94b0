//! OpenSLO v1 as it is written: the part that is executed, and nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Slo {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default, rename = "displayName")]
    _display_name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(default)]
    pub(super) description: String,
    pub(super) service: String,
    pub(super) indicator: Indicator,
    pub(super) time_window: Vec<TimeWindow>,
    pub(super) budgeting_method: String,
    pub(super) objectives: Vec<Target>,
    #[serde(default)]
    pub(super) alert_policies: Vec<Policy>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Indicator {
    #[serde(default, rename = "metadata")]
    _metadata: Option<Metadata>,
    pub(super) spec: IndicatorSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct IndicatorSpec {
    #[serde(default, rename = "description")]
    _description: String,
    pub(super) ratio_metric: RatioMetric,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RatioMetric {
    #[serde(default, rename = "counter")]
    _counter: bool,
    pub(super) good: Metric,
    pub(super) total: Metric,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Metric {
    pub(super) metric_source: MetricSource,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct MetricSource {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) spec: SourceSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SourceSpec {
    pub(super) subscription: String,
    pub(super) outcome: Option<String>,
    pub(super) within: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct TimeWindow {
    pub(super) duration: String,
    #[serde(default)]
    pub(super) is_rolling: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Target {
    #[serde(default, rename = "displayName")]
    _display_name: String,
    pub(super) target: Option<f64>,
    pub(super) target_percent: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Policy {
    pub(super) kind: String,
    #[serde(default, rename = "metadata")]
    _metadata: Option<Metadata>,
    pub(super) spec: PolicySpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PolicySpec {
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "alertWhenNoData")]
    _alert_when_no_data: bool,
    #[serde(default, rename = "alertWhenBreaching")]
    _alert_when_breaching: bool,
    #[serde(default, rename = "alertWhenResolved")]
    _alert_when_resolved: bool,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Condition {
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: ConditionSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ConditionSpec {
    #[serde(default, rename = "description")]
    _description: String,
    pub(super) severity: String,
    pub(super) condition: Burn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Burn {
    pub(super) kind: String,
    pub(super) op: Option<String>,
    pub(super) threshold: Option<f64>,
    pub(super) lookback_window: String,
    pub(super) alert_after: String,
}
