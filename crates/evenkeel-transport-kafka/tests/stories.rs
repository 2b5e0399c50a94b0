//! The story of an event at a real Kafka, when there is not the time for all of it, and when nobody is there.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod house;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use evenkeel_model::ledger::{AttemptFailed, LedgerEntry, LedgerRecord, encode};
use evenkeel_model::{Clock, FailureClass, Header, Record, SystemClock, Timestamp};
use evenkeel_transport::SourceSettings;
use evenkeel_transport::story::Telling;
use evenkeel_transport_kafka::{PartitionSettings, Stretch, Unseen, stories};
use house::{Publisher, broker, clock, create, kafka, unique};

/// What the ledger says of the event, in so many records.
const SAID: u64 = 40;

/// Each look at it takes a second.
struct Ticking(AtomicI64);

impl Ticking {
    fn begin() -> Arc<dyn Clock> {
        Arc::new(Ticking(AtomicI64::new(SystemClock::new().now().micros())))
    }
}

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1_000_000, Ordering::SeqCst))
    }
}

fn event(created: Timestamp) -> Record {
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: Some(value.to_owned().into()) };
    let headers = vec![
        header("ce_specversion", "1.0"),
        header("ce_id", "order-1"),
        header("ce_source", "/shop"),
        header("ce_type", "OrderCreated"),
    ];
    Record { value: Some("{}".into()), headers, created, ..Record::default() }
}

/// One more attempt that failed.
fn said(of: &PartitionSettings, sequence: u64, at: Timestamp) -> Record {
    let attempt = AttemptFailed {
        offset: 0,
        delivery: u32::try_from(sequence).unwrap() + 1,
        at,
        took_us: 1,
        class: FailureClass::Failed,
        status: Some(503),
        fingerprint: String::new(),
        message: String::new(),
        next_at: None,
    };
    let (subscription, topic) = (of.source.subscription.clone(), of.source.topic.clone());
    let entries = vec![LedgerEntry::Attempt(attempt)];
    let record = LedgerRecord { subscription, topic, partition: 0, sequence, at, entries };
    Record { value: Some(encode(&record)), created: at, ..Record::default() }
}

/// The attempts that are told, and what was not looked at.
async fn told(address: &str, of: &PartitionSettings, within: Duration) -> (usize, Vec<Unseen>) {
    let telling = Telling::new("order-1", None, Vec::new());
    let told =
        stories(&broker(address), vec![of.clone()], Ticking::begin(), |topic| topic.into(), telling, within).await;
    let (telling, unseen) = told.unwrap();
    let stories = telling.finish();
    let attempts = stories.iter().flat_map(|s| &s.subscriptions).map(|s| s.attempts.len()).sum();
    assert!(!stories.is_empty() || !unseen.is_empty(), "what is there is told, or that not all was looked at");
    (if stories.is_empty() { 0 } else { attempts }, unseen)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_of_a_ledger_there_was_no_time_for_is_said() {
    let Some(address) = kafka() else { return };
    let of = PartitionSettings::new(SourceSettings::new(unique("payment"), unique("orders")));
    create(&address, &of.source.topic, 1).await;
    create(&address, &of.names.ledger, 1).await;
    let (publisher, now) = (Publisher::new(&address), clock().now());
    publisher.publish(&of.source.topic, &[event(now)], 1).await.unwrap();
    let records: Vec<Record> = (0..SAID).map(|n| said(&of, n, now)).collect();
    publisher.publish(&of.names.ledger, &records, 1).await.unwrap();
    let mut in_part = 0;
    for within in (0..).step_by(7).map(Duration::from_secs) {
        let (attempts, unseen) = told(&address, &of, within).await;
        if unseen.iter().any(|of| matches!(of.stretch, Stretch::Below(_))) {
            continue;
        }
        let [left] = unseen.as_slice() else {
            assert_eq!((attempts as u64, unseen), (SAID, Vec::new()), "all that is not said to be unseen is told");
            break;
        };
        let expected =
            Unseen { topic: of.names.ledger.as_str().into(), partition: 0, stretch: Stretch::From(attempts as u64) };
        assert_eq!(left, &expected, "after {within:?}");
        in_part += u32::from(attempts > 0);
    }
    assert!(in_part > 0, "once the time was up in the middle of the ledger");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nobody_is_there_is_said_while_who_asked_still_waits() {
    let of = PartitionSettings::new(SourceSettings::new("payment", "orders"));
    let asked = clock();
    let (begun, telling) = (asked.now(), Telling::new("order-1", None, Vec::new()));
    // Nobody listens at port 1.
    let (nobody, hour) = (broker("127.0.0.1:1"), Duration::from_secs(3600));
    let told = stories(&nobody, vec![of], asked.clone(), |topic| topic.into(), telling, hour).await;
    let said = told.err().unwrap().0;
    assert!(said.contains("127.0.0.1:1") && said.contains("refused"), "{said}");
    assert!(asked.now() < begun + Duration::from_secs(12), "{said}");
}
