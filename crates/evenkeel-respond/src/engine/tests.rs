//! The engine on virtual time.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use super::Engine;
use crate::guard::Rule;
use crate::input::{Action, Input, Part};
use crate::playbook::{Check, Playbook, Step, StepAction};
use crate::run::{Ending, Phase};
use crate::testing::{HOUR, acts, at, call, count, done, entries, experiment, fault, holds, remedy, start};
use crate::{Happening, RunId};

/// An engine, and everything that it asked for.
struct Bench {
    engine: Engine,
    all: Vec<Action>,
}

impl Bench {
    fn new(playbooks: Vec<Playbook>) -> Bench {
        Bench { engine: Engine::new(playbooks).unwrap(), all: Vec::new() }
    }

    fn step(&mut self, now: Timestamp, input: Input) -> Vec<String> {
        let actions = self.engine.step(now, input);
        self.all.extend(actions.iter().cloned());
        acts(&actions)
    }

    /// The same engine after a crash: from its records alone.
    fn crash(&self, playbooks: Vec<Playbook>) -> Bench {
        let mut engine = Engine::new(playbooks).unwrap();
        engine.replay(&entries(&self.all));
        Bench { engine, all: self.all.clone() }
    }

    fn resume(&mut self, now: Timestamp) -> Vec<String> {
        let actions = self.engine.resume(now);
        self.all.extend(actions.iter().cloned());
        acts(&actions)
    }

    fn ending(&self, run: u64) -> Option<Ending> {
        self.engine.run(RunId(run)).and_then(|run| run.ended).map(|(_, ending)| ending)
    }
}

#[test]
fn a_remedy_runs_is_verified_and_succeeds() {
    let mut bench = Bench::new(vec![remedy()]);
    assert_eq!(bench.step(at(0), start("recycle-payment")), ["recycle"]);
    assert!(bench.step(at(1), done(1, 0, Part::Do, true)).is_empty());
    let asked = bench.engine.step(at(2), Input::Tick);
    assert!(matches!(asked.as_slice(), [Action::Check { step: 0, check: Check::ObjectiveBurnBelow { .. }, .. }]));
    bench.step(at(3), holds(1, 0));
    assert_eq!(bench.ending(1), Some(Ending::Succeeded));
    assert_eq!(count(&bench.all, |what| matches!(what, Happening::Escalated { .. })), 0);
}

#[test]
fn a_check_that_does_not_hold_in_time_undoes_and_asks_a_person() {
    let mut bench = Bench::new(vec![remedy()]);
    bench.step(at(0), start("recycle-payment"));
    bench.step(at(1), done(1, 0, Part::Do, true));
    let not_yet = Input::CheckResult { run: RunId(1), step: 0, holds: false, detail: "burn 40".to_owned() };
    assert!(bench.step(at(20), not_yet).is_empty());
    assert!(bench.step(at(30), Input::Tick).is_empty());
    assert_eq!(bench.step(at(31), Input::Tick), ["undo unrecycle"]);
    bench.step(at(32), done(1, 0, Part::Undo, true));
    assert_eq!(bench.ending(1), Some(Ending::Failed));
    assert_eq!(count(&bench.all, |what| matches!(what, Happening::Escalated { .. })), 1);
}

#[test]
fn a_step_that_fails_or_never_answers_is_undone_with_all_before_it_last_first() {
    for late in [false, true] {
        let mut book = remedy();
        let mut first = Step::new("shed", call("shed"));
        first.undo = Some(call("unshed"));
        book.steps.insert(0, first);
        let mut bench = Bench::new(vec![book]);
        assert_eq!(bench.step(at(0), start("recycle-payment")), ["shed"]);
        assert_eq!(bench.step(at(1), done(1, 0, Part::Do, true)), ["recycle"]);
        let (turned, undo) = match late {
            true => (11, bench.step(at(11), Input::Tick)),
            false => (2, bench.step(at(2), done(1, 1, Part::Do, false))),
        };
        assert_eq!(undo, ["undo unrecycle"]);
        // An answer to the step itself comes too late to mean anything.
        assert!(bench.step(at(turned + 1), done(1, 1, Part::Do, true)).is_empty());
        assert_eq!(bench.step(at(turned + 2), done(1, 1, Part::Undo, true)), ["undo unshed"]);
        bench.step(at(turned + 3), done(1, 0, Part::Undo, true));
        assert_eq!(bench.ending(1), Some(Ending::Failed));
    }
}

