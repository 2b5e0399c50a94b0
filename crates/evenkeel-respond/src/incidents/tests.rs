//! Incidents on virtual time.

use std::time::Duration;

use evenkeel_model::Timestamp;

use super::Incidents;
use crate::guard::Rule;
use crate::input::{Action, Input, Part};
use crate::playbook::Playbook;
use crate::testing::{acts, alert, at, count, done, entries, holds, remedy};
use crate::{Happening, Incident, IncidentId};

struct Bench {
    incidents: Incidents,
    all: Vec<Action>,
}

impl Bench {
    fn new(playbooks: Vec<Playbook>) -> Bench {
        Bench { incidents: Incidents::new(playbooks).unwrap(), all: Vec::new() }
    }

    fn step(&mut self, now: Timestamp, input: Input) -> Vec<String> {
        let actions = self.incidents.step(now, input);
        self.all.extend(actions.iter().cloned());
        acts(&actions)
    }

    fn incident(&self, id: u64) -> &Incident {
        self.incidents.incident(IncidentId(id)).unwrap()
    }
}

#[test]
fn an_alert_opens_an_incident_whose_playbook_repairs_it_and_it_resolves_with_its_times() {
    let mut bench = Bench::new(vec![remedy()]);
    assert_eq!(bench.step(at(4), alert("payment", "demo", true)), ["recycle"]);
    bench.step(at(5), done(1, 0, Part::Do, true));
    bench.step(at(8), holds(1, 0));
    assert!(bench.incident(1).is_open(), "its alert still fires");
    bench.step(at(9), alert("payment", "demo", false));
    let incident = bench.incident(1);
    assert_eq!(incident.time_to_detect(), Duration::from_secs(4));
    assert_eq!(incident.time_to_recover(), Some(Duration::from_secs(9)));
    let told: Vec<&str> = incident.timeline.iter().map(|line| line.text.as_str()).collect();
    let expected =
        ["opened", "fires", "guard lets", "begins", "POST", "step 1 done", "check of step 1 done", "succeeded"];
    let mut rest = told.as_slice();
    for words in expected {
        let place = rest.iter().position(|line| line.contains(words));
        rest = &rest[place.unwrap_or_else(|| panic!("no `{words}` in its place in {told:?}")) + 1..];
    }
    assert!(told.last().is_some_and(|line| line.contains("detected after 4.0s, recovered after 9.0s")), "{told:?}");
}

#[test]
fn alerts_of_one_objective_join_one_incident_until_all_have_cleared() {
    let mut bench = Bench::new(Vec::new());
    bench.step(at(1), alert("payment", "page-quick", true));
    bench.step(at(2), alert("payment", "page-slow", true));
    bench.step(at(2), alert("payment", "page-slow", true));
    bench.step(at(3), alert("shipping", "page-quick", true));
    assert_eq!(bench.incidents.open().count(), 2);
    assert_eq!(count(&bench.all, |what| matches!(what, Happening::AlertJoined { .. })), 3);
    bench.step(at(4), alert("payment", "page-quick", false));
    assert!(bench.incident(1).is_open());
    bench.step(at(5), alert("payment", "page-slow", false));
    assert!(!bench.incident(1).is_open());
    bench.step(at(6), alert("payment", "page-quick", true));
    assert!(bench.incident(3).is_open(), "what fires after the end is another incident");
}

#[test]
fn an_incident_does_not_resolve_while_its_remedy_is_unverified() {
    let mut bench = Bench::new(vec![remedy()]);
    bench.step(at(1), alert("payment", "demo", true));
    bench.step(at(2), done(1, 0, Part::Do, true));
    bench.step(at(3), alert("payment", "demo", false));
    assert!(bench.incident(1).is_open());
    bench.step(at(4), holds(1, 0));
    assert!(!bench.incident(1).is_open());
}

#[test]
fn a_remedy_that_fails_is_undone_and_not_tried_again_in_the_same_incident() {
    let mut bench = Bench::new(vec![remedy()]);
    bench.step(at(1), alert("payment", "demo", true));
    bench.step(at(2), done(1, 0, Part::Do, true));
    assert_eq!(bench.step(at(32), Input::Tick), ["undo unrecycle"]);
    bench.step(at(33), done(1, 0, Part::Undo, true));
    assert!(bench.incident(1).escalated);
    for second in 34..2_000 {
        assert!(bench.step(at(second), Input::Tick).is_empty());
    }
    assert!(bench.incident(1).is_open(), "nobody repaired it");
    bench.step(at(2_000), alert("payment", "demo", false));
    assert!(!bench.incident(1).is_open(), "somebody did");
}

