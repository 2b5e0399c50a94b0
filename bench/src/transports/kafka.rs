//! Kafka: a topic of four partitions. Bare: a consumer of librdkafka that commits every 1,000 messages.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel::runtime::{Dependencies, Opener, SharedSpec, SubscriptionHandle, SubscriptionSpec, share_out};
use evenkeel::{Clock, SystemClock};
use evenkeel_delivery::Policy;
use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Handler, Outgoing, Sink};
use evenkeel_model::ledger::{self, LedgerEntry};
use evenkeel_model::{AttributeValue, Event, Verdict};
use evenkeel_transport::{From as Begins, SourceSettings};
use evenkeel_transport_kafka::{
    Broker, BrokerSettings, GroupProtocol, KafkaSink, Member, MemberSettings, Partition, PartitionSettings, Wanted,
};
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};

use super::meter::{Meter, Nothing};
use super::{Stage, wide};
use crate::Outcome;

const PARTITIONS: u32 = 4;
const COMMIT_EVERY: u64 = 1_000;
/// Lanes that wait when the partition changes hands.
const PARKED: u64 = 10_000;

pub(super) struct Topic {
    address: String,
    broker: Broker,
    name: Arc<str>,
    events: u64,
}

impl Topic {
    async fn of(address: &str, partitions: u32, events: u64) -> Outcome<Topic> {
        let broker = Broker::new(BrokerSettings::plaintext("bench", address));
        let name: Arc<str> = format!("bench-{:x}", SystemClock::new().now().micros()).into();
        broker.create(&name, partitions, &[]).await?;
        let topic = Topic { address: address.to_owned(), broker, name, events };
        topic.fill().await?;
        Ok(topic)
    }

    async fn fill(&self) -> Outcome<()> {
        let sink = KafkaSink::open(&self.broker, self.name.clone()).await?;
        let numbers: Vec<u64> = (0..self.events).collect();
        for some in numbers.chunks(5_000) {
            for sent in sink.publish(some.iter().map(|n| event(*n)).collect()).await {
                sent.map_err(|e| e.message)?;
            }
        }
        Ok(())
    }

    fn settings(&self, subscription: &str) -> PartitionSettings {
        let source = SourceSettings { from: Begins::Earliest, ..SourceSettings::new(subscription, self.name.clone()) };
        PartitionSettings::new(source)
    }

    async fn beside(&self, settings: &PartitionSettings) -> Outcome<()> {
        let wanted = Wanted {
            names: settings.names.clone(),
            topic: self.name.clone(),
            inbox: settings.inbox,
            outward: Vec::new(),
        };
        self.broker.make(&wanted).await?;
        Ok(())
    }

    /// Joins in with this handler.
    async fn run(
        &self,
        settings: PartitionSettings,
        policy: Policy,
        handler: Arc<dyn Handler>,
    ) -> Outcome<SubscriptionHandle> {
        self.beside(&settings).await?;
        let member = MemberSettings {
            group: settings.names.group.clone(),
            topic: self.name.clone(),
            journal: settings.names.journal.clone(),
            protocol: GroupProtocol::Classic,
            session: Duration::from_secs(45),
        };
        let member = Member::join(&self.broker, &member)?;
        let name = settings.source.subscription.clone();
        let (broker, clock): (_, Arc<dyn Clock>) = (self.broker.clone(), Arc::new(SystemClock::new()));
        let (uid, given) = (name.clone(), clock.clone());
        let open: Opener = Arc::new(move |partition| {
            let (broker, settings, clock) = (broker.clone(), settings.clone(), given.clone());
            let (policy, handler, uid) = (policy.clone(), handler.clone(), uid.clone());
            Box::pin(async move {
                let Partition { source, journal, fence, .. } =
                    Partition::open(&broker, &settings, partition, clock).await?;
                let (name, uid) = (uid.clone(), uid.to_string());
                Ok(SubscriptionSpec { name, uid, policy, source, journal, handler, fallback: None, fence })
            })
        });
        let spec = SharedSpec { name, membership: Arc::new(member), open, grace: Duration::from_secs(30) };
        Ok(share_out(spec, clock, 1, Dependencies::default()))
    }
}

impl Stage for Topic {
    async fn set(address: &str, events: u64) -> Outcome<Topic> {
        Topic::of(address, PARTITIONS, events).await
    }

