//! Two nodes on the double of a partitioned log whose ownership moves, through a group that a test
//! moves by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Change, Handler, Membership, PortError};
use evenkeel_delivery::{BreakerState, Command, Force, HANDLER, Policy};
use evenkeel_model::{Record, Timestamp, Verdict};
use evenkeel_transport::contract::doubles::Cluster;
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};

use super::{SharedSpec, share_out};
use crate::runtime::{Dependencies, SubscriptionHandle, SubscriptionSpec};
use crate::testing::TokioClock;

/// A member that a test gives to and takes from.
struct Hand {
    changes: AsyncMutex<mpsc::UnboundedReceiver<Change>>,
    held: Arc<Mutex<BTreeSet<u32>>>,
    /// What others have by now, told or not.
    elsewhere: Arc<Mutex<BTreeSet<u32>>>,
}

impl Membership for Hand {
    fn changed(&self) -> BoxFuture<'_, Change> {
        Box::pin(async move {
            let change = self.changes.lock().await.recv().await;
            match change {
                Some(change) => change,
                None => std::future::pending().await,
            }
        })
    }
    fn is_ours(&self, partition: u32) -> BoxFuture<'_, Result<bool, PortError>> {
        Box::pin(std::future::ready(Ok(!self.elsewhere.lock().unwrap().contains(&partition))))
    }
    fn took(&self, partitions: &[u32]) {
        self.held.lock().unwrap().extend(partitions);
    }
    fn gave_up(&self, partitions: &[u32]) {
        self.held.lock().unwrap().retain(|p| !partitions.contains(p));
    }
}

/// Notes what it handled, and lets go of an event when it is told to.
#[derive(Default)]
struct Slow {
    handled: Mutex<Vec<(String, u64)>>,
    at_once: bool,
    /// It answers that it could not.
    fails: AtomicBool,
    go: Notify,
}

impl Slow {
    fn count(&self) -> usize {
        self.handled.lock().unwrap().len()
    }
}

struct Shown(Arc<Slow>);

impl Handler for Shown {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let slow = self.0.clone();
        Box::pin(async move {
            if !slow.at_once {
                slow.go.notified().await;
            }
            let id = call.delivered.event.id.id.clone();
            slow.handled.lock().unwrap().push((id, call.fence));
            let fails = slow.fails.load(Ordering::SeqCst);
            let verdict = if fails {
                Verdict::Retry { after: None, message: String::new(), dependency: None }
            } else {
                Verdict::Ack
            };
            Answer { verdict, emitted: Vec::new(), handler_version: None }
        })
    }
    fn is_elsewhere(&self) -> bool {
        true
    }
}

struct Node {
    handle: SubscriptionHandle,
    group: mpsc::UnboundedSender<Change>,
    held: Arc<Mutex<BTreeSet<u32>>>,
    elsewhere: Arc<Mutex<BTreeSet<u32>>>,
    handler: Arc<Slow>,
}

fn node(cluster: &Cluster, at_once: bool) -> Node {
    let (group, changes) = mpsc::unbounded_channel();
    let held: Arc<Mutex<BTreeSet<u32>>> = Arc::default();
    let handler = Arc::new(Slow { at_once, ..Slow::default() });
    let (given, opened) = (cluster.clone(), handler.clone());
    let open = move |partition| -> BoxFuture<'static, _> {
        let ports = Arc::new(given.assign([partition]));
        let spec = SubscriptionSpec {
            name: "payment".into(),
            uid: "payment".into(),
            policy: Policy::default(),
            source: ports.clone(),
            journal: ports,
            handler: Arc::new(Shown(opened.clone())),
            fallback: None,
            fence: 1,
        };
        Box::pin(async move { Ok(spec) })
    };
    let elsewhere: Arc<Mutex<BTreeSet<u32>>> = Arc::default();
    let hand = Hand { changes: AsyncMutex::new(changes), held: held.clone(), elsewhere: elsewhere.clone() };
    let membership = Arc::new(hand);
    let spec = SharedSpec { name: "payment".into(), membership, open: Arc::new(open), grace: Duration::from_secs(30) };
    let handle = share_out(spec, Arc::new(TokioClock::at(Timestamp::EPOCH)), 1, Dependencies::default());
    Node { handle, group, held, elsewhere, handler }
}

fn publish(cluster: &Cluster, count: usize) {
    for n in 0..count {
        let key = Some(Bytes::from(format!("key-{n}")));
        let record = Record { key, value: Some("x".into()), ..Record::default() };
        cluster.publish(record, Timestamp::EPOCH);
    }
}

/// Time stands still while nothing happens: what never comes fails at once.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come about");
}

