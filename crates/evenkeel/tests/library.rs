//! What a user of the library is promised, on the real log over a disk in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use evenkeel::testing::SimDisk;
use evenkeel::{Context, Evenkeel, Event, HandlerError, OpenError, Policy, RetrySchedule, StartError, Subscribe};
use serde::Deserialize;

use house::{all_ended, audited, event};

#[derive(Deserialize, serde::Serialize)]
struct Order {
    cents: u64,
}

async fn fine(_: Context, _: Order) -> Result<(), HandlerError> {
    Ok(())
}

async fn pay(context: Context, order: Order) -> Result<Event, HandlerError> {
    if order.cents == 0 { Err(HandlerError::reject("nothing to pay")) } else { context.caused("Paid", &order) }
}

fn builder() -> evenkeel::Builder {
    Evenkeel::builder().disk(Arc::new(SimDisk::new(3))).topic("orders", 2).topic("payments", 2)
}

#[tokio::test]
async fn data_that_does_not_fit_the_handler_is_a_dead_letter_and_holds_up_nobody() {
    let evenkeel = builder().subscription("shop", "orders", fine).start().await.unwrap();
    for (id, data) in [("1", "{\"cents\":1}"), ("2", "{\"cents\":\"many\"}"), ("3", "{\"cents\":3}")] {
        evenkeel.publish("orders", event(id, "ada", data)).await.unwrap();
    }
    let audit = all_ended(&evenkeel, 3).await;
    assert_eq!((audit.subscriptions[0].completed, audit.subscriptions[0].dead), (2, 1));
}

#[tokio::test]
async fn what_a_handler_returns_is_there_exactly_when_its_cause_is_completed() {
    let evenkeel = builder()
        .subscribe(Subscribe::new("payment", "orders", pay).publishes("payments"))
        .subscription("shipping", "payments", fine)
        .start()
        .await
        .unwrap();
    for (id, data) in [("1", "{\"cents\":1}"), ("2", "{\"cents\":0}"), ("3", "{\"cents\":3}")] {
        evenkeel.publish("orders", event(id, "ada", data)).await.unwrap();
    }
    let audit = audited(&evenkeel, |audit| audit.subscriptions[1].completed == 2).await;
    assert!(audit.ok, "{audit:#?}");
    assert_eq!((audit.subscriptions[0].completed, audit.subscriptions[0].dead), (2, 1));
    assert_eq!(audit.subscriptions[1].appended, 2);
}

