//! Dependencies that several subscriptions share: one state, one probe at a time, over all.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use evenkeel_model::{Outcome, Timestamp, Verdict};

use super::world::*;
use crate::*;

/// The shared dependency, and a letter box for each member.
pub(super) struct Shared {
    pub(super) bank: Dependency,
    boxes: BTreeMap<Member, VecDeque<DependencyNews>>,
}

impl Shared {
    fn of(policy: BreakerPolicy) -> Bank {
        let bank = Dependency::new(Arc::from("bank"), policy, 5);
        Rc::new(RefCell::new(Shared { bank, boxes: BTreeMap::new() }))
    }

    pub(super) fn join(&mut self, now: Timestamp, member: Member, mark: &BreakerMark) {
        let mut out = Vec::new();
        self.bank.leave(now, member, &mut out);
        self.bank.join(member, Some(mark), &mut out);
        self.boxes.insert(member, VecDeque::new());
        self.post(out);
    }

    pub(super) fn report(&mut self, now: Timestamp, member: Member, name: &str, report: DependencyReport) {
        assert_eq!(name, "bank");
        let mut out = Vec::new();
        self.bank.report(now, member, report, &mut out);
        self.post(out);
    }

    fn force(&mut self, now: Timestamp, force: &Force) {
        let mut out = Vec::new();
        self.bank.force(now, force, &mut out);
        self.post(out);
    }

    fn post(&mut self, out: Vec<(Member, DependencyNews)>) {
        for (member, news) in out {
            self.boxes.entry(member).or_default().push_back(news);
        }
    }

    pub(super) fn news(&mut self, member: Member) -> Option<DependencyNews> {
        self.boxes.get_mut(&member)?.pop_front()
    }
}

fn breaker() -> BreakerPolicy {
    BreakerPolicy { window: secs(10), open: secs(5), open_max: Some(secs(5)), ..BreakerPolicy::default() }
}

fn depending() -> Policy {
    Policy { depends_on: vec![(Arc::from("bank"), breaker())], ..policy() }
}

/// So many subscriptions of one bank.
fn several(count: u64, mut handle: impl FnMut(u64) -> Handle) -> (Bank, Vec<World>) {
    let bank = Shared::of(breaker());
    let worlds = (0..count).map(|n| {
        let mut world = World::new(depending(), handle(n));
        world.join(&bank, n);
        world
    });
    let worlds = worlds.collect();
    (bank, worlds)
}

fn run(worlds: &mut [World], time: std::time::Duration) {
    let until = worlds[0].now + time;
    while worlds[0].now < until {
        for world in worlds.iter_mut() {
            world.hear();
            world.run(ms(1));
        }
    }
}

fn blaming() -> Verdict {
    Verdict::Retry { after: None, message: "the bank is down".into(), dependency: Some("bank".into()) }
}

fn states(worlds: &[World]) -> Vec<BreakerState> {
    worlds.iter().map(|w| w.sub.view(w.now).breakers[1].state).collect()
}

fn down_until(seconds: u64) -> impl FnMut(u64) -> Handle {
    move |_| Box::new(move |a| (ms(5), if a.since_start < secs(seconds) { blaming() } else { Verdict::Ack }))
}

#[test]
fn what_one_subscription_finds_out_shuts_the_gate_of_all_and_probes_are_one_at_a_time_over_all() {
    let (_, mut worlds) = several(3, down_until(60));
    worlds[0].traffic(40, ms(0), 40);
    run(&mut worlds, secs(1));
    assert_eq!(states(&worlds), [BreakerState::Open; 3], "the others never called");
    assert!(worlds[1..].iter().all(|w| w.asked.is_empty()));
    worlds[1].traffic(40, ms(0), 40);
    worlds[2].traffic(40, ms(0), 40);
    let before: usize = worlds.iter().map(|w| w.asked.len()).sum();
    run(&mut worlds, secs(40));
    let probes: usize = worlds.iter().map(|w| w.asked.len()).sum::<usize>() - before;
    assert!((5..=8).contains(&probes), "{probes} probes in 40 s at one per 5 to 6 s");
    assert!(worlds.iter().all(|w| !w.asked.is_empty()), "each has its turn");
    run(&mut worlds, secs(40));
    assert_eq!(states(&worlds), [BreakerState::Closed; 3]);
    run(&mut worlds, secs(60));
    assert!(worlds.iter().all(|w| w.count(Outcome::Completed) == 40));
    assert!(worlds.iter().all(|w| w.ended().iter().all(|(_, e)| e.attempts == 1)), "no attempt was spent");
}

