//! One batch written again with some of its records.
//!
//! As Kafka's cleaner does it: the batch keeps its first and its last offset, its producer and its
//! sequence, so that what refers to them stays true; the records that stay keep their bytes. A
//! batch with a tombstone (or a marker whose transaction has no records left) gets a *delete
//! horizon* (KIP-534): attribute bit 6, the time in place of the base timestamp, and the records'
//! times counted from there. Compressed batches are left as they are.

use bytes::{Buf, BufMut};
use evenkeel_model::varint;

use crate::batch::{HEAD_BYTES, Malformed};

const COMPRESSION: i16 = 7;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

/// What a rewriting made of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rewritten {
    /// It stays as it is.
    Same,
    /// Nothing of it is left.
    Gone,
    /// These are its bytes now.
    New(Vec<u8>),
}

/// What compaction needs to know of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) base: u64,
    /// One beyond the last offset that it ever held.
    pub(crate) end: u64,
    pub(crate) producer: i64,
    attributes: i16,
    base_time: i64,
    max_time: i64,
    count: u32,
}

/// A record where it stands in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) offset: u64,
    pub(crate) key: Option<&'a [u8]>,
    /// What it says; nothing when it is a tombstone.
    pub(crate) value: Option<&'a [u8]>,
    attributes: u8,
    time: i64,
    /// Its bytes, with the length before them.
    whole: &'a [u8],
    /// Its bytes from the offset delta on.
    rest: &'a [u8],
}

impl Line<'_> {
    /// A record that deletes its key.
    pub(crate) fn is_tombstone(&self) -> bool {
        self.key.is_some() && self.value.is_none()
    }
}

impl Frame {
    /// Reads the head of a batch that was verified.
    pub(crate) fn of(batch: &[u8]) -> Result<Frame, Malformed> {
        let Some(mut from) = batch.get(..HEAD_BYTES) else { return Err(Malformed::Short) };
        let base = from.get_u64();
        from.advance(13);
        let attributes = from.get_i16();
        let last = u64::try_from(from.get_i32()).map_err(|_| Malformed::Length)?;
        let (base_time, max_time, producer) = (from.get_i64(), from.get_i64(), from.get_i64());
        from.advance(6);
        let count = u32::try_from(from.get_i32()).map_err(|_| Malformed::Length)?;
        Ok(Frame { base, end: base.saturating_add(last + 1), producer, attributes, base_time, max_time, count })
    }

    pub(crate) fn compressed(&self) -> bool {
        self.attributes & COMPRESSION != 0
    }

    pub(crate) fn transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// A marker: the end of a transaction.
    pub(crate) fn control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// When its tombstones may go, in milliseconds, once it is known.
    pub(crate) fn horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_time)
    }
}

/// The records of a batch.
pub(crate) fn lines<'a>(frame: &Frame, batch: &'a [u8]) -> Result<Vec<Line<'a>>, Malformed> {
    if frame.compressed() {
        return Err(Malformed::Compressed);
    }
    let mut from = batch.get(HEAD_BYTES..).ok_or(Malformed::Short)?;
    (0..frame.count).map(|_| line(frame, &mut from)).collect()
}

fn line<'a>(frame: &Frame, from: &mut &'a [u8]) -> Result<Line<'a>, Malformed> {
    let start = *from;
    let length = length(from)?;
    let (mut record, behind) = from.split_at(length);
    *from = behind;
    let whole = &start[..start.len() - behind.len()];
    if record.is_empty() {
        return Err(Malformed::Length);
    }
    let attributes = record.get_u8();
    let delta = varint::get_i64(&mut record).ok_or(Malformed::Length)?;
    let rest = record;
    let offset =
        varint::get_i64(&mut record).and_then(|d| frame.base.checked_add_signed(d)).ok_or(Malformed::Length)?;
    let key = nullable(&mut record)?;
    let value = nullable(&mut record)?;
    Ok(Line { offset, key, value, attributes, time: frame.base_time.saturating_add(delta), whole, rest })
}

/// `batch` with the records `kept` alone. With a `horizon` it says from now on when its tombstones
/// may go.
pub(crate) fn rewrite(frame: &Frame, batch: &[u8], kept: &[Line<'_>], horizon: Option<i64>) -> Rewritten {
    if kept.is_empty() {
        return Rewritten::Gone;
    }
    if kept.len() == frame.count as usize && horizon.is_none() {
        return Rewritten::Same;
    }
    let mut out = Vec::with_capacity(batch.len() + 16);
    out.extend_from_slice(&batch[..HEAD_BYTES]);
    for line in kept {
        match horizon {
            Some(base) => put_line(&mut out, line, base),
            None => out.extend_from_slice(line.whole),
        }
    }
    patch(frame, &mut out, kept, horizon);
    Rewritten::New(out)
}

/// Counts the record's time from `base`.
fn put_line(out: &mut Vec<u8>, line: &Line<'_>, base: i64) {
    let mut head = vec![line.attributes];
    varint::put_i64(&mut head, line.time.saturating_sub(base));
    varint::put_i64(out, i64::try_from(head.len() + line.rest.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(&head);
    out.extend_from_slice(line.rest);
}

/// Makes the head true again.
fn patch(frame: &Frame, out: &mut [u8], kept: &[Line<'_>], horizon: Option<i64>) {
    let length = i32::try_from(out.len() - 12).unwrap_or(i32::MAX);
    let attributes = frame.attributes | if horizon.is_some() { DELETE_HORIZON } else { 0 };
    let latest = kept.iter().map(|l| l.time).max().unwrap_or(frame.max_time);
    let max_time = if frame.attributes & LOG_APPEND_TIME == 0 { latest } else { frame.max_time };
    out[8..12].copy_from_slice(&length.to_be_bytes());
    (&mut out[21..23]).put_i16(attributes);
    (&mut out[27..35]).put_i64(horizon.unwrap_or(frame.base_time));
    (&mut out[35..43]).put_i64(max_time);
    (&mut out[57..61]).put_i32(i32::try_from(kept.len()).unwrap_or(i32::MAX));
    let crc = crc32c::crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// A length that the bytes behind it bear out.
fn length(from: &mut &[u8]) -> Result<usize, Malformed> {
    match varint::get_i64(from).map(usize::try_from) {
        Some(Ok(length)) if length <= from.len() => Ok(length),
        _ => Err(Malformed::Length),
    }
}

fn nullable<'a>(from: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let length = varint::get_i64(from).ok_or(Malformed::Length)?;
    if length == -1 {
        return Ok(None);
    }
    match usize::try_from(length) {
        Ok(length) if length <= from.len() => {
            let (bytes, behind) = from.split_at(length);
            *from = behind;
            Ok(Some(bytes))
        }
        _ => Err(Malformed::Length),
    }
}
