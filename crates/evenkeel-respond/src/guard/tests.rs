use std::time::Duration;

use super::{Guard, History, Inputs, Rule};
use crate::RunId;
use crate::testing::{HOUR, START, at};

#[test]
fn each_rule_refuses_alone_and_names_its_numbers() {
    let guard = Guard::default();
    let calm = History::default().inputs(START, &guard);
    assert_eq!(guard.decide(&calm), None);
    let cases = [
        (Inputs { kill_switch: true, ..calm }, Rule::KillSwitch, "kill switch"),
        (Inputs { disabled: true, ..calm }, Rule::Disabled, "disabled"),
        (Inputs { busy_with: Some(RunId(4)), ..calm }, Rule::Busy, "run-4"),
        (Inputs { since_last: Some(Duration::from_secs(5)), ..calm }, Rule::CoolDown, "5.0s ago"),
        (Inputs { runs: 3, ..calm }, Rule::Rate, "at most 3"),
        (Inputs { flaps: 3, ..calm }, Rule::Flap, "3 times"),
    ];
    for (inputs, rule, words) in cases {
        assert_eq!(guard.decide(&inputs), Some(rule));
        assert!(rule.explain(&inputs).contains(words), "{}", rule.explain(&inputs));
    }
}

#[test]
fn runs_are_counted_within_their_times_only() {
    let mut history = History::default();
    let guard = Guard::default();
    [0, 1_000, 5_000].into_iter().for_each(|second| history.began(at(second)));
    history.ended(at(5_010));
    let inputs = history.inputs(at(5_020), &guard);
    assert_eq!((inputs.runs, inputs.flaps, inputs.since_last), (1, 3, Some(Duration::from_secs(10))));
    let later = history.inputs(at(5_020) + 24 * HOUR, &guard);
    assert_eq!((later.runs, later.flaps), (0, 0));
    history.enable();
    assert_eq!(history.inputs(at(5_020), &guard).flaps, 0, "trust begins anew");
}

#[test]
fn a_cool_down_ends_exactly_on_time() {
    let mut history = History::default();
    let guard = Guard::default();
    history.ended(START);
    assert_eq!(guard.decide(&history.inputs(at(599), &guard)), Some(Rule::CoolDown));
    assert_eq!(guard.decide(&history.inputs(at(600), &guard)), None);
}
