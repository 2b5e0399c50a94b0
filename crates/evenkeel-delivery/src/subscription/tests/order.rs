//! Order: which events wait for which.

use evenkeel_model::{Outcome, Verdict};

use super::world::*;
use crate::{Order, Policy, Screen};

#[test]
fn a_key_waits_for_itself_and_for_nobody_else() {
    let mut world = World::new(policy(), Box::new(|a| (if a.key == "slow" { secs(9) } else { ms(1) }, Verdict::Ack)));
    world.publish(0, "slow", "s1");
    world.publish(0, "slow", "s2");
    world.publish(0, "quick", "q1");
    world.run(secs(1));
    assert_eq!(world.outcome("q1").map(|e| e.outcome), Some(Outcome::Completed));
    assert_eq!((world.tries("s1"), world.tries("s2")), (1, 0));
    world.run(secs(9));
    assert_eq!(world.tries("s2"), 1);
}

#[test]
fn the_next_of_a_key_is_handed_out_only_when_the_outcome_before_it_is_durable() {
    let mut world = World::new(policy(), always(Verdict::Ack));
    world.commit_takes = secs(3);
    world.run(secs(4));
    world.publish(0, "k", "a");
    world.publish(0, "k", "b");
    world.run(secs(2));
    assert_eq!((world.tries("a"), world.tries("b")), (1, 0), "a is done, but not durable");
    world.run(secs(2));
    assert_eq!(world.tries("b"), 1);
}

#[test]
fn events_without_a_key_wait_for_nobody_and_none_orders_nothing() {
    for (order, key) in [(Order::Key, None), (Order::None, Some("k"))] {
        let mut world = World::new(Policy { order, ..policy() }, always(Verdict::Ack));
        for id in ["a", "b", "c"] {
            world.plan(ms(0), 0, key, id, Screen::Wanted);
        }
        world.run(ms(1));
        assert_eq!(world.asked.len(), 3, "{order:?}: all at once");
    }
}

#[test]
fn in_partition_order_the_whole_partition_is_one_lane() {
    let mut world = World::new(Policy { order: Order::Partition, ..policy() }, always(Verdict::Ack));
    for (partition, key, id) in [(0, "a", "1"), (0, "b", "2"), (1, "c", "3")] {
        world.plan(ms(0), partition, Some(key), id, Screen::Wanted);
    }
    world.run(ms(1));
    let ids: Vec<&str> = world.asked.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(ids, ["1", "3"]);
}

#[test]
fn what_is_not_for_the_handler_ends_at_once_and_holds_up_nothing() {
    let mut world = World::new(policy(), Box::new(|_| (secs(60), Verdict::Ack)));
    world.publish(0, "k", "a");
    world.plan(ms(1), 0, Some("k"), "f", Screen::Filtered);
    world.plan(ms(2), 0, None, "n", Screen::NotAnEvent("no `ce_id`".into()));
    world.run(secs(1));
    assert_eq!(world.outcome("f").map(|e| (e.outcome, e.deliveries)), Some((Outcome::Filtered, 0)));
    let not = world.outcome("n").expect("it ended");
    assert_eq!(not.outcome, Outcome::NotAnEvent);
    assert_eq!(not.failure.map(|f| f.message), Some("no `ce_id`".into()));
    assert_eq!(world.asked.len(), 1);
    assert_eq!(world.sub.floors()[0].1, 0, "the event before them is still owed");
}

#[test]
fn what_retention_took_expires_whether_it_was_read_or_waited() {
    let mut world = World::new(
        policy(),
        Box::new(|asked| {
            let verdict = if asked.id == "a" { status(500) } else { Verdict::Ack };
            (ms(5), verdict)
        }),
    );
    world.publish(0, "k", "a");
    world.run(ms(10));
    world.gone.push("a".to_owned());
    world.plan(ms(1), 0, Some("k"), "b", Screen::Wanted);
    world.plan(ms(2), 0, None, "c", Screen::Expired("it was taken away".into()));
    assert!(world.run_to_end(secs(60)));
    for id in ["a", "c"] {
        let ended = world.outcome(id).expect("it ended");
        assert_eq!(ended.outcome, Outcome::Expired, "{id}");
        let failure = ended.failure.expect("a reason");
        assert_eq!((failure.reason.as_str(), failure.message.as_str()), ("expired", "it was taken away"));
    }
    assert_eq!(world.outcome("a").map(|e| (e.attempts, e.deliveries, e.deferrals)), Some((0, 2, 2)));
    assert_eq!(world.outcome("b").map(|e| e.outcome), Some(Outcome::Completed), "its lane goes on");
    assert_eq!(world.sub.floors()[0].1, 3);
}

#[test]
fn an_event_past_its_expirytime_is_not_handed_out_and_may_come_again() {
    let mut p = policy();
    p.concurrency.max = 1;
    let mut world = World::new(p, Box::new(|_| (secs(3), Verdict::Ack)));
    world.expires_after = Some(secs(2));
    for id in ["a", "b", "c"] {
        world.publish(0, id, id);
    }
    world.run(secs(4));
    let outcome = |world: &World, id: &str| world.outcome(id).map(|e| (e.outcome, e.deliveries));
    assert_eq!(outcome(&world, "a"), Some((Outcome::Completed, 1)), "at the handler it is in time");
    assert_eq!(outcome(&world, "b"), Some((Outcome::Expired, 0)));
    assert_eq!(outcome(&world, "c"), Some((Outcome::Expired, 0)));
    world.publish(0, "b", "b");
    assert!(world.run_to_end(secs(10)));
    assert_eq!(world.asked.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["a", "b"], "sent again in time");
}

#[test]
fn no_more_than_the_limit_are_at_the_handler_oldest_first() {
    let mut p = policy();
    p.concurrency.max = 3;
    let mut world = World::new(p, Box::new(|_| (secs(1), Verdict::Ack)));
    for i in 0..7 {
        world.plan(ms(0), i % 4, Some(&format!("k{i}")), &format!("{i}"), Screen::Wanted);
    }
    world.run(ms(500));
    assert_eq!(world.sub.view(world.now).in_flight, 3);
    world.run(secs(5));
    let ids: Vec<String> = world.asked.iter().map(|a| a.id.clone()).collect();
    assert_eq!(ids, ["0", "1", "2", "3", "4", "5", "6"]);
}

#[test]
fn reading_stops_at_the_window_and_goes_on_when_events_end() {
    let mut world = World::new(Policy { window: 10, ..policy() }, Box::new(|_| (secs(1), Verdict::Ack)));
    world.traffic(50, ms(0), 50);
    world.run(ms(100));
    assert_eq!(world.sub.credit(), 0);
    assert_eq!(world.sub.view(world.now).in_flight, 10);
    assert!(world.run_to_end(secs(30)));
    assert_eq!(world.count(Outcome::Completed), 50);
}
