//! One Kafka transaction, from its beginning to a known end, on a thread that may block.
//!
//! Invariants: `Ok` means that it is committed; what fails before the commit is aborted and tried
//! again, since nothing of it is there; a commit whose answer is lost is asked for again, which
//! changes nothing when it was made. Only who was fenced, or waited in vain, returns an error.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{Record, Shard, Timestamp};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::Offset;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::client::{Ears, listen};
use crate::record::outgoing;

/// A round is tried for so long.
const PATIENCE: Duration = Duration::from_secs(50);
/// One step of it takes at most so long.
const STEP: Duration = Duration::from_secs(10);
/// Between two tries.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// What begins the metadata of a committed offset, before the offset of the newest snapshot.
pub(super) const SNAPSHOT_AT: &str = "journal ";

/// Of which message, and its partition and offset.
pub(crate) type Reported = (usize, Result<(i32, i64), KafkaError>);

/// Says what became of one message.
pub(crate) struct Report {
    nth: usize,
    to: UnboundedSender<Reported>,
}

impl Report {
    pub(crate) fn new(nth: usize, to: UnboundedSender<Reported>) -> Box<Report> {
        Box::new(Report { nth, to })
    }

    pub(crate) fn came(&self, result: Result<(i32, i64), KafkaError>) {
        // Who no longer listens has given up.
        let _ = self.to.send((self.nth, result));
    }
}

/// One record of a transaction.
pub(super) struct Piece {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) record: Record,
    /// Its offset is where the newest snapshot begins.
    pub(super) begins_snapshot: bool,
}

impl Piece {
    /// A record of our own, in the partition of the source's number.
    pub(super) fn own(topic: &str, shard: &Shard, key: String, value: Bytes) -> Piece {
        let record =
            Record { key: Some(Bytes::from(key)), value: Some(value), headers: Vec::new(), created: Timestamp::EPOCH };
        Piece::to(Arc::from(topic), shard.partition, record)
    }

    pub(super) fn to(topic: Arc<str>, partition: u32, record: Record) -> Piece {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        Piece { topic, partition, record, begins_snapshot: false }
    }
}

pub(super) struct Transaction {
    pub(super) producer: Arc<BaseProducer<Ears>>,
    pub(super) group: ConsumerGroupMetadata,
    /// The topic that is read.
    pub(super) topic: Arc<str>,
    pub(super) pieces: Vec<Piece>,
    /// The group's progress, by partition.
    pub(super) offsets: Vec<(u32, u64)>,
    pub(super) snapshot: Option<u64>,
}

/// How a step failed.
enum Failed {
    /// Nothing of it will be there, once it's aborted.
    Abort(KafkaError),
    /// It goes no further.
    Over(KafkaError),
}

impl Failed {
    fn of(error: KafkaError) -> Failed {
        match &error {
            KafkaError::Transaction(e) if e.is_fatal() || fenced(e.code()) => Failed::Over(error),
            KafkaError::MessageProduction(code) if fenced(*code) || hopeless(*code) => Failed::Over(error),
            _ => Failed::Abort(error),
        }
    }
}

/// What the broker refuses now it refuses again.
fn hopeless(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::PolicyViolation
    )
}

fn fenced(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::Fatal
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::State
    )
}

impl Transaction {
    /// Runs it. Returns where the snapshot in it begins, if there is one.
    pub(super) fn run(&self) -> Result<Option<u64>, KafkaError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let failed = match self.attempt(deadline) {
                Ok(snapshot) => return Ok(snapshot),
                Err(Failed::Over(error)) => return Err(error),
                Err(Failed::Abort(error)) => error,
            };
            tracing::debug!(problem = %failed, "a transaction is aborted and tried again");
            if Instant::now() >= deadline {
                return Err(failed);
            }
            if let Err(Failed::Over(error) | Failed::Abort(error)) =
                self.again(deadline, |producer| producer.abort_transaction(STEP))
            {
                tracing::debug!(problem = %error, "a transaction could not be aborted");
                return Err(failed);
            }
            self.producer.poll(AGAIN_AFTER);
        }
    }

    fn attempt(&self, deadline: Instant) -> Result<Option<u64>, Failed> {
        self.producer.begin_transaction().map_err(Failed::Over)?;
        let mut reports = self.send()?;
        // Progress goes while the records are on their way, unless it names the place of one of them.
        let names_one = self.pieces.iter().any(|piece| piece.begins_snapshot);
        if !names_one {
            self.progress(self.snapshot, deadline)?;
        }
        let snapshot = self.arrived(&mut reports, deadline)?;
        if names_one {
            self.progress(snapshot.or(self.snapshot), deadline)?;
        }
        self.again(deadline, |producer| producer.commit_transaction(STEP))?;
        Ok(snapshot)
    }

    /// Tells the group's progress.
    fn progress(&self, snapshot: Option<u64>, deadline: Instant) -> Result<(), Failed> {
        if self.offsets.is_empty() {
            return Ok(());
        }
        let offsets = self.offsets(snapshot).map_err(Failed::Over)?;
        self.again(deadline, |producer| producer.send_offsets_to_transaction(&offsets, &self.group, STEP))
    }

    /// Sends all.
    fn send(&self) -> Result<UnboundedReceiver<Reported>, Failed> {
        let (to, reports) = unbounded_channel();
        for (nth, piece) in self.pieces.iter().enumerate() {
            let mut report = Report::new(nth, to.clone());
            loop {
                let message = outgoing(&piece.topic, Some(piece.partition), &piece.record, report);
                match self.producer.send(message) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        report = back.delivery_opaque;
                        listen(&self.producer);
                    }
                    Err((error, _)) => return Err(Failed::of(error)),
                }
            }
        }
        Ok(reports)
    }

    /// Waits until the broker has all. Returns where the snapshot begins that is among them.
    fn arrived(&self, reports: &mut UnboundedReceiver<Reported>, deadline: Instant) -> Result<Option<u64>, Failed> {
        // The client's own flush waits in steps of 100 ms.
        while self.producer.in_flight_count() > 0 {
            listen(&self.producer);
            if Instant::now() >= deadline {
                return Err(Failed::Over(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)));
            }
        }
        let mut snapshot = None;
        while let Ok((nth, result)) = reports.try_recv() {
            let (_, offset) = result.map_err(Failed::of)?;
            if self.pieces[nth].begins_snapshot {
                snapshot = u64::try_from(offset).ok();
            }
        }
        Ok(snapshot)
    }

    fn offsets(&self, snapshot: Option<u64>) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(self.offsets.len());
        for (partition, below) in &self.offsets {
            let below = Offset::Offset(i64::try_from(*below).unwrap_or(i64::MAX));
            list.add_partition_offset(&self.topic, i32::try_from(*partition).unwrap_or(i32::MAX), below)?;
        }
        if let (Some(at), [_]) = (snapshot, &self.offsets[..]) {
            let mut elements = list.elements();
            elements.iter_mut().for_each(|element| element.set_metadata(format!("{SNAPSHOT_AT}{at}")));
        }
        Ok(list)
    }

    /// Repeats a step as long as repeating it is what it wants.
    fn again(
        &self,
        deadline: Instant,
        step: impl Fn(&BaseProducer<Ears>) -> Result<(), KafkaError>,
    ) -> Result<(), Failed> {
        loop {
            match step(&self.producer) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(e)) if e.is_retriable() && Instant::now() < deadline => {
                    listen(&self.producer);
                }
                Err(error) => return Err(Failed::of(error)),
            }
        }
    }
}
