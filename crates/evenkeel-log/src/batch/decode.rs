//! A batch to records, from bytes that nobody vouches for.

use bytes::{Buf, Bytes};
use evenkeel_model::{Header, Record, Timestamp, varint};

use super::{CHECKED_FROM, COMPRESSION, CONTROL, HEAD_BYTES, Malformed, TRANSACTIONAL};
use crate::Producer;

/// What stands before the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The offset of the first record.
    pub base: u64,
    /// The whole batch in bytes, this head included.
    pub bytes: usize,
    /// How many records it says it holds; never more than its bytes allow.
    pub count: u32,
    /// The latest creation time in it.
    pub max_time: Timestamp,
    /// Whose it is, if a producer with an id sent it.
    pub producer: Option<Producer>,
    /// The producer's sequence of its first record; -1 where there is none.
    pub sequence: i32,
    /// How many offsets it takes: more than `count` when compaction took records from it.
    span: u32,
    base_time_ms: i64,
    attributes: i16,
}

impl Head {
    /// Reads the head of a batch; the records need not be there yet.
    pub fn parse(bytes: &[u8]) -> Result<Head, Malformed> {
        if bytes.len() < HEAD_BYTES {
            return Err(Malformed::Short);
        }
        let mut from = bytes;
        let base = from.get_u64();
        let length = from.get_i32();
        from.advance(4);
        let magic = from.get_i8();
        if magic != 2 {
            return Err(Malformed::Magic(magic));
        }
        from.advance(4);
        let attributes = from.get_i16();
        let last_delta = from.get_i32();
        let base_time_ms = from.get_i64();
        let max_time = Timestamp::from_millis(from.get_i64());
        let producer = Producer { id: from.get_i64(), epoch: from.get_i16() };
        let sequence = from.get_i32();
        let count = from.get_i32();
        let length = usize::try_from(length).map_err(|_| Malformed::Length)?;
        let records = length.checked_sub(HEAD_BYTES - 12).ok_or(Malformed::Length)?;
        let count = u32::try_from(count).map_err(|_| Malformed::Length)?;
        let span = u32::try_from(last_delta).map_err(|_| Malformed::Length)? + 1;
        let plausible = count >= 1 && count as usize <= records / 7 && count <= span;
        if !plausible || base > i64::MAX as u64 {
            return Err(Malformed::Length);
        }
        let producer = (producer.id >= 0).then_some(producer);
        Ok(Head { base, bytes: length + 12, count, max_time, producer, sequence, span, base_time_ms, attributes })
    }

    /// One beyond the offset of its last record, or of the one that was before compaction.
    pub fn end(&self) -> u64 {
        self.base + u64::from(self.span)
    }

    /// True when there is a record for each of its offsets: always, but for compaction.
    pub fn is_dense(&self) -> bool {
        self.span == self.count
    }

    /// True when it is a part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// True when its records are for the log and its clients, never for an application.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// The sequence of its last record; sequences begin again at 0 after 2^31 - 1.
    pub fn last_sequence(&self) -> i32 {
        let last = (i64::from(self.sequence) + i64::from(self.count) - 1) % (1 << 31);
        i32::try_from(last).unwrap_or(-1)
    }
}

/// Checks that `batch` is exactly one batch, and its checksum.
pub fn verify(batch: &[u8]) -> Result<Head, Malformed> {
    let head = Head::parse(batch)?;
    if batch.len() != head.bytes {
        return Err(if batch.len() < head.bytes { Malformed::Short } else { Malformed::Length });
    }
    let claimed = (&batch[17..21]).get_u32();
    if crc32c::crc32c(&batch[CHECKED_FROM..]) != claimed {
        return Err(Malformed::Checksum);
    }
    Ok(head)
}

/// Checks that `batch` is what a producer may send: one whole batch that says of itself what is so.
pub fn check(batch: &Bytes) -> Result<Head, Malformed> {
    let head = verify(batch)?;
    if head.is_control() {
        return Err(Malformed::Control);
    }
    let numbered = head.producer.is_some_and(|p| p.epoch >= 0 && head.sequence >= 0);
    if head.producer.is_some() != numbered || (head.is_transactional() && !numbered) {
        return Err(Malformed::Producer);
    }
    if !head.is_dense() {
        return Err(Malformed::Length);
    }
    let mut records = Records::of(batch)?;
    for delta in 0..head.count {
        if records.decode_delta()? != i64::from(delta) {
            return Err(Malformed::Length);
        }
    }
    if records.left.has_remaining() { Err(Malformed::Length) } else { Ok(head) }
}

/// The records of one batch, each with its offset. Keys and values are slices of the batch.
pub struct Records {
    head: Head,
    left: Bytes,
    index: u32,
    /// The least that the next record's offset delta may be.
    delta: u32,
}

