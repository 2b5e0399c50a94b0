//! A stream and a durable consumer of a test's own, behind a proxy.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::ports::{
    BoxFuture, Capabilities, Commit, GivenOrder, Journal, NativeLimits, PortError, Redelivery, Sink,
};
use evenkeel_delivery::{Fact, Mark, Round};
use evenkeel_model::ledger::Ended;
use evenkeel_model::{AttributeValue, Event, Outcome, Record, Shard, Timestamp};
use evenkeel_transport::contract::Mistake;
use evenkeel_transport::contract::intaken::{Connecting, Site};
use evenkeel_transport::contract::proxy::{Line, Proxy};
use evenkeel_transport::{Parcel, Queue, Style};
use evenkeel_transport_nats::{Auth, ConsumerSettings, JetStreamQueue, JetStreamSink, Server, connect};

const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);
pub(crate) const LEASE: Duration = Duration::from_secs(2);
const DURABLE: &str = "evenkeel";

/// The server's address, unless there is none.
pub(crate) fn need() -> Option<SocketAddr> {
    let found = std::env::var("EVENKEEL_TEST_NATS").ok().and_then(|text| text.parse().ok());
    if found.is_none() {
        let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "nats"), "EVENKEEL_TEST_NATS is required and not set");
        println!("skipped: EVENKEEL_TEST_NATS is not set");
        let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/../skipped.txt");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
        let _ = file.and_then(|mut file| std::io::Write::write_all(&mut file, b"transport-nats: nats\n"));
    }
    found
}

pub(crate) struct Jet {
    name: String,
    direct: async_nats::Client,
    proxy: Proxy,
}

impl Jet {
    /// An empty stream.
    pub(crate) async fn fresh(server: SocketAddr) -> Jet {
        let proxy = Proxy::start(server).await.unwrap();
        let direct = connect(&at(server)).await.unwrap();
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("t{}-{number}", std::process::id());
        let config = jetstream::stream::Config {
            name: name.clone(),
            subjects: vec![format!("{name}.in")],
            ..jetstream::stream::Config::default()
        };
        jetstream::new(direct.clone()).create_stream(config).await.unwrap();
        Jet { name, direct, proxy }
    }

    pub(crate) async fn remove(&self) {
        let _ = jetstream::new(self.direct.clone()).delete_stream(&self.name).await;
    }

    fn settings(&self) -> ConsumerSettings {
        ConsumerSettings { lease: LEASE, ..ConsumerSettings::new(&self.name, DURABLE) }
    }

    async fn consumer(&self) -> jetstream::consumer::Consumer<pull::Config> {
        let stream = jetstream::new(self.direct.clone()).get_stream(&self.name).await.unwrap();
        stream.get_consumer(DURABLE).await.unwrap()
    }

    /// Publishes messages that the server gives and the adapter never gets.
    pub(crate) async fn lose(&self, upto: u64, records: Vec<Record>) {
        self.proxy.set(Line::Stalled);
        self.publish(records).await.unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while self.consumer().await.info().await.unwrap().delivered.stream_sequence < upto {
            assert!(tokio::time::Instant::now() < deadline, "the server gave nothing");
        }
        self.proxy.set(Line::Cut);
        // Long enough that both sides see it.
        let over = tokio::time::Instant::now() + Duration::from_millis(300);
        until("the connection is gone", || tokio::time::Instant::now() > over).await;
        self.proxy.set(Line::Open);
    }

    /// Messages that were given and not acknowledged.
    pub(crate) async fn pending(&self) -> usize {
        self.consumer().await.info().await.unwrap().num_ack_pending
    }

    pub(crate) async fn acknowledged_below(&self) -> u64 {
        self.consumer().await.info().await.unwrap().ack_floor.stream_sequence
    }

