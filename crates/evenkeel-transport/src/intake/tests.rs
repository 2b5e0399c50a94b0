use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_model::{Outcome, Record, Shard};

use super::{Queue, Taken, Terms, Ticket};
use crate::contract::doubles::Broker;
use crate::contract::intaken::{Intaken, Site, TOPIC};
use crate::contract::rounds::{ended, pending, progress, record, round};
use crate::contract::{Subject, run};

/// The double as a site.
struct Double(Broker);

impl Site for Double {
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Queue>, PortError>> {
        // Whoever opens it again has crashed: what was lent comes back.
        self.0.cut();
        Box::pin(std::future::ready(Ok(Arc::new(self.0.connect()) as Arc<dyn Queue>)))
    }
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>> {
        records.into_iter().for_each(|record| self.0.publish(record));
        Box::pin(std::future::ready(Ok(())))
    }
}

fn over(broker: &Broker) -> Intaken<Double> {
    Intaken::new(Double(broker.clone()))
}

fn orders() -> Shard {
    Shard::new(TOPIC, 0)
}

fn records(count: usize) -> Vec<Record> {
    (0..count).map(|n| record(n, &format!("key-{n}"))).collect()
}

/// Waits for what must come, with a deadline.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(2));
    let waiting = async {
        while !holds() {
            looks.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), waiting).await.is_ok(), "never: {what}");
}

#[tokio::test]
async fn a_brokers_queue_keeps_the_contract_whether_it_names_its_messages_or_not() {
    for named in [true, false] {
        let broken = run(|| over(&Broker::with(named, None))).await;
        assert!(broken.is_empty(), "named: {named}: {broken:#?}");
    }
}

#[tokio::test]
async fn a_message_is_settled_when_its_outcome_is_journaled_and_not_before() {
    let broker = Broker::new();
    let subject = over(&broker);
    subject.publish(records(5)).await.unwrap();
    let opened = subject.open().await.unwrap();
    opened.journal.load().await.unwrap();
    opened.source.fetch(&orders(), 0, 10).await.unwrap();
    assert_eq!((broker.settled(), broker.lent()), (vec![], 5));
    opened.journal.commit(round(1, vec![ended(&orders(), 3, Outcome::Completed, 0)])).await.unwrap();
    until("3 is settled", || broker.settled() == [3]).await;
    opened.journal.commit(round(2, vec![pending(&orders(), 1, 1)])).await.unwrap();
    until("what waits in the journal is settled", || broker.settled() == [1, 3]).await;
    let rest = [0, 2, 4].map(|offset| ended(&orders(), offset, Outcome::Completed, 0));
    opened.journal.commit(round(3, rest.into_iter().chain([progress(&orders(), 5)]).collect())).await.unwrap();
    until("all are settled", || broker.settled() == [0, 1, 2, 3, 4]).await;
}

#[tokio::test]
async fn a_node_that_lost_its_disk_is_given_all_that_had_no_outcome() {
    let broker = Broker::with(false, None);
    let first = over(&broker);
    first.publish(records(6)).await.unwrap();
    let opened = first.open().await.unwrap();
    opened.journal.load().await.unwrap();
    let done = [0, 2].map(|offset| ended(&orders(), offset, Outcome::Completed, 0));
    opened.journal.commit(round(1, done.to_vec())).await.unwrap();
    until("two are settled", || broker.settled() == [0, 2]).await;
    drop(first);
    let second = over(&broker);
    second.publish(records(0)).await.unwrap();
    let opened = second.open().await.unwrap();
    until("the others are placed", || second.intake().is_some_and(|i| i.view().placed == 4)).await;
    let (events, _) = opened.source.fetch(&orders(), 0, 10).await.unwrap();
    let given: Vec<_> = events.iter().map(|e| e.event.id.id.clone()).collect();
    assert_eq!(given, ["event-1", "event-3", "event-4", "event-5"]);
}

#[tokio::test]
async fn what_is_given_again_gets_no_second_place_and_two_equal_messages_stay_two() {
    for named in [true, false] {
        let broker = Broker::with(named, None);
        let subject = over(&broker);
        let same = Record { value: Some(Bytes::from_static(b"same")), ..Record::default() };
        subject.publish(vec![same.clone(), same]).await.unwrap();
        subject.publish(records(3)).await.unwrap();
        let opened = subject.open().await.unwrap();
        opened.journal.load().await.unwrap();
        for cuts in 1..4_u64 {
            broker.cut();
            until("they came again", || subject.intake().is_some_and(|i| i.view().again == cuts * 5)).await;
        }
        subject.crash().await.unwrap();
        let opened = subject.open().await.unwrap();
        opened.journal.load().await.unwrap();
        until("they came again after the crash", || subject.intake().is_some_and(|i| i.view().again == 5)).await;
        let (events, next) = opened.source.fetch(&orders(), 0, 100).await.unwrap();
        assert_eq!((events.len(), next), (5, 5), "named: {named}");
        let all = (0..5).map(|offset| ended(&orders(), offset, Outcome::Completed, 0)).collect();
        opened.journal.commit(round(1, all)).await.unwrap();
        until("each is settled", || broker.settled() == [0, 1, 2, 3, 4]).await;
    }
}

