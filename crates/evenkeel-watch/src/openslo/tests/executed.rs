//! What sound documents mean, and what is sound and can't be executed.

use std::time::Duration;

use evenkeel_watch::objective::{Empty, Indicator, Method, Objective, Scope, Window};
use evenkeel_watch::openslo::Rule;
use evenkeel_watch::{Severity, Trigger};

use super::documents::{COMPOSITE, RATIO, REFERENCES, THRESHOLD};
use super::{execute, said};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

fn only(text: &str) -> Objective {
    let read = execute(text);
    assert_eq!(read.findings, [], "{}", said(&read.findings));
    assert_eq!(read.objectives.len(), 1);
    read.objectives[0].clone()
}

/// A change of a sound document that can't be executed: the rule, the field, and a word of why.
fn refused(document: &str, (from, to): (&str, &str), rule: Rule, field: &str, word: &str) {
    assert!(document.contains(from), "`{from}` is not there");
    let read = execute(&document.replacen(from, to, 1));
    let found = read.findings.iter().find(|f| f.rule == rule && f.field == field && f.message.contains(word));
    assert!(found.is_some_and(|f| f.line > 1), "{from} -> {to}\n{}", said(&read.findings));
}

#[test]
pub(super) fn a_ratio_of_good_ones_is_a_latency_objective_with_its_alert() {
    let objective = only(RATIO);
    assert_eq!((&*objective.name, &*objective.service), ("payment-latency", "shop"));
    assert_eq!(objective.window, Window::Rolling(30 * DAY));
    let part = &objective.parts[0];
    assert_eq!((&part.scope, part.target, part.method), (&Scope::of("payment"), 0.999, Method::Occurrences));
    assert_eq!(part.indicator, Indicator::Latency { threshold: Duration::from_millis(500) });
    let [alert] = objective.alerts.as_slice() else { panic!("{:?}", objective.alerts) };
    assert_eq!((&*alert.name, alert.severity, alert.after), ("page-quick", Severity::Page, Duration::from_secs(120)));
    assert!((alert.factor(30 * DAY).unwrap() - 14.4).abs() < 1e-9);
    let Trigger::Burn { long, short, .. } = alert.trigger else { panic!("{alert:?}") };
    assert_eq!((long, short), (HOUR, HOUR / 12));
    assert_eq!(alert.targets.iter().map(|t| &**t).collect::<Vec<_>>(), ["on-call"]);
    assert!(alert.tells_end);
}

#[test]
pub(super) fn references_are_followed_and_a_data_source_gives_what_its_metrics_begin_with() {
    let objective = only(REFERENCES);
    assert_eq!(objective.parts[0].scope, Scope::of("payment"), "from the data source");
    assert_eq!((objective.indicator(), objective.target()), (Indicator::Success, 0.999));
    let [alert] = objective.alerts.as_slice() else { panic!("{:?}", objective.alerts) };
    let Trigger::Burn { long, short, .. } = alert.trigger else { panic!("{alert:?}") };
    assert_eq!((alert.severity, long, short), (Severity::Page, HOUR, HOUR), "one window, as it is written");
    assert!(!alert.tells_end, "alertWhenResolved is not said");
}

#[test]
pub(super) fn a_threshold_metric_is_compared_in_seconds_over_slices_of_a_calendar() {
    let objective = only(THRESHOLD);
    assert_eq!(objective.indicator(), Indicator::Latency { threshold: Duration::from_millis(500) });
    let slices = Method::Timeslices { slice: HOUR / 12, target: 0.95, empty: Empty::Good };
    assert_eq!(objective.method(), slices);
    assert!(objective.window.is_calendar());
    let below = only(&THRESHOLD.replace("op: lte", "op: lt"));
    assert_eq!(below.indicator(), Indicator::Latency { threshold: Duration::from_micros(499_999) });
    let handler = only(&THRESHOLD.replace("metric: latency", "metric: handler"));
    assert_eq!(handler.indicator(), Indicator::Handler { threshold: Duration::from_millis(500) });
    refused(THRESHOLD, ("op: lte", "op: gt"), Rule::NotExecuted, "spec.objectives[0].op", "never too short");
}