#[test]
fn the_guard_stops_a_second_run_in_the_cool_down_and_records_why() {
    let mut bench = Bench::new(vec![remedy()]);
    bench.step(at(0), start("recycle-payment"));
    bench.step(at(1), done(1, 0, Part::Do, true));
    bench.step(at(2), holds(1, 0));
    assert!(bench.step(at(60), start("recycle-payment")).is_empty());
    let entry = entries(&bench.all).pop().unwrap();
    let Happening::Guarded { refused: Some(Rule::CoolDown), inputs, .. } = entry.what else { panic!("{entry:?}") };
    assert_eq!((inputs.since_last, inputs.cool_down), (Some(Duration::from_secs(58)), Duration::from_secs(600)));
    assert_eq!(bench.step(at(603), start("recycle-payment")), ["recycle"]);
}

#[test]
fn one_run_at_a_time_changes_a_scope() {
    let mut other = remedy();
    other.name = Arc::from("other");
    let mut bench = Bench::new(vec![remedy(), other]);
    bench.step(at(0), start("recycle-payment"));
    assert!(bench.step(at(1), start("other")).is_empty());
    let busy = |what: &Happening| matches!(what, Happening::Guarded { refused: Some(Rule::Busy), inputs, .. } if inputs.busy_with == Some(RunId(1)));
    assert_eq!(count(&bench.all, busy), 1);
}

#[test]
fn the_flap_breaker_disables_a_remedy_that_is_needed_again_and_again() {
    let mut bench = Bench::new(vec![remedy()]);
    for run in 1..=3 {
        let begin = run * 7200;
        assert_eq!(bench.step(at(begin), start("recycle-payment")).len(), 1, "run {run}");
        bench.step(at(begin + 1), done(run, 0, Part::Do, true));
        bench.step(at(begin + 2), holds(run, 0));
    }
    assert!(bench.step(at(4 * 7200), start("recycle-payment")).is_empty());
    assert!(bench.engine.is_disabled("recycle-payment"));
    assert_eq!(count(&bench.all, |what| matches!(what, Happening::Escalated { .. })), 1);
    // A day later it is still disabled, a restart included, until somebody enables it.
    let mut bench = bench.crash(vec![remedy()]);
    assert!(bench.step(at(4 * 7200) + 48 * HOUR, start("recycle-payment")).is_empty());
    bench.step(at(4 * 7200) + 48 * HOUR, Input::Enable { playbook: "recycle-payment".into(), by: "eve".to_owned() });
    assert_eq!(bench.step(at(4 * 7200) + 48 * HOUR, start("recycle-payment")), ["recycle"]);
}

#[test]
fn a_dry_run_records_every_step_and_does_nothing() {
    let mut book = remedy();
    book.guard.dry_run = true;
    let mut bench = Bench::new(vec![book]);
    assert!(bench.step(at(0), start("recycle-payment")).is_empty());
    assert_eq!(bench.ending(1), Some(Ending::DryRun));
    assert_eq!(count(&bench.all, |what| matches!(what, Happening::StepStarted { .. })), 1);
}

#[test]
fn the_kill_switch_aborts_what_runs_and_lets_nothing_start() {
    let mut bench = Bench::new(vec![remedy(), experiment(vec![fault("down", 60, true)])]);
    bench.step(at(0), start("mishaps"));
    bench.step(at(1), done(1, 0, Part::Do, true));
    let off = bench.step(at(2), Input::KillSwitch { on: true, by: "eve".to_owned() });
    assert_eq!(off, ["undo down/off"]);
    bench.step(at(3), done(1, 0, Part::Undo, true));
    assert_eq!(bench.ending(1), Some(Ending::Aborted));
    assert!(bench.step(at(4), start("recycle-payment")).is_empty());
    bench.step(at(5), Input::KillSwitch { on: false, by: "eve".to_owned() });
    assert_eq!(bench.step(at(6), start("recycle-payment")), ["recycle"]);
}

