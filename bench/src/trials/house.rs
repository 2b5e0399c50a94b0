//! What every trial needs: a log on the real disk, a handler that notes its calls, and patience.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evenkeel::{
    Answer, AttributeValue, BreakerPolicy, Call, Evenkeel, Event, Handler, Policy, RetrySchedule, Subscribe,
    SubscriptionAudit, Verdict,
};
use evenkeel_model::{Failure, FailureClass};

use crate::Outcome;

/// Keys over which events are spread.
pub(super) const KEYS: u64 = 100;
/// Between two looks.
const EVERY: Duration = Duration::from_millis(20);
/// After this long a trial has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the handler says to a call, and how long it takes.
pub(super) type Says = Box<dyn Fn(&Seen) -> (Duration, Verdict) + Send + Sync>;

/// A call, as the handler sees it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) key: String,
    /// How often this event was handed out before, in all lives of this handler.
    pub(super) before: u32,
    pub(super) done: bool,
}

/// A handler that notes every call.
pub(super) struct Noting {
    says: Says,
    calls: Arc<Mutex<Vec<Seen>>>,
    times: Mutex<HashMap<String, u32>>,
}

impl Noting {
    pub(super) fn new(says: impl Fn(&Seen) -> (Duration, Verdict) + Send + Sync + 'static) -> Arc<Noting> {
        Arc::new(Noting { says: Box::new(says), calls: Arc::default(), times: Mutex::default() })
    }

    /// The calls that came back, in the order in which they did.
    pub(super) fn calls(&self) -> Vec<Seen> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many events were done.
    pub(super) fn done(&self) -> u64 {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|seen| seen.done).count() as u64
    }

    /// Events of a key that were done after a later one of it.
    pub(super) fn overtaken(&self) -> u64 {
        let mut newest: HashMap<String, u64> = HashMap::new();
        let mut wrong = 0;
        for seen in self.calls().into_iter().filter(|seen| seen.done) {
            let newest = newest.entry(seen.key).or_default();
            wrong += u64::from(*newest > seen.number);
            *newest = seen.number.max(*newest);
        }
        wrong
    }
}

impl Handler for Noting {
    fn handle(&self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send + 'static>> {
        let event = &call.delivered.event;
        let id = event.id.id.clone();
        let number = id.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let key = event.extension("partitionkey").map(|key| key.to_string()).unwrap_or_default();
        let before = {
            let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
            let times = times.entry(id.clone()).or_default();
            *times += 1;
            *times - 1
        };
        let mut seen = Seen { id, number, key, before, done: false };
        let (took, verdict) = (self.says)(&seen);
        seen.done = verdict == Verdict::Ack;
        let calls = self.calls.clone();
        Box::pin(async move {
            if !took.is_zero() {
                tokio::time::sleep(took).await;
            }
            calls.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
            Answer { verdict, emitted: Vec::new(), handler_version: None }
        })
    }
}

/// Four attempts as Spring and Watermill have them, ten times as fast; the rest is the default.
pub(super) fn policy() -> Policy {
    let retry = RetrySchedule {
        attempts: 4,
        initial: Duration::from_millis(100),
        factor: 2.0,
        max: Duration::from_secs(1),
        inline: Duration::from_millis(20),
        ..RetrySchedule::default()
    };
    let handler_breaker = BreakerPolicy {
        window: Duration::from_secs(6),
        open: Duration::from_millis(500),
        open_max: Some(Duration::from_secs(1)),
        ..BreakerPolicy::default()
    };
    Policy { retry, handler_breaker, ..Policy::default() }
}

/// A log in `folder`, and one subscription of `orders`.
pub(super) async fn open(folder: &std::path::Path, handler: &Arc<Noting>) -> Outcome<Evenkeel> {
    let subscribe = Subscribe::by("payment", "orders", handler.clone()).policy(policy());
    Ok(Evenkeel::builder().data(folder).topic("orders", 8).subscribe(subscribe).start().await?)
}

pub(super) fn event(kind: &str, number: u64) -> Event {
    let mut event = Event::new("/shop", format!("{kind}-{number}"), "OrderCreated");
    event.set_extension("partitionkey", AttributeValue::String(format!("k{}", number % KEYS)));
    event.data = Some(format!("{{\"order\":{number}}}").into());
    event
}

/// Publishes in batches of 100.
pub(super) async fn publish(evenkeel: &Evenkeel, events: Vec<Event>) -> Outcome<()> {
    for batch in events.chunks(100) {
        evenkeel.publish_all("orders", batch.to_vec()).await?;
    }
    Ok(())
}

/// Waits until every event has its outcome; the books of the subscription.
pub(super) async fn ended(evenkeel: &Evenkeel) -> Outcome<SubscriptionAudit> {
    let waiting = async {
        loop {
            let audit = evenkeel.audit().await?;
            let books = audit.subscriptions.into_iter().next().ok_or("no subscription")?;
            if books.in_flight + books.parked + books.unread == 0 {
                return if audit.ok { Ok(books) } else { Err(format!("the audit does not add up: {books:?}").into()) };
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(books) => books,
        Err(_) => Err("it never ends".into()),
    }
}

/// Ends a life in order.
pub(super) async fn close(evenkeel: Evenkeel) {
    let _ = evenkeel.shutdown(Duration::from_secs(1)).await;
}

/// What a handler that broke says.
pub(super) fn failed() -> Verdict {
    let message = "it throws".to_owned();
    let class = FailureClass::Failed;
    Verdict::Failed(Failure { class, status: Some(500), unanswered: false, retry_after: None, message })
}