#[test]
pub(super) fn the_parts_of_a_composite_are_one_objective_and_targets_of_one_indicator_are_several() {
    let composite = only(COMPOSITE);
    let weights: Vec<f64> = composite.parts.iter().map(|part| part.weight).collect();
    assert_eq!(weights, [2.0, 1.0]);
    assert_eq!(composite.parts[1].scope, Scope::of("inventory"));
    // 2/0.01 + 1/0.001 = 1200 times the budget when all is bad.
    assert!((1.0 / composite.allowed() - 1200.0).abs() < 1e-6);
    let two =
        RATIO.replacen("[ { displayName: in time, target: 0.999 } ]", "[ { target: 0.999 }, { target: 0.99 } ]", 1);
    let names: Vec<String> = execute(&two).objectives.iter().map(|o| o.name.to_string()).collect();
    assert_eq!(names, ["payment-latency.1", "payment-latency.2"]);
}

#[test]
pub(super) fn a_metric_may_be_narrowed_to_a_type_a_source_and_a_handler_version() {
    let narrow = "subscription: payment, type: OrderCreated, source: /shop, handlerVersion: v2";
    let objective = only(&RATIO.replace("subscription: payment", narrow));
    let scope = &objective.parts[0].scope;
    assert_eq!((scope.kind.as_deref(), scope.source.as_deref()), (Some("OrderCreated"), Some("/shop")));
    assert_eq!(scope.handler_version.as_deref(), Some("v2"));
    let total = ("spec: { subscription: payment } }", "spec: { subscription: payment, type: X } }");
    let good = "spec.indicator.spec.ratioMetric.good.metricSource.spec";
    refused(RATIO, total, Rule::NotExecuted, good, "both must say the same");
}

#[test]
pub(super) fn what_the_ledger_does_not_know_is_refused_by_name_and_the_others_run() {
    let total = "spec.indicator.spec.ratioMetric.total.metricSource";
    let good = "spec.indicator.spec.ratioMetric.good.metricSource";
    let prometheus = ("total: { metricSource: { type: evenkeel", "total: { metricSource: { type: Prometheus");
    refused(RATIO, prometheus, Rule::NotExecuted, &format!("{total}.type"), "type `evenkeel`");
    let untyped = ("total: { metricSource: { type: evenkeel, ", "total: { metricSource: { ");
    refused(RATIO, untyped, Rule::Required, &format!("{total}.type"), "missing");
    let typo = ("within: 500ms", "withn: 500ms");
    refused(RATIO, typo, Rule::UnknownField, &format!("{good}.spec.withn"), "within");
    refused(RATIO, ("within: 500ms", "within: 500"), Rule::Type, &format!("{good}.spec.within"), "a number");
    refused(RATIO, ("within: 500ms", "within: -5s"), Rule::Type, &format!("{good}.spec.within"), "`-5s`");
    refused(RATIO, ("within: 500ms", "beyond: 500ms"), Rule::NotExecuted, &format!("{good}.spec"), "beyond");
    refused(RATIO, ("outcome: completed", "outcome: dead"), Rule::NotExecuted, &format!("{good}.spec"), "[completed]");
    let subscription = ("spec: { subscription: payment } }", "spec: { subscription: paymnt } }");
    refused(
        RATIO,
        subscription,
        Rule::Reference,
        &format!("{total}.spec.subscription"),
        "there are: [payment, inventory]",
    );
    let both = format!("{}---\n{REFERENCES}", RATIO.replacen("type: evenkeel", "type: Prometheus", 1));
    let read = execute(&both);
    assert_eq!(read.objectives.len(), 1, "the sound one runs");
    assert_eq!(&*read.objectives[0].name, "payment-success");
    assert_eq!(read.findings.len(), 1, "{}", said(&read.findings));
}

#[test]
pub(super) fn what_is_named_must_be_there_once_and_zones_must_exist() {
    refused(
        REFERENCES,
        ("indicatorRef: payment-good", "indicatorRef: x"),
        Rule::Reference,
        "spec.indicatorRef",
        "no SLI `x`; there are: [payment-good]",
    );
    refused(
        REFERENCES,
        ("alertPolicyRef: quick", "alertPolicyRef: x"),
        Rule::Reference,
        "spec.alertPolicies[0].alertPolicyRef",
        "AlertPolicy",
    );
    refused(
        REFERENCES,
        ("conditionRef: page-quick", "conditionRef: x"),
        Rule::Reference,
        "spec.conditions[0].conditionRef",
        "AlertCondition",
    );
    refused(
        REFERENCES,
        ("targetRef: on-call", "targetRef: x"),
        Rule::Reference,
        "spec.notificationTargets[0].targetRef",
        "AlertNotificationTarget",
    );
    let source = "spec.ratioMetric.bad.metricSource.metricSourceRef";
    refused(REFERENCES, ("metricSourceRef: here", "metricSourceRef: there"), Rule::Reference, source, "DataSource");
    let zone = "spec.timeWindow[0].calendar.timeZone";
    refused(THRESHOLD, ("America/New_York", "America/New_Yrok"), Rule::StringTimeZone, zone, "IANA");
    let twice = format!("{RATIO}---\n{RATIO}");
    let read = execute(&twice);
    assert_eq!(read.objectives.len(), 1);
    assert_eq!(read.findings[0].rule, Rule::DuplicateName, "{}", said(&read.findings));
}

