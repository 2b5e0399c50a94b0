//! The Kafka that tests speak to: one that runs, named by `EVENKEEL_TEST_KAFKA`.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_model::{Clock, Header, Position, Record, Shard, SystemClock, Timestamp};
use evenkeel_transport_kafka::{Broker, BrokerSettings};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header as KafkaHeader, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// Where it is; else the test notes itself, or fails where it is required.
pub(crate) fn kafka() -> Option<String> {
    if let Ok(address) = std::env::var("EVENKEEL_TEST_KAFKA") {
        return Some(address);
    }
    let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|name| name == "kafka"), "EVENKEEL_TEST_KAFKA is required and not set");
    use std::io::Write as _;
    let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/../skipped.txt");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(list);
    let _ = file.and_then(|mut file| writeln!(file, "evenkeel-transport-kafka: a Kafka (EVENKEEL_TEST_KAFKA)"));
    eprintln!("skipped: EVENKEEL_TEST_KAFKA is not set (`. .ci/servers/kafka` starts one)");
    None
}

/// A name that nobody else uses.
pub(crate) fn unique(what: &str) -> String {
    static RUN: OnceLock<u128> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let run = RUN.get_or_init(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_micros());
    format!("{what}-{run:x}-{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

pub(crate) fn broker(address: &str) -> Broker {
    Broker::new(BrokerSettings::plaintext("test", address))
}

fn config(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("message.max.bytes", "4000000");
    config
}

pub(crate) async fn create(address: &str, topic: &str, partitions: u32) {
    let admin: AdminClient<DefaultClientContext> = config(address).create().unwrap();
    let new = NewTopic::new(topic, partitions as i32, TopicReplication::Fixed(1)).set("max.message.bytes", "4000000");
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    for result in admin.create_topics([&new], &options).await.unwrap() {
        result.unwrap();
    }
    let asker = broker(address);
    while asker.partitions(topic).await.unwrap() != Some(partitions) {
        tokio::task::yield_now().await;
    }
}

/// One client for all of a test's publishing.
pub(crate) struct Publisher(FutureProducer);

impl Publisher {
    pub(crate) fn new(address: &str) -> Publisher {
        let mut config = config(address);
        config.set("enable.idempotence", "true").set("linger.ms", "1");
        Publisher(config.create().unwrap())
    }

    /// To the partition of each key, as every client has it.
    pub(crate) async fn publish(
        &self,
        topic: &str,
        records: &[Record],
        partitions: u32,
    ) -> Result<Vec<Position>, PortError> {
        let mut sent = Vec::new();
        for record in records {
            let partition = evenkeel_model::partition_for_key(record.key.as_deref().unwrap_or_default(), partitions);
            let headers = record.headers.iter().fold(OwnedHeaders::new(), |all, header| {
                all.insert(KafkaHeader { key: &header.name, value: header.value.as_deref() })
            });
            let mut message = FutureRecord::<[u8], [u8]>::to(topic)
                .partition(partition as i32)
                .timestamp(record.created.millis())
                .headers(headers);
            message.key = record.key.as_deref();
            message.payload = record.value.as_deref();
            sent.push(self.0.send_result(message).map_err(|(e, _)| PortError(e.to_string()))?);
        }
        let mut places = Vec::new();
        for one in sent {
            let delivery = one.await.map_err(|e| PortError(e.to_string()))?;
            let delivery = delivery.map_err(|(e, _)| PortError(e.to_string()))?;
            let shard = Shard::new(topic, delivery.partition as u32);
            places.push(Position { shard, offset: delivery.offset as u64 });
        }
        Ok(places)
    }
}

/// All committed records of a topic, partition by partition.
pub(crate) fn read_all(address: &str, topic: &str, partitions: u32) -> Vec<Record> {
    let mut config = config(address);
    config
        .set("group.id", "evenkeel-test-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition as i32, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut all, mut ended) = (Vec::new(), 0);
    while ended < partitions {
        match consumer.poll(Duration::from_secs(10)) {
            Some(Ok(message)) => all.push(Record {
                key: message.key().map(bytes::Bytes::copy_from_slice),
                value: message.payload().map(bytes::Bytes::copy_from_slice),
                headers: message.headers().map_or_else(Vec::new, |headers| {
                    let ours = |h: KafkaHeader<'_, &[u8]>| Header {
                        name: h.key.to_owned(),
                        value: h.value.map(bytes::Bytes::copy_from_slice),
                    };
                    headers.iter().map(ours).collect()
                }),
                created: Timestamp::from_millis(message.timestamp().to_millis().unwrap_or(0)),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => panic!("{topic}: {error}"),
            None => panic!("{topic}: its end did not come"),
        }
    }
    all
}

/// A token that nobody signed, as the test's broker takes it (RFC 7519 §6), in a file.
pub(crate) fn token(folder: &std::path::Path) -> std::path::PathBuf {
    use base64::Engine;
    let part = |json: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
    let expires = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 3600;
    let claims = format!("{{\"sub\":\"evenkeel\",\"exp\":{expires}}}");
    let file = folder.join("token");
    std::fs::write(&file, format!("{}.{}.", part("{\"alg\":\"none\"}".to_owned()), part(claims))).unwrap();
    file
}
