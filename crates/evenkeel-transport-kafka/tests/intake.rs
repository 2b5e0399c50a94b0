//! A topic that comes in by an intake, so that the node's own log is the journal: the contract suite on a real Kafka,
//! as a broker without credentials and as Event Hubs is spoken to.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod house;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{BoxFuture, Capabilities, Outgoing, PortError, Sink};
use evenkeel_model::{Event, Record, Shard, Timestamp};
use evenkeel_transport::Queue;
use evenkeel_transport::contract::intaken::{Connecting, Intaken, Site};
use evenkeel_transport::contract::proxy::{Proxy, Replacement};
use evenkeel_transport::contract::real::{complete, records, until};
use evenkeel_transport::contract::{CHECKS, Mistake, Subject};
use evenkeel_transport_kafka::{
    Broker, BrokerSettings, Flavour, KAFKA_INTAKE, KafkaQueue, KafkaSink, Mechanism, QueueSettings, Secret, Security,
};
use house::{Publisher, broker, create, kafka, unique};

/// A topic with one partition, and a group of a test's own.
struct Topic {
    address: String,
    topic: Arc<str>,
    group: String,
    publisher: Publisher,
    proxy: Proxy,
}

impl Topic {
    async fn fresh(address: &str) -> Topic {
        let topic: Arc<str> = unique("clicks").into();
        create(address, &topic, 1).await;
        let target: std::net::SocketAddr = address.parse().unwrap();
        let lives = |port: u16| [b"127.0.0.1".as_slice(), &u32::from(port).to_be_bytes()].concat();
        let replace = |own: std::net::SocketAddr| Replacement::new(lives(target.port()), lives(own.port()));
        let proxy = Proxy::replacing(target, replace).await.unwrap();
        let (address, group) = (address.to_owned(), unique("evenkeel.clicks"));
        Topic { publisher: Publisher::new(&address), address, topic, group, proxy }
    }

    fn settings(&self) -> QueueSettings {
        // A test that crashes does not wait long for the member that is gone.
        QueueSettings { session: Duration::from_secs(3), ..QueueSettings::new(self.topic.clone(), self.group.clone()) }
    }

    fn proxied(&self) -> Broker {
        broker(&self.proxy.address().to_string())
    }
}

impl Site for Topic {
    fn capabilities(&self) -> Capabilities {
        KAFKA_INTAKE
    }

    fn connect(&self) -> Connecting<'_> {
        Box::pin(async move {
            let queue = KafkaQueue::open(&self.proxied(), self.settings()).await?;
            Ok(Arc::new(queue) as Arc<dyn Queue>)
        })
    }

    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move { self.publisher.publish(&self.topic, &records, 1).await.map(drop) })
    }

    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        Box::pin(async move {
            let sink = KafkaSink::open(&self.proxied(), self.topic.clone()).await?;
            Ok(Some(Arc::new(sink) as Arc<dyn Sink>))
        })
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    fn connect_wrong(&self, mistake: Mistake) -> Option<Connecting<'_>> {
        if mistake == Mistake::Topic {
            let settings = QueueSettings::new("no-such-topic", self.group.clone());
            return Some(Box::pin(async move {
                Ok(Arc::new(KafkaQueue::open(&broker(&self.address), settings).await?) as Arc<dyn Queue>)
            }));
        }
        let hubs = event_hubs(Mechanism::Plain("$ConnectionString".to_owned(), Secret::new("wrong")))?;
        Some(Box::pin(async move { Ok(Arc::new(KafkaQueue::open(&hubs, self.settings()).await?) as Arc<dyn Queue>) }))
    }
}

