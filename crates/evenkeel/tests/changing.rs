//! Subscriptions that come, change and go while the others run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod house;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel::testing::SimDisk;
use evenkeel::{Answer, Call, Evenkeel, Handler, Subscribe, Verdict};
use evenkeel_delivery::ports::BoxFuture;
use evenkeel_model::Shard;

use house::{all_ended, audited, event};

/// Takes everything, and remembers what.
#[derive(Default)]
struct Taker(Mutex<Vec<String>>);

impl Taker {
    fn took(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Handler for Taker {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        self.0.lock().unwrap().push(call.delivered.event.id.id.clone());
        Box::pin(std::future::ready(Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None }))
    }
}

async fn publish(evenkeel: &Evenkeel, id: &str) {
    evenkeel.publish("orders", event(id, "ada", "{}")).await.unwrap();
}

/// So many are completed in the subscription that stands last.
async fn completed(evenkeel: &Evenkeel, events: u64) {
    let audit = audited(evenkeel, |audit| audit.subscriptions.last().unwrap().completed == events).await;
    assert!(audit.ok, "{audit:#?}");
}

#[tokio::test]
async fn what_comes_at_run_time_begins_at_the_end_goes_on_where_it_was_and_owes_nothing_once_it_is_gone() {
    let [shop, first, second] = [(); 3].map(|()| Arc::new(Taker::default()));
    let mail = |by: &Arc<Taker>| Subscribe::by("mail", "orders", by.clone());
    let builder = Evenkeel::builder().disk(Arc::new(SimDisk::new(3))).topic("orders", 1);
    let mut evenkeel = builder.subscribe(Subscribe::by("shop", "orders", shop.clone())).start().await.unwrap();
    let owes =
        |evenkeel: &Evenkeel| evenkeel.log().owed(&Shard::new("orders", 0)).iter().any(|(holder, _)| holder == "mail");
    publish(&evenkeel, "1").await;
    all_ended(&evenkeel, 1).await;
    evenkeel.subscribe(mail(&first)).await.unwrap();
    publish(&evenkeel, "2").await;
    completed(&evenkeel, 1).await;
    evenkeel.subscribe(mail(&second)).await.unwrap();
    publish(&evenkeel, "3").await;
    completed(&evenkeel, 2).await;
    let audit = audited(&evenkeel, |audit| audit.ok).await;
    assert_eq!(audit.subscriptions.len(), 2, "the one that went on under other settings is there once");
    assert_eq!((first.took(), second.took()), (vec!["2".to_owned()], vec!["3".to_owned()]));
    assert!(owes(&evenkeel), "it is held for who runs");

    let drained = evenkeel.unsubscribe("mail", Duration::from_secs(5)).await.unwrap();
    assert_eq!(drained.unfinished, 0);
    assert!(evenkeel.subscription("mail").is_none() && !owes(&evenkeel));
    assert!(evenkeel.unsubscribe("mail", Duration::ZERO).await.is_none());
    publish(&evenkeel, "4").await;
    evenkeel.subscribe(mail(&second)).await.unwrap();
    completed(&evenkeel, 3).await;
    assert_eq!(second.took(), ["3", "4"]);
    audited(&evenkeel, |audit| audit.subscriptions[0].completed == 4).await;
    assert_eq!(shop.took(), ["1", "2", "3", "4"], "nobody else notices");
}

/// Takes what it was called with when it is let.
#[derive(Default)]
struct Slow {
    begun: tokio::sync::Notify,
    go_on: Arc<tokio::sync::Notify>,
}

impl Handler for Slow {
    fn handle(&self, _: Call) -> BoxFuture<'static, Answer> {
        self.begun.notify_one();
        let go_on = self.go_on.clone();
        Box::pin(async move {
            go_on.notified().await;
            Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None }
        })
    }
}

#[tokio::test]
async fn what_is_at_the_handler_is_waited_for_and_never_called_again_by_what_comes_after() {
    let (slow, after) = (Arc::new(Slow::default()), Arc::new(Taker::default()));
    let builder = Evenkeel::builder().disk(Arc::new(SimDisk::new(3))).topic("orders", 1);
    let mut evenkeel = builder.start().await.unwrap();
    evenkeel.subscribe(Subscribe::by("mail", "orders", slow.clone())).await.unwrap();
    publish(&evenkeel, "1").await;
    slow.begun.notified().await;
    let (changed, ()) = tokio::join!(biased; evenkeel.subscribe(Subscribe::by("mail", "orders", after.clone())), async {
        slow.go_on.notify_one();
    });
    changed.unwrap();
    publish(&evenkeel, "2").await;
    completed(&evenkeel, 2).await;
    assert_eq!(after.took(), ["2"], "the first was taken by who had it");

    evenkeel.subscribe(Subscribe::by("mail", "orders", slow.clone())).await.unwrap();
    publish(&evenkeel, "3").await;
    slow.begun.notified().await;
    let (drained, ()) = tokio::join!(biased; evenkeel.unsubscribe("mail", Duration::from_secs(20)), async {
        slow.go_on.notify_one();
    });
    assert_eq!(drained.map(|drained| drained.unfinished), Some(0));
    evenkeel.subscribe(Subscribe::by("mail", "orders", after.clone())).await.unwrap();
    publish(&evenkeel, "4").await;
    completed(&evenkeel, 4).await;
    assert_eq!(after.took(), ["2", "4"]);
}
