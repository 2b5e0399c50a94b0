//! Each rule of OpenSLO's validator with a document that it accepts and one that it refuses. A
//! case is a change of a sound document; the field and the line say where the finding stands.

use evenkeel_watch::openslo::{Rule, Value, read};

use super::documents::{COMPOSITE, RATIO, REFERENCES, THRESHOLD};
use super::{parse, said, yaml};

/// Changes of a sound document that leave it sound.
fn accepted(document: &str, changes: &[(&str, &str)]) {
    for (from, to) in changes {
        assert!(document.contains(from), "`{from}` is not there");
        let (_, findings) = parse(&document.replacen(from, to, 1));
        assert_eq!(findings, [], "{from} -> {to}");
    }
}

/// Changes that break one rule at one field.
fn refused(document: &str, rule: Rule, field: &str, changes: &[(&str, &str)]) {
    for (from, to) in changes {
        assert!(document.contains(from), "`{from}` is not there");
        let changed = document.replacen(from, to, 1);
        let (_, findings) = parse(&changed);
        let found = findings.iter().find(|finding| finding.rule == rule && finding.field == field);
        let found = found.unwrap_or_else(|| panic!("{from} -> {to}\n{}", said(&findings)));
        assert_eq!(&*found.file, "a.yaml");
        assert!((1..=changed.lines().count()).contains(&found.line), "{found}");
    }
}

#[test]
pub(super) fn the_sound_documents_are_sound_and_all_seven_kinds_are_among_them() {
    let mut kinds: Vec<&str> = Vec::new();
    for document in [RATIO, THRESHOLD, REFERENCES, COMPOSITE] {
        let (documents, findings) = parse(document);
        assert_eq!(findings, [], "{}", said(&findings));
        kinds.extend(documents.iter().map(|document| document.body.kind()));
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, evenkeel_watch::openslo::KINDS);
}

#[test]
pub(super) fn a_finding_stands_at_the_line_of_its_field() {
    let at = |document: &str, from: &str, to: &str| {
        let (_, findings) = parse(&document.replacen(from, to, 1));
        findings.iter().map(|f| (f.line, f.field.clone())).collect::<Vec<_>>()
    };
    let line = |document: &str, text: &str| document.lines().position(|l| l.contains(text)).unwrap() + 1;
    assert_eq!(at(RATIO, "kind: SLO", "kind: Slo"), [(2, "kind".to_owned())]);
    let severity = "spec.alertPolicies[0].spec.conditions[0].spec.severity".to_owned();
    assert_eq!(at(RATIO, "severity: page", "severity: \"\""), [(line(RATIO, "severity: page"), severity)]);
    let service = "spec.service".to_owned();
    assert_eq!(at(RATIO, "  service: shop\n", ""), [(line(RATIO, "spec:"), service)], "missing: where it should stand");
}

#[test]
pub(super) fn version_and_kind_are_the_ones_that_there_are() {
    refused(RATIO, Rule::EqualTo, "apiVersion", &[("openslo/v1", "openslo/v2"), ("openslo/v1", "v0.1")]);
    refused(RATIO, Rule::Required, "apiVersion", &[("apiVersion: openslo/v1\n", "")]);
    refused(RATIO, Rule::Required, "kind", &[("kind: SLO\n", ""), ("kind: SLO\n", "kind: \"\"\n")]);
    refused(RATIO, Rule::OneOf, "kind", &[("kind: SLO\n", "kind: Objective\n")]);
    refused(RATIO, Rule::Required, "spec", &[("spec:\n", "spek:\n")]);
    refused(RATIO, Rule::UnknownField, "spek", &[("spec:\n", "spek:\n")]);
    refused(RATIO, Rule::UnknownField, "spec.servce", &[("service: shop", "servce: shop")]);
}

