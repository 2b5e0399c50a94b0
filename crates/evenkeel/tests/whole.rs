//! The whole system on a seed: the library on a simulated disk, in virtual time, with handlers
//! that fail in every way, power that goes, clocks that jump, operators who pause, redrive, force
//! breakers, drop letters, restart under another policy, add partitions. Whatever
//! happens, the audit adds up, no key is out of order, each returned event is there exactly once,
//! and nothing is dead without a reason.
//!
//! `EVENKEEL_SEEDS=10000` runs more of them, `EVENKEEL_SEED=17` one.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

#[path = "whole/chance.rs"]
mod chance;
#[path = "whole/clock.rs"]
mod clock;
#[path = "whole/shop.rs"]
mod shop;
#[path = "whole/world.rs"]
mod world;
#[path = "whole/operators.rs"]
mod operators;
#[path = "whole/others.rs"]
mod others;
#[path = "whole/outage.rs"]
mod outage;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use chance::Chance;
use world::World;

/// In each run of the tests; `.ci/run` has 300, the soak 10,000.
const SEEDS: u64 = 20;
const THREADS: usize = 2;

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    match number("EVENKEEL_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("EVENKEEL_SEEDS").unwrap_or(SEEDS)).collect(),
    }
}

/// Each life has a runtime of its own, so that nothing of one is left for the next.
fn in_virtual_time(life: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(life);
}

/// Crashes, dead letters, redriven events and events of one life.
async fn live(seed: u64) -> [u64; 4] {
    let mut chance = Chance::new(seed);
    let mut world = World::begin(seed, &mut chance).await;
    world.trouble(&mut chance).await;
    world.heal_and_end().await;
    world.check().await
}

#[test]
fn whatever_happens_the_audit_adds_up_in_order_with_each_effect_once_and_a_reason_for_each_death() {
    shop::quiet_panics();
    let next = AtomicUsize::new(0);
    let seeds = seeds();
    let sum = |all: [u64; 4], one: [u64; 4]| std::array::from_fn(|n| all[n] + one[n]);
    let some = || {
        let mut lived = [0; 4];
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
            in_virtual_time(async { lived = sum(lived, live(*seed).await) });
        }
        lived
    };
    let lived = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(some)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold([0; 4], sum)
    });
    let [crashes, dead, redriven, events] = lived;
    println!("{events} events, {crashes} crashes, {dead} dead letters, {redriven} events redriven");
    let peaceful = crashes <= 50 || dead <= 50 || redriven <= 50;
    assert!(seeds.len() < 50 || !peaceful, "the worlds are too peaceful: {lived:?}");
}
