//! The contract suite on a real Kafka, through a proxy that can cut the line.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod house;

use std::sync::Arc;

use evenkeel_delivery::ports::{BoxFuture, Capabilities, PortError, Sink};
use evenkeel_model::{Position, Record};
use evenkeel_transport::SourceSettings;
use evenkeel_transport::contract::proxy::{Line, Proxy, Replacement};
use evenkeel_transport::contract::{CHECKS, Faults, Mistake, Opened, Subject};
use evenkeel_transport_kafka::{
    Broker, BrokerSettings, Finding, KAFKA, KafkaSink, Mechanism, Partition, PartitionSettings, Secret, Security,
    Wanted,
};
use evenkeel_transport_kafka::{PartitionAudit, audit};
use house::{Publisher, broker, clock, create, kafka, read_all, unique};
use tokio::sync::OnceCell;

/// One partition of a topic: what a node owns.
struct Kafka {
    address: String,
    topic: Arc<str>,
    effects: Arc<str>,
    subscription: Arc<str>,
    publisher: Publisher,
    proxy: OnceCell<Proxy>,
}

impl Kafka {
    fn new(address: &str) -> Kafka {
        Kafka {
            address: address.to_owned(),
            topic: unique("orders").into(),
            effects: unique("payments").into(),
            subscription: unique("payment").into(),
            publisher: Publisher::new(address),
            proxy: OnceCell::new(),
        }
    }

    /// The topics are there, and the proxy before them.
    async fn proxied(&self) -> Broker {
        let proxy = self.proxy.get_or_init(|| async {
            create(&self.address, &self.topic, 1).await;
            create(&self.address, &self.effects, 2).await;
            let target: std::net::SocketAddr = self.address.parse().unwrap();
            let lives = |port: u16| [b"127.0.0.1".as_slice(), &u32::from(port).to_be_bytes()].concat();
            let replace = |own: std::net::SocketAddr| Replacement::new(lives(target.port()), lives(own.port()));
            Proxy::replacing(target, replace).await.unwrap()
        });
        broker(&proxy.await.address().to_string())
    }

    fn settings(&self, topic: &str) -> PartitionSettings {
        let source = SourceSettings::new(self.subscription.clone(), topic);
        PartitionSettings { effects: Some(self.effects.clone()), ..PartitionSettings::new(source) }
    }

    async fn open_at(&self, broker: &Broker, topic: &str) -> Result<Opened, PortError> {
        let settings = self.settings(topic);
        let wanted = Wanted {
            names: settings.names.clone(),
            topic: settings.source.topic.clone(),
            inbox: settings.inbox,
            outward: vec![self.effects.clone()],
        };
        broker.make(&wanted).await?;
        let Partition { source, journal, .. } = Partition::open(broker, &settings, 0, clock()).await?;
        Ok(Opened { source, journal })
    }
}

impl Subject for Kafka {
    fn capabilities(&self) -> Capabilities {
        // Of one partition, which is what a node owns.
        Capabilities { partitions: false, ..KAFKA }
    }
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>> {
        Box::pin(async move {
            self.proxied().await;
            self.publisher.publish(&self.topic, &records, 1).await
        })
    }
    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>> {
        Box::pin(async move { self.open_at(&self.proxied().await, &self.topic).await })
    }
    /// A process that dies leaves its transactions open, for the next one to abort.
    fn crash(&self) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async { Ok(()) })
    }
    fn dead(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        let (address, topic) = (self.address.clone(), format!("{}.dead", self.subscription));
        Box::pin(async move { Ok(read_all(&address, &topic, 1)) })
    }
    fn effects(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        Box::pin(async move { Ok(read_all(&self.address, &self.effects, 2)) })
    }
    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        Box::pin(async move {
            let sink = KafkaSink::open(&self.proxied().await, self.topic.clone()).await?;
            Ok(Some(Arc::new(sink) as Arc<dyn Sink>))
        })
    }
    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }
}

