use std::time::Duration;

use super::*;

fn breaker() -> Breaker {
    Breaker::new(Arc::from("bank"), BreakerPolicy::default())
}

fn failed(b: &mut Breaker, now: Timestamp, admitted: u64, event: u64) -> bool {
    b.failed(now, admitted, event) == Turn::Opens
}

fn succeeded(b: &mut Breaker, now: Timestamp, admitted: u64) -> bool {
    b.succeeded(now, admitted, None) == Turn::Closed
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
}

#[test]
fn it_opens_by_ratio_from_the_minimum_of_calls_on() {
    let mut b = breaker();
    for i in 0..9 {
        assert!(!failed(&mut b, at(i), 0, i.unsigned_abs()));
        assert!(!succeeded(&mut b, at(i), 0));
    }
    assert!(!succeeded(&mut b, at(9), 0));
    assert!(failed(&mut b, at(10), 0, 77), "10 of 20 failed");
}

#[test]
fn below_the_ratio_it_stays_closed_and_old_calls_leave_the_window() {
    let mut b = breaker();
    for i in 0..300_u64 {
        assert!(!failed(&mut b, at(1), 0, i), "a third fails");
        assert!(!succeeded(&mut b, at(1), 0));
        assert!(!succeeded(&mut b, at(1), 0));
    }
    for i in 0..9 {
        assert!(!failed(&mut b, at(100), 0, i), "what was a window ago does not count, and nine are no twenty");
    }
}

#[test]
fn what_failed_a_window_ago_counts_no_more_though_nothing_came_since() {
    let mut b = breaker();
    for i in 0..9 {
        assert!(!failed(&mut b, at(1), 0, i) && !succeeded(&mut b, at(1), 0));
    }
    // In another slice of the window, so that none of the old ones is written over.
    assert!(!failed(&mut b, at(77), 0, 20) && !succeeded(&mut b, at(77), 0) && !failed(&mut b, at(77), 0, 21));
    assert_eq!(b.calls(at(77)), (3, 2, 0));
}

#[test]
fn it_opens_after_ten_failures_in_a_row_however_far_apart() {
    let mut b = breaker();
    (0..9).for_each(|i| assert!(!failed(&mut b, at(i * 3600), 0, i.unsigned_abs() % 2)));
    assert!(failed(&mut b, at(9 * 3600), 0, 0));
    let mut b = breaker();
    (0..9).for_each(|i| assert!(!failed(&mut b, at(i), 0, i.unsigned_abs())));
    assert!(!succeeded(&mut b, at(9), 0));
    assert!(!failed(&mut b, at(10), 0, 1), "a success ends the row");
}

#[test]
fn the_open_time_is_jittered_so_that_nodes_do_not_probe_in_step() {
    let until = |seed| {
        let mut b = breaker();
        b.open(at(0), 1, &mut Random::new(seed));
        b.view().next_probe
    };
    let all: std::collections::BTreeSet<_> = (0..20).map(until).collect();
    assert!(all.len() > 15, "{all:?}");
    assert!(all.iter().all(|at_| *at_ >= Some(at(30)) && *at_ <= Some(at(36))));
}

#[test]
fn one_event_alone_opens_nothing_however_often_it_fails() {
    let mut b = breaker();
    (0..1000).for_each(|i| assert!(!failed(&mut b, at(i / 100), 0, 42)));
    assert!(failed(&mut b, at(10), 0, 43), "a second one does");
}

#[test]
fn results_of_an_earlier_epoch_decide_nothing() {
    let mut b = breaker();
    b.open(at(0), 5, &mut Random::new(1));
    assert!(b.view().next_probe >= Some(at(30)) && b.view().next_probe <= Some(at(36)), "jitter only extends");
    b.admit(6);
    assert_eq!(b.view().state, BreakerState::HalfOpen);
    b.returned(4);
    assert!(!failed(&mut b, at(40), 4, 1) && !succeeded(&mut b, at(40), 4));
    assert_eq!(b.state(), State::HalfOpen { allowed: 1, succeeded: 0, flying: 1 });
    assert!(failed(&mut b, at(40), 6, 2), "its own probe does");
}