#[tokio::test(start_paused = true)]
async fn each_partition_is_run_by_who_was_given_it_and_every_event_is_handled_once() {
    let cluster = Cluster::new(4);
    publish(&cluster, 60);
    let (a, b) = (node(&cluster, true), node(&cluster, true));
    a.group.send(Change::Given(vec![0, 1])).unwrap();
    b.group.send(Change::Given(vec![2, 3])).unwrap();
    until("60 outcomes", || cluster.ended() == 60).await;
    assert!(a.handler.count() > 0 && b.handler.count() > 0);
    assert_eq!(a.handler.count() + b.handler.count(), 60);
    let (a, b) = (a.handle.drain(Duration::from_secs(1)).await, b.handle.drain(Duration::from_secs(1)).await);
    assert_eq!((a.unfinished, b.unfinished), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_given_up_only_when_its_handlers_have_finished() {
    let cluster = Cluster::new(1);
    publish(&cluster, 5);
    let (a, b) = (node(&cluster, false), node(&cluster, true));
    a.group.send(Change::Given(vec![0])).unwrap();
    let handle = a.handle.clone();
    let mut busy = false;
    for _ in 0..1000 {
        busy = handle.view().await.is_some_and(|view| view.in_flight == 5);
        if busy {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(busy, "five keys, five calls");
    a.group.send(Change::Asked(vec![0])).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(a.held.lock().unwrap().contains(&0), "its handlers still work");
    for _ in 0..5 {
        a.handler.go.notify_one();
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    until("the partition is given up", || a.held.lock().unwrap().is_empty()).await;
    assert_eq!(cluster.ended(), 5, "what they did is journaled before");
    b.group.send(Change::Given(vec![0])).unwrap();
    publish(&cluster, 3);
    until("the next owner goes on", || b.handler.count() == 3).await;
    assert_eq!(cluster.ended(), 8);
}

#[tokio::test(start_paused = true)]
async fn who_was_fenced_begins_anew_from_its_journal_while_the_group_still_gives_it_the_partition() {
    let cluster = Cluster::new(1);
    let a = node(&cluster, true);
    a.group.send(Change::Given(vec![0])).unwrap();
    publish(&cluster, 4);
    until("4 outcomes", || cluster.ended() == 4).await;
    // A node that was late opens it too, and goes away.
    drop(cluster.assign([0]));
    publish(&cluster, 4);
    until("8 outcomes", || cluster.ended() == 8).await;
    let mut ids: BTreeMap<String, usize> = BTreeMap::new();
    for (id, _) in a.handler.handled.lock().unwrap().iter() {
        *ids.entry(id.clone()).or_default() += 1;
    }
    assert_eq!(ids.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_is_let_go_at_once_and_its_late_outcome_is_refused() {
    let cluster = Cluster::new(1);
    publish(&cluster, 1);
    let (a, b) = (node(&cluster, false), node(&cluster, true));
    a.group.send(Change::Given(vec![0])).unwrap();
    let handle = a.handle.clone();
    for _ in 0..1000 {
        if handle.view().await.is_some_and(|view| view.in_flight == 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    b.group.send(Change::Given(vec![0])).unwrap();
    until("the new owner's outcome", || cluster.ended() == 1).await;
    a.group.send(Change::Lost(vec![0])).unwrap();
    until("it is given up", || a.held.lock().unwrap().is_empty()).await;
    a.handler.go.notify_one();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(cluster.ended(), 1, "one outcome, whoever called the handler");
}

#[tokio::test(start_paused = true)]
async fn who_was_fenced_takes_nothing_back_that_the_group_gave_to_another() {
    let cluster = Cluster::new(1);
    let (a, b) = (node(&cluster, true), node(&cluster, true));
    a.group.send(Change::Given(vec![0])).unwrap();
    publish(&cluster, 4);
    until("4 outcomes", || cluster.ended() == 4).await;
    // It stands still, and what the group says does not reach it.
    a.elsewhere.lock().unwrap().insert(0);
    b.group.send(Change::Given(vec![0])).unwrap();
    until("the other one goes on", || {
        publish(&cluster, 1);
        b.handler.count() > 0
    })
    .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (before, other) = (a.handler.count(), b.handler.count());
    publish(&cluster, 4);
    until("4 more", || b.handler.count() == other + 4).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((a.handler.count(), b.handler.count()), (before, other + 4), "each event is called once, by its owner");
}

#[tokio::test(start_paused = true)]
async fn what_one_partition_finds_out_of_the_handler_shuts_the_gate_of_all() {
    let cluster = Cluster::new(4);
    let a = node(&cluster, true);
    a.handler.fails.store(true, Ordering::SeqCst);
    a.group.send(Change::Given(vec![0, 1, 2, 3])).unwrap();
    publish(&cluster, 40);
    let handle = a.handle.clone();
    let mut open = false;
    for _ in 0..1000 {
        let view = handle.view().await.unwrap_or_default();
        open = view.breakers.iter().any(|b| b.state == BreakerState::Open);
        if open {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(open, "it opens");
    // The others of this moment are back; from here on there are only probes, one at a time for all of them.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = a.handler.count();
    tokio::time::sleep(Duration::from_secs(45)).await;
    let probes = a.handler.count() - before;
    assert!((1..=2).contains(&probes), "{probes} probes in 45 s, with 30 s between two");
    // An operator speaks of all of it as well.
    let force = Force::Open { reason: "it is being mended".to_owned() };
    handle.command(Command::Breaker { dependency: HANDLER.to_owned(), force });
    a.handler.fails.store(false, Ordering::SeqCst);
    let before = a.handler.count();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(a.handler.count(), before, "nothing passes, nothing probes");
    handle.command(Command::Breaker { dependency: HANDLER.to_owned(), force: Force::Automatic });
    until("all of it is done", || cluster.ended() == 40).await;
}

#[tokio::test(start_paused = true)]
async fn what_keeps_a_node_from_its_broker_is_told_once_and_shown_until_the_group_gives_something() {
    let cluster = Cluster::new(1);
    let a = node(&cluster, true);
    let mut alarms = a.handle.alarms();
    for _ in 0..50 {
        a.group.send(Change::Trouble("no such topic".to_owned())).unwrap();
    }
    let alarm = alarms.recv().await.unwrap();
    assert_eq!((alarm.code, &*alarm.message), ("broker_trouble", "no such topic"));
    let view = a.handle.view().await.unwrap();
    assert_eq!(view.trouble.as_deref(), Some("no such topic"));
    a.group.send(Change::Given(vec![0])).unwrap();
    until("the partition is held", || a.held.lock().unwrap().contains(&0)).await;
    assert_eq!(a.handle.view().await.unwrap().trouble, None);
    assert!(alarms.try_recv().is_err(), "the other times it was no news");
}
