//! A shop over Kafka: orders go in, payments come out, and a handler that remembers every call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Delivered, Outgoing, Sink};
use evenkeel_model::{AttributeValue, Clock, Event, Record, SystemClock};
use evenkeel_transport::SourceSettings;
use evenkeel_transport_kafka::{Broker, BrokerSettings, KafkaSink, Partition, PartitionSettings, Wanted};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::support::until;

const PARTITIONS: u32 = 6;
const KEYS: usize = 40;
/// So many events are published at once, and so many may be on their way to a first call.
const BATCH: usize = 10;
const ON_THEIR_WAY: usize = 60;

pub struct Shop {
    address: String,
    name: String,
    groups: &'static str,
    handler: String,
    counter: Counter,
}

/// The handler, as its calls share it.
#[derive(Clone)]
struct Counter {
    book: Arc<Mutex<Book>>,
    /// True: nobody is answered.
    held: watch::Sender<bool>,
}

#[derive(Default)]
struct Book {
    calls: usize,
    /// By node.
    calls_of: BTreeMap<String, usize>,
    at_work: BTreeMap<String, usize>,
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
        let counter = Counter { book: Arc::default(), held: watch::Sender::new(false) };
        let routes = Router::new().fallback(handle).with_state(counter.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let handler = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let shop = Shop { address, name, groups, handler, counter };
        let broker = shop.broker();
        for topic in [shop.orders(), shop.payments()] {
            broker.create(&topic, PARTITIONS, &[]).await.unwrap();
        }
        Some(shop)
    }

    pub fn broker(&self) -> Broker {
        Broker::new(BrokerSettings::plaintext("main", self.address.clone()))
    }

    pub fn orders(&self) -> String {
        format!("orders-{}", self.name)
    }

    pub fn subscription(&self) -> String {
        format!("payment-{}", self.name)
    }

