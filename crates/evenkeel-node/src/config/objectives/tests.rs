//! OpenSLO files on their way into a plan. The rules themselves are tested in `evenkeel-watch`.

use std::path::Path;

use crate::config::{self, Plan};
use crate::error::codes;

const CONFIG: &str = "topics: { orders: {} }
subscriptions: { payment: { topic: orders, handler: { http: { url: \"http://127.0.0.1:9002/\" } } } }
objectives: \"*.yaml\"
";

fn file(name: &str, subscription: &str) -> String {
    include_str!("../../demo/files/objective.yaml")
        .replace("@NAME@-", &format!("{name}-"))
        .replace("@NAME@", subscription)
}

fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evenkeel.conf"), CONFIG).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn plan(folder: &Path) -> Plan {
    config::found(Some(&folder.join("evenkeel.conf"))).unwrap()
}

#[test]
fn the_demos_objective_is_sound_and_its_threshold_is_the_age_at_which_events_are_overdue() {
    let folder = folder(&[("a.yaml", file("payment", "payment"))]);
    let plan = plan(folder.path());
    assert_eq!(plan.refused, []);
    let names: Vec<&str> = plan.objectives[0].alerts.iter().map(|a| &*a.name).collect();
    assert_eq!(names, ["page-quick", "page-slow", "ticket-quick", "ticket-slow", "page-demo"]);
    assert_eq!(plan.subscriptions[0].policy.overdue_after, [std::time::Duration::from_millis(500)]);
    let words = config::explain(&plan);
    for word in [
        "payment-latency: 99.9 % of the events of `payment` are completed within 500ms of their creation, over 30d (rolling)",
        "page-quick (page, for incident) fires when 2 % of the budget goes in 1h, and it still burns in the last 5m (burn above 14.4)",
        "page-demo (page, for incident) fires when 0.1 % of the budget goes in 10s, and it still burns in the last 2s (burn above 259.2)",
    ] {
        assert!(words.contains(word), "{word}\n{words}");
    }
}

#[test]
fn a_short_objective_has_shorter_alerts_and_check_says_which_do_not_apply() {
    let usual = file("payment", "payment").split("  alertPolicies:").next().unwrap().to_owned();
    let words = |window: &str, target: &str| {
        let text = usual.replace("duration: 30d", &format!("duration: {window}")).replace("target: 0.999", target);
        let folder = folder(&[("a.yaml", text)]);
        let plan = plan(folder.path());
        assert_eq!(plan.refused, []);
        config::explain(&plan)
    };
    let hour = words("1h", "target: 0.99");
    for word in [
        "page-quick does not apply: for this window its short one would be 1s.",
        "page-slow (page) fires when 5 % of the budget goes in 33s, and it still burns in the last 3s (burn above 5.4545)",
    ] {
        assert!(hour.contains(word), "{word}\n{hour}");
    }
    let low = words("7d", "target: 0.9");
    assert!(low.contains("page-quick does not apply: its factor is 13.4400: the factor"), "{low}");
    assert!(words("1m", "target: 0.999").contains("No alert applies: nobody is told."));
}

#[test]
fn an_unsound_file_is_refused_by_check_with_file_line_field_and_rule_and_the_others_run() {
    let wrong = file("b", "payment").replace("target: 0.999", "target: 99.9");
    let folder = folder(&[("a.yaml", file("payment", "payment")), ("b.yaml", wrong), ("c.yaml", "{".to_owned())]);
    let plan = plan(folder.path());
    assert_eq!(plan.objectives.len(), 1, "the sound one runs");
    let error = config::load(&folder.path().join("evenkeel.conf")).unwrap_err();
    assert_eq!((error.code, error.exit), (codes::CONFIG_OBJECTIVE, 3));
    let said = &error.message;
    assert!(said.contains("b.yaml:19: spec.objectives[0].target: is 99.9; it must be below 1"), "{said}");
    assert!(said.contains("[less_than]") && said.contains("c.yaml:1: document: is not YAML"), "{said}");
}

#[test]
fn an_objective_of_a_subscription_that_is_not_there_names_those_that_are() {
    let folder = folder(&[("a.yaml", file("payment", "paymnt"))]);
    let plan = plan(folder.path());
    assert!(plan.refused[0].message.contains("no subscription `paymnt`; there are: [payment]"), "{:?}", plan.refused);
}
