use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use super::{GroupBy, Matches, Muted, Notice, Routes, Routing, Silence};
use crate::alert::{Alert, AlertEvent};
use crate::rule::Severity;
use crate::testing::{HOUR, START};

const MINUTE: Duration = Duration::from_secs(60);

fn alert(objective: &str, name: &str, severity: Severity) -> Alert {
    Alert {
        objective: Arc::from(objective),
        service: Arc::from("shop"),
        subscription: Arc::from("payment"),
        name: Arc::from(name),
        severity,
        trigger: Arc::from("burn"),
        budget_share: 0.02,
        long: HOUR,
        short: 5 * MINUTE,
        factor: 14.4,
        burn_long: 20.0,
        burn_short: 30.0,
        bad: 10,
        valid: 100,
        started_at: START,
        first_bad_at: START,
        resolved_at: None,
        targets: Vec::new(),
        tells_end: true,
    }
}

fn fires(routing: &mut Routing, now: Timestamp, alert: &Alert) {
    routing.hear(now, &AlertEvent::Firing(alert.clone()));
}

fn ends(routing: &mut Routing, now: Timestamp, alert: &Alert) {
    routing.hear(now, &AlertEvent::Resolved(Alert { resolved_at: Some(now), ..alert.clone() }));
}

/// What fires, what is over, and whether it was said before.
fn said(notices: &[Notice]) -> Vec<(Vec<&str>, Vec<&str>, bool)> {
    let names = |alerts: &'_ [Alert]| alerts.iter().map(|a| a.name.to_string().leak() as &str).collect();
    notices.iter().map(|n| (names(&n.firing), names(&n.resolved), n.again)).collect()
}

fn silence(from: Timestamp, until: Timestamp, matches: Matches) -> Silence {
    Silence { id: Arc::from("s"), matches, from, until, by: Arc::from("ann"), reason: Arc::from("release") }
}

#[test]
fn an_alert_is_told_once_again_while_it_fires_and_when_it_is_over() {
    let mut routing = Routing::new(Routes::default());
    let page = alert("a", "page", Severity::Page);
    fires(&mut routing, START, &page);
    assert_eq!(said(&routing.step(START)), [(vec!["page"], vec![], false)]);
    assert!(routing.step(START + HOUR).is_empty());
    assert_eq!(said(&routing.step(START + 4 * HOUR)), [(vec!["page"], vec![], true)]);
    assert!(routing.step(START + 7 * HOUR).is_empty());
    ends(&mut routing, START + 7 * HOUR, &page);
    assert_eq!(said(&routing.step(START + 7 * HOUR)), [(vec![], vec!["page"], false)]);
    assert!(routing.step(START + 20 * HOUR).is_empty());
}

#[test]
fn alerts_of_one_group_are_one_word_and_a_later_one_waits_for_the_next() {
    let routes = Routes { group_by: vec![GroupBy::Service], wait: MINUTE, ..Routes::default() };
    let mut routing = Routing::new(routes);
    let (a, b, c) = (alert("a", "x", Severity::Page), alert("b", "y", Severity::Page), alert("c", "z", Severity::Page));
    fires(&mut routing, START, &a);
    assert!(routing.step(START).is_empty(), "others may come");
    fires(&mut routing, START + MINUTE / 2, &b);
    assert_eq!(said(&routing.step(START + MINUTE)), [(vec!["x", "y"], vec![], false)]);
    fires(&mut routing, START + 2 * MINUTE, &c);
    assert!(routing.step(START + 2 * MINUTE).is_empty());
    assert_eq!(said(&routing.step(START + 6 * MINUTE)), [(vec!["x", "y", "z"], vec![], false)]);
    ends(&mut routing, START + 7 * MINUTE, &a);
    assert!(routing.step(START + 7 * MINUTE).is_empty(), "two still fire");
    assert_eq!(said(&routing.step(START + 11 * MINUTE)), [(vec!["y", "z"], vec!["x"], false)]);
    ends(&mut routing, START + 12 * MINUTE, &b);
    ends(&mut routing, START + 12 * MINUTE, &c);
    assert_eq!(said(&routing.step(START + 12 * MINUTE)), [(vec![], vec!["y", "z"], false)], "all over is said at once");
}

#[test]
fn objectives_are_groups_of_their_own_unless_told_otherwise() {
    let mut routing = Routing::new(Routes::default());
    fires(&mut routing, START, &alert("a", "x", Severity::Page));
    fires(&mut routing, START, &alert("b", "y", Severity::Page));
    let notices = routing.step(START);
    let groups: Vec<&str> = notices.iter().map(|n| &*n.group[0]).collect();
    assert_eq!(groups, ["a", "b"]);
}

#[test]
fn a_page_keeps_the_tickets_of_its_objective_quiet_until_it_is_over() {
    let mut routing = Routing::new(Routes::default());
    let (page, ticket) = (alert("a", "page", Severity::Page), alert("a", "ticket", Severity::Ticket));
    let other = alert("b", "ticket", Severity::Ticket);
    for alert in [&page, &ticket, &other] {
        fires(&mut routing, START, alert);
    }
    assert_eq!(routing.muted(START, &ticket), Some(Muted::Inhibited(Arc::from("page"))));
    assert_eq!(said(&routing.step(START)), [(vec!["page"], vec![], false), (vec!["ticket"], vec![], false)]);
    ends(&mut routing, START + HOUR, &page);
    assert_eq!(said(&routing.step(START + HOUR)), [(vec!["ticket"], vec!["page"], false)]);
    let mut loud = Routing::new(Routes { inhibits: false, ..Routes::default() });
    fires(&mut loud, START, &page);
    fires(&mut loud, START, &ticket);
    assert_eq!(said(&loud.step(START)), [(vec!["page", "ticket"], vec![], false)], "gravest first");
}

