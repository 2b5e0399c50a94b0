//! Receivers of alerts as they are written, refused, explained and written back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;
use evenkeel_watch::{Alert, Severity};

use super::{By, told};
use crate::config::{self, Plan};
use crate::error::Error;

const FILE: &str = "alerts:
  receivers:
    - name: on-call
      pagerduty: { routing_key: { env: PD_KEY } }
      matches: [ { severity: page } ]
    - name: team
      slack: { url: { file: ./slack.url } }
      group_by: [ service ]
      wait: 30s
    - name: am
      alertmanager: { url: \"http://127.0.0.1:9093/\" }
      heartbeat: 1m
    - name: hook
      webhook: { url: \"http://127.0.0.1:9009/alerts\", sign: [ { env: HOOK } ] }
      matches: []
";

fn read(text: &str) -> Result<Plan, Error> {
    config::parse(text, Path::new("/etc/evenkeel"))
}

fn alert(severity: Severity, targets: &[&str]) -> Alert {
    let at = Timestamp::from_millis(1);
    Alert {
        objective: Arc::from("latency"),
        service: Arc::from("shop"),
        subscription: Arc::from("payment"),
        name: Arc::from("page"),
        severity,
        trigger: Arc::from("burn"),
        budget_share: 0.02,
        long: Duration::from_secs(3600),
        short: Duration::from_secs(300),
        factor: 14.4,
        burn_long: 20.0,
        burn_short: 20.0,
        bad: 10,
        valid: 100,
        started_at: at,
        first_bad_at: at,
        resolved_at: None,
        targets: targets.iter().map(|name| Arc::from(*name)).collect(),
        tells_end: true,
    }
}

#[test]
fn an_alert_goes_to_whom_its_objective_names_else_to_all_who_want_it() {
    let plan = read(FILE).unwrap();
    let names = |alert: &Alert| -> Vec<String> { told(&plan.receivers, alert).map(|r| r.name.to_string()).collect() };
    assert_eq!(names(&alert(Severity::Page, &[])), ["on-call", "team", "am"]);
    assert_eq!(names(&alert(Severity::Ticket, &[])), ["team", "am"]);
    assert_eq!(names(&alert(Severity::Ticket, &["hook", "somebody"])), ["hook"]);
    assert_eq!(names(&alert(Severity::Page, &["incident"])), ["on-call", "team", "am"], "nobody is called so");
}

#[test]
fn an_alertmanager_hears_again_before_it_forgets_and_groups_itself() {
    let plan = read(FILE).unwrap();
    let am = &plan.receivers[2];
    assert_eq!(am.by, By::Alertmanager { url: "http://127.0.0.1:9093/api/v2/alerts".to_owned() });
    assert!(am.routes.repeat < Duration::from_secs(300) && !am.routes.inhibits, "{:?}", am.routes);
}

#[test]
fn receivers_are_explained_and_written_back_and_no_secret_is_shown() {
    let plan = read(FILE).unwrap();
    let words = config::explain(&plan);
    for word in [
        "on-call is told of alerts with severity `page` by PagerDuty, with the key in the variable `PD_KEY`: one word for each objective",
        "team is told of alerts by Slack, at the URL in the file `/etc/evenkeel/./slack.url`: one word for each service, after 30s",
        "am is told of alerts through the Alertmanager at http://127.0.0.1:9093/api/v2/alerts",
        "It hears every 1m that the node is alive.",
        "hook is told of no alerts but those that name it",
    ] {
        assert!(words.contains(word), "{word}\n{words}");
    }
    let written = config::effective(&plan);
    assert_eq!(read(&written).unwrap().receivers, plan.receivers, "{written}");
}

#[test]
fn a_wrong_receiver_is_refused_with_field_value_and_fix() {
    for (from, to, says) in [
        ("name: on-call", "name: team", "alerts.receivers[1].name`: `team` is there twice"),
        ("name: on-call", "name: on call", "alerts.receivers[0].name`: `on call`"),
        ("pagerduty: { routing_key: { env: PD_KEY } }", "matches: []", ""),
        ("routing_key: { env: PD_KEY }", "url: \"http://127.0.0.1/\"", "pagerduty.routing_key`: is missing"),
        ("{ env: PD_KEY }", "{ env: PD_KEY, file: x }", "pagerduty.routing_key`: names no place, or two"),
        ("severity: page", "severity: pgae", "matches[0].severity`: `pgae` is none of page, ticket"),
        ("[ service ]", "[ servce ]", "receivers[1].group_by`: `servce` is none of"),
        ("wait: 30s", "heartbeat: 1m", "receivers[1].heartbeat`: would page"),
        ("wait: 30s", "repeat: 0s", "receivers[1].repeat`: must be more than 0"),
        ("heartbeat: 1m", "heartbeat: 1ms", "receivers[2].heartbeat`: is less than 1s"),
        ("heartbeat: 1m", "webhook: { url: \"http://127.0.0.1/\" }", "names more than one way"),
        ("http://127.0.0.1:9093/", "http://169.254.169.254/", "alertmanager.url`"),
    ] {
        let error = read(&FILE.replacen(from, to, 1)).unwrap_err();
        assert!(error.message.contains(says), "{to}: {error}");
    }
}
