//! A fallback, as users declare it: a handler or a topic takes what meets an open breaker, each event
//! once, and the audit adds up.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use evenkeel::testing::{SimDisk, kill};
use evenkeel::{Answer, BreakerPolicy, Builder, Call, Evenkeel, Handler, Policy, Subscribe, Verdict};
use evenkeel_delivery::ports::BoxFuture;
use evenkeel_log::ReadLimit;
use evenkeel_model::{Shard, names};

use house::{all_ended, event};

const EVENTS: u64 = 60;

/// Says that it is down, until it is not; or always does its work.
#[derive(Default)]
struct Service {
    works: AtomicBool,
    done: AtomicUsize,
}

impl Handler for Service {
    fn handle(&self, _: Call) -> BoxFuture<'static, Answer> {
        let verdict = match self.works.load(Ordering::SeqCst) {
            false => Verdict::Pause { dependency: "handler".into() },
            true => Verdict::Ack,
        };
        self.done.fetch_add(usize::from(verdict == Verdict::Ack), Ordering::SeqCst);
        Box::pin(std::future::ready(Answer { verdict, emitted: Vec::new(), handler_version: None }))
    }
}

fn builder(disk: &SimDisk, subscribe: Subscribe) -> Builder {
    let breaker = BreakerPolicy { open: Duration::from_millis(50), ..BreakerPolicy::default() };
    let subscribe = subscribe.policy(Policy { handler_breaker: breaker, ..Policy::default() });
    Evenkeel::builder().disk(Arc::new(disk.clone())).topic("orders", 2).topic("late", 2).subscribe(subscribe)
}

async fn publish(evenkeel: &Evenkeel, from: u64) {
    for number in from..from + EVENTS {
        let order = event(format!("order-{number}"), &format!("customer-{}", number % 7), "{}");
        evenkeel.publish("orders", order).await.unwrap();
    }
}

#[tokio::test]
async fn a_topic_gets_each_event_that_met_an_open_breaker_once_and_a_power_cut_changes_nothing() {
    let (disk, service) = (SimDisk::new(5), Arc::new(Service::default()));
    let subscribe = || Subscribe::by("payment", "orders", service.clone()).fallback_topic(Duration::ZERO, "late");
    let evenkeel = builder(&disk, subscribe()).start().await.unwrap();
    publish(&evenkeel, 0).await;
    let audit = all_ended(&evenkeel, EVENTS).await;
    assert_eq!(audit.subscriptions[0].completed, EVENTS);
    kill(&evenkeel).await;
    disk.cut_power();
    drop(evenkeel);
    service.works.store(true, Ordering::SeqCst);
    let evenkeel = builder(&disk, subscribe()).start().await.unwrap();
    publish(&evenkeel, EVENTS).await;
    all_ended(&evenkeel, 2 * EVENTS).await;
    let mut late = Vec::new();
    for partition in 0..2 {
        let shard = Shard::new("late", partition);
        late.extend(evenkeel.log().read(&shard, 0, ReadLimit::records(1000)).unwrap());
    }
    let mut from: Vec<_> = late.iter().map(|r| r.record.header(names::FALLBACK_OF).unwrap().clone()).collect();
    from.sort();
    from.dedup();
    assert_eq!(from.len(), late.len(), "each once");
    assert_eq!(late.len() + service.done.load(Ordering::SeqCst), 2 * usize::try_from(EVENTS).unwrap());
    assert!(late.len() >= usize::try_from(EVENTS).unwrap(), "{}", late.len());
    assert!(late.iter().all(|r| r.record.key.is_some() && r.record.header("ce_id").is_some()), "they are events still");
}

#[tokio::test]
async fn another_handler_takes_them_where_that_was_chosen() {
    let (disk, service, other) = (SimDisk::new(5), Arc::new(Service::default()), Arc::new(Service::default()));
    other.works.store(true, Ordering::SeqCst);
    let subscribe = Subscribe::by("payment", "orders", service.clone()).fallback(Duration::ZERO, other.clone());
    let evenkeel = builder(&disk, subscribe).start().await.unwrap();
    publish(&evenkeel, 0).await;
    all_ended(&evenkeel, EVENTS).await;
    assert_eq!((service.done.load(Ordering::SeqCst), other.done.load(Ordering::SeqCst) as u64), (0, EVENTS));
}
