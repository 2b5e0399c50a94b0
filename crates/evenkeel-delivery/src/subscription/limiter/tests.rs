use super::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Rounds of a handler that serves `room` at a time, each in `service`, and queues the rest.
fn rounds(limiter: &mut Limiter, count: u32, room: u32, service: Duration) {
    for _ in 0..count {
        let at_once = limiter.limit();
        for _ in 0..at_once {
            let took = service.mul_f64((f64::from(at_once) / f64::from(room)).max(1.0));
            limiter.succeeded(took, at_once as usize);
        }
    }
}

#[test]
fn the_limit_falls_fast_when_shed_rises_slowly_after_that_and_stays_within_its_bounds() {
    let mut limiter = Limiter::new(Concurrency { min: 2, max: 64, ..Concurrency::default() });
    let mut random = Random::new(1);
    rounds(&mut limiter, 10, 1000, ms(10));
    assert_eq!(limiter.limit(), 64);
    limiter.overloaded(Timestamp::EPOCH, &mut random);
    assert_eq!(limiter.limit(), 44);
    assert_eq!(limiter.hold_until(), Timestamp::EPOCH, "it still has room to fall");
    (0..50).for_each(|_| limiter.overloaded(Timestamp::EPOCH, &mut random));
    assert_eq!(limiter.limit(), 2);
    assert!(limiter.hold_until() > Timestamp::EPOCH, "at the minimum it holds");
    limiter.succeeded(ms(10), 2);
    assert_eq!(limiter.limit(), 2);
    rounds(&mut limiter, 80, 1000, ms(10));
    assert_eq!(limiter.limit(), 64, "one more each round");
}

#[test]
fn it_finds_the_room_of_a_handler_that_queues_and_stays_near_it() {
    for room in [4, 20, 100] {
        let mut limiter = Limiter::new(Concurrency { min: 1, max: 1000, ..Concurrency::default() });
        rounds(&mut limiter, 2000, room, ms(10));
        for _ in 0..200 {
            rounds(&mut limiter, 5, room, ms(10));
            let limit = limiter.limit();
            // Below its room only while the base is measured.
            assert!((room / 2..=room * 3).contains(&limit), "{limit} for a room of {room}");
        }
    }
}

#[test]
fn a_handler_that_became_slower_for_its_own_reasons_gets_its_places_back() {
    let mut limiter = Limiter::new(Concurrency { min: 1, max: 64, ..Concurrency::default() });
    rounds(&mut limiter, 20, 1000, ms(10));
    assert_eq!(limiter.limit(), 64);
    rounds(&mut limiter, 7, 1000, ms(50));
    assert!(limiter.limit() < 40, "five times as slow looks like too much at first: {}", limiter.limit());
    rounds(&mut limiter, 60, 1000, ms(50));
    assert_eq!(limiter.limit(), 64, "the base was measured anew");
}

#[test]
fn quick_answers_are_never_too_slow_and_few_calls_say_nothing() {
    let mut limiter = Limiter::new(Concurrency { min: 1, max: 64, ..Concurrency::default() });
    rounds(&mut limiter, 10, 1000, Duration::from_micros(20));
    rounds(&mut limiter, 100, 1000, Duration::from_micros(1900));
    assert_eq!(limiter.limit(), 64, "a busy machine is not a busy handler");
    let mut idle = Limiter::new(Concurrency { min: 1, max: 1000, ..Concurrency::default() });
    (0..10_000).for_each(|_| idle.succeeded(ms(1), 1));
    assert_eq!(idle.limit(), 16, "one at a time proves nothing of a hundred");
}
