//! Into a topic of Kafka: CloudEvents in the Kafka binding, by an idempotent producer.
//!
//! Invariant: events of one key go to one partition, in their order; the client's producer keeps it
//! over retries. Kafka drops repeats of a batch, not of an event: an event that is published again
//! after an answer was lost is there twice, with one `(source, id)`.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, Outgoing, Placed, PortError, Sink, SinkError, Unsent};
use evenkeel_model::{Position, Record, Shard, partition_for_key};
use evenkeel_transport::mirror::Copier;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseProducer;
use tokio::sync::mpsc::unbounded_channel;

use crate::Broker;
use crate::client::{Ears, heard, listen};
use crate::journal::Report;
use crate::record::outgoing;

/// The broker has this long to take an event.
const DELIVERY: Duration = Duration::from_secs(10);

/// A sink into one topic.
pub struct KafkaSink {
    broker: Broker,
    topic: Arc<str>,
    partitions: u32,
    producer: Arc<BaseProducer<Ears>>,
    trouble: Arc<std::sync::Mutex<Option<String>>>,
}

impl KafkaSink {
    /// Into a topic that exists.
    pub async fn open(broker: &Broker, topic: impl Into<Arc<str>>) -> Result<KafkaSink, PortError> {
        let topic = topic.into();
        let absent = || PortError(format!("topic `{topic}` does not exist at broker `{}`", broker.name()));
        let partitions = broker.partitions(&topic).await?.ok_or_else(absent)?;
        let delivery = DELIVERY.as_millis().to_string();
        let properties =
            [("enable.idempotence", "true"), ("delivery.timeout.ms", delivery.as_str()), ("linger.ms", "1")];
        let ears = Ears::new(broker);
        let trouble = ears.trouble();
        let producer = Arc::new(broker.client::<BaseProducer<Ears>>(&properties, ears)?);
        Ok(KafkaSink { broker: broker.clone(), topic, partitions, producer, trouble })
    }

    /// By Java's hash: where every other producer puts this key. Without one anywhere.
    fn partition_of(&self, record: &Record) -> Option<i32> {
        let partition = record.key.as_deref().map(|key| partition_for_key(key, self.partitions));
        partition.and_then(|partition| i32::try_from(partition).ok())
    }

    /// Another one of the same client.
    fn again(&self) -> KafkaSink {
        KafkaSink {
            broker: self.broker.clone(),
            topic: self.topic.clone(),
            partitions: self.partitions,
            producer: self.producer.clone(),
            trouble: self.trouble.clone(),
        }
    }

    /// Waits for the broker where one may block.
    async fn sent(&self, records: Vec<(Option<i32>, Record)>) -> Vec<Result<Placed, SinkError>> {
        let (this, count) = (self.again(), records.len());
        let sent = tokio::task::spawn_blocking(move || this.send(&records)).await;
        sent.unwrap_or_else(|e| {
            let error = SinkError { unsent: Unsent::Unknown, message: e.to_string() };
            vec![Err(error); count]
        })
    }

    fn send(&self, events: &[(Option<i32>, Record)]) -> Vec<Result<Placed, SinkError>> {
        let (to, mut reports) = unbounded_channel();
        let mut answers: Vec<Option<Result<Placed, SinkError>>> = vec![None; events.len()];
        for (nth, (partition, record)) in events.iter().enumerate() {
            let mut report = Report::new(nth, to.clone());
            loop {
                match self.producer.send(outgoing(&self.topic, *partition, record, report)) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        report = back.delivery_opaque;
                        listen(&self.producer);
                    }
                    Err((error, _)) => {
                        answers[nth] = Some(Err(self.failed(&error)));
                        break;
                    }
                }
            }
        }
        drop(to);
        loop {
            listen(&self.producer);
            loop {
                use tokio::sync::mpsc::error::TryRecvError;
                match reports.try_recv() {
                    Ok((nth, result)) => answers[nth] = Some(self.came(result)),
                    Err(TryRecvError::Empty) => break,
                    // Every report was given or dropped.
                    Err(TryRecvError::Disconnected) => return self.all(answers),
                }
            }
        }
    }

    fn all(&self, answers: Vec<Option<Result<Placed, SinkError>>>) -> Vec<Result<Placed, SinkError>> {
        let untold = || self.failed(&KafkaError::Canceled);
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(untold()))).collect()
    }

    fn came(&self, result: Result<(i32, i64), KafkaError>) -> Result<Placed, SinkError> {
        let (partition, offset) = result.map_err(|error| self.failed(&error))?;
        let place = |partition, offset| Position { shard: Shard { topic: self.topic.clone(), partition }, offset };
        let at = u32::try_from(partition).ok().zip(u64::try_from(offset).ok());
        Ok(Placed { at: at.map(|(partition, offset)| place(partition, offset)), duplicate: false })
    }

    fn failed(&self, error: &KafkaError) -> SinkError {
        use RDKafkaErrorCode as Code;
        let unsent = match error.rdkafka_error_code() {
            Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord | Code::InvalidMessage) => {
                Unsent::Never
            }
            Some(
                Code::TopicAuthorizationFailed
                | Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::ClusterAuthorizationFailed
                | Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::PolicyViolation,
            ) => Unsent::Denied,
            Some(Code::ThrottlingQuotaExceeded | Code::QueueFull) => Unsent::Overload,
            Some(Code::BrokerTransportFailure | Code::AllBrokersDown) => Unsent::Unreachable,
            _ => Unsent::Unknown,
        };
        let said = heard(&self.trouble).map_or_else(String::new, |heard| format!(" ({heard})"));
        let name = &self.topic;
        let why = format!("publishing to `{name}`: {error}{said}");
        SinkError { unsent, message: self.broker.failed(&why, &"not confirmed").0 }
    }
}

impl Sink for KafkaSink {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        let records: Vec<Record> = events.iter().map(evenkeel_transport::record).collect();
        let placed = records.into_iter().map(|record| (self.partition_of(&record), record)).collect();
        Box::pin(self.sent(placed))
    }
}

impl Copier for KafkaSink {
    fn copy(&self, records: Vec<(u32, Record)>) -> BoxFuture<'_, Vec<Result<u64, SinkError>>> {
        Box::pin(async move {
            if let Some((beyond, _)) = records.iter().find(|(partition, _)| *partition >= self.partitions) {
                let (topic, has) = (&self.topic, self.partitions);
                let message = format!("topic `{topic}` has no partition {beyond} (it has {has}); give it more");
                return vec![Err(SinkError { unsent: Unsent::Denied, message }); records.len()];
            }
            let placed = records.into_iter().map(|(partition, record)| (i32::try_from(partition).ok(), record));
            let untold = |placed: Placed| {
                let message = "the broker does not say where it lies".to_owned();
                placed.at.map(|at| at.offset).ok_or(SinkError { unsent: Unsent::Unknown, message })
            };
            self.sent(placed.collect()).await.into_iter().map(|answer| answer.and_then(untold)).collect()
        })
    }
}
