use std::time::Duration;

use super::*;

fn breaker() -> Breaker {
    Breaker::new(Arc::from("bank"), BreakerPolicy::default())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
}

#[test]
fn it_opens_by_ratio_from_the_minimum_of_calls_on() {
    let mut b = breaker();
    for i in 0..9 {
        assert!(!b.failed(at(i), 0, i.unsigned_abs()));
        assert!(!b.succeeded(at(i), 0));
    }
    assert!(!b.succeeded(at(9), 0));
    assert!(b.failed(at(10), 0, 77), "10 of 20 failed");
}

#[test]
fn below_the_ratio_it_stays_closed_and_old_calls_leave_the_window() {
    let mut b = breaker();
    for i in 0..300_u64 {
        assert!(!b.failed(at(1), 0, i), "a third fails");
        assert!(!b.succeeded(at(1), 0));
        assert!(!b.succeeded(at(1), 0));
    }
    for i in 0..9 {
        assert!(!b.failed(at(100), 0, i), "what was a window ago does not count, and nine are no twenty");
    }
}

#[test]
fn it_opens_after_ten_failures_in_a_row_however_far_apart() {
    let mut b = breaker();
    (0..9).for_each(|i| assert!(!b.failed(at(i * 3600), 0, i.unsigned_abs() % 2)));
    assert!(b.failed(at(9 * 3600), 0, 0));
    let mut b = breaker();
    (0..9).for_each(|i| assert!(!b.failed(at(i), 0, i.unsigned_abs())));
    assert!(!b.succeeded(at(9), 0));
    assert!(!b.failed(at(10), 0, 1), "a success ends the row");
}

#[test]
fn one_event_alone_opens_nothing_however_often_it_fails() {
    let mut b = breaker();
    (0..1000).for_each(|i| assert!(!b.failed(at(i / 100), 0, 42)));
    assert!(b.failed(at(10), 0, 43), "a second one does");
}

#[test]
fn results_of_an_earlier_epoch_decide_nothing() {
    let mut b = breaker();
    b.open(at(0), 5, &mut Random::new(1));
    assert!(b.view().next_probe >= Some(at(30)) && b.view().next_probe <= Some(at(36)), "jitter only extends");
    b.admit(6);
    assert_eq!(b.view().state, BreakerState::HalfOpen);
    b.returned(4);
    assert!(!b.failed(at(40), 4, 1) && !b.succeeded(at(40), 4));
    assert_eq!(b.state(), State::HalfOpen { allowed: 1, succeeded: 0, flying: 1 });
    assert!(b.failed(at(40), 6, 2), "its own probe does");
}

#[test]
fn half_open_widens_by_doubling_and_closes() {
    let mut b = breaker();
    b.open(at(0), 1, &mut Random::new(1));
    b.admit(2);
    let mut widths = Vec::new();
    for i in 0..7 {
        let closed = b.succeeded(at(40), 2);
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