impl Faults for Kafka {
    fn cut(&self) {
        self.proxy.get().unwrap().set(Line::Cut);
    }
    fn mend(&self) {
        self.proxy.get().unwrap().set(Line::Open);
    }
    fn open_wrong(&self, mistake: Mistake) -> Option<BoxFuture<'_, Result<Opened, PortError>>> {
        if mistake == Mistake::Topic {
            return Some(Box::pin(async { self.open_at(&broker(&self.address), "no-such-topic").await }));
        }
        let (address, ca) =
            (std::env::var("EVENKEEL_TEST_KAFKA_SASL").ok()?, std::env::var("EVENKEEL_TEST_KAFKA_CA").ok()?);
        let mechanism = Mechanism::Plain("evenkeel".to_owned(), Secret::new("wrong"));
        let security = Security::Sasl { mechanism, tls: true, ca: Some(ca.into()) };
        let settings = BrokerSettings { security, ..BrokerSettings::plaintext("test", address) };
        Some(Box::pin(async move { self.open_at(&Broker::new(settings), &self.topic).await }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_keeps_the_contract() {
    let Some(address) = kafka() else { return };
    let mut broken = Vec::new();
    for check in CHECKS {
        let begun = tokio::time::Instant::now();
        let subject = Kafka::new(&address);
        if let Err(why) = check.run(&subject).await {
            broken.push((check.name, why));
        }
        eprintln!("{:>6} ms  {}", begun.elapsed().as_millis(), check.name);
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// As Event Hubs has it: PLAIN over TLS, with a certificate of its own authority.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_asks_who_we_are_is_told_over_tls() {
    let Some(address) = kafka() else { return };
    let (Ok(sasl), Ok(ca)) = (std::env::var("EVENKEEL_TEST_KAFKA_SASL"), std::env::var("EVENKEEL_TEST_KAFKA_CA"))
    else {
        return;
    };
    let subject = Kafka::new(&address);
    subject.proxied().await;
    let places = subject.publish(vec![Record { value: Some("x".into()), ..Record::default() }]).await.unwrap();
    let secret = |text: &str| Secret::new(text);
    let folder = tempfile::tempdir().unwrap();
    let ways = [
        Mechanism::Plain("evenkeel".to_owned(), secret("secret")),
        Mechanism::Plain("$ConnectionString".to_owned(), secret("Endpoint=sb://test/;SharedAccessKey=k")),
        Mechanism::ScramSha256("evenkeel".to_owned(), secret("secret")),
        Mechanism::ScramSha512("evenkeel".to_owned(), secret("secret")),
        Mechanism::OauthBearer(house::token(folder.path())),
    ];
    for mechanism in ways {
        let way = format!("{mechanism:?}");
        assert!(!way.contains("secret") && !way.contains("SharedAccessKey"), "a secret is never shown: {way}");
        let security = Security::Sasl { mechanism, tls: true, ca: Some(ca.clone().into()) };
        let settings = BrokerSettings { security, ..BrokerSettings::plaintext("test", sasl.clone()) };
        let opened = subject.open_at(&Broker::new(settings), &subject.topic).await;
        let opened = opened.unwrap_or_else(|e| panic!("{way}: {e}"));
        let (events, _) = opened.source.fetch(&places[0].shard, 0, 10).await.unwrap();
        assert_eq!(events.len(), 1, "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_its_first_owner_came_a_subscription_has_an_account_in_which_all_is_unread() {
    let Some(address) = kafka() else { return };
    let subject = Kafka::new(&address);
    subject.proxied().await;
    let record = |n: u8| Record { value: Some(vec![n].into()), ..Record::default() };
    subject.publish((0..3).map(record).collect()).await.unwrap();
    let settings = subject.settings(&subject.topic);
    let account = audit(&broker(&address), &settings, clock()).await.unwrap();
    assert_eq!(account.iter().map(|of| (of.appended, of.unread)).collect::<Vec<_>>(), [(3, 3)]);
    assert!(account.iter().all(PartitionAudit::adds_up));
    // And while they are made, which takes the broker a moment.
    let (broker, clock) = (broker(&address), clock());
    let opening = subject.open_at(&broker, &subject.topic);
    let asking = async {
        for _ in 0..20 {
            audit(&broker, &settings, clock.clone()).await.unwrap();
        }
    };
    let (opened, ()) = tokio::join!(opening, asking);
    opened.unwrap();
}

/// What `check --connect` says of a broker that answers.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_at_a_broker_is_what_a_subscription_will_meet() {
    let Some(address) = kafka() else { return };
    let subject = Kafka::new(&address);
    let broker = broker(&address);
    create(&address, &subject.topic, 3).await;
    let names = subject.settings(&subject.topic).names;
    let wanted = Wanted {
        names: names.clone(),
        topic: subject.topic.clone(),
        inbox: std::time::Duration::from_secs(7 * 24 * 3600),
        outward: Vec::new(),
    };
    let said = |findings: &[Finding]| findings.iter().map(|f| f.said.clone()).collect::<Vec<_>>().join("\n");
    let before = broker.examine(&wanted, true).await.unwrap();
    assert!(before.iter().all(|f| f.fine), "{before:#?}");
    assert!(said(&before).contains(&format!("would create {}", names.journal)), "{before:#?}");
    assert_eq!(broker.partitions(&names.journal).await.unwrap(), None, "it asked only");
    let may_not = broker.examine(&wanted, false).await.unwrap();
    assert!(may_not.iter().any(|f| !f.fine && f.said.contains(&names.journal)), "{may_not:#?}");
    // A journal that is not compacted, a ledger that forgets too early, dead letters that do not fit.
    broker.create(&names.journal, 3, &[("cleanup.policy", "delete")]).await.unwrap();
    broker.create(&names.ledger, 3, &[("retention.ms", "3600000")]).await.unwrap();
    broker.create(&names.dead, 3, &[("max.message.bytes", "1000")]).await.unwrap();
    let after = broker.examine(&wanted, true).await.unwrap();
    let wrong: Vec<&Finding> = after.iter().filter(|f| !f.fine).collect();
    let about = |topic: &str, what: &str| wrong.iter().any(|f| f.said.contains(topic) && f.said.contains(what));
    assert!(about(&names.journal, "cleanup.policy"), "{wrong:#?}");
    assert!(about(&names.ledger, "retention.ms"), "{wrong:#?}");
    assert!(about(&names.dead, "max.message.bytes"), "{wrong:#?}");
    assert_eq!(wrong.len(), 3, "{wrong:#?}");
}

/// Somebody whom the broker knows and to whom it grants nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_what() {
    let Some(address) = kafka() else { return };
    let (Ok(sasl), Ok(ca)) = (std::env::var("EVENKEEL_TEST_KAFKA_SASL"), std::env::var("EVENKEEL_TEST_KAFKA_CA"))
    else {
        return;
    };
    let subject = Kafka::new(&address);
    create(&address, &subject.topic, 1).await;
    let mechanism = Mechanism::Plain("guest".to_owned(), Secret::new("guest"));
    let security = Security::Sasl { mechanism, tls: true, ca: Some(ca.into()) };
    let guest = Broker::new(BrokerSettings { security, ..BrokerSettings::plaintext("test", sasl) });
    let names = subject.settings(&subject.topic).names;
    let wanted = Wanted { names, topic: subject.topic.clone(), inbox: std::time::Duration::ZERO, outward: Vec::new() };
    let refused = match guest.examine(&wanted, true).await {
        Ok(findings) => findings.iter().filter(|f| !f.fine).map(|f| f.said.clone()).collect::<Vec<_>>().join("\n"),
        Err(problem) => problem.to_string(),
    };
    assert!(refused.contains("authoriz"), "{refused}");
    assert!(refused.contains(&*subject.topic), "it names the topic: {refused}");
}
