//! A shop over Kafka: orders go in, payments come out, and a handler that remembers every call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Outgoing, Sink};
use evenkeel_model::{AttributeValue, Clock, Event, SystemClock};
use evenkeel_transport::SourceSettings;
use evenkeel_transport_kafka::{Broker, BrokerSettings, KafkaSink, Partition, PartitionSettings, Wanted};

use super::support::pass;

const PARTITIONS: u32 = 6;
const KEYS: usize = 40;

pub struct Shop {
    address: String,
    name: String,
    groups: &'static str,
    handler: String,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    calls: usize,
    called: BTreeSet<usize>,
    /// By key: the newest event that was called, and its fence.
    newest: BTreeMap<usize, (usize, u64)>,
    disorder: Vec<String>,
    fences: BTreeSet<u64>,
}

fn held(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where Kafka is; else the test notes itself, or fails where it is required.
fn kafka() -> Option<String> {
    if let Ok(address) = std::env::var("EVENKEEL_TEST_KAFKA") {
        return Some(address);
    }
    let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == "kafka"), "EVENKEEL_TEST_KAFKA is required and not set");
    use std::io::Write as _;
    let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/../skipped.txt");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
    let _ = file.and_then(|mut file| writeln!(file, "evenkeel-node: a Kafka (EVENKEEL_TEST_KAFKA)"));
    None
}

impl Shop {
    pub async fn open(groups: &'static str) -> Option<Shop> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let address = kafka()?;
        let now = SystemClock::new().now().micros();
        let name = format!("{now:x}-{}", NEXT.fetch_add(1, Ordering::SeqCst));
        let book: Arc<Mutex<Book>> = Arc::default();
        let routes = Router::new().fallback(handle).with_state(book.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let handler = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let shop = Shop { address, name, groups, handler, book };
        let broker = shop.broker();
        for topic in [shop.orders(), shop.payments()] {
            broker.create(&topic, PARTITIONS).await.unwrap();
        }
        Some(shop)
    }

    fn broker(&self) -> Broker {
        Broker::new(BrokerSettings::plaintext("main", self.address.clone()))
    }

    fn orders(&self) -> String {
        format!("orders-{}", self.name)
    }

    pub fn subscription(&self) -> String {
        format!("payment-{}", self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn orders_address(&self) -> String {
        format!("kafka://main/{}", self.orders())
    }

    /// The broker, as the configuration names it.
    pub fn brokers(&self) -> String {
        let Shop { address, groups, .. } = self;
        format!("brokers:\n  main: {{ url: \"kafka://{address}\", groups: {groups}, session: 3s, grace: 10s }}")
    }

    fn payments(&self) -> String {
        format!("payments-{}", self.name)
    }

    pub fn config(&self) -> String {
        let (handler, brokers) = (&self.handler, self.brokers());
        let (orders, payments, payment) = (self.orders(), self.payments(), self.subscription());
        format!(
            "http: {{ listen: \"127.0.0.1:0\" }}
{brokers}
subscriptions:
  {payment}:
    topic: kafka://main/{orders}
    from: earliest
    handler: {{ http: {{ url: \"{handler}\", timeout: 5s }} }}
    effects: {{ mode: log, topic: \"kafka://main/{payments}\" }}
"
        )
    }

    /// Publishes so many orders, so many a second.
    pub fn publish(&self, count: usize, per_second: u64) -> impl Future<Output = ()> + Send + 'static {
        let (broker, topic) = (self.broker(), self.orders());
        async move {
            let sink = KafkaSink::open(&broker, topic).await.unwrap();
            let numbers: Vec<usize> = (0..count).collect();
            for some in numbers.chunks(30) {
                let sent = sink.publish(some.iter().map(|n| order(*n)).collect()).await;
                assert!(sent.iter().all(Result::is_ok), "{sent:?}");
                pass(Duration::from_micros(some.len() as u64 * 1_000_000 / per_second)).await;
            }
        }
    }

    pub fn calls(&self) -> usize {
        held(&self.book).calls
    }

    pub fn called(&self) -> usize {
        held(&self.book).called.len()
    }

    pub fn fences(&self) -> BTreeSet<u64> {
        held(&self.book).fences.clone()
    }

    pub fn disorder(&self) -> Vec<String> {
        held(&self.book).disorder.clone()
    }

    /// The numbers of the committed payments, partition by partition.
    pub async fn effects(&self) -> Vec<usize> {
        let (broker, topic) = (self.broker(), self.payments());
        let settings = PartitionSettings::new(SourceSettings::new(format!("reader-{}", self.name), topic.as_str()));
        let wanted = Wanted {
            names: settings.names.clone(),
            topic: settings.source.topic.clone(),
            inbox: settings.inbox,
            outward: Vec::new(),
        };
        broker.make(&wanted).await.unwrap();
        let mut all = Vec::new();
        for number in 0..PARTITIONS {
            let part = Partition::open(&broker, &settings, number, Arc::new(SystemClock::new())).await.unwrap();
            let (shard, mut next) = part.source.shards().await.unwrap().remove(0);
            loop {
                let (events, on) = part.source.fetch(&shard, next, 500).await.unwrap();
                if events.is_empty() {
                    break;
                }
                all.extend(events.iter().map(|e| number_of(&e.event.id.id)));
                next = on;
            }
        }
        all
    }
}

/// One for each, and those of a key in their order.
pub fn assert_in_order(effects: &[usize]) {
    let mut newest: BTreeMap<usize, usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for number in effects {
        assert!(seen.insert(number), "the effect of {number} is there twice");
        let before = newest.insert(number % KEYS, *number);
        assert!(before.is_none_or(|before| before < *number), "{number} after {before:?}");
    }
}

/// The number of an order, wherever its id stands in this.
pub fn number_in(event: &serde_json::Value) -> usize {
    let text = event.to_string();
    let rest = text.split("order-").nth(1).unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

fn number_of(id: &str) -> usize {
    id.rsplit('-').next().unwrap().parse().unwrap()
}

fn order(n: usize) -> Outgoing {
    let key = format!("key-{}", n % KEYS);
    let mut event = Event::new("/shop", format!("order-{n}"), "OrderCreated");
    event.data = Some(Bytes::from(format!("{{\"n\":{n}}}")));
    event.set_extension("partitionkey", AttributeValue::String(key.clone()));
    let id = Mark::of("test", "/shop", &n.to_string());
    Outgoing { event, key: Some(Bytes::from(key)), headers: Vec::new(), created: SystemClock::new().now(), id }
}

/// Answers with a payment, some time after it was called.
async fn handle(State(book): State<Arc<Mutex<Book>>>, headers: HeaderMap) -> Response {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let (id, fence) = (text("ce-id"), text("evenkeel-fence").parse().unwrap_or(0));
    let number = number_of(&id);
    {
        let mut book = held(&book);
        book.calls += 1;
        book.fences.insert(fence);
        book.called.insert(number);
        let newest = book.newest.insert(number % KEYS, (number, fence));
        // A repeat by a new owner may come, and a late call of an old one, whose fence says so; a step back
        // under one fence may not.
        if let Some((before, under)) = newest.filter(|(before, _)| *before > number)
            && under == fence
        {
            book.disorder.push(format!("{number} under fence {fence} after {before} under {under}"));
        }
    }
    pass(Duration::from_millis(5)).await;
    let payment = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"payment-{number}\",\"source\":\"/payments\",\"type\":\"Paid\",\"partitionkey\":\"key-{}\",\"data\":{{\"n\":{number}}}}}",
        number % KEYS
    );
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/cloudevents+json")], payment).into_response()
}