/// As Event Hubs is spoken to.
fn event_hubs(mechanism: Mechanism) -> Option<Broker> {
    let (address, ca) =
        (std::env::var("EVENKEEL_TEST_KAFKA_SASL").ok()?, std::env::var("EVENKEEL_TEST_KAFKA_CA").ok()?);
    let security = Security::Sasl { mechanism, tls: true, ca: Some(ca.into()) };
    let settings =
        BrokerSettings { security, flavour: Flavour::EventHubs, ..BrokerSettings::plaintext("hubs", address) };
    Some(Broker::new(settings))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_behind_an_intake_keeps_the_contract() {
    let Some(address) = kafka() else { return };
    let mut broken = Vec::new();
    for check in CHECKS {
        let begun = tokio::time::Instant::now();
        let subject = Intaken::new(Topic::fresh(&address).await);
        if let Err(why) = check.run(&subject).await {
            broken.push((check.name, why));
        }
        eprintln!("{:>6} ms  {}", begun.elapsed().as_millis(), check.name);
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_group_is_told_follows_what_has_its_outcome_and_the_next_one_begins_there() {
    let Some(address) = kafka() else { return };
    let subject = Intaken::new(Topic::fresh(&address).await);
    subject.publish(records(0..6)).await.unwrap();
    let opened = subject.open().await.unwrap();
    opened.journal.load().await.unwrap();
    complete(&*opened.journal, &[0, 1, 3]).await.unwrap();
    let intake = subject.intake().unwrap();
    until("three are settled", async || intake.view().settled == 3).await;
    drop((opened, intake));
    // Another node of the group: its log is empty, and it is given what was owed and what came behind it.
    let other = Intaken::new(Topic {
        topic: subject.site().topic.clone(),
        group: subject.site().group.clone(),
        ..Topic::fresh(&address).await
    });
    subject.crash().await.unwrap();
    other.site().publish(records(6..8)).await.unwrap();
    let opened = other.open().await.unwrap();
    let intake = other.intake().unwrap();
    until("all from the first that was owed have a place", async || intake.view().placed == 6).await;
    let (events, _) = opened.source.fetch(&Shard::new("orders", 0), 0, 100).await.unwrap();
    let ids: Vec<&str> = events.iter().map(|event| event.event.id.id.as_str()).collect();
    assert_eq!(ids, ["n-2", "n-3", "n-4", "n-5", "n-6", "n-7"], "what was done out of order before is given again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_hubs_is_told_who_we_are_by_connection_string_or_token_by_whatever_asks_it() {
    let Some(address) = kafka() else { return };
    let secret = Secret::new("Endpoint=sb://test/;SharedAccessKey=k");
    let folder = tempfile::tempdir().unwrap();
    let ways =
        [Mechanism::Plain("$ConnectionString".to_owned(), secret), Mechanism::OauthBearer(house::token(folder.path()))];
    for way in ways {
        let said = format!("{way:?}");
        let Some(hubs) = event_hubs(way) else { return };
        let topic = Topic::fresh(&address).await;
        topic.publish(records(0..5)).await.unwrap();
        let queue = KafkaQueue::open(&hubs, topic.settings()).await.unwrap_or_else(|e| panic!("{said}: {e}"));
        let mut taken = Vec::new();
        until("all five came", async || {
            taken.extend(queue.receive(10).await.unwrap_or_else(|e| panic!("{said}: {e}")));
            taken.len() == 5
        })
        .await;
        let settled = queue.settle(taken.into_iter().map(|one| one.ticket).collect()).await;
        assert!(settled.is_empty(), "and they are settled: {said}");
        // Where it cannot be made, that is said at once, and what to do.
        let made = unique("made");
        match hubs.create(&made, 1, &[]).await {
            Ok(()) => assert!(hubs.settings_of(&made).await.unwrap().contains_key("retention.ms"), "{said}"),
            Err(problem) => {
                assert!(said.contains("token") && problem.to_string().contains("make them first"), "{said}: {problem}");
                create(&address, &made, 1).await;
            }
        }
        let sink = KafkaSink::open(&hubs, made).await.unwrap_or_else(|e| panic!("{said}: {e}"));
        let sent = sink.publish(vec![outgoing()]).await;
        assert!(sent[0].is_ok(), "{said}: {sent:?}");
    }
}

fn outgoing() -> Outgoing {
    let event = Event::new("/shop", "1", "OrderCreated");
    let id = Mark::of("test", "/shop", "1");
    Outgoing { event, key: None, headers: Vec::new(), created: Timestamp::from_millis(1_795_219_200_000), id }
}
