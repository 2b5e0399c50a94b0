//! Killed in the middle, again and again, on a disk that fails when the seed says so: nothing
//! acknowledged is lost, the order of a key is kept, each effect has one idempotency key.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use evenkeel::testing::{SimDisk, kill};
use evenkeel::{Concurrency, Context, Evenkeel, HandlerError, Policy, PublishError, Subscribe};
use tokio::sync::watch;
use tokio::task::JoinSet;

use house::{all_ended, event};

const CUSTOMERS: u64 = 6;
const ORDERS: u64 = 40;
const KILLS: u64 = 5;

/// What the world outside saw: it outlives every crash.
#[derive(Default)]
struct World {
    /// The orders of each customer, in the order in which they were first handled.
    first: BTreeMap<String, Vec<u64>>,
    /// The idempotency keys under which each event was handled.
    keys: BTreeMap<String, BTreeSet<String>>,
    calls: u64,
}

type Running = Option<Arc<Evenkeel>>;

#[tokio::test]
async fn a_killed_process_loses_nothing_and_keeps_order() {
    for seed in 0..6 {
        live_through_kills(seed, false).await;
    }
}

#[tokio::test]
async fn lost_power_loses_nothing_that_was_acknowledged_and_keeps_order() {
    for seed in 100..106 {
        live_through_kills(seed, true).await;
    }
}

async fn live_through_kills(seed: u64, power: bool) {
    let disk = SimDisk::new(seed);
    let world = Arc::new(Mutex::new(World::default()));
    let (running, _) = watch::channel::<Running>(None);
    let (published, mut all_published) = watch::channel(0);
    let mut producers = JoinSet::new();
    for customer in 0..CUSTOMERS {
        producers.spawn(produce(customer, running.subscribe(), published.clone()));
    }
    let mut kills = 0;
    for number in 0..KILLS {
        let evenkeel = Arc::new(start(&disk, &world).await);
        disk.fail_in(seed.wrapping_mul(31) % 17 + 8 + number * 5);
        running.send_replace(Some(evenkeel.clone()));
        tokio::select! {
            () = stopped(&evenkeel) => kills += 1,
            // Killed all the same, with nothing on its way in.
            _ = all_published.wait_for(|count| *count == CUSTOMERS * ORDERS) => {}
        }
        running.send_replace(None);
        kill(&evenkeel).await;
        drop(evenkeel);
        if power { disk.cut_power() } else { disk.kill() }
    }
    let evenkeel = Arc::new(start(&disk, &world).await);
    running.send_replace(Some(evenkeel.clone()));
    producers.join_all().await;
    let audit = all_ended(&evenkeel, CUSTOMERS * ORDERS).await;
    assert_eq!(audit.subscriptions[0].completed, CUSTOMERS * ORDERS, "seed {seed}");
    assert_eq!(audit.subscriptions[0].order_violations, 0, "seed {seed}");
    let world = world.lock().unwrap();
    assert_eq!(world.keys.len() as u64, CUSTOMERS * ORDERS, "seed {seed}: every order had its effect");
    assert!(world.keys.values().all(|keys| keys.len() == 1), "seed {seed}: one key for each effect");
    let all: BTreeSet<_> = world.keys.values().flatten().collect();
    assert_eq!(all.len(), world.keys.len(), "seed {seed}: no two effects share a key");
    for (customer, orders) in &world.first {
        assert!(orders.is_sorted(), "seed {seed}: {customer} saw {orders:?}");
    }
    assert!(world.calls >= CUSTOMERS * ORDERS);
    assert!(kills >= 2, "seed {seed}: {kills} kills hit a disk at work");
}

/// Publishes the orders of one customer, each again and again until it is acknowledged.
async fn produce(customer: u64, mut running: watch::Receiver<Running>, published: watch::Sender<u64>) {
    for order in 0..ORDERS {
        loop {
            let evenkeel = running.wait_for(Option::is_some).await.unwrap().clone().unwrap();
            let name = format!("customer-{customer}");
            let order = event(format!("{name}-{order}"), &name, &order.to_string());
            match evenkeel.publish("orders", order).await {
                Ok(_) => {
                    published.send_modify(|count| *count += 1);
                    break;
                }
                // Perhaps it is stored and perhaps not: the same id again.
                Err(PublishError::Stopped(_)) => {
                    let _ = running.wait_for(|now| now.as_ref().is_none_or(|now| !Arc::ptr_eq(now, &evenkeel))).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// Returns when the log has stopped.
async fn stopped(evenkeel: &Evenkeel) {
    let log = evenkeel.log();
    while log.status().stopped.is_none() {
        let version = log.version();
        log.beyond(version).await;
    }
}

async fn start(disk: &SimDisk, world: &Arc<Mutex<World>>) -> Evenkeel {
    let world = world.clone();
    let handle = move |context: Context, order: u64| handle(world.clone(), context, order);
    let concurrency = Concurrency { max: 4, ..Concurrency::default() };
    // It is the test that kills, and no event: none is to blame for a kill, however often it was alone then.
    let policy = Policy { concurrency, crashes: u32::MAX, ..Policy::default() };
    Evenkeel::builder()
        .disk(Arc::new(disk.clone()))
        .topic("orders", 3)
        .subscribe(Subscribe::new("shop", "orders", handle).policy(policy))
        .start()
        .await
        .unwrap()
}

async fn handle(world: Arc<Mutex<World>>, context: Context, order: u64) -> Result<(), HandlerError> {
    let customer = context.event().subject.clone().unwrap_or_default();
    {
        let mut world = world.lock().unwrap();
        world.calls += 1;
        let keys = world.keys.entry(context.event().id.id.clone()).or_default();
        let first = keys.is_empty();
        keys.insert(context.idempotency_key());
        if first {
            world.first.entry(customer).or_default().push(order);
        }
    }
    // Long enough to be caught in the middle by a kill.
    for _ in 0..order % 7 {
        tokio::task::yield_now().await;
    }
    Ok(())
}
