//! Why: what holds an event up, what waits behind it, and what comes next.

use bytes::Bytes;
use evenkeel_model::{Position, Shard, Verdict};

use super::world::*;
use crate::{Command, PendingWhy, WhyAsked, WhyState};

fn at(offset: u64) -> WhyAsked {
    WhyAsked::At(Position { shard: Shard::new(TOPIC, 0), offset })
}

fn key(key: &'static str) -> WhyAsked {
    WhyAsked::Key(Bytes::from_static(key.as_bytes()))
}

#[test]
fn a_parked_key_says_what_holds_it_up_and_what_waits_behind_it() {
    let mut world = World::new(
        policy(),
        Box::new(|a| (ms(5), if a.id == "bad" { retry_after(500, secs(60)) } else { Verdict::Ack })),
    );
    world.publish(0, "k", "bad");
    world.publish(0, "other", "fine");
    world.publish(0, "k", "next");
    world.publish(0, "k", "last");
    world.run(secs(1));
    let why = world.sub.why(world.now, &key("k"));
    let first = why.first.expect("it is held up");
    assert_eq!((first.at.offset, first.state), (0, WhyState::Waiting(PendingWhy::Retry)));
    assert_eq!((first.counters.deliveries, first.attempts_max), (1, 3));
    assert!(first.next_at.is_some_and(|at| at.since(world.now) > secs(50)));
    assert_eq!(first.failure.map(|f| f.status), Some(Some(500)));
    assert_eq!((why.behind, why.next.iter().map(|p| p.offset).collect::<Vec<_>>()), (2, vec![2, 3]));
    let last = world.sub.why(world.now, &at(3));
    assert_eq!((last.ahead, last.event.map(|e| e.state)), (2, Some(WhyState::Queued)));
    let over = world.sub.why(world.now, &at(1));
    assert!(over.first.is_none() && !over.unread, "it is done");
    assert!(world.sub.why(world.now, &at(99)).unread, "it was not read yet");
}

#[test]
fn gates_are_told_with_it() {
    let mut world = World::new(policy(), always(unreachable()));
    for n in 0..20 {
        world.publish(0, &format!("k{n}"), &format!("e{n}"));
    }
    world.run(secs(1));
    world.command(Command::Pause { reason: "lunch".into() });
    let why = world.sub.why(world.now, &key("k19"));
    assert_eq!((why.paused.as_deref(), why.breakers.len()), (Some("lunch"), 1));
    assert!(why.first.is_some());
}