#[test]
fn half_open_widens_by_doubling_and_closes() {
    let mut b = breaker();
    b.open(at(0), 1, &mut Random::new(1));
    b.admit(2);
    let mut widths = Vec::new();
    for i in 0..7 {
        let closed = succeeded(&mut b, at(40), 2);
        assert_eq!(closed, i == 6, "after 1 + 2 + 4 successes");
        if let State::HalfOpen { allowed, .. } = b.state() {
            widths.push(allowed);
        }
    }
    assert_eq!(widths, [2, 2, 4, 4, 4, 4]);
    assert!(b.mark().open_until.is_none());
}

#[test]
fn its_mark_brings_it_back_as_it_was() {
    let mut b = breaker();
    b.open(at(0), 1, &mut Random::new(1));
    let mut again = breaker();
    again.restore(&b.mark());
    assert_eq!((again.state(), again.mark()), (b.state(), b.mark()));
    let long_open = Duration::from_secs(30);
    assert!(again.mark().open_until >= Some(at(0) + long_open));
}

#[test]
fn each_failed_probe_doubles_the_open_time_up_to_its_bound_and_closing_begins_anew() {
    let mut b = breaker();
    let mut random = Random::new(1);
    let mut seconds = Vec::new();
    for i in 0..5 {
        b.open(at(0), i, &mut random);
        let until = b.view().next_probe.expect("it is open");
        seconds.push(until.since(at(0)).as_secs_f64());
    }
    let bounds = [30.0, 60.0, 120.0, 120.0, 120.0];
    assert!(seconds.iter().zip(bounds).all(|(s, b)| (b..=b * 1.2).contains(s)), "{seconds:?}");
    b.close(at(1));
    b.open(at(1), 9, &mut random);
    assert!(b.view().next_probe <= Some(at(37)), "30 s again, and a fifth");
}

#[test]
fn slow_calls_open_it_though_they_succeed() {
    let policy = BreakerPolicy { slow_call: Some(Duration::from_secs(2)), slow_ratio: 0.5, ..BreakerPolicy::default() };
    let mut b = Breaker::new(Arc::from("bank"), policy);
    assert!(b.is_slow(Duration::from_secs(2)) && !b.is_slow(Duration::from_millis(1999)));
    for i in 0..9 {
        assert_eq!(b.succeeded(at(1), 0, Some(i)), Turn::Stays);
        assert_eq!(b.succeeded(at(1), 0, None), Turn::Stays);
    }
    assert_eq!(b.succeeded(at(1), 0, None), Turn::Stays, "9 of 19");
    assert_eq!(b.succeeded(at(1), 0, Some(9)), Turn::Opens, "10 of 20");
    b.open(at(1), 1, &mut Random::new(1));
    b.admit(1);
    assert_eq!(b.succeeded(at(40), 1, Some(1)), Turn::Opens, "a slow probe proves nothing good");
}

#[test]
fn an_operators_word_stands_until_it_is_taken_back() {
    let mut b = breaker();
    b.force(at(0), 1, &Force::Closed { reason: "the bank's status page lies".into() });
    for i in 0..100 {
        assert!(!failed(&mut b, at(1), 1, i), "forced closed, nothing opens it");
    }
    b.force(at(2), 2, &Force::Open { reason: "maintenance".into() });
    assert_eq!((b.view().state, b.view().next_probe), (BreakerState::Open, None), "and nothing probes");
    let mut again = breaker();
    again.restore(&b.mark());
    assert!(again.is_forced() && again.mark() == b.mark(), "a restart finds it as it was");
    again.force(at(3), 3, &Force::Automatic);
    assert_eq!(again.view().next_probe, Some(at(3)), "it probes at once");
}
