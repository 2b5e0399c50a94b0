//! `evenkeel slo rules`: recording rules for Prometheus under the names that Sloth gives them.
//!
//! Dashboards and alerts that were made for Sloth go on working. The rules copy what the node counted exactly;
//! no `rate()` guesses between scrapes. Only the current and the period's burn rate and what is left are computed,
//! by Sloth's own formulas.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use evenkeel_watch::objective::Objective;

use crate::cli::output::line;
use crate::config;
use crate::error::Error;
use crate::metrics::{names, prometheus_duration};

/// Prints the rules of all objectives of a configuration.
pub(super) fn run(file: &Path) -> Result<(), Error> {
    line(rules(&config::load(file)?.objectives).trim_end());
    Ok(())
}

fn rules(objectives: &[Objective]) -> String {
    let mut text = String::from(
        "# Recording rules under Sloth's names, from the node's own counts. Written by `evenkeel slo rules`.\ngroups:\n",
    );
    if objectives.is_empty() {
        text.truncate(text.len() - 1);
        text.push_str(" []\n");
    }
    objectives.iter().for_each(|objective| group(&mut text, objective));
    text
}

fn group(text: &mut String, objective: &Objective) {
    let (name, service) = (&objective.name, &objective.service);
    let id = format!("{service}-{name}");
    let own = format!("sloth_id: {}, sloth_service: {}, sloth_slo: {}", quoted(&id), quoted(service), quoted(name));
    let chosen =
        format!("{{sloth_id={0}, sloth_service={1}, sloth_slo={2}}}", quoted(&id), quoted(service), quoted(name));
    let _ = writeln!(text, "- name: {}\n  rules:", quoted(&format!("sloth-slo-sli-recordings-{id}")));
    let mut rule = |record: &str, expr: &str, more: &str| {
        let _ = writeln!(text, "  - record: {record}\n    expr: {expr}\n    labels: {{ {own}{more} }}");
    };
    let period = objective.window.length();
    let error = |window: Duration| format!("slo:sli_error:ratio_rate{}", prometheus_duration(window));
    for window in objective.burn_windows() {
        let told = prometheus_duration(window);
        let expr = format!("max({}{{objective=\"{name}\", window=\"{told}\"}})", names::OBJECTIVE_ERROR.name);
        rule(&error(window), &expr, &format!(", sloth_window: {told}"));
    }
    let target = objective.target();
    rule("slo:objective:ratio", &format!("vector({target})"), "");
    rule("slo:error_budget:ratio", &format!("vector(1-{target})"), "");
    rule("slo:time_period:days", &format!("vector({})", period.as_secs_f64() / 86_400.0), "");
    let burn = |window| {
        let by = "on(sloth_id, sloth_slo, sloth_service) group_left";
        format!("{}{chosen} / {by} slo:error_budget:ratio{chosen}", error(window))
    };
    rule("slo:current_burn_rate:ratio", &burn(Duration::from_secs(300).min(period)), "");
    rule("slo:period_burn_rate:ratio", &burn(period), "");
    rule("slo:period_error_budget_remaining:ratio", &format!("1 - slo:period_burn_rate:ratio{chosen}"), "");
    let info = format!(
        ", sloth_mode: evenkeel, sloth_spec: openslo/v1, sloth_objective: {}",
        quoted(&format!("{}", target * 100.0))
    );
    rule("sloth_slo_info", "vector(1)", &info);
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use evenkeel_watch::objective::{Objective, Part};

    #[test]
    fn every_name_that_sloth_users_have_is_recorded() {
        let objective = Objective {
            name: Arc::from("payment"),
            service: Arc::from("shop"),
            parts: vec![Part { target: 0.999, ..Part::default() }],
            ..Objective::default()
        };
        let text = super::rules(&[objective]);
        for window in ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"] {
            let labels = format!(
                "sloth_id: \"shop-payment\", sloth_service: \"shop\", sloth_slo: \"payment\", sloth_window: {window} }}"
            );
            assert!(
                text.contains(&format!("record: slo:sli_error:ratio_rate{window}\n")) && text.contains(&labels),
                "{text}"
            );
        }
        for name in [
            "slo:objective:ratio\n    expr: vector(0.999)",
            "slo:error_budget:ratio",
            "slo:time_period:days\n    expr: vector(30)",
            "slo:current_burn_rate:ratio",
            "slo:period_burn_rate:ratio",
            "slo:period_error_budget_remaining:ratio",
            "sloth_slo_info",
        ] {
            assert!(text.contains(&format!("record: {name}")), "{name}: {text}");
        }
        assert!(super::rules(&[]).ends_with("groups: []\n"), "a file without rules is sound, too");
    }
}