    pub fn address(&self) -> &str {
        &self.address
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

    /// What the node of that name is started with.
    pub fn config(&self, node: &str) -> String {
        let (handler, brokers) = (&self.handler, self.brokers());
        let (orders, payments, payment) = (self.orders(), self.payments(), self.subscription());
        format!(
            "http: {{ listen: \"127.0.0.1:0\" }}
{brokers}
subscriptions:
  {payment}:
    topic: kafka://main/{orders}
    from: earliest
    handler: {{ http: {{ url: \"{handler}{node}\", timeout: 5s }} }}
    effects: {{ mode: log, topic: \"kafka://main/{payments}\" }}
"
        )
    }

    /// Publishes orders until it is told that it's enough, never many more than were called.
    pub fn publish(&self) -> Publishing {
        let (broker, topic, book) = (self.broker(), self.orders(), self.counter.book.clone());
        let enough: Arc<AtomicBool> = Arc::default();
        let asked = enough.clone();
        let task = tokio::spawn(async move {
            let sink = KafkaSink::open(&broker, topic).await.unwrap();
            let mut sent = 0;
            while !asked.load(Ordering::SeqCst) {
                // Each of a key of its own: what is sent again keeps its place in it.
                let mut some: Vec<usize> = (sent..sent + BATCH).collect();
                while !some.is_empty() {
                    let taken = sink.publish(some.iter().map(|n| order(*n)).collect()).await;
                    let unsent = some.iter().zip(&taken).filter(|(_, taken)| taken.is_err());
                    some = unsent.map(|(n, _)| *n).collect();
                }
                sent += BATCH;
                let room = || {
                    let room = sent < held(&book).called.len() + ON_THEIR_WAY || asked.load(Ordering::SeqCst);
                    async move { room.then_some(()) }
                };
                until("what was published is called", room).await;
            }
            sent
        });
        Publishing { enough, task }
    }

    /// From now on nobody is answered.
    pub fn hold(&self) {
        self.counter.held.send_replace(true);
    }

    /// Everybody is answered again.
    pub fn release(&self) {
        self.counter.held.send_replace(false);
    }

    /// Calls of that node.
    pub fn calls_of(&self, node: &str) -> usize {
        self.book().calls_of.get(node).copied().unwrap_or(0)
    }

    /// Calls of that node that nobody answered yet.
    pub fn at_work(&self, node: &str) -> usize {
        self.book().at_work.get(node).copied().unwrap_or(0)
    }

    /// Waits for so many more events to be called, by whom ever.
    pub async fn works(&self, more: usize) {
        let before = self.called();
        until("events are called", || async { (self.called() >= before + more).then_some(()) }).await;
    }

    /// Waits for that node to call so many more.
    pub async fn node_works(&self, node: &str, more: usize) {
        let before = self.calls_of(node);
        until("that node calls", || async { (self.calls_of(node) >= before + more).then_some(()) }).await;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        held(&self.counter.book)
    }

    pub fn calls(&self) -> usize {
        self.book().calls
    }

    pub fn called(&self) -> usize {
        self.book().called.len()
    }

    pub fn fences(&self) -> BTreeSet<u64> {
        self.book().fences.clone()
    }

    pub fn disorder(&self) -> Vec<String> {
        self.book().disorder.clone()
    }

    /// The numbers of the committed payments, partition by partition.
    pub async fn effects(&self) -> Vec<usize> {
        let all = self.events(&self.payments()).await;
        all.iter().map(|e| number_of(&e.event.id.id)).collect()
    }

    /// The committed records of a topic.
    pub async fn read(&self, topic: &str) -> Vec<Record> {
        self.events(topic).await.iter().map(|e| e.record.clone()).collect()
    }

    async fn events(&self, topic: &str) -> Vec<Arc<Delivered>> {
        let broker = self.broker();
        let settings = PartitionSettings::new(SourceSettings::new(format!("reader-{}", self.name), topic));
        let wanted = Wanted {
            names: settings.names.clone(),
            topic: settings.source.topic.clone(),
            inbox: settings.inbox,
            outward: Vec::new(),
        };
        let partitions = broker.make(&wanted).await.unwrap().partitions;
        let mut all = Vec::new();
        for number in 0..partitions {
            let part = Partition::open(&broker, &settings, number, Arc::new(SystemClock::new())).await.unwrap();
            let (shard, mut next) = part.source.shards().await.unwrap().remove(0);
            loop {
                let (events, on) = part.source.fetch(&shard, next, 500).await.unwrap();
                if events.is_empty() {
                    break;
                }
                all.extend(events);
                next = on;
            }
        }
        all
    }
}

/// Orders on their way.
pub struct Publishing {
    enough: Arc<AtomicBool>,
    task: JoinHandle<usize>,
}

impl Publishing {
    /// How many were published.
    pub async fn end(self) -> usize {
        self.enough.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
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

pub fn order(n: usize) -> Outgoing {
    let key = format!("key-{}", n % KEYS);
    let mut event = Event::new("/shop", format!("order-{n}"), "OrderCreated");
    event.data = Some(Bytes::from(format!("{{\"n\":{n}}}")));
    event.set_extension("partitionkey", AttributeValue::String(key.clone()));
    let id = Mark::of("test", "/shop", &n.to_string());
    Outgoing { event, key: Some(Bytes::from(key)), headers: Vec::new(), created: SystemClock::new().now(), id }
}

/// A call that is counted until it is answered, or given up by the caller.
struct AtWork {
    book: Arc<Mutex<Book>>,
    node: String,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(count) = held(&self.book).at_work.get_mut(&self.node) {
            *count -= 1;
        }
    }
}

/// Answers with a payment, when it may.
async fn handle(State(counter): State<Counter>, uri: Uri, headers: HeaderMap) -> Response {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let (id, fence) = (text("ce-id"), text("evenkeel-fence").parse().unwrap_or(0));
    let (number, node) = (number_of(&id), uri.path().trim_start_matches('/').to_owned());
    held(&counter.book).note(&node, number, fence);
    let _at_work = AtWork { book: counter.book.clone(), node };
    // The sender lives in this counter.
    let _ = counter.held.subscribe().wait_for(|held| !held).await;
    let payment = format!(
        "{{\"specversion\":\"1.0\",\"id\":\"payment-{number}\",\"source\":\"/payments\",\"type\":\"Paid\",\"partitionkey\":\"key-{}\",\"data\":{{\"n\":{number}}}}}",
        number % KEYS
    );
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/cloudevents+json")], payment).into_response()
}

impl Book {
    fn note(&mut self, node: &str, number: usize, fence: u64) {
        self.calls += 1;
        *self.calls_of.entry(node.to_owned()).or_default() += 1;
        *self.at_work.entry(node.to_owned()).or_default() += 1;
        self.fences.insert(fence);
        self.called.insert(number);
        let newest = self.newest.insert(number % KEYS, (number, fence));
        // A repeat by a new owner may come, and a late call of an old one, whose fence says so; a step back
        // under one fence may not.
        if let Some((before, under)) = newest.filter(|(before, _)| *before > number)
            && under == fence
        {
            self.disorder.push(format!("{number} under fence {fence} after {before} under {under}"));
        }
    }
}