#[test]
pub(super) fn metadata_has_a_name_that_is_a_label_and_keys_that_have_a_form() {
    let long = "a".repeat(63);
    let longer = "a".repeat(64);
    let name = |name: &str| format!("name: {name}\n");
    let old = "name: payment-latency\n";
    accepted(RATIO, &[(old, &name(&long)), (old, &name("a")), (old, &name("a-1"))]);
    let labels = [name("Payment"), name("-a"), name("a-"), name("a_b"), name("a.b"), name("a b"), name(&longer)];
    for label in &labels {
        refused(RATIO, Rule::StringDnsLabel, "metadata.name", &[(old, label)]);
    }
    refused(RATIO, Rule::Required, "metadata.name", &[(old, "name: \"\"\n"), (old, "\n")]);
    refused(RATIO, Rule::Type, "metadata.name", &[(old, "name: 12\n")]);
    refused(REFERENCES, Rule::Required, "metadata", &[("metadata: { name: shop }\n", "")]);
    let display = |long: usize| format!("displayName: {}\n", "x".repeat(long));
    accepted(RATIO, &[("displayName: Payments in time\n", &display(63))]);
    let field = "metadata.displayName";
    refused(RATIO, Rule::StringMaxLength, field, &[("displayName: Payments in time\n", &display(64))]);
    accepted(RATIO, &[("team:", "a.b_c-D9:"), ("[ a, b ]", "a")]);
    refused(RATIO, Rule::StringMatchRegexp, "metadata.labels.-team", &[("team:", "-team:")]);
    refused(RATIO, Rule::StringMatchRegexp, "metadata.labels.te am", &[("team:", "te am:")]);
    refused(RATIO, Rule::Type, "metadata.labels.team", &[("[ a, b ]", "12"), ("[ a, b ]", "[ a, 12 ]")]);
    accepted(RATIO, &[("my-domain.org/my-key:", "my_Key.1:"), ("my-domain.org/", "openslo.com/")]);
    for key in ["my_domain/key", "/key", "a/b/c", "Domain.org/key", "key-"] {
        let (from, field) = ("my-domain.org/my-key:", format!("metadata.annotations.{key}"));
        refused(RATIO, Rule::StringMatchRegexp, &field, &[(from, &format!("{key}:"))]);
    }
    refused(RATIO, Rule::Type, "metadata.annotations.my-domain.org/my-key", &[("my-key: value", "my-key: 1")]);
}

#[test]
pub(super) fn descriptions_have_at_most_1050_characters() {
    let described = |long: usize| format!("description: {}", "é".repeat(long));
    let fields = [
        "spec.description",
        "spec.indicator.spec.description",
        "spec.alertPolicies[0].spec.description",
        "spec.alertPolicies[0].spec.conditions[0].spec.description",
        "spec.alertPolicies[0].spec.notificationTargets[0].spec.description",
    ];
    for (n, field) in fields.into_iter().enumerate() {
        let nth = |long| {
            let parts: Vec<&str> = RATIO.splitn(n + 2, "description: words").collect();
            let (last, before) = parts.split_last().unwrap();
            format!("{}{}{last}", before.join("description: words"), described(long))
        };
        assert_eq!(parse(&nth(1050)).1, [], "{field}");
        let (_, findings) = parse(&nth(1051));
        assert_eq!(findings.len(), 1, "{}", said(&findings));
        assert_eq!((findings[0].rule, findings[0].field.as_str()), (Rule::StringMaxLength, field));
    }
    for kind in ["Service", "DataSource", "SLI", "AlertNotificationTarget", "AlertCondition", "AlertPolicy"] {
        let at = REFERENCES.find(&format!("kind: {kind}\n")).unwrap();
        let of = |long| {
            format!("{}{}", &REFERENCES[..at], REFERENCES[at..].replacen("description: words", &described(long), 1))
        };
        assert_eq!(parse(&of(1050)).1, [], "{kind}");
        let (_, findings) = parse(&of(1051));
        assert_eq!(findings.first().map(|f| f.rule), Some(Rule::StringMaxLength), "{kind}");
    }
}