#[test]
pub(super) fn an_alert_that_can_never_fire_is_refused_where_it_stands() {
    let at = "spec.alertPolicies[0].spec.conditions[0].spec.condition";
    refused(RATIO, ("threshold: 14.4", "threshold: 1000"), Rule::Unsound, at, "can never fire");
    refused(RATIO, ("target: 0.999", "target: 0.9"), Rule::Unsound, at, "below 1/(1 - target) = 10.0000");
    refused(RATIO, ("op: gt", "op: lt"), Rule::NotExecuted, &format!("{at}.op"), "too much burn");
    refused(RATIO, ("lookbackWindow: 1h", "lookbackWindow: 60d"), Rule::Unsound, at, "at most the objective's");
    let nobody = "        alertWhenBreaching: true\n        alertWhenResolved: true\n";
    refused(RATIO, (nobody, ""), Rule::Unsound, "spec.alertPolicies[0].spec", "never tell anyone");
    refused(RATIO, ("duration: 30d", "duration: 0d"), Rule::Unsound, "spec.timeWindow[0]", "length");
    refused(RATIO, ("duration: 30d", "duration: 2Y"), Rule::Unsound, "spec.timeWindow[0]", "at most 366 d");
}

#[test]
pub(super) fn factors_come_from_the_share_of_the_budget_and_windows_may_have_seconds() {
    let demo =
        "evenkeel/budget-share: \"0.1%\", evenkeel/long-window: 10s, evenkeel/short-window: 2s, evenkeel/hold: 1m";
    let objective = only(&RATIO.replace("evenkeel/short-window: 5m", demo));
    let alert = &objective.alerts[0];
    assert!((alert.factor(30 * DAY).unwrap() - 259.2).abs() < 1e-9);
    assert_eq!(alert.windows(), [Duration::from_secs(2), Duration::from_secs(10)]);
    assert_eq!(alert.hold, Some(Duration::from_secs(60)));
    let annotation = "spec.alertPolicies[0].spec.conditions[0].metadata.annotations.evenkeel/shrt-window";
    refused(RATIO, ("evenkeel/short", "evenkeel/shrt"), Rule::UnknownField, annotation, "evenkeel/short-window");
    let share = "spec.alertPolicies[0].spec.conditions[0].metadata.annotations.evenkeel/budget-share";
    refused(RATIO, ("evenkeel/short-window: 5m", "evenkeel/budget-share: much"), Rule::Type, share, "`much`");
}

#[test]
pub(super) fn an_alert_may_be_on_the_budget_itself_or_on_silence() {
    let remaining = only(&RATIO.replace("evenkeel/short-window: 5m", "evenkeel/remaining-below: 20%"));
    assert_eq!(remaining.alerts[0].trigger, Trigger::Remaining { below: 0.2 });
    let exhausted = only(&RATIO.replace("evenkeel/short-window: 5m", "evenkeel/exhausted-within: 3d"));
    assert_eq!(exhausted.alerts[0].trigger, Trigger::Exhaustion { within: 3 * DAY });
    let silent = only(&RATIO.replace("alertWhenResolved: true", "alertWhenNoData: true"));
    let names: Vec<&str> = silent.alerts.iter().map(|a| &*a.name).collect();
    assert_eq!(names, ["page-quick-no-data", "page-quick"]);
    // 14.4 × 0.001 of an hour: as long as a total outage takes to fire, at least a minute.
    assert_eq!(silent.alerts[0].trigger, Trigger::Silence { over: Duration::from_secs(60) });
}

#[test]
pub(super) fn without_policies_the_tiers_of_the_workbook_apply_that_can_fire() {
    let bare = RATIO.split("  alertPolicies").next().unwrap();
    let names = |text: &str| only(text).alerts.iter().map(|a| a.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(bare), ["page-quick", "page-slow", "ticket-quick", "ticket-slow"]);
    assert_eq!(names(&bare.replace("target: 0.999", "target: 0.9")), ["page-slow", "ticket-quick", "ticket-slow"]);
    let day = only(&bare.replace("duration: 30d", "duration: 1d"));
    assert_eq!((day.alerts.len(), day.left_out.len()), (4, 0), "a day has all four, with shorter windows");
    let hour = only(&bare.replace("duration: 30d", "duration: 1h"));
    assert_eq!((hour.alerts.len(), &*hour.left_out[0].0), (3, "page-quick"));
}

