//! Records in the client's terms and in ours.

use bytes::Bytes;
use evenkeel_model::{Header, Position, Record, Shard, Stored, Timestamp};
use rdkafka::message::{BorrowedMessage, Header as KafkaHeader, Headers, Message, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use crate::journal::Report;

/// A message as it stands in its topic. When it was appended Kafka tells only where the topic says
/// LogAppendTime; else it's taken for appended when it was created, but not later than now.
pub(crate) fn stored(message: &BorrowedMessage<'_>, shard: &Shard, now: Timestamp) -> Stored {
    let offset = u64::try_from(message.offset()).unwrap_or(0);
    let said = message.timestamp().to_millis().map_or(now, Timestamp::from_millis);
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let ours = |header: KafkaHeader<'_, &[u8]>| Header {
            name: header.key.to_owned(),
            value: header.value.map(Bytes::copy_from_slice),
        };
        headers.iter().map(ours).collect()
    });
    let record = Record {
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
        created: said,
    };
    Stored { at: Position { shard: shard.clone(), offset }, appended: said.min(now), record }
}

pub(crate) fn headers(record: &Record) -> OwnedHeaders {
    record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |all, header| {
        all.insert(KafkaHeader { key: &header.name, value: header.value.as_deref() })
    })
}

/// A record on its way to a partition, or to the one of its key.
pub(crate) fn outgoing<'a>(
    topic: &'a str,
    partition: Option<i32>,
    record: &'a Record,
    report: Box<Report>,
) -> BaseRecord<'a, [u8], [u8], Box<Report>> {
    let mut out = BaseRecord::with_opaque_to(topic, report);
    out.partition = partition;
    out.key = record.key.as_deref();
    out.payload = record.value.as_deref();
    out.timestamp = Some(record.created.millis());
    if !record.headers.is_empty() {
        out.headers = Some(headers(record));
    }
    out
}