#[test]
pub(super) fn an_slo_says_its_service_and_a_method_that_there_is() {
    refused(RATIO, Rule::Required, "spec.service", &[("service: shop", "service: \"\"")]);
    refused(RATIO, Rule::Required, "spec.budgetingMethod", &[("  budgetingMethod: Occurrences\n", "")]);
    refused(RATIO, Rule::OneOf, "spec.budgetingMethod", &[("Occurrences", "occurrences"), ("Occurrences", "Slices")]);
    refused(RATIO, Rule::Required, "spec.objectives", &[("[ { displayName: in time, target: 0.999 } ]", "[]")]);
    accepted(THRESHOLD, &[("budgetingMethod: Timeslices", "budgetingMethod: RatioTimeslices")]);
    accepted(THRESHOLD, &[("budgetingMethod: Timeslices", "budgetingMethod: Occurrences")]);
}

#[test]
pub(super) fn the_indicator_stands_in_one_place() {
    let both = ("  timeWindow:", "  indicatorRef: my-sli\n  timeWindow:");
    refused(RATIO, Rule::MutuallyExclusive, "spec", &[both]);
    refused(COMPOSITE, Rule::MutuallyExclusive, "spec", &[both]);
    refused(REFERENCES, Rule::MutuallyExclusive, "spec", &[("  indicatorRef: payment-good\n", "")]);
    accepted(REFERENCES, &[("indicatorRef: payment-good", "indicatorRef: another")]);
    refused(
        REFERENCES,
        Rule::StringDnsLabel,
        "spec.indicatorRef",
        &[("indicatorRef: payment-good", "indicatorRef: my sli")],
    );
    refused(
        COMPOSITE,
        Rule::StringDnsLabel,
        "spec.objectives[1].indicatorRef",
        &[("indicatorRef: inventory", "indicatorRef: my sli")],
    );
    refused(COMPOSITE, Rule::MutuallyExclusive, "spec.objectives[1]", &[("      indicatorRef: inventory\n", "")]);
    refused(
        COMPOSITE,
        Rule::MutuallyExclusive,
        "spec.objectives[0]",
        &[("      indicator:\n", "      indicatorRef: inventory\n      indicator:\n")],
    );
    refused(RATIO, Rule::StringDnsLabel, "spec.indicator.metadata.name", &[("name: payment-in-time", "name: in time")]);
    refused(RATIO, Rule::Required, "spec.indicator.metadata", &[("    metadata: { name: payment-in-time }\n", "")]);
}

