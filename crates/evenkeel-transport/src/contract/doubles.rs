//! Two transports in memory that keep the contract and have nothing of a log on one disk: a
//! partitioned log whose ownership moves between nodes, and a queue without partitions. A third double is a broker's queue for the intake. They run
//! in the simulation, so that nothing in the core or the runtime secretly assumes the embedded log.
//!
//! What they model is who may write what; not disks, not time. All that was committed is durable.

mod bell;
mod books;
mod broker;
mod moving;
mod queue;

pub use broker::{Broker, Connection};
pub use moving::{Cluster, Node};
pub use queue::{Consumer, Queue, QueueFault};
