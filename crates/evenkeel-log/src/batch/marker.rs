//! Markers: the control batches that end a transaction in a partition, as Kafka has them
//! (`ControlRecordType` and `EndTxnMarker` of its message definitions).

use bytes::{Buf, BufMut, Bytes};
use evenkeel_model::{Record, Timestamp};

use super::{CHECKED_FROM, CONTROL, Malformed, Records, TRANSACTIONAL, encode};
use crate::Producer;

/// What a marker takes in a group, at most.
pub const MARKER_BYTES: usize = 96;

const ABORT: i16 = 0;
const COMMIT: i16 = 1;

/// The marker that ends the producer's transaction, without its offset.
pub fn marker(producer: Producer, commit: bool, at: Timestamp) -> Vec<u8> {
    let mut key = Vec::new();
    key.put_i16(0);
    key.put_i16(if commit { COMMIT } else { ABORT });
    let mut value = Vec::new();
    value.put_i16(0);
    value.put_i32(0);
    let record = Record { key: Some(key.into()), value: Some(value.into()), headers: Vec::new(), created: at };
    let mut batch = encode(&[record]);
    batch[21..23].copy_from_slice(&(TRANSACTIONAL | CONTROL).to_be_bytes());
    batch[43..51].copy_from_slice(&producer.id.to_be_bytes());
    batch[51..53].copy_from_slice(&producer.epoch.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CHECKED_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// Whether a marker says commit. Later versions of its key may only have more behind it.
pub fn marker_of(batch: &Bytes) -> Result<bool, Malformed> {
    let (_, record) = Records::of(batch)?.next().ok_or(Malformed::Length)??;
    let mut key = record.key.ok_or(Malformed::Length)?;
    let version = key.try_get_i16().map_err(|_| Malformed::Length)?;
    match (version, key.try_get_i16()) {
        (0.., Ok(ABORT)) => Ok(false),
        (0.., Ok(COMMIT)) => Ok(true),
        _ => Err(Malformed::Control),
    }
}