    /// The answer to a consumer that gives up.
    pub(crate) async fn with_max_deliver(&self, max_deliver: i64) -> String {
        let stream = jetstream::new(self.direct.clone()).get_stream(&self.name).await.unwrap();
        let config = pull::Config {
            durable_name: Some(DURABLE.to_owned()),
            ack_policy: AckPolicy::Explicit,
            max_deliver,
            ..pull::Config::default()
        };
        stream.create_consumer(config).await.unwrap();
        JetStreamQueue::open(self.direct.clone(), &self.settings()).await.err().unwrap().0
    }

    fn subject(&self) -> String {
        format!("{}.in", self.name)
    }
}

fn at(address: SocketAddr) -> Server {
    Server { url: format!("nats://{address}"), auth: Auth::None, roots: Vec::new() }
}

impl Site for Jet {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            order: GivenOrder::Partition,
            redelivery: Redelivery::Lease(LEASE),
            limits: NativeLimits { payload_bytes_max: Some(8 << 20), ..NativeLimits::default() },
            ..Capabilities::QUEUE
        }
    }

    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            let client = connect(&at(self.proxy.address())).await?;
            Ok(Arc::new(JetStreamQueue::open(client, &self.settings()).await?) as Arc<dyn Queue>)
        })
    }

    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let context = jetstream::new(self.direct.clone());
            for record in &records {
                let parcel = Parcel::of(record, Style::Nats);
                let mut headers = async_nats::HeaderMap::new();
                parcel.headers.iter().for_each(|(name, value)| headers.append(name.as_str(), value.as_str()));
                let sent = context.publish_with_headers(self.subject(), headers, parcel.body).await;
                let confirmed = match sent {
                    Ok(confirmed) => confirmed.await,
                    Err(e) => Err(e),
                };
                confirmed.map_err(|e| PortError(e.to_string()))?;
            }
            Ok(())
        })
    }

    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        Box::pin(async move {
            let client = connect(&at(self.proxy.address())).await?;
            Ok(Some(Arc::new(JetStreamSink::new(client, self.subject())) as Arc<dyn Sink>))
        })
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    fn connect_wrong(&self, mistake: Mistake) -> Option<Connecting<'_>> {
        // The test's server asks nobody for a password.
        (mistake == Mistake::Topic).then(|| -> Connecting<'_> {
            Box::pin(async move {
                let client = connect(&at(self.proxy.address())).await?;
                let settings = ConsumerSettings { stream: "no-such-topic".to_owned(), ..self.settings() };
                Ok(Arc::new(JetStreamQueue::open(client, &settings).await?) as Arc<dyn Queue>)
            })
        })
    }
}

/// Events, each with a key of its own.
pub(crate) fn records(numbers: Range<usize>) -> Vec<Record> {
    numbers.map(|n| to_record(&event(n), NOW)).collect()
}

fn event(n: usize) -> Event {
    let mut event = Event::new("/nats", format!("n-{n}"), "T");
    event.set_extension("partitionkey", AttributeValue::String(format!("k{n}")));
    event
}

/// Journals that these are done.
pub(crate) async fn complete(journal: &dyn Journal, offsets: &[u64]) {
    let facts = offsets.iter().map(|offset| ended(*offset)).collect();
    let round = Round { number: 1, facts, acked: Vec::new() };
    journal.commit(Commit { round, emitted: Vec::new(), dead: Vec::new() }).await.unwrap();
}

fn ended(offset: u64) -> Fact {
    let entry = Ended {
        offset,
        outcome: Outcome::Completed,
        kind: "T".into(),
        source: "/nats".into(),
        handler_version: "".into(),
        at: NOW,
        created_to_ended_us: 1,
        handler_us: 1,
        created_believed: true,
        overdue: false,
        attempts: 1,
        deliveries: 1,
        deferrals: 0,
        crashes: 0,
        emitted: 0,
        failure: None,
    };
    let mark = Mark::of("payment", "/nats", &offset.to_string());
    Fact::Ended { shard: Shard::new("orders", 0), mark: Some(mark), entry }
}

/// Waits for what must come, with a deadline.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        looks.tick().await;
    }
}
