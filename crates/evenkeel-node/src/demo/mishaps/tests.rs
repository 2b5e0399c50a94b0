//! The experiment file of a plan is one that the engine accepts, and has every mishap in it.

use std::time::Duration;

use evenkeel_respond::StepAction;

use super::{file, read};
use crate::demo::DemoArgs;
use crate::demo::house::House;
use crate::demo::plan::Plan;

fn args() -> DemoArgs {
    DemoArgs {
        run_for: Duration::from_secs(60),
        rate: 200,
        events: None,
        seed: 1,
        data: None,
        keep: false,
        patience: None,
        no_healing: false,
        sabotage: None,
    }
}

#[test]
fn the_file_of_a_plan_has_every_mishap_with_its_undo_at_its_moment() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::found(&args(), dir.path().join("run")).unwrap();
    let plan = Plan::draft(&args()).unwrap();
    let text = file(&house, &plan);
    assert!(!text.contains('@'), "{text}");
    let experiment = read(&text).unwrap();
    let steps = &experiment.playbook.steps;
    let faults: Vec<&str> = steps.iter().filter(|s| s.undo.is_some()).map(|s| &*s.name).collect();
    let expected = [
        "poison",
        "duplicates",
        "payment-provider-down",
        "spike",
        "inventory-slow",
        "inventory-dies",
        "node-killed",
        "shipping-wedged",
    ];
    assert_eq!(faults, expected);
    let wait = |action: &StepAction| if let StepAction::Wait(time) = action { *time } else { Duration::ZERO };
    let sequential = |s: &&evenkeel_respond::Step| s.lease.is_some_and(|lease| lease.wait);
    let waits: Duration = steps.iter().map(|s| wait(&s.action)).sum();
    let holds: Duration = steps.iter().filter(sequential).filter_map(|s| s.lease).map(|lease| lease.hold).sum();
    assert!(plan.wedged_at.abs_diff(waits + holds) < Duration::from_millis(50));
    assert_eq!(experiment.says.len(), steps.len());
}

#[test]
fn a_fault_without_an_undo_is_refused() {
    let text = "kind: Experiment\nname: x\nhypothesis: y\nsteps: [ { name: k, do: { kill: node }, hold: 1s } ]\n";
    assert!(read(text).err().unwrap().contains("undo"));
}