#[test]
fn a_lease_ends_by_itself_and_faults_follow_each_other() {
    let pause = Step::new("calm", StepAction::Wait(Duration::from_secs(3)));
    let mut bench = Bench::new(vec![experiment(vec![fault("down", 5, true), pause, fault("slow", 2, true)])]);
    assert_eq!(bench.step(at(0), start("mishaps")), ["down/on"]);
    bench.step(at(1), done(1, 0, Part::Do, true));
    assert!(bench.step(at(5), Input::Tick).is_empty(), "a lease runs from when its fault was in place");
    assert_eq!(bench.step(at(6), Input::Tick), ["undo down/off"]);
    assert!(bench.step(at(7), done(1, 0, Part::Undo, true)).is_empty());
    assert_eq!(bench.step(at(10), Input::Tick), ["slow/on"]);
    bench.step(at(10), done(1, 2, Part::Do, true));
    assert_eq!(bench.step(at(12), Input::Tick), ["undo slow/off"]);
    bench.step(at(12), done(1, 2, Part::Undo, true));
    assert_eq!(bench.ending(1), Some(Ending::Succeeded));
}

#[test]
fn leases_that_nothing_waits_for_overlap() {
    let mut bench = Bench::new(vec![experiment(vec![fault("wedged", 30, false), fault("slow", 2, true)])]);
    assert_eq!(bench.step(at(0), start("mishaps")), ["wedged/on"]);
    assert_eq!(bench.step(at(1), done(1, 0, Part::Do, true)), ["slow/on"]);
    bench.step(at(1), done(1, 1, Part::Do, true));
    assert_eq!(bench.step(at(3), Input::Tick), ["undo slow/off"]);
    bench.step(at(3), done(1, 1, Part::Undo, true));
    assert_eq!(bench.ending(1), None, "the first lease still holds");
    assert_eq!(bench.engine.run(RunId(1)).unwrap().open_faults().count(), 1);
    assert_eq!(bench.step(at(31), Input::Tick), ["undo wedged/off"]);
    bench.step(at(31), done(1, 0, Part::Undo, true));
    assert_eq!(bench.ending(1), Some(Ending::Succeeded));
}

#[test]
fn an_experiments_undo_runs_on_abort() {
    let mut bench = Bench::new(vec![experiment(vec![fault("wedged", 30, false), fault("slow", 20, true)])]);
    bench.step(at(0), start("mishaps"));
    bench.step(at(1), done(1, 0, Part::Do, true));
    // The second fault is still at the driver: nobody knows whether it is in place.
    let abort = Input::Abort { run: RunId(1), why: "ctrl-c".to_owned() };
    assert_eq!(bench.step(at(2), abort), ["undo slow/off"]);
    assert_eq!(bench.step(at(3), done(1, 1, Part::Undo, true)), ["undo wedged/off"]);
    bench.step(at(4), done(1, 0, Part::Undo, true));
    assert_eq!(bench.ending(1), Some(Ending::Aborted));
}

#[test]
fn an_experiments_undo_runs_on_replay_after_a_crash_at_any_record() {
    let book = || experiment(vec![fault("wedged", 30, false), fault("slow", 20, true)]);
    let mut bench = Bench::new(vec![book()]);
    bench.step(at(0), start("mishaps"));
    bench.step(at(1), done(1, 0, Part::Do, true));
    bench.step(at(2), done(1, 1, Part::Do, true));
    bench.step(at(22), Input::Tick);
    bench.step(at(23), done(1, 1, Part::Undo, true));
    let recorded = entries(&bench.all);
    for end in 2..=recorded.len() {
        // Also when the file no longer has the experiment.
        for playbooks in [vec![book()], Vec::new()] {
            let mut engine = Engine::new(playbooks).unwrap();
            engine.replay(&recorded[..end]);
            let open: Vec<String> =
                engine.run(RunId(1)).unwrap().open_faults().map(|step| format!("undo {}/off", step.name)).collect();
            let begun = recorded[..end].iter().filter(|e| matches!(e.what, Happening::StepStarted { .. })).count();
            let over = recorded[..end].iter().filter(|e| matches!(e.what, Happening::UndoEnded { .. })).count();
            assert_eq!(open.len(), begun - over, "crash after {end} records");
            let mut undone = acts(&engine.resume(at(60)));
            for _ in 0..2 {
                for (step, state) in engine.run(RunId(1)).unwrap().steps.clone().iter().enumerate() {
                    if state.phase == Phase::Undoing {
                        undone.extend(acts(&engine.step(at(61), done(1, step, Part::Undo, true))));
                    }
                }
            }
            undone.sort();
            let mut open = open;
            open.sort();
            assert_eq!(undone, open, "crash after {end} of {} records", recorded.len());
            assert!(engine.run(RunId(1)).unwrap().ended.is_some(), "crash after {end} records");
        }
    }
}