#[test]
fn a_silenced_alert_is_told_when_the_silence_ends_and_it_still_fires() {
    let mut routing = Routing::new(Routes::default());
    let page = alert("a", "page", Severity::Page);
    routing.silence(silence(START, START + HOUR, Matches { objective: Some(Arc::from("a")), ..Matches::default() }));
    fires(&mut routing, START, &page);
    assert_eq!(routing.muted(START, &page), Some(Muted::Silenced(Arc::from("s"))));
    assert!(routing.step(START + HOUR / 2).is_empty());
    assert_eq!(said(&routing.step(START + HOUR)), [(vec!["page"], vec![], false)]);
    assert!(routing.silences().is_empty(), "it is over");
}

#[test]
fn of_an_alert_that_nobody_heard_of_nobody_hears_that_it_is_over() {
    let mut routing = Routing::new(Routes::default());
    let page = alert("a", "page", Severity::Page);
    routing.silence(silence(START, START + 9 * HOUR, Matches::default()));
    fires(&mut routing, START, &page);
    routing.step(START);
    ends(&mut routing, START + HOUR, &page);
    assert!(routing.step(START + HOUR).is_empty());
    // One that was heard of is over aloud, silence or not.
    assert!(routing.unsilence("s") && !routing.unsilence("s"));
    fires(&mut routing, START + HOUR, &page);
    assert_eq!(routing.step(START + HOUR).len(), 1);
    routing.silence(silence(START, START + 9 * HOUR, Matches::default()));
    ends(&mut routing, START + 2 * HOUR, &page);
    assert_eq!(said(&routing.step(START + 2 * HOUR)), [(vec![], vec!["page"], false)]);
}

#[test]
fn a_silence_is_about_what_it_names_and_nothing_else() {
    let (named, none) = (|text: &str| Some(Arc::from(text)), Matches::default);
    let page = alert("a", "page", Severity::Page);
    for (matches, holds) in [
        (none(), true),
        (Matches { service: named("shop"), ..none() }, true),
        (Matches { service: named("bank"), ..none() }, false),
        (Matches { subscription: named("payment"), alert: named("page"), ..none() }, true),
        (Matches { subscription: named("payment"), alert: named("ticket"), ..none() }, false),
        (Matches { severity: Some(Severity::Ticket), ..none() }, false),
    ] {
        let mut routing = Routing::new(Routes::default());
        routing.silence(silence(START, START + HOUR, matches.clone()));
        assert_eq!(routing.muted(START, &page).is_some(), holds, "{matches:?}");
        assert_eq!(routing.muted(START - MINUTE, &page), None, "before it begins");
    }
}

#[test]
fn who_is_told_only_of_the_beginning_hears_of_no_end() {
    let mut routing = Routing::new(Routes::default());
    let page = Alert { tells_end: false, ..alert("a", "page", Severity::Page) };
    fires(&mut routing, START, &page);
    assert_eq!(routing.step(START).len(), 1);
    ends(&mut routing, START + HOUR, &page);
    assert!(routing.step(START + HOUR).is_empty());
}

/// The routing as it is after a restart: what was said is recalled, then what fires is heard.
fn restarted(said: &[(Timestamp, Notice)], now: Timestamp, heard: &[AlertEvent]) -> Routing {
    let mut routing = Routing::new(Routes::default());
    said.iter().for_each(|(at, notice)| routing.recall(*at, notice));
    heard.iter().for_each(|event| routing.hear(now, event));
    routing
}

#[test]
fn after_a_restart_nothing_is_said_twice_and_nothing_is_forgotten() {
    let mut routing = Routing::new(Routes::default());
    let page = alert("a", "page", Severity::Page);
    fires(&mut routing, START, &page);
    let said_before: Vec<(Timestamp, Notice)> = routing.step(START).into_iter().map(|n| (START, n)).collect();
    let firing = [AlertEvent::Firing(page.clone())];

    let mut routing = restarted(&said_before, START + HOUR, &firing);
    assert!(routing.knows(&page) && routing.step(START + HOUR).is_empty(), "it was told before");
    assert_eq!(said(&routing.step(START + 4 * HOUR)), [(vec!["page"], vec![], true)], "from the last word on");

    let over = AlertEvent::Resolved(Alert { resolved_at: Some(START + HOUR), ..page.clone() });
    let mut routing = restarted(&said_before, START + 2 * HOUR, &[over]);
    assert_eq!(said(&routing.step(START + 2 * HOUR)), [(vec![], vec!["page"], false)]);

    let later = Alert { started_at: START + HOUR, ..page };
    let mut routing = restarted(&said_before, START + HOUR, &[AlertEvent::Firing(later)]);
    assert_eq!(said(&routing.step(START + HOUR)), [(vec!["page"], vec![], false)], "another one of the same name");
}

#[test]
fn an_alert_whose_objective_is_gone_is_told_as_over() {
    let mut routing = Routing::new(Routes::default());
    let (gone, stays) = (alert("a", "page", Severity::Page), alert("b", "page", Severity::Page));
    fires(&mut routing, START, &gone);
    fires(&mut routing, START, &stays);
    assert_eq!(routing.step(START).len(), 2);
    routing.only(START + HOUR, std::slice::from_ref(&stays));
    assert_eq!(said(&routing.step(START + HOUR)), [(vec![], vec!["page"], false)]);
    assert!(!routing.knows(&gone) && routing.knows(&stays));
}
