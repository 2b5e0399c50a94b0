//! Who may write, what is taken in which order, and who waits for room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use crate::handover::{Handover, Load, Refused, Turn};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parcel {
    lane: u64,
    number: u32,
    bytes: usize,
}

impl Load for Parcel {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn lane(&self) -> u64 {
        self.lane
    }
}

fn parcel(lane: u64, number: u32, bytes: usize) -> Parcel {
    Parcel { lane, number, bytes }
}

fn taken(handover: &Handover<Parcel>, bytes: usize) -> Vec<Parcel> {
    let mut jobs = VecDeque::new();
    handover.take(bytes, &mut jobs);
    jobs.into()
}

fn offer(handover: &Handover<Parcel>, parcel: Parcel) -> bool {
    handover.offer(parcel).is_ok()
}

fn sit(handover: &Handover<Parcel>, parcel: Parcel, seat: &mut Option<u64>) -> bool {
    handover.offer_or_sit(parcel, seat, Waker::noop()).is_ok()
}

#[test]
fn a_small_writer_is_in_the_very_next_group_beside_a_bulk_loader() {
    let handover = Handover::new(64 << 20);
    for number in 0..32 {
        assert!(offer(&handover, parcel(1, number, 1 << 20)));
    }
    for group in 0..10 {
        assert!(offer(&handover, parcel(2, group, 1000)));
        let jobs = taken(&handover, 2 << 20);
        assert!(jobs.iter().any(|j| j.lane == 2), "group {group} went to the bulk loader alone");
        assert!(jobs.iter().any(|j| j.lane == 1), "group {group} left the bulk loader out");
    }
}

#[test]
fn jobs_of_one_lane_are_taken_in_order_whatever_else_waits() {
    let handover = Handover::new(64 << 20);
    let mut random = 7_u64;
    let mut last = [None; 5];
    for number in 0..2000_u32 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (lane, bytes) = (random >> 33, (random >> 40) as usize % 90_000);
        offer(&handover, parcel(lane % 5, number, bytes));
        if number % 3 == 0 {
            for job in taken(&handover, 200_000) {
                assert!(
                    last[job.lane as usize].is_none_or(|last| last < job.number),
                    "lane {} is out of order",
                    job.lane
                );
                last[job.lane as usize] = Some(job.number);
            }
        }
    }
}

#[test]
fn large_sets_leave_room_for_small_ones() {
    let handover = Handover::new(1 << 20);
    let mut loaded = 0;
    while offer(&handover, parcel(1, loaded, 128 << 10)) {
        loaded += 1;
    }
    assert_eq!(loaded, 6, "three quarters of the room");
    assert!(offer(&handover, parcel(2, 0, 1000)), "the rest is for small ones");
}

#[test]
fn seats_are_served_in_order_and_nobody_overtakes() {
    let handover = Handover::new(1000);
    let (mut first, mut second) = (None, None);
    assert!(offer(&handover, parcel(1, 0, 1000)));
    assert!(!sit(&handover, parcel(1, 1, 10), &mut first));
    assert!(!sit(&handover, parcel(1, 2, 10), &mut second));
    taken(&handover, 1000);
    assert!(!offer(&handover, parcel(1, 3, 10)), "a newcomer overtook");
    assert!(!sit(&handover, parcel(1, 2, 10), &mut second), "the second overtook the first");
    assert!(sit(&handover, parcel(1, 1, 10), &mut first));
    assert!(sit(&handover, parcel(1, 2, 10), &mut second));
    assert!(offer(&handover, parcel(1, 3, 10)));
}

#[test]
fn a_seat_that_is_left_lets_the_next_one_in() {
    let handover = Handover::new(1000);
    let (mut first, mut second) = (None, None);
    assert!(offer(&handover, parcel(1, 0, 1000)));
    assert!(!sit(&handover, parcel(1, 1, 10), &mut first));
    assert!(!sit(&handover, parcel(1, 2, 10), &mut second));
    taken(&handover, 1000);
    handover.leave(first.expect("it sat"));
    assert!(sit(&handover, parcel(1, 2, 10), &mut second));
}

#[derive(Default)]
struct Rung(AtomicU32);

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sits down; says who sits where, and how to see that he was woken.
fn seated(handover: &Handover<Parcel>, parcel: Parcel) -> (u64, Arc<Rung>) {
    let (mut seat, rung) = (None, Arc::new(Rung::default()));
    assert!(handover.offer_or_sit(parcel, &mut seat, &Waker::from(rung.clone())).is_err(), "there was room");
    (seat.expect("a seat"), rung)
}

fn rung(rung: &Rung) -> u32 {
    rung.0.load(Ordering::Relaxed)
}

#[test]
fn whoever_sits_is_woken_when_he_fits_in_and_not_before_those_who_sat_down_earlier() {
    let handover = Handover::new(6400);
    for number in 0..64 {
        assert!(offer(&handover, parcel(1, number, 100)));
    }
    let (_, large) = seated(&handover, parcel(2, 0, 3000));
    let (_, next) = seated(&handover, parcel(3, 0, 200));
    assert_eq!(taken(&handover, 2000).len(), 20);
    assert_eq!((rung(&large), rung(&next)), (0, 0), "the second would fit in, and waits behind the first");
    taken(&handover, 4400);
    assert_eq!((rung(&large), rung(&next)), (1, 1));
}

