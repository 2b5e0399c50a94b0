//! The doubles in memory as subjects.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, GivenOrder, Journal, PortError, Redelivery, Source};
use evenkeel_model::{Position, Record, Shard};

use crate::contract::doubles::{Cluster, Node, Queue, QueueFault};
use crate::contract::rounds::NOW;
use crate::contract::{Capabilities, Opened, Subject};

fn at_once<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, Result<T, PortError>> {
    Box::pin(std::future::ready(Ok(value)))
}

fn opened<P: Source + Journal>(ports: P) -> Opened {
    let ports = Arc::new(ports);
    Opened { source: ports.clone(), journal: ports }
}

/// A partitioned log; each opening is another node that is given everything.
pub(super) struct Moving {
    cluster: Cluster,
    /// Gives the same right to everybody, as a cluster without fences would.
    shared: Option<Arc<Node>>,
}

impl Moving {
    pub(super) fn new() -> Moving {
        Moving { cluster: Cluster::new(3), shared: None }
    }

    pub(super) fn unfenced() -> Moving {
        let cluster = Cluster::new(3);
        let shared = Some(Arc::new(cluster.assign(0..3)));
        Moving { cluster, shared }
    }
}

impl Subject for Moving {
    fn capabilities(&self) -> Capabilities {
        Capabilities { keeps_settled: false, fences: true, ..Capabilities::LOG }
    }
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>> {
        at_once(records.into_iter().map(|record| self.cluster.publish(record, NOW)).collect())
    }
    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>> {
        at_once(match &self.shared {
            Some(node) => Opened { source: node.clone(), journal: node.clone() },
            None => opened(self.cluster.assign(0..3)),
        })
    }
    fn crash(&self) -> BoxFuture<'_, Result<(), PortError>> {
        at_once(())
    }
    fn dead(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        at_once(self.cluster.dead())
    }
    fn effects(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        at_once(self.cluster.effects())
    }
}

/// A queue with one consumer, who comes back after a crash.
pub(super) struct Queued {
    queue: Queue,
    published: std::sync::atomic::AtomicU64,
}

impl Queued {
    pub(super) fn new(fault: Option<QueueFault>) -> Queued {
        Queued { queue: Queue::with(fault), published: std::sync::atomic::AtomicU64::new(0) }
    }
}

impl Subject for Queued {
    fn capabilities(&self) -> Capabilities {
        let redelivery = Redelivery::Lease(Duration::from_secs(30));
        Capabilities { order: GivenOrder::Partition, redelivery, ..Capabilities::QUEUE }
    }
    fn unsettled(&self) -> BoxFuture<'_, Result<Option<u64>, PortError>> {
        at_once(Some(self.queue.leased() as u64))
    }
    /// One consumer gets everything, in order: a message's place is its number.
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>> {
        let place = |record| {
            self.queue.publish(record, NOW);
            let offset = self.published.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Position { shard: Shard::new("orders", 0), offset }
        };
        at_once(records.into_iter().map(place).collect())
    }
    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>> {
        at_once(opened(self.queue.consumer(0)))
    }
    fn crash(&self) -> BoxFuture<'_, Result<(), PortError>> {
        at_once(())
    }
    fn dead(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        at_once(self.queue.dead())
    }
    fn effects(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        at_once(self.queue.effects())
    }
}