#[tokio::test]
async fn a_settlement_that_was_lost_is_made_up_for() {
    let broker = Broker::new();
    let subject = over(&broker);
    subject.publish(records(2)).await.unwrap();
    let opened = subject.open().await.unwrap();
    opened.journal.load().await.unwrap();
    broker.refuse(1);
    opened.journal.commit(round(1, vec![ended(&orders(), 0, Outcome::Completed, 0)])).await.unwrap();
    until("it is tried again", || broker.settled() == [0]).await;
    // The process ends between its journal and the broker.
    broker.refuse(usize::MAX);
    opened.journal.commit(round(2, vec![ended(&orders(), 1, Outcome::Completed, 0)])).await.unwrap();
    subject.crash().await.unwrap();
    broker.refuse(0);
    let opened = subject.open().await.unwrap();
    opened.journal.load().await.unwrap();
    until("the message that came again is settled at once", || broker.settled() == [0, 1]).await;
    assert_eq!(opened.source.fetch(&orders(), 0, 10).await.unwrap().1, 2, "and has no second place");
}

#[tokio::test]
async fn a_message_that_the_broker_would_throw_away_next_is_settled_when_its_copy_is_durable() {
    let broker = Broker::with(true, Some(3));
    let subject = over(&broker);
    subject.publish(records(1)).await.unwrap();
    subject.open().await.unwrap();
    for again in 1..=2 {
        assert!(broker.settled().is_empty());
        broker.cut();
        until("it came again", || subject.intake().is_some_and(|i| i.view().again == again)).await;
    }
    until("its last delivery settled it", || broker.settled() == [0]).await;
    broker.cut();
    assert_eq!((broker.thrown_away(), broker.waiting()), (0, 0));
    let opened = subject.open().await.unwrap();
    assert_eq!(opened.source.fetch(&orders(), 0, 10).await.unwrap().0.len(), 1, "it is still owed here");
}

#[tokio::test]
async fn no_more_is_held_than_the_prefetch_and_what_is_parked_does_not_count() {
    let broker = Broker::new();
    let subject = over(&broker);
    let opened = subject.open().await.unwrap();
    opened.journal.load().await.unwrap();
    records(1500).into_iter().for_each(|record| broker.publish(record));
    until("it is full", || broker.lent() == 1000).await;
    assert_eq!(broker.waiting(), 500);
    let parked = (0..300).map(|offset| pending(&orders(), offset, 1)).collect();
    opened.journal.commit(round(1, parked)).await.unwrap();
    until("there is room for as many", || broker.waiting() == 200).await;
    until("and no more", || broker.lent() == 1000).await;
}

#[tokio::test]
async fn no_more_is_held_than_the_subscription_can_soon_do_something_with() {
    let broker = Broker::new();
    let subject = over(&broker);
    let opened = subject.open().await.unwrap();
    opened.journal.load().await.unwrap();
    let limit = Arc::new(AtomicU32::new(5));
    let now = limit.clone();
    subject.intake().unwrap().follow("payment", Arc::new(move || now.load(Ordering::SeqCst)));
    records(500).into_iter().for_each(|record| broker.publish(record));
    until("sixteen for each", || broker.lent() == 80).await;
    assert_eq!(subject.intake().unwrap().view().held_max, 80);
    limit.store(10, Ordering::SeqCst);
    until("as many as it can take now, though nothing ended", || broker.lent() == 160).await;
    limit.store(1, Ordering::SeqCst);
    let done = (0..110).map(|offset| ended(&orders(), offset, Outcome::Completed, 0)).collect();
    opened.journal.commit(round(1, done)).await.unwrap();
    until("and fewer again", || broker.lent() == 64).await;
}

#[tokio::test]
async fn draining_gives_back_what_has_no_outcome() {
    let broker = Broker::new();
    let subject = over(&broker);
    subject.publish(records(4)).await.unwrap();
    let opened = subject.open().await.unwrap();
    opened.journal.load().await.unwrap();
    let intake = subject.intake().unwrap();
    intake.drain();
    opened.journal.commit(round(1, vec![ended(&orders(), 2, Outcome::Completed, 0)])).await.unwrap();
    intake.finish().await;
    assert_eq!((broker.settled(), broker.lent(), broker.waiting()), (vec![2], 0, 3));
}

/// A site whose messages are lent for a time; it counts what is renewed.
struct Leasing(Broker, Arc<AtomicU64>);

struct Leased(Arc<dyn Queue>, Arc<AtomicU64>);

impl Site for Leasing {
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Queue>, PortError>> {
        let leased = Leased(Arc::new(self.0.connect()), self.1.clone());
        Box::pin(std::future::ready(Ok(Arc::new(leased) as Arc<dyn Queue>)))
    }
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>> {
        records.into_iter().for_each(|record| self.0.publish(record));
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Queue for Leased {
    fn terms(&self) -> Terms {
        Terms { lease: Some(Duration::from_millis(100)), ..Terms::default() }
    }
    fn receive(&self, max: usize) -> BoxFuture<'_, Result<Vec<Taken>, PortError>> {
        self.0.receive(max)
    }
    fn settle(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, Vec<Ticket>> {
        self.0.settle(tickets)
    }
    fn renew(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        self.1.fetch_add(tickets.len() as u64, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
    fn give_back(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()> {
        self.0.give_back(tickets)
    }
}

#[tokio::test]
async fn every_lease_that_was_renewed_is_counted() {
    let renewed = Arc::new(AtomicU64::new(0));
    let subject = Intaken::new(Leasing(Broker::new(), renewed.clone()));
    subject.publish(records(3)).await.unwrap();
    subject.open().await.unwrap();
    let intake = subject.intake().unwrap();
    until("what is held is renewed, and counted", || {
        let counted = intake.view().renewed;
        counted >= 6 && counted == renewed.load(Ordering::Relaxed)
    })
    .await;
}