#[test]
fn a_seat_that_is_left_wakes_the_next_one() {
    let handover = Handover::new(1000);
    assert!(offer(&handover, parcel(1, 0, 990)));
    let (first, _) = seated(&handover, parcel(1, 1, 15));
    let (_, second) = seated(&handover, parcel(1, 2, 10));
    handover.leave(first);
    assert_eq!(rung(&second), 1, "there is room for it, and nobody said so");
}

#[test]
fn a_small_set_does_not_overtake_a_large_one_of_its_lane_that_sits() {
    let handover = Handover::new(6400);
    assert!(offer(&handover, parcel(1, 0, 4800)));
    seated(&handover, parcel(1, 1, 1000));
    assert!(!offer(&handover, parcel(1, 2, 50)), "it overtook the one before it in its lane");
    assert!(offer(&handover, parcel(2, 0, 50)), "another lane has nothing to do with it");
}

#[test]
fn turns_are_limited_by_depth_and_given_only_for_work() {
    let handover = Handover::new(1000);
    assert!(!handover.try_turn(), "a turn without work");
    assert!(offer(&handover, parcel(1, 0, 10)));
    assert!(handover.try_turn());
    assert!(!handover.try_turn(), "two turns at depth 1");
    handover.set_depth(2);
    assert!(handover.try_turn());
    assert!(!handover.try_turn(), "three turns at depth 2");
    handover.end_turns(2);
    assert_eq!(taken(&handover, 100).len(), 1);
    assert!(!handover.try_turn());
}

#[test]
fn a_closed_handover_refuses_newcomers_and_keeps_what_waits_to_be_written() {
    let handover = Handover::new(1000);
    assert!(offer(&handover, parcel(1, 0, 10)));
    assert!(handover.close("closed", false).is_empty());
    assert!(matches!(handover.offer(parcel(1, 1, 10)), Err(Refused::Closed(..))));
    assert_eq!(handover.next_turn(None), Turn::Taken);
    assert_eq!(taken(&handover, 100).len(), 1);
    handover.end_turns(1);
    assert_eq!(handover.next_turn(None), Turn::Closed);
}

fn join(handover: &Handover<Parcel>, bytes: usize, parcel: Parcel) -> Option<Vec<u32>> {
    let mut jobs = VecDeque::new();
    handover.join(bytes, parcel, &mut jobs).ok().map(|()| jobs.iter().map(|job| job.number).collect())
}

#[test]
fn a_job_joins_only_what_somebody_is_bound_to_write_and_behind_all_that_wait() {
    let handover = Handover::new(1000);
    assert_eq!(join(&handover, 100, parcel(1, 0, 10)), None, "a turn is free: it may write itself");
    assert!(offer(&handover, parcel(1, 1, 10)));
    assert!(handover.try_turn());
    assert_eq!(taken(&handover, 100).len(), 1);
    assert!(offer(&handover, parcel(2, 2, 10)));
    assert_eq!(join(&handover, 15, parcel(1, 3, 10)), None, "what waits before it does not fit beside it");
    assert_eq!(join(&handover, 100, parcel(1, 4, 10)), Some(vec![2, 4]));
    assert_eq!(handover.waiting(), 2, "what joined waits for the next turn");
    handover.end_turns(1);
    assert!(handover.try_turn(), "the next turn is there for what joined");
    handover.close("closed", false);
    assert_eq!(join(&handover, 100, parcel(1, 5, 10)), None, "it is closed");
}

#[test]
fn nobody_joins_past_those_who_sit() {
    let handover = Handover::new(100);
    assert!(offer(&handover, parcel(1, 0, 100)));
    assert!(handover.try_turn());
    assert!(!sit(&handover, parcel(1, 1, 10), &mut None));
    assert_eq!(taken(&handover, 1000).len(), 1);
    assert_eq!(join(&handover, 1000, parcel(1, 2, 10)), None, "a newcomer overtook one who waits for room");
}

#[test]
fn what_does_not_join_after_all_waits_in_its_place_and_is_counted_once() {
    let handover = Handover::new(1000);
    assert!(offer(&handover, parcel(1, 0, 10)));
    assert!(handover.try_turn());
    taken(&handover, 100);
    assert!(offer(&handover, parcel(1, 1, 10)));
    let mut jobs = VecDeque::new();
    assert!(handover.join(100, parcel(1, 2, 10), &mut jobs).is_ok());
    assert!(offer(&handover, parcel(1, 3, 10)));
    handover.unjoin(2, jobs);
    assert_eq!((handover.waiting(), handover.waiting_bytes()), (3, 30));
    let numbers: Vec<u32> = taken(&handover, 100).iter().map(|job| job.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    handover.end_turns(1);
    assert!(!handover.try_turn(), "a turn for nothing");
}
