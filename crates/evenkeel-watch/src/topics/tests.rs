use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Outcome;

use super::{Topic, WAITING_MAX};
use crate::testing::START;

fn topic(subscribers: &[&str]) -> Topic {
    let mut topic = Topic::default();
    topic.set_subscribers(subscribers.iter().map(|name| Arc::from(*name)).collect());
    topic
}

#[test]
fn an_event_is_delivered_when_all_subscriptions_ended_it_and_none_failed() {
    let mut topic = topic(&["a", "b", "c"]);
    let [a, b, c] = ["a", "b", "c"].map(Arc::from);
    let cases = [
        (Outcome::Completed, Outcome::Completed, Outcome::Completed),
        (Outcome::Completed, Outcome::Filtered, Outcome::Duplicate),
        (Outcome::Completed, Outcome::Dead, Outcome::Completed),
        (Outcome::Expired, Outcome::Filtered, Outcome::Filtered),
        (Outcome::Filtered, Outcome::Filtered, Outcome::Stale),
    ];
    for (offset, (of_a, of_b, _)) in cases.iter().enumerate() {
        topic.ended(&a, 0, offset as u64, *of_a);
        topic.ended(&b, 0, offset as u64, *of_b);
    }
    assert_eq!((topic.delivered, topic.failed, topic.waiting()), (0, 0, 5), "c has not ended any");
    for (offset, (_, _, of_c)) in cases.iter().enumerate() {
        topic.ended(&c, 0, offset as u64, *of_c);
    }
    assert_eq!((topic.delivered, topic.failed, topic.waiting()), (2, 2, 0));
    topic.ended(&Arc::from("of another topic"), 0, 9, Outcome::Dead);
    assert_eq!((topic.failed, topic.waiting()), (2, 0));
}

#[test]
fn with_one_subscription_nothing_waits() {
    let mut topic = topic(&["a"]);
    topic.ended(&Arc::from("a"), 0, 0, Outcome::Completed);
    topic.ended(&Arc::from("a"), 0, 1, Outcome::Dead);
    assert_eq!((topic.delivered, topic.failed, topic.waiting()), (1, 1, 0));
}

#[test]
fn a_subscription_that_lies_far_behind_costs_bounded_memory_and_is_counted() {
    let mut topic = topic(&["a", "b"]);
    let a = Arc::from("a");
    let events = 3 * WAITING_MAX as u64;
    (0..events).for_each(|offset| topic.ended(&a, 0, offset, Outcome::Completed));
    assert!(topic.waiting() <= WAITING_MAX);
    assert_eq!(topic.unjoined + topic.waiting() as u64, events);
    topic.ended(&Arc::from("b"), 0, events - 1, Outcome::Completed);
    assert_eq!(topic.delivered, 1, "the newest are kept");
}

#[test]
fn arrivals_are_counted_from_where_the_partition_was_first_seen() {
    let mut topic = topic(&[]);
    topic.set_end(0, 1_000, START);
    topic.set_end(1, 50, START);
    assert_eq!(topic.arrived_per_second(START, Duration::from_secs(60)), 0.0, "what was there has not arrived now");
    for second in 1..=60_u32 {
        topic.set_end(0, 1_000 + 10 * u64::from(second), START + Duration::from_secs(1) * second);
    }
    let now = START + Duration::from_secs(60);
    let rate = topic.arrived_per_second(now, Duration::from_secs(60));
    assert!((9.0..=10.0).contains(&rate), "{rate}");
    assert_eq!(topic.end(0), Some((1_600, now)));
    let later = now + Duration::from_secs(120);
    topic.set_end(0, 1_600, later);
    assert_eq!(topic.arrived_per_second(later, Duration::from_secs(60)), 0.0);
    assert_eq!(topic.end(0), Some((1_600, now)), "the newest came then");
}