    async fn bare(&self) -> Outcome<f64> {
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.address)
            .set("group.id", format!("bare-{}", self.name))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .create()?;
        consumer.subscribe(&[&self.name])?;
        let meter = Meter::new(self.events);
        for nth in 1..=self.events {
            let message = consumer.recv().await?;
            meter.begins();
            std::hint::black_box(message.payload());
            if nth % COMMIT_EVERY == 0 || nth == self.events {
                let mode = if nth == self.events { CommitMode::Sync } else { CommitMode::Async };
                consumer.commit_consumer_state(mode)?;
            }
        }
        meter.done(self.events);
        Ok(meter.rate().await)
    }

    async fn delivered(&self, _: &std::path::Path) -> Outcome<f64> {
        let meter = Meter::new(self.events);
        let told = meter.clone();
        let outcomes = move |bytes: Bytes| {
            let ended = |entry: &&LedgerEntry| matches!(entry, LedgerEntry::Ended(_));
            let record = ledger::decode(&bytes);
            told.done(record.map_or(0, |record| record.entries.iter().filter(ended).count() as u64));
        };
        let settings = PartitionSettings { outcomes: Some(Arc::new(outcomes)), ..self.settings("bench") };
        let settings = PartitionSettings { names: evenkeel_transport_kafka::Names::of(&self.name), ..settings };
        let handle = self.run(settings, wide(), Arc::new(Nothing(meter.clone()))).await?;
        let rate = meter.rate().await;
        handle.drain(Duration::from_secs(10)).await;
        Ok(rate)
    }

    async fn clear(self) -> Outcome<()> {
        Ok(())
    }
}

fn event(n: u64) -> Outgoing {
    let key = format!("key-{}", n % 10_000);
    let mut event = Event::new("/bench", n.to_string(), "Made");
    event.data = Some(Bytes::from(format!("{{\"n\":{n},\"fill\":\"{:0>100}\"}}", n)));
    event.set_extension("partitionkey", AttributeValue::String(key.clone()));
    let (created, id) = (SystemClock::new().now(), evenkeel_delivery::Mark::of("bench", "/bench", &n.to_string()));
    Outgoing { event, key: Some(Bytes::from(key)), headers: Vec::new(), created, id }
}

/// Puts off all of it.
struct Later;

impl Handler for Later {
    fn handle(&self, _: Call) -> BoxFuture<'static, Answer> {
        let verdict = Verdict::Defer { until: SystemClock::new().now() + Duration::from_secs(3600) };
        Box::pin(std::future::ready(Answer { verdict, emitted: Vec::new(), handler_version: None }))
    }
}

/// How long the next owner of a partition needs, with so many lanes parked, and with so many identities to read.
pub(super) async fn hand_over(address: &str, marks: u64) -> Outcome<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let topic = Topic::of(address, 1, PARKED).await?;
    let settings =
        PartitionSettings { names: evenkeel_transport_kafka::Names::of(&topic.name), ..topic.settings("bench") };
    let mut policy = Policy::default();
    policy.parking.keys = 2 * PARKED as usize;
    policy.window = 2 * PARKED as usize;
    let handle = topic.run(settings.clone(), policy, Arc::new(Later)).await?;
    parked(&handle, PARKED).await?;
    handle.drain(Duration::from_secs(30)).await;
    let begun = clock.now();
    let part = Partition::open(&topic.broker, &settings, 0, clock.clone()).await?;
    let waiting = part.journal.load().await?.len();
    let took = clock.now().since(begun);
    println!("\nhand-over of a partition with {PARKED} parked keys: {} ms ({waiting} facts)", took.as_millis());

    let topic = Topic::of(address, 1, marks).await?;
    let settings =
        PartitionSettings { names: evenkeel_transport_kafka::Names::of(&topic.name), ..topic.settings("bench") };
    let meter = Meter::new(marks);
    let told = meter.clone();
    let outcomes = move |bytes: Bytes| told.done(ledger::decode(&bytes).map_or(0, |r| r.entries.len() as u64));
    let counted = PartitionSettings { outcomes: Some(Arc::new(outcomes)), ..settings.clone() };
    let handle = topic.run(counted, Policy::default(), Arc::new(Nothing(meter.clone()))).await?;
    meter.rate().await;
    handle.drain(Duration::from_secs(30)).await;
    let begun = clock.now();
    let part = Partition::open(&topic.broker, &settings, 0, clock.clone()).await?;
    let facts = part.journal.load().await?.len();
    let took = clock.now().since(begun);
    let per_second = facts as f64 / took.as_secs_f64().max(1e-6);
    println!("hand-over of a partition with {facts} identities: {} ms, {per_second:.0} a second", took.as_millis());
    Ok(())
}

async fn parked(handle: &SubscriptionHandle, wanted: u64) -> Outcome<()> {
    let mut every = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..2_400 {
        every.tick().await;
        if handle.view().await.is_some_and(|view| view.parked as u64 >= wanted) {
            return Ok(());
        }
    }
    Err("the events were not parked".into())
}