impl Records {
    /// The records of `batch`, whose checksum is not looked at here (see [`verify`]).
    pub fn of(batch: &Bytes) -> Result<Records, Malformed> {
        let head = Head::parse(batch)?;
        if batch.len() < head.bytes {
            return Err(Malformed::Short);
        }
        if head.attributes & COMPRESSION != 0 {
            return Err(Malformed::Compressed);
        }
        Ok(Records { head, left: batch.slice(HEAD_BYTES..head.bytes), index: 0, delta: 0 })
    }

    /// Leaves out the records before `offset` without decoding them.
    pub fn skip_to(&mut self, offset: u64) -> Result<(), Malformed> {
        let wanted = u32::try_from(offset.saturating_sub(self.head.base)).unwrap_or(u32::MAX);
        while self.index < self.head.count && self.delta < wanted {
            let (left, index) = (self.left.clone(), self.index);
            let mut record = self.cut_record()?;
            let delta = if self.head.is_dense() { index } else { self.place(deltas(&mut record)?.1)? };
            if delta >= wanted {
                (self.left, self.index) = (left, index);
                break;
            }
            self.delta = delta + 1;
        }
        Ok(())
    }

    /// An offset delta that may be the next record's.
    fn place(&self, delta: i64) -> Result<u32, Malformed> {
        let delta = u32::try_from(delta).map_err(|_| Malformed::Length)?;
        if delta < self.delta || delta >= self.head.span { Err(Malformed::Length) } else { Ok(delta) }
    }

    fn cut_record(&mut self) -> Result<Bytes, Malformed> {
        let length = length(&mut self.left)?;
        self.index += 1;
        Ok(self.left.split_to(length))
    }

    /// Decodes the next record and gives back only what it says of its place.
    fn decode_delta(&mut self) -> Result<i64, Malformed> {
        let mut from = self.cut_record()?;
        let (_, offset_delta) = deltas(&mut from)?;
        nullable(&mut from)?;
        nullable(&mut from)?;
        for _ in 0..length(&mut from)? {
            let name = nullable(&mut from)?.ok_or(Malformed::HeaderName)?;
            std::str::from_utf8(&name).map_err(|_| Malformed::HeaderName)?;
            nullable(&mut from)?;
        }
        if from.has_remaining() { Err(Malformed::Length) } else { Ok(offset_delta) }
    }

    fn decode(&mut self) -> Result<(u64, Record), Malformed> {
        let mut from = self.cut_record()?;
        let (time_delta, offset_delta) = deltas(&mut from)?;
        let delta = self.place(offset_delta)?;
        self.delta = delta + 1;
        let offset = self.head.base + u64::from(delta);
        let key = nullable(&mut from)?;
        let value = nullable(&mut from)?;
        let count = length(&mut from)?;
        let mut headers = Vec::new();
        for _ in 0..count {
            let name = nullable(&mut from)?.ok_or(Malformed::HeaderName)?;
            let name = std::str::from_utf8(&name).map_err(|_| Malformed::HeaderName)?.to_owned();
            headers.push(Header { name, value: nullable(&mut from)? });
        }
        let created = Timestamp::from_millis(self.head.base_time_ms.saturating_add(time_delta));
        Ok((offset, Record { key, value, headers, created }))
    }
}

impl Iterator for Records {
    type Item = Result<(u64, Record), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.head.count {
            return None;
        }
        let decoded = self.decode();
        if decoded.is_err() {
            self.index = self.head.count;
        }
        Some(decoded)
    }
}

/// What a record begins with: attributes, which mean nothing, and how far it is from the batch's
/// base time and base offset.
fn deltas(from: &mut Bytes) -> Result<(i64, i64), Malformed> {
    if !from.has_remaining() {
        return Err(Malformed::Length);
    }
    from.advance(1);
    let time = varint::get_i64(from).ok_or(Malformed::Length)?;
    Ok((time, varint::get_i64(from).ok_or(Malformed::Length)?))
}

/// A length that the bytes behind it bear out.
fn length(from: &mut Bytes) -> Result<usize, Malformed> {
    let length = varint::get_i64(from).ok_or(Malformed::Length)?;
    match usize::try_from(length) {
        Ok(length) if length <= from.remaining() => Ok(length),
        _ => Err(Malformed::Length),
    }
}

fn nullable(from: &mut Bytes) -> Result<Option<Bytes>, Malformed> {
    let length = varint::get_i64(from).ok_or(Malformed::Length)?;
    if length == -1 {
        return Ok(None);
    }
    match usize::try_from(length) {
        Ok(length) if length <= from.remaining() => Ok(Some(from.split_to(length))),
        _ => Err(Malformed::Length),
    }
}
