use evenkeel_model::Timestamp;

use super::super::samples::{NOW, empty, healthy, on_fire};
use super::super::status::{Flow, Gate, Happening, HappeningKind, Proof, Status};
use super::{Level, sentence};

fn said(status: &Status) -> (Level, String) {
    let sentence = sentence(status);
    (sentence.level, sentence.text.replace('\u{a0}', " "))
}

fn with(change: impl FnOnce(&mut Status)) -> (Level, String) {
    let mut status = healthy();
    change(&mut status);
    said(&status)
}

#[test]
fn calm_is_said_calmly() {
    assert_eq!(said(&healthy()), (Level::Calm, "All promises are kept.".to_owned()));
    assert_eq!(with(|s| s.proof = None).1, "Everything flows. The first proof is still to come.");
    assert_eq!(said(&empty()), (Level::Empty, "The node is ready, and nothing has been published yet.".to_owned()));
}

#[test]
fn what_gives_way_and_where_events_go_instead_is_said() {
    let (level, text) = with(|s| s.flows[1].shed_below = 4);
    assert_eq!(level, Level::Held);
    assert_eq!(text, "`payment` puts off events with a priority below 4: its handler cannot keep up. Nothing is lost.");
    let (_, text) = with(|s| {
        s.flows[1].gate = Gate::Probing { dependency: "bank".to_owned(), since: NOW };
        (s.flows[1].falls_back, s.flows[1].in_flight) = (true, 3);
    });
    assert!(text.starts_with("`payment` hands its events to the fallback: `bank` is down"), "{text}");
}

#[test]
fn an_outage_names_who_is_held_back_by_what_since_when_and_what_comes_next() {
    let gate = Gate::Holding {
        dependency: "bank".to_owned(),
        since: NOW,
        next_probe: Some(NOW + std::time::Duration::from_secs(12)),
    };
    let (level, text) = with(|s| {
        s.flows[1].gate = gate;
        s.flows[1].parked_keys = 214;
    });
    assert_eq!(level, Level::Held);
    assert_eq!(
        text,
        "`payment` holds back 214 keys: `bank` is down since 08:30 UTC; next probe in 12 s. Nothing is lost."
    );
    let (_, text) = with(|s| {
        s.flows[0].gate = Gate::Probing { dependency: "handler".to_owned(), since: NOW };
        s.flows[0].in_flight = 0;
    });
    assert_eq!(
        text,
        "`inventory` holds its events back: its handler is down since 08:30 UTC; it is being probed now. Nothing is lost."
    );
}

#[test]
fn a_broken_promise_goes_before_everything_else() {
    let mut status = on_fire();
    status.proof = Some(Proof { lost: 3, twice: 1, out_of_order: 0, ..Proof::default() });
    let (level, text) = said(&status);
    assert_eq!(level, Level::Broken);
    assert!(text.starts_with("A promise is broken: 3 events are lost, one event was completed twice."), "{text}");
    assert!(text.ends_with("more things need attention, below."), "{text}");
    let (_, text) = with(|s| {
        s.proof = Some(Proof { problems: vec!["ledger 7 follows 5".to_owned()], ..Proof::default() });
    });
    assert_eq!(text, "A promise is broken: the books do not add up: ledger 7 follows 5.");
}

#[test]
fn a_log_that_stopped_is_the_first_thing_to_know() {
    let (level, text) = with(|s| {
        s.log.stopped = Some("a flush failed (EIO)".to_owned());
        s.proof = Some(Proof { lost: 1, ..Proof::default() });
    });
    assert_eq!(level, Level::Broken);
    assert!(text.starts_with("The log has stopped: a flush failed (EIO)."), "{text}");
}

#[test]
fn objectives_speak_when_they_burn_and_when_they_are_missed() {
    let (level, text) = with(|s| {
        s.objectives[0].firing = Some("page-quick".to_owned());
        s.objectives[0].burn = Some(14.4);
        s.objectives[0].exhausted_in = Some(std::time::Duration::from_secs(8_040));
    });
    assert_eq!(level, Level::Held);
    assert_eq!(
        text,
        "The objective `payment-latency` burns its budget 14.4× too fast; it is gone in 2 h 14 min. Its alert `page-quick` fires."
    );
    let (level, text) = with(|s| s.objectives[1].budget_left = Some(-0.4));
    let (_, still) = with(|s| {
        (s.objectives[1].budget_left, s.objectives[1].burn) = (Some(-0.4), Some(383.07));
        s.objectives[1].firing = Some("page-quick".to_owned());
    });
    let missed = "The objective `shipping-success` is missed: 99.97 % were good over 30 d";
    assert_eq!(still, format!("{missed}, and it still burns 383× too fast."));
    assert_eq!(
        (level, text.as_str()),
        (Level::Held, "The objective `shipping-success` is missed: 99.97 % were good over 30 d.")
    );
}

#[test]
fn what_waits_for_a_person_says_so_with_the_command() {
    let mut status = healthy();
    status.flows[1].gate = Gate::Paused { why: "by hand".to_owned() };
    let paused = sentence(&status);
    assert_eq!(paused.text, "`payment` is paused: by hand. Its events wait, and none is lost.");
    assert_eq!(paused.command, ["subscriptions", "resume", "payment"]);
    let mut status = healthy();
    status.flows[2] = Flow { lanes: on_fire().flows[1].lanes.clone(), ..status.flows[2].clone() };
    let parked = sentence(&status);
    assert_eq!(parked.text, "`shipping` keeps a key parked until somebody decides.");
    assert_eq!(parked.command, ["parked", "list", "shipping"]);
}

#[test]
fn an_incident_speaks_only_when_nothing_else_explains_it() {
    let incident = || Happening {
        at: Timestamp::from_micros(NOW.micros()),
        ongoing: true,
        kind: HappeningKind::Incident,
        text: "something is odd.".to_owned(),
        ..Happening::default()
    };
    let (level, text) = with(|s| s.happenings.push(incident()));
    assert_eq!((level, text.as_str()), (Level::Held, "An incident is open since 08:30 UTC: something is odd."));
    let (_, text) = with(|s| {
        s.happenings.push(incident());
        s.flows[1].gate = Gate::Paused { why: "by hand".to_owned() };
    });
    assert_eq!(text, "`payment` is paused: by hand. Its events wait, and none is lost.");
}
