//! Two nodes on the double of a partitioned log whose ownership moves, through a group that a test
//! moves by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::Policy;
use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Change, Handler, Membership};
use evenkeel_model::{Record, SystemClock, Timestamp, Verdict};
use evenkeel_transport::contract::doubles::Cluster;
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};

use super::{SharedSpec, share_out};
use crate::runtime::{Dependencies, SubscriptionHandle, SubscriptionSpec};

/// A member that a test gives to and takes from.
struct Hand {
    changes: AsyncMutex<mpsc::UnboundedReceiver<Change>>,
    held: Arc<Mutex<BTreeSet<u32>>>,
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
            Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None }
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
    let membership = Arc::new(Hand { changes: AsyncMutex::new(changes), held: held.clone() });
    let spec = SharedSpec { name: "payment".into(), membership, open: Arc::new(open), grace: Duration::from_secs(30) };
    let handle = share_out(spec, Arc::new(SystemClock::new()), 1, Dependencies::default());
    Node { handle, group, held, handler }
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
