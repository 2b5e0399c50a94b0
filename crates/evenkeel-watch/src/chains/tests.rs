use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Position, Shard, Timestamp};

use super::{ChainRule, Chains};
use crate::testing::START;

const MINUTE: Duration = Duration::from_secs(60);

fn chains(open_max: usize) -> Chains {
    let steps = ["Placed", "Paid", "Shipped"].map(Arc::from).to_vec();
    Chains::new(ChainRule { name: "orders".into(), steps, within: 10 * MINUTE, open_max })
}

fn at(minutes: u32) -> Timestamp {
    START + MINUTE * minutes
}

fn see(chains: &mut Chains, kind: &str, name: &str, at: Timestamp) {
    chains.see(kind, name, at, &Position { shard: Shard::new("orders", 0), offset: 0 });
}

/// Begun, completed, late, forgotten, and open at each step.
fn counts(chains: &Chains) -> (u64, u64, u64, u64, Vec<u64>) {
    let view = chains.view();
    (view.begun, view.completed, view.late, view.forgotten, view.at.iter().map(|at| at.open).collect())
}

#[test]
fn a_chain_is_followed_from_its_first_event_to_its_last_and_timed() {
    let mut chains = chains(100);
    see(&mut chains, "Placed", "a", at(0));
    see(&mut chains, "Placed", "b", at(0));
    see(&mut chains, "Paid", "a", at(1));
    see(&mut chains, "Other", "a", at(1));
    see(&mut chains, "Paid", "nobody", at(1));
    assert_eq!(counts(&chains), (2, 0, 0, 0, vec![1, 1]));
    see(&mut chains, "Shipped", "a", at(4));
    see(&mut chains, "Shipped", "a", at(5));
    assert_eq!(counts(&chains), (2, 1, 0, 0, vec![1, 0]), "an end that is seen twice ends once");
    let median = chains.view().took.unwrap()[0];
    assert!(median.abs_diff(4 * MINUTE) < MINUTE / 40, "{median:?}");
}

#[test]
fn steps_out_of_order_count_by_the_farthest_and_the_end_ends_whatever_was_seen() {
    let mut chains = chains(100);
    see(&mut chains, "Placed", "a", at(0));
    see(&mut chains, "Paid", "a", at(1));
    see(&mut chains, "Placed", "a", at(2));
    let view = chains.view();
    assert_eq!(view.at[1].oldest, Some((Arc::from("a"), at(1))), "where it is stuck, and since when");
    see(&mut chains, "Placed", "b", at(3));
    see(&mut chains, "Shipped", "b", at(4));
    assert_eq!(counts(&chains), (2, 1, 0, 0, vec![0, 1]));
}

#[test]
fn a_chain_that_takes_too_long_is_late_once_whether_it_ends_or_not() {
    let mut chains = chains(100);
    for (name, minute) in [("a", 0), ("b", 0), ("c", 5)] {
        see(&mut chains, "Placed", name, at(minute));
    }
    chains.tick(at(10));
    assert_eq!(counts(&chains).2, 0, "ten minutes are not too long");
    chains.tick(at(11));
    chains.tick(at(12));
    assert_eq!(counts(&chains).2, 2);
    see(&mut chains, "Shipped", "a", at(13));
    see(&mut chains, "Shipped", "c", at(16));
    assert_eq!(counts(&chains), (3, 2, 3, 0, vec![1, 0]), "c ended late before a tick could say so");
    see(&mut chains, "Placed", "d", at(0));
    assert_eq!(counts(&chains).2, 4, "one that is heard of late is late at once");
    chains.tick(at(30));
    assert_eq!(counts(&chains).2, 4);
}

#[test]
fn memory_is_bounded_and_what_is_forgotten_is_counted() {
    let mut chains = chains(10);
    for n in 0..100 {
        see(&mut chains, "Placed", &n.to_string(), at(n));
    }
    let (begun, completed, _, forgotten, open) = counts(&chains);
    assert_eq!((begun, completed, forgotten, open), (100, 0, 90, vec![10, 0]));
    assert_eq!(chains.view().at[0].oldest, Some((Arc::from("90"), at(90))));
}
