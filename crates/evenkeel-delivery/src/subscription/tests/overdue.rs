//! Overdue: told once per threshold, on time, over restarts too.

use evenkeel_model::Verdict;

use super::world::*;
use crate::Policy;

fn thresholds() -> Policy {
    Policy { overdue_after: vec![secs(10), secs(1)], ..policy() }
}

#[test]
fn an_event_is_overdue_once_per_threshold_when_its_age_passes_it() {
    let mut world =
        World::new(thresholds(), Box::new(|a| (if a.id == "slow" { secs(30) } else { ms(1) }, Verdict::Ack)));
    world.publish(0, "s", "slow");
    world.publish(0, "q", "quick");
    world.run(secs(20));
    let told: Vec<(u64, u128)> =
        world.overdue().iter().map(|o| (o.threshold_us, o.at.since(start()).as_millis())).collect();
    assert_eq!(told, [(1_000_000, 1000), (10_000_000, 10_000)]);
    assert!(world.run_to_end(secs(60)));
    assert!(world.outcome("slow").is_some_and(|e| e.overdue));
    assert!(world.outcome("quick").is_some_and(|e| !e.overdue));
    assert_eq!(world.overdue().len(), 2);
}

#[test]
fn a_restart_tells_no_overdue_event_again() {
    let mut world = World::new(thresholds(), Box::new(|_| (secs(100), Verdict::Ack)));
    world.publish(0, "s", "slow");
    world.run(secs(5));
    world.crash();
    world.run(secs(20));
    world.crash();
    world.run(secs(20));
    let told: Vec<u64> = world.overdue().iter().map(|o| o.threshold_us).collect();
    assert_eq!(told, [1_000_000, 10_000_000]);
    world.handle = always(Verdict::Ack);
    world.crash();
    assert!(world.run_to_end(secs(10)));
    assert!(world.outcome("slow").is_some_and(|e| e.overdue), "it is remembered that it was told");
}

#[test]
fn parked_and_queued_events_become_overdue_as_well() {
    let mut world = World::new(thresholds(), always(retry_after(500, secs(50))));
    world.publish(0, "k", "parked");
    world.publish(0, "k", "behind");
    world.run(secs(2));
    assert_eq!(world.overdue().len(), 2);
}

#[test]
fn what_arrives_late_is_overdue_at_once() {
    let mut world = World::new(thresholds(), Box::new(|_| (secs(1), Verdict::Ack)));
    world.policy.window = 1;
    world.crash();
    world.traffic(5, ms(0), 5);
    assert!(world.run_to_end(secs(60)));
    let late = world.ended().iter().filter(|(_, e)| e.overdue).count();
    assert_eq!(late, world.overdue().len());
    assert!(late >= 4, "read one after the other, a second each: {late}");
}