#[test]
fn a_shared_breaker_counts_only_failures_that_name_it() {
    let (_, mut worlds) = several(2, |_| always(status(500)));
    worlds[0].traffic(40, ms(0), 40);
    run(&mut worlds, secs(2));
    assert_eq!(states(&worlds), [BreakerState::Closed; 2], "an unnamed 500 says nothing of the bank");
    assert_eq!(worlds[0].breaker(), BreakerState::Open, "it says something of the handler");
    assert_eq!(worlds[1].breaker(), BreakerState::Closed);
    let (_, mut alone) = several(1, |_| always(status(500)));
    alone[0].traffic(40, ms(0), 40);
    run(&mut alone, secs(2));
    assert_eq!(states(&alone), [BreakerState::Open], "nobody shares it: then it is the bank's, as ever");
}

#[test]
fn a_probe_widens_over_all_and_what_was_given_to_one_that_died_is_given_to_another() {
    let (bank, mut worlds) = several(2, down_until(3));
    worlds.iter_mut().for_each(|w| w.traffic(30, ms(0), 30));
    run(&mut worlds, secs(2));
    assert_eq!(states(&worlds), [BreakerState::Open; 2]);
    worlds.iter_mut().for_each(|w| w.handle = Box::new(|_| (secs(3), Verdict::Ack)));
    let flying = |worlds: &[World]| worlds.iter().map(|w| w.sub.view(w.now).in_flight).sum::<usize>();
    while flying(&worlds) == 0 {
        run(&mut worlds, ms(10));
    }
    run(&mut worlds, secs(1));
    assert_eq!(flying(&worlds), 1);
    let holder = usize::from(worlds[1].sub.view(worlds[1].now).in_flight == 1);
    worlds[holder].crash();
    run(&mut worlds, ms(10));
    assert_eq!(flying(&worlds), 1, "another probes in its place");
    run(&mut worlds, secs(3));
    assert_eq!(flying(&worlds), 2);
    run(&mut worlds, secs(3));
    assert_eq!(flying(&worlds), 4);
    run(&mut worlds, secs(20));
    assert_eq!(bank.borrow().bank.view(worlds[0].now).0.state, BreakerState::Closed);
    assert!(worlds.iter().all(|w| w.count(Outcome::Completed) == 30));
}

#[test]
fn a_restart_of_the_whole_node_finds_a_shared_breaker_open() {
    let (_, mut worlds) = several(2, down_until(1000));
    worlds.iter_mut().for_each(|w| w.traffic(30, ms(0), 30));
    run(&mut worlds, secs(2));
    let fresh = Shared::of(breaker());
    for world in &mut worlds {
        world.shared = Some(fresh.clone());
        world.crash();
    }
    let before: Vec<usize> = worlds.iter().map(|w| w.asked.len()).collect();
    run(&mut worlds, secs(2));
    assert_eq!(states(&worlds), [BreakerState::Open; 2]);
    assert_eq!(worlds.iter().map(|w| w.asked.len()).collect::<Vec<_>>(), before, "nobody calls");
}

#[test]
fn what_an_operator_forces_holds_for_all_outlives_a_restart_and_is_taken_back() {
    let (bank, mut worlds) = several(2, |_| always(Verdict::Ack));
    bank.borrow_mut().force(worlds[0].now, &Force::Open { reason: "maintenance".into() });
    worlds.iter_mut().for_each(|w| w.traffic(10, ms(0), 10));
    run(&mut worlds, secs(100));
    assert!(worlds.iter().all(|w| w.asked.is_empty()), "nothing passes, nothing probes");
    let fresh = Shared::of(breaker());
    for world in &mut worlds {
        world.shared = Some(fresh.clone());
        world.crash();
    }
    run(&mut worlds, secs(100));
    assert!(worlds.iter().all(|w| w.asked.is_empty()));
    fresh.borrow_mut().force(worlds[0].now, &Force::Automatic);
    run(&mut worlds, secs(5));
    assert!(worlds.iter().all(|w| w.count(Outcome::Completed) == 10));
}

#[test]
fn one_subscription_that_pauses_or_has_nothing_left_does_not_keep_the_leave_to_probe() {
    let (_, mut worlds) = several(2, down_until(3));
    worlds.iter_mut().for_each(|w| w.traffic(20, ms(0), 20));
    run(&mut worlds, secs(2));
    worlds[0].command(Command::Pause { reason: "lunch".into() });
    run(&mut worlds, secs(30));
    assert_eq!(worlds[1].count(Outcome::Completed), 20);
    assert_eq!(states(&worlds), [BreakerState::Closed; 2]);
}

#[test]
fn few_events_close_a_breaker_that_has_worked_when_nobody_new_is_left_to_prove_it() {
    let (_, mut worlds) = several(2, down_until(10));
    for world in &mut worlds {
        world.traffic(6, ms(0), 6);
    }
    run(&mut worlds, secs(120));
    assert_eq!(states(&worlds), [BreakerState::Closed; 2]);
    assert!(worlds.iter().all(|w| w.count(Outcome::Completed) == 6));
}
