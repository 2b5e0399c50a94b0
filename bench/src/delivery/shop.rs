//! The events, and the log that they lie in: orders of 10,000 customers, 1 KiB of data each.

use std::path::Path;
use std::sync::Arc;

use evenkeel::{Clock, Evenkeel, Event, SystemClock};
use evenkeel_cloudevents::time::format_rfc3339;
use tokio::task::JoinSet;

use crate::Outcome;

pub(crate) const TOPIC: &str = "orders";
pub(crate) const PARTITIONS: u32 = 6;
/// Keys, so that order is kept among many.
const CUSTOMERS: u64 = 10_000;
const BYTES: usize = 1024;
const PUBLISHERS: u64 = 8;
const PUBLISHED_AT_ONCE: u64 = 500;

/// The order of that number, created now.
pub(crate) fn event(number: u64, clock: &dyn Clock) -> Event {
    keyed(number, number.wrapping_mul(2_654_435_761) % CUSTOMERS, "OrderCreated", clock)
}

pub(crate) fn keyed(number: u64, customer: u64, kind: &str, clock: &dyn Clock) -> Event {
    let mut event = Event::new("/bench", format!("order-{number}"), kind);
    event.subject = Some(format!("customer-{customer}"));
    event.time = Some(format_rfc3339(clock.now()));
    event.datacontenttype = Some("application/json".to_owned());
    event.data = Some(body(number).into());
    event
}

pub(crate) fn body(number: u64) -> String {
    let mut body = format!("{{\"order\":{number},\"currency\":\"EUR\",\"cents\":1530,\"note\":\"");
    let fill = BYTES - body.len() - 2;
    body.extend(std::iter::repeat_n('x', fill));
    body + "\"}"
}

/// Publishes what `make` gives for each number below `count`.
pub(crate) async fn publish<F>(evenkeel: &Arc<Evenkeel>, clock: &Arc<SystemClock>, count: u64, make: F) -> Outcome<()>
where
    F: Fn(u64, &dyn Clock) -> Event + Send + Sync + 'static,
{
    let make = Arc::new(make);
    let next = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut publishers: JoinSet<Outcome<()>> = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let (evenkeel, clock, make, next) = (evenkeel.clone(), clock.clone(), make.clone(), next.clone());
        publishers.spawn(async move {
            loop {
                let first = next.fetch_add(PUBLISHED_AT_ONCE, std::sync::atomic::Ordering::Relaxed);
                if first >= count {
                    return Ok(());
                }
                let end = count.min(first + PUBLISHED_AT_ONCE);
                let batch = (first..end).map(|number| make(number, clock.as_ref())).collect();
                evenkeel.publish_all(TOPIC, batch).await?;
            }
        });
    }
    while let Some(ended) = publishers.join_next().await {
        ended??;
    }
    Ok(())
}

/// A log with that many orders in it, and nobody who reads them.
pub(crate) async fn fill(folder: &Path, clock: &Arc<SystemClock>, events: u64) -> Outcome<()> {
    let evenkeel = Evenkeel::builder().data(folder).clock(clock.clone()).topic(TOPIC, PARTITIONS).start().await?;
    let evenkeel = Arc::new(evenkeel);
    publish(&evenkeel, clock, events, event).await?;
    let evenkeel = Arc::into_inner(evenkeel).ok_or("somebody still publishes")?;
    evenkeel.shutdown(std::time::Duration::from_secs(60)).await;
    Ok(())
}