#[test]
pub(super) fn there_is_one_time_window_and_it_rolls_or_has_a_calendar() {
    let field = "spec.timeWindow";
    let window = "[ { duration: 30d, isRolling: true } ]";
    refused(
        RATIO,
        Rule::SliceLength,
        field,
        &[(window, "[]"), ("  timeWindow: [ { duration: 30d, isRolling: true } ]\n", "")],
    );
    let two = "[ { duration: 30d, isRolling: true }, { duration: 7d, isRolling: true } ]";
    refused(RATIO, Rule::SliceLength, field, &[(window, two)]);
    refused(
        RATIO,
        Rule::TimeWindow,
        "spec.timeWindow[0]",
        &[("isRolling: true", "isRolling: false"), (", isRolling: true", "")],
    );
    refused(THRESHOLD, Rule::TimeWindow, "spec.timeWindow[0]", &[("isRolling: false", "isRolling: true")]);
    accepted(THRESHOLD, &[("      isRolling: false\n", "")]);
    refused(RATIO, Rule::Required, "spec.timeWindow[0].duration", &[("duration: 30d, ", "")]);
    let start = "2026-01-01 00:00:00";
    accepted(THRESHOLD, &[(start, "2024-02-29 23:59:59"), ("\"2026-01-01 00:00:00\"", "2026-01-01 00:00:00")]);
    for wrong in
        ["2026-13-01 00:00:00", "2026-02-29 00:00:00", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01 25:00:00"]
    {
        refused(THRESHOLD, Rule::StringDateTime, "spec.timeWindow[0].calendar.startTime", &[(start, wrong)]);
    }
    refused(THRESHOLD, Rule::Required, "spec.timeWindow[0].calendar.timeZone", &[(", timeZone: America/New_York", "")]);
}

#[test]
pub(super) fn durations_are_a_whole_number_and_a_unit() {
    for right in ["1m", "12h", "365d", "4w", "1M", "1Q", "1Y", "007d"] {
        accepted(RATIO, &[("duration: 30d", &format!("duration: {right}"))]);
    }
    for wrong in ["30", "d", "30s", "30D", "-1d", "1.5d", "1d12h", "30 d", "\"\""] {
        let to = format!("duration: {wrong},");
        let (_, findings) = parse(&RATIO.replacen("duration: 30d,", &to, 1));
        // A bare number means minutes; the specification says so of slices.
        assert_eq!(findings.is_empty(), wrong == "30", "{wrong}: {}", said(&findings));
    }
    let slice = "spec.objectives[0].timeSliceWindow";
    refused(THRESHOLD, Rule::DurationShorthand, slice, &[("timeSliceWindow: 5m", "timeSliceWindow: 5min")]);
    accepted(THRESHOLD, &[("timeSliceWindow: 5m", "timeSliceWindow: 5")]);
    let condition = "spec.alertPolicies[0].spec.conditions[0].spec.condition";
    refused(
        RATIO,
        Rule::DurationShorthand,
        &format!("{condition}.lookbackWindow"),
        &[("lookbackWindow: 1h", "lookbackWindow: 1hour")],
    );
    refused(
        RATIO,
        Rule::DurationShorthand,
        &format!("{condition}.alertAfter"),
        &[("alertAfter: 2m", "alertAfter: 2s")],
    );
}

#[test]
pub(super) fn targets_leave_a_budget() {
    let old = "target: 0.999";
    accepted(
        RATIO,
        &[(old, "target: 0"), (old, "target: 0.9999"), (old, "targetPercent: 99.9999"), (old, "targetPercent: 0")],
    );
    let field = "spec.objectives[0].target";
    refused(RATIO, Rule::LessThan, field, &[(old, "target: 1"), (old, "target: 99.9")]);
    refused(RATIO, Rule::GreaterThanOrEqualTo, field, &[(old, "target: -0.1")]);
    let field = "spec.objectives[0].targetPercent";
    refused(RATIO, Rule::LessThan, field, &[(old, "targetPercent: 100")]);
    refused(RATIO, Rule::GreaterThanOrEqualTo, field, &[(old, "targetPercent: -0.1")]);
    let field = "spec.objectives[0]";
    refused(RATIO, Rule::MutuallyExclusive, field, &[(", target: 0.999", ""), (old, "target: 0.1, targetPercent: 10")]);
}

#[test]
pub(super) fn op_and_value_are_for_threshold_metrics() {
    let field = |name: &str| format!("spec.objectives[0].{name}");
    refused(RATIO, Rule::Forbidden, &field("op"), &[("target: 0.999", "target: 0.999, op: gt")]);
    refused(RATIO, Rule::Forbidden, &field("value"), &[("target: 0.999", "target: 0.999, value: 1")]);
    refused(THRESHOLD, Rule::Required, &field("op"), &[("op: lte, ", "")]);
    refused(THRESHOLD, Rule::Required, &field("value"), &[("value: 0.5, ", "")]);
    refused(THRESHOLD, Rule::OneOf, &field("op"), &[("op: lte", "op: eq"), ("op: lte", "op: \"<\"")]);
    for op in ["lt", "gt", "gte"] {
        accepted(THRESHOLD, &[("op: lte", &format!("op: {op}"))]);
    }
    // Of an indicator that is written elsewhere nobody can tell here.
    accepted(REFERENCES, &[("targetPercent: 99.9", "targetPercent: 99.9, op: gt, value: 1")]);
}

#[test]
pub(super) fn slices_have_a_length_and_where_they_are_counted_a_target() {
    let field = |name: &str| format!("spec.objectives[0].{name}");
    let (slices, ratios, occurrences) = (
        THRESHOLD.to_owned(),
        THRESHOLD.replace("od: Times", "od: RatioTimes"),
        THRESHOLD.replace("Timeslices", "Occurrences"),
    );
    let target = (", timeSliceTarget: 0.95", "");
    let window = (", timeSliceWindow: 5m", "");
    refused(&slices, Rule::Required, &field("timeSliceTarget"), &[target]);
    accepted(&ratios, &[target]);
    accepted(&occurrences, &[target, window]);
    refused(&slices, Rule::Required, &field("timeSliceWindow"), &[window]);
    refused(&ratios, Rule::Required, &field("timeSliceWindow"), &[window]);
    let old = "timeSliceTarget: 0.95";
    accepted(&slices, &[(old, "timeSliceTarget: 1"), (old, "timeSliceTarget: 0.1")]);
    refused(&slices, Rule::GreaterThan, &field("timeSliceTarget"), &[(old, "timeSliceTarget: 0")]);
    refused(&slices, Rule::LessThanOrEqualTo, &field("timeSliceTarget"), &[(old, "timeSliceTarget: 1.1")]);
}

#[test]
pub(super) fn weights_of_a_composite_are_above_zero() {
    let old = "compositeWeight: 2";
    accepted(COMPOSITE, &[(old, "compositeWeight: 0.5"), (old, "compositeWeight: 999999999999.9")]);
    let field = "spec.objectives[0].compositeWeight";
    refused(COMPOSITE, Rule::GreaterThan, field, &[(old, "compositeWeight: 0"), (old, "compositeWeight: -2")]);
}

#[test]
pub(super) fn an_sli_is_a_threshold_or_a_ratio_of_good_or_bad_or_raw() {
    let at = "spec.indicator.spec";
    let threshold = "thresholdMetric: { metricSource: { type: x, spec: { a: b } } }\n      ratioMetric:";
    refused(RATIO, Rule::MutuallyExclusive, at, &[("ratioMetric:", threshold)]);
    let none = &THRESHOLD.replacen("thresholdMetric: {", "description: \"{", 1).replacen(
        "} } }\n  timeWindow",
        "} } }\"\n  timeWindow",
        1,
    );
    let (_, findings) = parse(none);
    assert!(findings.iter().any(|f| f.rule == Rule::MutuallyExclusive && f.field == at), "{}", said(&findings));
    let ratio = "spec.indicator.spec.ratioMetric";
    let metric = "{ metricSource: { type: x, spec: { a: b } } }";
    accepted(RATIO, &[("good: ", "bad: "), ("counter: true", "counter: false"), ("        counter: true\n", "")]);
    refused(RATIO, Rule::OneOfProperties, ratio, &[("        good: ", "        x: ")]);
    refused(RATIO, Rule::MutuallyExclusive, ratio, &[("counter: true", &format!("bad: {metric}"))]);
    refused(RATIO, Rule::MutuallyExclusive, ratio, &[("        total: ", "        x: ")]);
    refused(RATIO, Rule::MutuallyExclusive, ratio, &[("counter: true", &format!("raw: {metric}"))]);
    refused(RATIO, Rule::Type, &format!("{ratio}.counter"), &[("counter: true", "counter: 1")]);
    let raw = "spec.objectives[0].indicator.spec.ratioMetric";
    accepted(COMPOSITE, &[("rawType: success", "rawType: failure")]);
    refused(COMPOSITE, Rule::Required, &format!("{raw}.rawType"), &[("            rawType: success\n", "")]);
    refused(COMPOSITE, Rule::OneOf, &format!("{raw}.rawType"), &[("rawType: success", "rawType: good")]);
    refused(COMPOSITE, Rule::MutuallyExclusive, raw, &[("rawType: success", &format!("good: {metric}"))]);
}

#[test]
pub(super) fn a_metric_source_says_at_least_one_thing() {
    let source = "spec.indicator.spec.ratioMetric.total.metricSource";
    let old = "total: { metricSource: { type: evenkeel, spec: { subscription: payment } } }";
    accepted(
        RATIO,
        &[(old, "total: { metricSource: { type: Prometheus, metricSourceRef: prom, spec: { query: up } } }")],
    );
    accepted(RATIO, &[(old, "total: { metricSource: { spec: { query: { any: [ 1 ] } } } }")]);
    refused(
        RATIO,
        Rule::MapMinLength,
        &format!("{source}.spec"),
        &[(old, "total: { metricSource: { type: x, spec: {} } }")],
    );
    refused(RATIO, Rule::Required, &format!("{source}.spec"), &[(old, "total: { metricSource: { type: x } }")]);
    refused(RATIO, Rule::Required, source, &[(old, "total: {}")]);
    let reference = "total: { metricSource: { metricSourceRef: my source, spec: { a: b } } }";
    refused(RATIO, Rule::StringDnsLabel, &format!("{source}.metricSourceRef"), &[(old, reference)]);
}

#[test]
pub(super) fn a_data_source_says_its_type_and_how_it_is_reached() {
    refused(REFERENCES, Rule::Required, "spec.type", &[("type: evenkeel, ", ""), ("type: evenkeel", "type: \"\"")]);
    let connection = (", connectionDetails: { subscription: payment }", "");
    refused(REFERENCES, Rule::Required, "spec.connectionDetails", &[connection]);
    accepted(
        REFERENCES,
        &[(
            "{ subscription: payment } }\n---\napiVersion: openslo/v1\nkind: SLI",
            "[ any, { thing: 1 } ] }\n---\napiVersion: openslo/v1\nkind: SLI",
        )],
    );
    accepted(REFERENCES, &[("spec: { description: words }\n", "spec: {}\n"), ("spec: { description: words }\n", "")]);
}

#[test]
pub(super) fn a_notification_target_says_what_it_is() {
    refused(REFERENCES, Rule::Required, "spec.target", &[(", target: slack", ""), ("target: slack", "target: \"\"")]);
    let inline = "spec.alertPolicies[0].spec.notificationTargets[0]";
    refused(RATIO, Rule::Required, &format!("{inline}.spec.target"), &[(", target: slack", "")]);
    refused(RATIO, Rule::EqualTo, &format!("{inline}.kind"), &[("kind: AlertNotificationTarget", "kind: Service")]);
    refused(RATIO, Rule::Required, &format!("{inline}.metadata"), &[("            metadata: { name: on-call }\n", "")]);
}

#[test]
pub(super) fn a_policy_has_one_condition_and_a_target() {
    let at = |field: &str| format!("spec.{field}");
    let one = "conditions: [ { conditionRef: page-quick } ]";
    refused(REFERENCES, Rule::SliceLength, &at("conditions"), &[(one, "conditions: []"), (one, "description2: x")]);
    let two = "conditions: [ { conditionRef: page-quick }, { conditionRef: page-slow } ]";
    refused(REFERENCES, Rule::SliceLength, &at("conditions"), &[(one, two)]);
    let target = "notificationTargets: [ { targetRef: on-call } ]";
    refused(REFERENCES, Rule::SliceMinLength, &at("notificationTargets"), &[(target, "notificationTargets: []")]);
    accepted(REFERENCES, &[(target, "notificationTargets: [ { targetRef: on-call }, { targetRef: b } ]")]);
    refused(
        REFERENCES,
        Rule::StringDnsLabel,
        &at("conditions[0].conditionRef"),
        &[("conditionRef: page-quick", "conditionRef: a b")],
    );
    refused(
        REFERENCES,
        Rule::Required,
        &at("conditions[0].conditionRef"),
        &[("conditionRef: page-quick", "conditionRef: \"\"")],
    );
    refused(
        REFERENCES,
        Rule::StringDnsLabel,
        &at("notificationTargets[0].targetRef"),
        &[("targetRef: on-call", "targetRef: On-Call")],
    );
    refused(REFERENCES, Rule::MutuallyExclusive, &at("conditions[0]"), &[("{ conditionRef: page-quick }", "{}")]);
    refused(
        REFERENCES,
        Rule::MutuallyExclusive,
        &at("conditions[0]"),
        &[("{ conditionRef: page-quick }", "{ conditionRef: a, kind: AlertCondition }")],
    );
    refused(
        REFERENCES,
        Rule::Type,
        &at("alertWhenBreaching"),
        &[("alertWhenBreaching: true", "alertWhenBreaching: yes please")],
    );
}

#[test]
pub(super) fn an_slo_names_its_policies_or_writes_them_in_place() {
    let at = "spec.alertPolicies[0]";
    accepted(REFERENCES, &[("  alertPolicies: [ { alertPolicyRef: quick } ]\n", "")]);
    refused(
        REFERENCES,
        Rule::Required,
        &format!("{at}.alertPolicyRef"),
        &[("alertPolicyRef: quick", "alertPolicyRef: \"\"")],
    );
    refused(
        REFERENCES,
        Rule::StringDnsLabel,
        &format!("{at}.alertPolicyRef"),
        &[("alertPolicyRef: quick", "alertPolicyRef: invalid ref")],
    );
    refused(
        REFERENCES,
        Rule::MutuallyExclusive,
        at,
        &[("{ alertPolicyRef: quick }", "{ alertPolicyRef: quick, spec: {} }"), ("{ alertPolicyRef: quick }", "{}")],
    );
    refused(RATIO, Rule::EqualTo, &format!("{at}.kind"), &[("kind: AlertPolicy", "kind: DataSource")]);
    refused(RATIO, Rule::StringDnsLabel, &format!("{at}.metadata.name"), &[("name: quick", "name: quick one")]);
    refused(
        RATIO,
        Rule::Required,
        &format!("{at}.spec"),
        &[("      spec:\n        description", "      spec2:\n        description")],
    );
}

#[test]
pub(super) fn a_condition_says_severity_kind_op_threshold_and_window() {
    let spec = "spec.alertPolicies[0].spec.conditions[0].spec";
    let condition = format!("{spec}.condition");
    accepted(
        RATIO,
        &[("severity: page", "severity: whatever"), (", alertAfter: 2m", ""), ("alertAfter: 2m", "alertAfter: 0m")],
    );
    for op in ["gte", "lt", "lte"] {
        accepted(RATIO, &[("op: gt", &format!("op: {op}"))]);
    }
    refused(RATIO, Rule::Required, &format!("{spec}.severity"), &[("              severity: page\n", "")]);
    refused(RATIO, Rule::Required, &condition, &[("condition: { kind", "condition2: { kind")]);
    refused(RATIO, Rule::Required, &format!("{condition}.kind"), &[("kind: burnrate, ", "")]);
    refused(RATIO, Rule::OneOf, &format!("{condition}.kind"), &[("kind: burnrate", "kind: burn")]);
    refused(RATIO, Rule::Required, &format!("{condition}.op"), &[("op: gt, ", "")]);
    refused(RATIO, Rule::OneOf, &format!("{condition}.op"), &[("op: gt", "op: above")]);
    refused(RATIO, Rule::Required, &format!("{condition}.threshold"), &[("threshold: 14.4, ", "")]);
    refused(RATIO, Rule::Type, &format!("{condition}.threshold"), &[("threshold: 14.4", "threshold: much")]);
    refused(RATIO, Rule::Required, &format!("{condition}.lookbackWindow"), &[("lookbackWindow: 1h, ", "")]);
    let kind = "spec.alertPolicies[0].spec.conditions[0].kind";
    refused(RATIO, Rule::EqualTo, kind, &[("kind: AlertCondition", "kind: AlertPolicy")]);
}

#[test]
pub(super) fn what_has_fields_is_no_text_and_has_each_of_them_once() {
    refused(THRESHOLD, Rule::Type, "metadata", &[("metadata: { name: payment-slices }", "metadata: words")]);
    // The reader of YAML refuses a field that is there twice before this rule can; another reader might not.
    let mut tree = yaml::documents(RATIO).unwrap().remove(0);
    let Value::Map(fields) = &mut tree.value else { panic!("a document has fields") };
    let again = fields[1].clone();
    fields.push(again);
    let findings = read(&"a.yaml".into(), &tree).unwrap_err();
    let twice = |f: &evenkeel_watch::openslo::Finding| f.rule == Rule::DuplicateName && f.message == "is there twice";
    assert!(findings.iter().any(twice), "{}", said(&findings));
}
