//! The pace: hands orders to the lanes as they fall due. A customer's orders share a lane, so
//! that they are published one after the other; orders without a customer go round.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel_model::Clock as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Desk;
use super::lane::{self, Made};
use crate::demo::order::Order;

const LANES: usize = 12;
const TICK: Duration = Duration::from_millis(5);

/// Makes all orders of the plan and sees them published; then serves on, for compensation.
pub(super) async fn work(desk: Arc<Desk>, orders: Box<dyn Iterator<Item = Order> + Send>) -> Result<(), String> {
    let mut control = desk.control.subscribe();
    let _ = control.wait_for(|control| control.node.is_some()).await;
    let mut lanes = JoinSet::new();
    let mut doors = Vec::new();
    for number in 0..LANES {
        let (door, queue) = mpsc::unbounded_channel();
        lanes.spawn(lane::work(Arc::clone(&desk), number, queue));
        doors.push(door);
    }
    hand_out(&desk, orders, &doors).await;
    drop(doors);
    while lanes.join_next().await.is_some() {}
    std::future::pending().await
}

async fn hand_out(desk: &Desk, orders: impl Iterator<Item = Order>, doors: &[mpsc::UnboundedSender<Made>]) {
    let mut orders = orders.enumerate().peekable();
    let mut ticks = tokio::time::interval(TICK);
    let (mut due, mut before) = (0.0, desk.clock.now());
    while orders.peek().is_some() {
        ticks.tick().await;
        let now = desk.clock.now();
        due += desk.plan.per_second * desk.control.borrow().factor * now.since(before).as_secs_f64();
        before = now;
        while due >= 1.0 {
            due -= 1.0;
            let Some((number, order)) = orders.next() else { return };
            let door = &doors[lane_of(order.customer.as_deref(), number) % doors.len()];
            desk.counts.made.fetch_add(1, Ordering::Relaxed);
            let _ = door.send(Made { event: order.to_event(now), order });
        }
    }
}

fn lane_of(customer: Option<&str>, number: usize) -> usize {
    let Some(customer) = customer else { return number };
    let mut hash = DefaultHasher::new();
    customer.hash(&mut hash);
    usize::try_from(hash.finish() >> 33).unwrap_or(0)
}