/// What a remedy cannot repair at first (a cause that came after it, a dependency that starts slowly)
/// it may repair later.
#[test]
fn a_remedy_with_tries_left_runs_again_after_its_cool_down_and_then_a_person_is_left_alone_with_it() {
    let mut book = remedy();
    (book.guard.tries, book.guard.cool_down) = (3, Duration::from_secs(10));
    (book.guard.runs_max, book.guard.flap_max) = (100, 100);
    let mut bench = Bench::new(vec![book]);
    bench.step(at(1), alert("payment", "demo", true));
    let mut begun = vec![1];
    for second in 2..2_000 {
        let acts = bench.step(at(second), Input::Tick);
        let run = begun.len() as u64;
        if acts == ["recycle"] {
            begun.push(second);
        } else if acts == ["undo unrecycle"] {
            bench.step(at(second), done(run, 0, Part::Undo, true));
        } else {
            bench.step(at(second), done(run, 0, Part::Do, true));
        }
    }
    assert_eq!(begun.len(), 3, "{begun:?}");
    assert!(begun.windows(2).all(|pair| pair[1] - pair[0] >= 40), "its check's 30 s and the cool-down: {begun:?}");
    let asked = |what: &Happening| matches!(what, Happening::Escalated { .. });
    assert_eq!(count(&bench.all, asked), 3, "each failure asks for a person");
    assert!(bench.incident(1).is_open());
}

#[test]
fn a_refusal_is_recorded_once_and_the_remedy_runs_when_the_cool_down_is_over() {
    let mut bench = Bench::new(vec![remedy()]);
    bench.step(at(0), alert("payment", "demo", true));
    bench.step(at(1), done(1, 0, Part::Do, true));
    bench.step(at(2), holds(1, 0));
    bench.step(at(3), alert("payment", "demo", false));
    bench.step(at(10), alert("payment", "demo", true));
    let ran: Vec<(u64, Vec<String>)> = (11..700)
        .map(|second| (second, bench.step(at(second), Input::Tick)))
        .filter(|(_, acts)| !acts.is_empty())
        .take(1)
        .collect();
    assert_eq!(ran, [(602, vec!["recycle".to_owned()])]);
    let cooling = |what: &Happening| matches!(what, Happening::Guarded { refused: Some(Rule::CoolDown), .. });
    let in_second: Vec<_> = entries(&bench.all).into_iter().filter(|e| e.incident == Some(IncidentId(2))).collect();
    assert_eq!(in_second.iter().filter(|entry| cooling(&entry.what)).count(), 1);
}

#[test]
fn replaying_the_records_gives_the_same_incidents_at_every_cut() {
    let mut bench = Bench::new(vec![remedy()]);
    bench.step(at(1), alert("payment", "demo", true));
    bench.step(at(1), Input::Acknowledge { incident: IncidentId(1), by: "eve".to_owned() });
    bench.step(at(1), Input::Note { incident: IncidentId(1), by: "eve".to_owned(), text: "looking".to_owned() });
    bench.step(at(2), done(1, 0, Part::Do, true));
    bench.step(at(3), holds(1, 0));
    bench.step(at(4), alert("payment", "demo", false));
    let mut again = Incidents::new(vec![remedy()]).unwrap();
    again.replay(&entries(&bench.all));
    assert_eq!(again.incidents().collect::<Vec<_>>(), bench.incidents.incidents().collect::<Vec<_>>());
    assert_eq!(again.incident(IncidentId(1)).unwrap().acknowledged, Some((at(1), "eve".to_owned())));
    // A crash in the middle goes on where it was.
    let cut = entries(&bench.all).iter().position(|e| matches!(e.what, Happening::StepEnded { .. })).unwrap();
    let mut middle = Incidents::new(vec![remedy()]).unwrap();
    middle.replay(&entries(&bench.all)[..cut]);
    assert_eq!(acts(&middle.resume(at(50))), ["recycle"]);
    middle.step(at(51), done(1, 0, Part::Do, true));
    middle.step(at(52), holds(1, 0));
    middle.step(at(53), alert("payment", "demo", false));
    assert!(!middle.incident(IncidentId(1)).unwrap().is_open());
}

#[test]
fn without_a_playbook_an_incident_stays_open_while_its_alert_fires() {
    let mut bench = Bench::new(Vec::new());
    bench.step(at(1), alert("payment", "demo", true));
    for second in 2..5_000 {
        assert!(bench.step(at(second), Input::Tick).is_empty());
    }
    assert!(bench.incident(1).is_open());
    assert_eq!(bench.incident(1).timeline.len(), 2);
}
