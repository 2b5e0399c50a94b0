//! What the tests of an adapter on a real server share: whether there is one, events to publish,
//! outcomes to journal, and waiting for what must come.
//!
//! For tests: it panics where a test would fail.

use std::io::Write as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{Commit, Journal, Outgoing, PortError};
use evenkeel_delivery::{Mark, Round};
use evenkeel_model::{AttributeValue, Event, Outcome, Record, Shard, names};

use super::Subject;
use super::intaken::{Intaken, Site, TOPIC};
use super::rounds::{NOW, ended};
use crate::intake::{Queue, Taken};

/// What must come may take so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that the tests of a crate need.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The crate, as the list of what was skipped has it.
    pub tests: &'static str,
    /// The server, as `EVENKEEL_REQUIRE` names it.
    pub server: &'static str,
    /// The variable that holds `host:port`.
    pub variable: &'static str,
    /// `env!("CARGO_TARGET_TMPDIR")`: beside it lies the list of what was skipped.
    pub beside: &'static str,
}

impl Need {
    /// Its address; `None`, and on the list, when there is none.
    ///
    /// # Panics
    /// When it is required and there is none.
    pub fn address(&self) -> Option<SocketAddr> {
        let found = std::env::var(self.variable).ok().and_then(|text| text.parse().ok());
        if found.is_none() {
            let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
            let required = required.split(',').any(|name| name == self.server);
            assert!(!required, "{} is required and not set", self.variable);
            println!("skipped: {} is not set", self.variable);
            let list = format!("{}/../skipped.txt", self.beside);
            let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
            let _ = file.and_then(|mut file| writeln!(file, "{}: {}", self.tests, self.server));
        }
        found
    }
}

/// A name that no other test has.
pub fn fresh_name() -> String {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("t{}-{number}", std::process::id())
}

/// An event with a key of its own.
pub fn event(n: usize) -> Event {
    let mut event = Event::new("/real", format!("n-{n}"), "T");
    event.set_extension("partitionkey", AttributeValue::String(format!("k{n}")));
    event
}

/// Such events as records.
pub fn records(numbers: Range<usize>) -> Vec<Record> {
    numbers.map(|n| to_record(&event(n), NOW)).collect()
}

/// Such an event on its way out.
pub fn outgoing(n: usize) -> Outgoing {
    let id = Mark::of("contract", "/real", &n.to_string());
    Outgoing { event: event(n), key: Some(Bytes::from(format!("k{n}"))), headers: Vec::new(), created: NOW, id }
}

/// Journals that these are done.
pub async fn complete(journal: &dyn Journal, offsets: &[u64]) -> Result<(), PortError> {
    let shard = Shard::new(TOPIC, 0);
    let facts = offsets.iter().map(|offset| ended(&shard, *offset, Outcome::Completed, 0)).collect();
    let round = Round { number: 1, facts, acked: Vec::new() };
    journal.commit(Commit { round, emitted: Vec::new(), dead: Vec::new() }).await
}

/// Waits for what must come.
///
/// # Panics
/// When it did not come in time.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        looks.tick().await;
    }
}

/// The next message that a queue gives.
///
/// # Panics
/// When it gives none.
pub async fn one(queue: &dyn Queue) -> Taken {
    let lent = std::cell::RefCell::new(None);
    until("a message comes", async || {
        *lent.borrow_mut() = queue.receive(1).await.expect("a message").pop();
        lent.borrow().is_some()
    })
    .await;
    lent.take().expect("it came")
}

/// A message goes to somebody who gives it back, `times` over, and then to a node: how often its broker had given it
/// before, as that node counts.
///
/// # Panics
/// When the broker gives it to nobody, or a port fails.
pub async fn given_before<S: Site>(subject: &Intaken<S>, times: u32) -> u32 {
    subject.publish(records(0..1)).await.expect("a message");
    for _ in 0..times {
        let other = subject.site().connect().await.expect("another consumer");
        let lent = one(&*other).await;
        other.give_back(vec![lent.ticket]).await;
    }
    let opened = subject.open().await.expect("a node");
    let (events, _) = opened.source.fetch(&Shard::new(TOPIC, 0), 0, 10).await.expect("what it placed");
    let [event] = &events[..] else { panic!("{} events", events.len()) };
    assert!(event.record.header(names::BROKER_DELIVERIES).is_none(), "the message itself says nothing of it");
    event.arrival.given_before
}
