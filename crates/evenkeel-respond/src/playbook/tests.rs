use std::time::Duration;

use super::{Check, Playbook, Severity, StepAction, Trigger};
use crate::testing::{experiment, fault, remedy};

fn refused(playbook: &Playbook) -> String {
    let problems = playbook.check().expect_err("it was accepted");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shops_playbooks_are_sound() {
    assert_eq!(remedy().check(), Ok(()));
    assert_eq!(experiment(vec![fault("down", 5, true)]).check(), Ok(()));
}

#[test]
fn a_fault_without_undo_or_end_is_refused() {
    let mut one = experiment(vec![fault("down", 5, true)]);
    one.steps[0].undo = None;
    assert!(refused(&one).contains("mishaps.steps[0].undo is missing: every fault of an experiment has an undo"));
    let mut one = experiment(vec![fault("down", 5, true)]);
    one.steps[0].lease = None;
    assert!(refused(&one).contains("mishaps.steps[0].lease is missing"));
    one.steps[0].action = StepAction::Wait(Duration::from_secs(1));
    assert_eq!(one.check(), Ok(()), "a wait is no fault");
}

#[test]
fn an_experiment_is_never_started_by_an_incident() {
    let mut one = experiment(vec![fault("down", 5, true)]);
    one.trigger = Trigger::Incident { objective: None, severity: Severity::Page };
    assert!(refused(&one).contains("mishaps.trigger is an incident"));
}

#[test]
fn empty_and_zero_are_refused_by_name() {
    let mut one = remedy();
    one.guard.runs_max = 0;
    one.steps[0].timeout = Duration::ZERO;
    one.steps[0].check = Check::ObjectiveBurnBelow { objective: "x".into(), factor: 0.0, within: Duration::ZERO };
    let told = refused(&one);
    for field in ["guard.runs_max", "steps[0].timeout", "steps[0].check.factor", "steps[0].check.within"] {
        assert!(told.contains(field), "{field} is not named in {told}");
    }
    one.steps.clear();
    assert!(refused(&one).contains("recycle-payment.steps is empty"));
}

#[test]
fn a_trigger_answers_its_objective_from_its_severity_on() {
    let mut one = remedy();
    assert!(one.answers("payment", Severity::Page));
    assert!(!one.answers("payment", Severity::Ticket));
    assert!(!one.answers("shipping", Severity::Page));
    one.trigger = Trigger::Incident { objective: None, severity: Severity::Ticket };
    assert!(one.answers("shipping", Severity::Page));
    one.trigger = Trigger::Manual;
    assert!(!one.answers("payment", Severity::Page));
}
