//! Records to a batch.

use bytes::BufMut;
use evenkeel_model::{Record, varint};

use super::{CHECKED_FROM, HEAD_BYTES};

/// One batch of `records`, at base offset 0; [`place`] gives it its offset. An empty slice gives
/// no bytes. Times are in milliseconds on the medium.
pub fn encode(records: &[Record]) -> Vec<u8> {
    let Some(first) = records.first() else { return Vec::new() };
    let base_time = first.created.millis();
    let max_time = records.iter().map(|r| r.created.millis()).max().unwrap_or(base_time);
    let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
    let mut out = Vec::with_capacity(HEAD_BYTES + records.iter().map(estimate).sum::<usize>());
    out.put_i64(0);
    out.put_i32(0);
    out.put_i32(0);
    out.put_i8(2);
    out.put_u32(0);
    out.put_i16(0);
    out.put_i32(count - 1);
    out.put_i64(base_time);
    out.put_i64(max_time);
    out.put_i64(-1);
    out.put_i16(-1);
    out.put_i32(-1);
    out.put_i32(count);
    for (index, record) in records.iter().enumerate() {
        put_record(&mut out, record, record.created.millis().wrapping_sub(base_time), index);
    }
    let length = i32::try_from(out.len() - 12).unwrap_or(i32::MAX);
    out[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&out[CHECKED_FROM..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

/// Gives an encoded batch its base offset and leader epoch; neither is in the checksum.
pub fn place(batch: &mut [u8], base: u64, epoch: i32) {
    if batch.len() >= HEAD_BYTES {
        batch[0..8].copy_from_slice(&base.to_be_bytes());
        batch[12..16].copy_from_slice(&epoch.to_be_bytes());
    }
}

fn estimate(record: &Record) -> usize {
    let headers: usize =
        record.headers.iter().map(|h| h.name.len() + h.value.as_ref().map_or(0, |v| v.len()) + 6).sum();
    record.key.as_ref().map_or(0, |k| k.len()) + record.value.as_ref().map_or(0, |v| v.len()) + headers + 24
}

fn put_record(out: &mut Vec<u8>, record: &Record, time_delta: i64, index: usize) {
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    put_length(out, body_bytes(record, time_delta, index));
    out.put_i8(0);
    varint::put_i64(out, time_delta);
    varint::put_i64(out, index);
    put_nullable(out, record.key.as_deref());
    put_nullable(out, record.value.as_deref());
    put_length(out, record.headers.len());
    for header in &record.headers {
        put_nullable(out, Some(header.name.as_bytes()));
        put_nullable(out, header.value.as_deref());
    }
}

/// What a record takes behind its length.
fn body_bytes(record: &Record, time_delta: i64, index: i64) -> usize {
    let headers = record
        .headers
        .iter()
        .map(|h| nullable_bytes(Some(h.name.len())) + nullable_bytes(h.value.as_ref().map(|v| v.len())));
    1 + varint_bytes(time_delta)
        + varint_bytes(index)
        + nullable_bytes(record.key.as_ref().map(|k| k.len()))
        + nullable_bytes(record.value.as_ref().map(|v| v.len()))
        + varint_bytes(i64::try_from(record.headers.len()).unwrap_or(i64::MAX))
        + headers.sum::<usize>()
}

fn nullable_bytes(length: Option<usize>) -> usize {
    length.map_or(1, |length| varint_bytes(i64::try_from(length).unwrap_or(i64::MAX)) + length)
}

/// Seven bits a byte, of the zigzag form.
fn varint_bytes(v: i64) -> usize {
    let bits = 64 - (v << 1 ^ v >> 63).leading_zeros() as usize;
    bits.max(1).div_ceil(7)
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_length(out, bytes.len());
            out.put_slice(bytes);
        }
        None => varint::put_i64(out, -1),
    }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    varint::put_i64(out, i64::try_from(length).unwrap_or(i64::MAX));
}
