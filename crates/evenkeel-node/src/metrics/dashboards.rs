//! Grafana's dashboards, made of the constants of `names`, so that no panel asks for a metric that is not there.

use serde_json::{Value, json};

use super::names::{self, Metric};

/// A plot: its title, the unit as Grafana names it, and its queries with their legends.
struct Plot {
    title: &'static str,
    unit: &'static str,
    queries: Vec<(String, &'static str)>,
}

/// What subscriptions and the node do.
pub(super) fn overview() -> String {
    let plots = [flow(), attempts(), node()].into_iter().flatten().collect();
    let variables = [variable("subscription", &names::EVENTS, names::SUBSCRIPTION)];
    dashboard("evenkeel-overview", "Evenkeel: flow and node", &variables, plots)
}

/// Whose series are shown.
fn chosen() -> String {
    format!("{}=~\"$subscription\"", names::SUBSCRIPTION)
}

fn gauge(metric: &Metric) -> String {
    format!("{}{{{}}}", metric.name, chosen())
}

fn rate(metric: &Metric, labels: &str) -> String {
    format!("sum by ({labels}) (rate({}{{{}}}[$__rate_interval]))", metric.name, chosen())
}

fn quantiles(metric: &Metric) -> [(String, &'static str); 2] {
    let of = |q: f64| quantile(q, metric, &chosen());
    [(of(0.5), "{{subscription}} p50"), (of(0.99), "{{subscription}} p99")]
}

fn flow() -> Vec<Plot> {
    let ended = rate(&names::EVENTS, "subscription, outcome");
    vec![
        plot("Created to completed", "s", quantiles(&names::LATENCY)),
        plot("Handler", "s", quantiles(&names::HANDLER)),
        plot("Age of the oldest event that is not complete", "s", [(gauge(&names::LAG), "{{subscription}}")]),
        plot("Events behind", "short", [(gauge(&names::DISTANCE), "{{subscription}}")]),
        plot("Ended, by outcome", "ops", [(ended, "{{subscription}} {{outcome}}")]),
        plot("Arrived, by topic", "ops", [(names::ARRIVAL_RATE.name.to_owned(), "{{topic}}")]),
    ]
}

fn attempts() -> Vec<Plot> {
    let failed = rate(&names::FAILED_ATTEMPTS, "subscription, class");
    let dead = rate(&names::DEAD, "subscription, class");
    let waiting = [
        (gauge(&names::IN_FLIGHT), "{{subscription}} in flight"),
        (gauge(&names::QUEUED), "{{subscription}} queued"),
        (gauge(&names::PARKED), "{{subscription}} parked"),
    ];
    let open = gauge(&names::BREAKER_OPEN);
    vec![
        plot("Failed attempts, by class", "ops", [(failed, "{{subscription}} {{class}}")]),
        plot("Dead, by class", "ops", [(dead, "{{subscription}} {{class}}")]),
        plot("In flight, queued, parked", "short", waiting),
        plot("Breakers that are not closed", "short", [(open, "{{subscription}} {{dependency}}")]),
    ]
}

fn node() -> Vec<Plot> {
    let plain = |metric: &Metric| metric.name.to_owned();
    let cpu = [(of_process(&names::PROCESS_CPU), "used"), (plain(&names::MACHINE_CPUS), "there are")];
    let memory = [(plain(&names::PROCESS_RESIDENT), "resident"), (plain(&names::MACHINE_MEMORY_FREE), "available")];
    let disk = [
        (plain(&names::DISK_FREE), "free"),
        (plain(&names::LOG_SEGMENT_BYTES), "segments"),
        (plain(&names::LOG_WAL_BYTES), "write-ahead"),
    ];
    let writes = quantile(0.99, &names::LOG_WRITE, "");
    let network = [
        (of_process(&names::NETWORK_RECEIVED), "{{device}} received"),
        (of_process(&names::NETWORK_SENT), "{{device}} sent"),
    ];
    vec![
        plot("Processors used", "short", cpu),
        plot("Memory", "bytes", memory),
        plot("Disk", "bytes", disk),
        plot("Durable writes, p99", "s", [(writes, "write")]),
        plot("Network", "Bps", network),
    ]
}

/// What was promised, and what is left of it.
pub(super) fn objectives() -> String {
    let of = |metric: &Metric, more: &str| format!("{}{{{}=~\"$objective\"{more}}}", metric.name, names::OBJECTIVE);
    let window = |window: &str| format!(", {}=\"{window}\"", names::WINDOW);
    let plots = vec![
        plot("Budget left", "percentunit", [(of(&names::BUDGET_REMAINING, ""), "{{objective}}")]),
        plot("Burn over an hour", "short", [(of(&names::BURN, &window("1h")), "{{objective}}")]),
        plot("Burn over five minutes", "short", [(of(&names::BURN, &window("5m")), "{{objective}}")]),
        plot("Bad share over a day", "percentunit", [(of(&names::OBJECTIVE_ERROR, &window("1d")), "{{objective}}")]),
        plot("Bad events in the window", "short", [(of(&names::OBJECTIVE_BAD, ""), "{{objective}}")]),
        plot("Good events in the window", "short", [(of(&names::OBJECTIVE_GOOD, ""), "{{objective}}")]),
        plot("Target", "percentunit", [(of(&names::OBJECTIVE_TARGET, ""), "{{objective}}")]),
        plot("Alerts that fire", "short", [(of(&names::ALERTS_FIRING, ""), "{{objective}}")]),
    ];
    dashboard(
        "evenkeel-objectives",
        "Evenkeel: objectives",
        &[variable("objective", &names::OBJECTIVE_TARGET, names::OBJECTIVE)],
        plots,
    )
}

fn plot<const N: usize>(title: &'static str, unit: &'static str, queries: [(String, &'static str); N]) -> Plot {
    Plot { title, unit, queries: queries.into() }
}

/// Of the classic buckets, or of the native histogram: a Prometheus has one of them, as it scrapes.
fn quantile(q: f64, metric: &Metric, by: &str) -> String {
    let (classic, native) =
        if by.is_empty() { ("by (le) ", "") } else { ("by (le, subscription) ", "by (subscription) ") };
    let rate = |name: &str| format!("(rate({name}{{{by}}}[$__rate_interval]))");
    let (buckets, whole) = (rate(&format!("{}_bucket", metric.name)), rate(metric.name));
    format!("histogram_quantile({q}, sum {classic}{buckets}) or histogram_quantile({q}, sum {native}{whole})")
}

fn of_process(metric: &Metric) -> String {
    format!("rate({}[$__rate_interval])", metric.name)
}

fn variable(name: &str, metric: &Metric, label: &str) -> Value {
    json!({
        "name": name, "type": "query", "datasource": { "type": "prometheus", "uid": "${datasource}" },
        "query": format!("label_values({}, {label})", metric.name),
        "refresh": 2, "includeAll": true, "multi": true, "current": { "text": "All", "value": "$__all" },
    })
}

fn dashboard(uid: &str, title: &str, variables: &[Value], plots: Vec<Plot>) -> String {
    let source = json!({ "name": "datasource", "type": "datasource", "query": "prometheus" });
    let list: Vec<&Value> = std::iter::once(&source).chain(variables).collect();
    let panels: Vec<Value> = plots.into_iter().enumerate().map(|(at, plot)| panel(at, &plot)).collect();
    let all = json!({
        "uid": uid, "title": title, "tags": ["evenkeel"], "schemaVersion": 39, "editable": true, "refresh": "10s",
        "time": { "from": "now-1h", "to": "now" }, "templating": { "list": list }, "panels": panels,
    });
    format!("{}\n", serde_json::to_string_pretty(&all).unwrap_or_default())
}

/// Two plots in a row.
fn panel(at: usize, plot: &Plot) -> Value {
    let datasource = json!({ "type": "prometheus", "uid": "${datasource}" });
    let target = |(at, (expr, legend)): (usize, &(String, &str))| {
        json!({ "refId": format!("{}", char::from(b'A' + at as u8)), "expr": expr, "legendFormat": legend,
                "datasource": datasource, "exemplar": expr.contains("_bucket") })
    };
    // A budget may be overspent.
    let least = if plot.unit == "percentunit" { Value::Null } else { json!(0) };
    json!({
        "id": at + 1, "type": "timeseries", "title": plot.title, "datasource": datasource,
        "gridPos": { "x": at % 2 * 12, "y": at / 2 * 8, "w": 12, "h": 8 },
        "fieldConfig": { "defaults": { "unit": plot.unit, "min": least, "custom": { "spanNulls": false } }, "overrides": [] },
        "options": { "legend": { "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"] } },
        "targets": plot.queries.iter().enumerate().map(target).collect::<Vec<_>>(),
    })
}
