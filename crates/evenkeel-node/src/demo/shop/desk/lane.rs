//! One lane of the desk: batches of orders, published one after the other, written down, and
//! some of them sent again on purpose.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tokio::sync::mpsc;

use super::Desk;
use super::acks::Ack;
use super::publishing::{self, Placed};
use crate::demo::draw::Draw;
use crate::demo::order::Order;

const BATCH_EVENTS: usize = 32;
const BATCH_UNITS: usize = 2_000;

/// An order and the event that tells of it.
pub(super) struct Made {
    pub(super) event: Value,
    pub(super) order: Order,
}

struct Sent {
    made: Made,
    again: bool,
}

/// Works until its door is closed and nothing is left to send.
pub(super) async fn work(desk: Arc<Desk>, number: usize, mut queue: mpsc::UnboundedReceiver<Made>) {
    let mut draw = Draw::seeded(desk.plan.seed ^ ((number as u64) << 32));
    let mut again = Vec::new();
    while let Some(batch) = gather(&mut queue, &mut again).await {
        let bodies: Vec<&Value> = batch.iter().map(|sent| &sent.made.event).collect();
        let Ok((placed, tries)) = publishing::until_acknowledged(&desk, &bodies).await else { return };
        let percent = desk.control.borrow().again_percent;
        for (sent, placed) in batch.into_iter().zip(placed) {
            if !note(&desk, &sent, &placed, tries).await {
                return;
            }
            if !sent.again && draw.below(100) < percent as usize {
                desk.counts.again_sent.fetch_add(1, Ordering::Relaxed);
                again.push(Sent { again: true, ..sent });
            }
        }
    }
}

/// The next batch: what is due, bounded, behind what is to be sent again. `None` at the end.
async fn gather(queue: &mut mpsc::UnboundedReceiver<Made>, again: &mut Vec<Sent>) -> Option<Vec<Sent>> {
    let mut batch = std::mem::take(again);
    let mut weight = 0;
    if batch.is_empty() {
        let first = queue.recv().await?;
        weight += first.order.lines.len();
        batch.push(Sent { made: first, again: false });
    }
    while batch.len() < BATCH_EVENTS && weight < BATCH_UNITS {
        let Ok(made) = queue.try_recv() else { break };
        weight += made.order.lines.len();
        batch.push(Sent { made, again: false });
    }
    Some(batch)
}

/// Writes the acknowledgment down; false when the book takes nothing more.
async fn note(desk: &Desk, sent: &Sent, placed: &Placed, tries: u32) -> bool {
    let order = &sent.made.order;
    let ack = Ack {
        id: order.id.clone(),
        kind: order.kind.clone(),
        customer: order.customer.clone(),
        partition: placed.partition,
        offset: placed.offset,
        duplicate: placed.duplicate,
        again: sent.again,
        tries,
        units: order.units(),
        pence: order.pence(),
    };
    if let Err(why) = desk.acks.keep(ack).await {
        desk.stop(why);
        return false;
    }
    let counts = &desk.counts;
    let count = if sent.again { &counts.again_acked } else { &counts.acked };
    count.fetch_add(1, Ordering::Relaxed);
    if placed.duplicate && !sent.again {
        counts.unknown_then_there.fetch_add(1, Ordering::Relaxed);
    }
    true
}