#[test]
fn after_a_crash_nothing_that_ended_runs_again_and_the_rest_keeps_its_key() {
    let mut book = remedy();
    book.steps.insert(0, Step::new("shed", call("shed")));
    let mut bench = Bench::new(vec![book.clone()]);
    bench.step(at(0), start("recycle-payment"));
    bench.step(at(1), done(1, 0, Part::Do, true));
    let key = |actions: &[Action]| {
        let last = actions.iter().rev().find_map(|action| match action {
            Action::Run { key, .. } => Some(key.clone()),
            _ => None,
        });
        last.unwrap()
    };
    let before = key(&bench.all);
    let mut after = bench.crash(vec![book]);
    assert_eq!(after.resume(at(100)), ["recycle"], "only what was at the driver");
    assert_eq!(key(&after.all), before);
    after.step(at(101), done(1, 1, Part::Do, true));
    after.step(at(102), holds(1, 1));
    assert_eq!(after.ending(1), Some(Ending::Succeeded));
    assert_eq!(after.step(at(900), start("recycle-payment")), ["shed"]);
    assert!(after.engine.run(RunId(2)).is_some(), "run numbers go on");
}

#[test]
fn replaying_the_records_gives_the_same_state() {
    let mut bench = Bench::new(vec![remedy(), experiment(vec![fault("down", 5, true)])]);
    bench.step(at(0), start("recycle-payment"));
    bench.step(at(1), start("mishaps"));
    bench.step(at(2), done(2, 0, Part::Do, true));
    bench.step(at(3), done(1, 0, Part::Do, true));
    bench.step(at(40), Input::Tick);
    let again = bench.crash(bench.engine.playbooks().to_vec());
    assert_eq!(again.engine.runs().collect::<Vec<_>>(), bench.engine.runs().collect::<Vec<_>>());
}

#[test]
fn an_undo_that_fails_is_tried_again_and_then_a_person_is_asked() {
    let mut bench = Bench::new(vec![experiment(vec![fault("down", 1, true)])]);
    bench.step(at(0), start("mishaps"));
    bench.step(at(1), done(1, 0, Part::Do, true));
    let mut tries = 0;
    for second in 2..200 {
        tries += bench.step(at(second), Input::Tick).len();
        bench.step(at(second), done(1, 0, Part::Undo, false));
    }
    assert_eq!(tries, 5);
    assert_eq!(bench.ending(1), Some(Ending::UndoFailed));
    assert_eq!(count(&bench.all, |what| matches!(what, Happening::Escalated { .. })), 1);
}

#[test]
fn every_action_is_recorded_before_it_is_asked_for() {
    let mut bench = Bench::new(vec![remedy()]);
    bench.step(at(0), start("recycle-payment"));
    bench.step(at(1), done(1, 0, Part::Do, true));
    bench.step(at(31), Input::Tick);
    for (index, action) in bench.all.iter().enumerate() {
        let announced = |what: &Happening| match action {
            Action::Run { .. } => matches!(what, Happening::StepStarted { .. }),
            Action::Undo { .. } => matches!(what, Happening::UndoStarted { .. }),
            Action::Record(_) | Action::Check { .. } => true,
        };
        assert!(index == 0 || count(&bench.all[..index], announced) > 0, "{action:?} came unannounced");
    }
    assert_eq!(acts(&bench.all), ["recycle", "undo unrecycle"]);
}

#[test]
fn ended_runs_are_kept_within_bounds() {
    let mut bench = Bench::new(vec![experiment(vec![Step::new("nap", StepAction::Wait(Duration::ZERO))])]);
    for second in 0..200 {
        bench.step(at(second), start("mishaps"));
    }
    assert!(bench.engine.runs().count() <= 51, "{} runs", bench.engine.runs().count());
    assert_eq!(bench.engine.active().count(), 0);
}