#[test]
pub(super) fn what_openslo_has_no_words_for_stands_in_annotations() {
    let annotated = |text: &str| RATIO.replace("my-domain.org/my-key: value", text);
    let objective = only(&annotated("evenkeel/min-bad: \"3\", evenkeel/alpha: \"0.0001\""));
    assert_eq!((objective.bad_min, objective.alpha), (3, 1e-4));
    let at = |name: &str| format!("metadata.annotations.evenkeel/{name}");
    let from = "my-domain.org/my-key: value";
    refused(RATIO, (from, "evenkeel/min-bad: \"few\""), Rule::Type, &at("min-bad"), "whole number");
    refused(RATIO, (from, "evenkeel/minbad: \"3\""), Rule::UnknownField, &at("minbad"), "evenkeel/min-bad");
    let slices = THRESHOLD
        .replace("name: payment-slices", "name: payment-slices, annotations: { evenkeel/empty-slices: skipped }");
    let Method::Timeslices { empty, .. } = only(&slices).method() else { panic!() };
    assert_eq!(empty, Empty::Skipped);
    let wrong = ("evenkeel/empty-slices: skipped", "evenkeel/empty-slices: ignored");
    refused(&slices, wrong, Rule::OneOf, &at("empty-slices"), "good, bad or skipped");
}

/// As [`refused`], wherever it stands.
fn said_somewhere(document: &str, changes: &[(&str, &str)], rule: Rule, word: &str) {
    let changed = changes.iter().fold(document.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not there");
        text.replacen(from, to, 1)
    });
    let read = execute(&changed);
    let found = read.findings.iter().any(|f| f.rule == rule && f.message.contains(word));
    assert!(found, "{changes:?}\n{}", said(&read.findings));
}

#[test]
pub(super) fn a_threshold_metric_says_of_what_and_how_it_is_compared() {
    said_somewhere(THRESHOLD, &[(", metric: latency", "")], Rule::NotExecuted, "a threshold metric says `metric`");
    said_somewhere(THRESHOLD, &[("metric: latency", "metric: size")], Rule::OneOf, "the metrics are latency, handler");
    // By reference the validator can't see that it is compared.
    let metric =
        "thresholdMetric: { metricSource: { type: evenkeel, spec: { subscription: inventory, metric: latency } } }";
    let (head, _) = COMPOSITE.split_once("  ratioMetric:\n    good:").unwrap();
    let document = format!("{head}  {metric}\n");
    said_somewhere(&document, &[], Rule::Required, "is missing: a threshold metric is compared");
    said_somewhere(&document, &[], Rule::Required, "must be a number of seconds");
}

#[test]
pub(super) fn a_metric_of_a_data_source_is_of_its_type_and_annotations_are_read() {
    let typed = ("metricSourceRef: here, spec: { outcome", "metricSourceRef: here, type: prometheus, spec: { outcome");
    said_somewhere(REFERENCES, &[typed], Rule::Reference, "and the data source is of `evenkeel`");
    said_somewhere(RATIO, &[("short-window: 5m", "short-window: soon")], Rule::Type, "is `soon`; a duration is");
}

#[test]
pub(super) fn a_chain_is_counted_as_a_whole_and_stands_alone() {
    let good = "subscription: payment, outcome: completed, within: 500ms";
    let total = "spec: { subscription: payment } }";
    let of = |chain: &str, more: &str| {
        [(good, format!("chain: {chain}{more}")), (total, format!("spec: {{ chain: {chain}{more} }} }}"))]
    };
    let change =
        |with: &[(&str, String)]| with.iter().fold(RATIO.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
    let objective = only(&change(&of("orders", "")));
    assert_eq!((&objective.parts[0].scope, objective.indicator()), (&Scope::of_chain("orders"), Indicator::Success));
    let said = |with: &[(&str, String)], rule, word| {
        let changes: Vec<(&str, &str)> = with.iter().map(|(from, to)| (*from, to.as_str())).collect();
        said_somewhere(RATIO, &changes, rule, word);
    };
    said(&of("other", ""), Rule::Reference, "there is no chain `other`; there are: [orders]");
    said(&of("orders", ", type: Paid"), Rule::NotExecuted, "does not stand beside `chain`");
    said(&of("orders", ", metric: handler"), Rule::NotExecuted, "and a chain has none");
}