#[tokio::test]
async fn events_without_a_topic_for_them_are_a_failure_and_not_a_silent_loss() {
    let retry = RetrySchedule { attempts: 1, ..RetrySchedule::default() };
    let policy = Policy { retry, ..Policy::default() };
    let evenkeel = builder().subscribe(Subscribe::new("payment", "orders", pay).policy(policy)).start().await.unwrap();
    evenkeel.publish("orders", event("1", "ada", "{\"cents\":1}")).await.unwrap();
    let handle = evenkeel.subscription("payment").unwrap();
    let audit = audited(&evenkeel, |audit| audit.subscriptions[0].parked == 1).await;
    assert_eq!(audit.subscriptions[0].completed, 0);
    let lanes = handle.view().await.unwrap().lanes;
    assert!(lanes[0].message.contains("publishes nothing"), "{lanes:?}");
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up_and_made_again() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let slow_once = move |_: Context, _: Order| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if first { std::future::pending().await } else { Ok::<(), HandlerError>(()) } }
    };
    let retry = RetrySchedule { initial: Duration::from_millis(1), ..RetrySchedule::default() };
    let policy = Policy { timeout: Duration::from_millis(20), retry, ..Policy::default() };
    let evenkeel =
        builder().subscribe(Subscribe::new("shop", "orders", slow_once).policy(policy)).start().await.unwrap();
    evenkeel.publish("orders", event("1", "ada", "{\"cents\":1}")).await.unwrap();
    let audit = all_ended(&evenkeel, 1).await;
    assert_eq!((audit.subscriptions[0].completed, calls.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn a_subscription_on_dead_letters_may_be_declared_before_the_one_that_makes_them() {
    let evenkeel = builder()
        .subscription("compensation", "payment.dead", fine)
        .subscribe(Subscribe::new("payment", "orders", pay).publishes("payments"))
        .start()
        .await
        .unwrap();
    evenkeel.publish("orders", event("1", "ada", "{\"cents\":0}")).await.unwrap();
    let audit = audited(&evenkeel, |audit| audit.subscriptions[0].completed == 1).await;
    assert!(audit.ok, "{audit:#?}");
}

#[tokio::test]
async fn a_subscription_begins_where_its_topic_was_when_it_was_declared() {
    let disk = Arc::new(SimDisk::new(5));
    let before = Evenkeel::builder().disk(disk.clone()).topic("orders", 1).start().await.unwrap();
    before.publish("orders", event("1", "ada", "{\"cents\":1}")).await.unwrap();
    before.shutdown(Duration::from_secs(5)).await;
    let shop = || Evenkeel::builder().disk(disk.clone()).topic("orders", 1).subscription("shop", "orders", fine);
    let first = shop().start().await.unwrap();
    first.publish("orders", event("2", "ada", "{\"cents\":2}")).await.unwrap();
    all_ended(&first, 1).await;
    let drained = first.shutdown(Duration::from_secs(5)).await;
    assert!(drained.iter().all(|(_, drained)| drained.unfinished == 0 && drained.stopped.is_none()));
    let again = shop().start().await.unwrap();
    again.publish("orders", event("3", "ada", "{\"cents\":3}")).await.unwrap();
    assert_eq!(all_ended(&again, 2).await.subscriptions[0].completed, 2, "from its own beginning, not the topic's");
}

#[tokio::test]
async fn events_that_were_deleted_before_they_were_handled_expire_and_the_account_adds_up() {
    let disk = Arc::new(SimDisk::new(6));
    let topic = || Evenkeel::builder().disk(disk.clone()).topic("orders", 1);
    let shop = || topic().subscription("shop", "orders", fine);
    let first = shop().start().await.unwrap();
    first.publish("orders", event("1", "ada", "{\"cents\":1}")).await.unwrap();
    all_ended(&first, 1).await;
    first.shutdown(Duration::from_secs(5)).await;
    let without = topic().start().await.unwrap();
    for id in ["2", "3", "4", "5"] {
        without.publish("orders", event(id, "ada", "{\"cents\":1}")).await.unwrap();
    }
    let change = evenkeel_log::Change::Start { shard: evenkeel_model::Shard::new("orders", 0), offset: 4 };
    without.log().append(evenkeel_log::Set::change(change)).await.unwrap();
    without.shutdown(Duration::from_secs(5)).await;
    let again = shop().start().await.unwrap();
    let audit = all_ended(&again, 5).await;
    assert_eq!((audit.subscriptions[0].completed, audit.subscriptions[0].expired), (2, 3));
}

#[tokio::test]
async fn a_folder_in_use_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let first = Evenkeel::builder().data(folder.path()).start().await.unwrap();
    let second = Evenkeel::builder().data(folder.path()).start().await;
    match second {
        Err(StartError::Log(OpenError::Locked { folder: named, .. })) => {
            assert!(named.contains(&*folder.path().to_string_lossy()), "{named}");
        }
        other => panic!("{:?}", other.err()),
    }
    first.shutdown(Duration::from_secs(1)).await;
    Evenkeel::builder().data(folder.path()).start().await.expect("free again after a shutdown");
}

#[tokio::test]
async fn two_subscriptions_of_one_name_are_refused() {
    let twice = builder().subscription("shop", "orders", fine).subscription("shop", "orders", fine).start().await;
    assert_eq!(twice.err().unwrap().to_string(), "subscription `shop` is declared twice");
}
