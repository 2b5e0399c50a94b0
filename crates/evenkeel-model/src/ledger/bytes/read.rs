//! Reading: every count is checked against the bytes that are left before anything is allocated.

use std::sync::Arc;

use bytes::Buf;

use super::{
    DETAILS, DecodeError, KIND_ATTEMPT, KIND_ENDED, KIND_MASK, KIND_OVERDUE, KIND_REDRIVEN, MORE, NEXT_OFFSET,
    NOT_BELIEVED, OVERDUE, SAME_LABEL, TEXT_MAX, VERSION,
};
use crate::ledger::{AttemptFailed, Ended, LedgerEntry, LedgerRecord, Overdue, Redriven};
use crate::varint::{get_i64, get_text, get_u64};
use crate::{FailureClass, FailureInfo, Outcome, Timestamp};

/// The shortest entry: flags, time, threshold.
const ENTRY_MIN: usize = 3;

/// The record of these bytes.
pub fn decode(bytes: &[u8]) -> Result<LedgerRecord, DecodeError> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        VERSION => {}
        _ => return Err(DecodeError("a version that this build does not know")),
    }
    let subscription = Arc::from(reader.text()?);
    let topic = Arc::from(reader.text()?);
    let partition = reader.u32()?;
    let sequence = reader.u64()?;
    let at = Timestamp::from_micros(reader.i64()?);
    reader.at_before = at;
    reader.dictionary()?;
    let count = reader.count(ENTRY_MIN)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        entries.push(reader.entry()?);
    }
    if reader.left.has_remaining() {
        return Err(DecodeError("bytes after the last entry"));
    }
    Ok(LedgerRecord { subscription, topic, partition, sequence, at, entries })
}

struct Reader<'a> {
    left: &'a [u8],
    texts: Vec<Arc<str>>,
    labels: Vec<[usize; 3]>,
    label_before: Option<usize>,
    offset_before: u64,
    at_before: Timestamp,
    text_left: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader {
            left: bytes,
            texts: Vec::new(),
            labels: Vec::new(),
            label_before: None,
            offset_before: u64::MAX,
            at_before: Timestamp::EPOCH,
            text_left: TEXT_MAX,
        }
    }

    fn dictionary(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.count(1)? {
            let text = self.text()?;
            self.texts.push(Arc::from(text));
        }
        for _ in 0..self.count(3)? {
            let label = [self.text_index()?, self.text_index()?, self.text_index()?];
            self.labels.push(label);
        }
        Ok(())
    }

    fn entry(&mut self) -> Result<LedgerEntry, DecodeError> {
        let flags = self.byte()?;
        match flags & KIND_MASK {
            KIND_ENDED => self.ended(flags).map(LedgerEntry::Ended),
            KIND_ATTEMPT => self.attempt(flags).map(LedgerEntry::Attempt),
            KIND_OVERDUE => self.overdue(flags).map(LedgerEntry::Overdue),
            KIND_REDRIVEN => self.redriven(flags).map(LedgerEntry::Redriven),
            _ => Err(DecodeError("an entry of an unknown kind")),
        }
    }

    fn ended(&mut self, flags: u8) -> Result<Ended, DecodeError> {
        let [kind, source, handler_version] = self.label(flags)?;
        let (offset, at) = self.place(flags)?;
        let created_to_ended_us = self.u64()?;
        let handler_us = self.u64()?;
        let emitted = if flags & MORE == 0 { 0 } else { self.u32()? };
        let mut ended = Ended {
            offset,
            outcome: Outcome::Completed,
            kind,
            source,
            handler_version,
            at,
            created_to_ended_us,
            handler_us,
            created_believed: flags & NOT_BELIEVED == 0,
            overdue: flags & OVERDUE != 0,
            attempts: 1,
            deliveries: 1,
            deferrals: 0,
            crashes: 0,
            emitted,
            failure: None,
        };
        if flags & DETAILS != 0 {
            self.details(&mut ended)?;
        }
        Ok(ended)
    }

    fn details(&mut self, ended: &mut Ended) -> Result<(), DecodeError> {
        ended.outcome = Outcome::from_number(self.byte()?).ok_or(DecodeError("an unknown outcome"))?;
        ended.attempts = self.u32()?;
        ended.deliveries = self.u32()?;
        ended.deferrals = self.u32()?;
        ended.crashes = self.u32()?;
        ended.failure = match self.byte()? {
            0 => None,
            1 => Some(self.failure(ended.at)?),
            _ => return Err(DecodeError("neither a failure nor none")),
        };
        Ok(())
    }

    fn failure(&mut self, at: Timestamp) -> Result<FailureInfo, DecodeError> {
        Ok(FailureInfo {
            class: self.class()?,
            status: self.status()?,
            fingerprint: self.copied_text()?,
            message: self.copied_text()?,
            reason: self.copied_text()?,
            first_failed_at: self.time_from(at)?,
            last_failed_at: self.time_from(at)?,
        })
    }

    fn attempt(&mut self, flags: u8) -> Result<AttemptFailed, DecodeError> {
        let (offset, at) = self.place(flags)?;
        Ok(AttemptFailed {
            offset,
            delivery: self.u32()?,
            at,
            took_us: self.u64()?,
            class: self.class()?,
            status: self.status()?,
            fingerprint: self.copied_text()?,
            message: self.copied_text()?,
            next_at: if flags & MORE == 0 { None } else { Some(self.time_from(at)?) },
        })
    }

    fn overdue(&mut self, flags: u8) -> Result<Overdue, DecodeError> {
        let (offset, at) = self.place(flags)?;
        Ok(Overdue { offset, at, threshold_us: self.u64()? })
    }

    fn redriven(&mut self, flags: u8) -> Result<Redriven, DecodeError> {
        let (offset, at) = self.place(flags)?;
        Ok(Redriven { offset, at, letter: self.u64()?, job: self.copied_text()? })
    }

    fn label(&mut self, flags: u8) -> Result<[Arc<str>; 3], DecodeError> {
        let index = if flags & SAME_LABEL == 0 {
            usize::try_from(self.u64()?).map_err(|_| DecodeError("a label that is not in the dictionary"))?
        } else {
            self.label_before.ok_or(DecodeError("the label of the entry before the first"))?
        };
        let label = *self.labels.get(index).ok_or(DecodeError("a label that is not in the dictionary"))?;
        self.label_before = Some(index);
        Ok(label.map(|text| Arc::clone(&self.texts[text])))
    }

    fn place(&mut self, flags: u8) -> Result<(u64, Timestamp), DecodeError> {
        let delta = if flags & NEXT_OFFSET == 0 { self.i64()?.cast_unsigned() } else { 1 };
        self.offset_before = self.offset_before.wrapping_add(delta);
        self.at_before = self.time_from(self.at_before)?;
        Ok((self.offset_before, self.at_before))
    }

    fn time_from(&mut self, base: Timestamp) -> Result<Timestamp, DecodeError> {
        Ok(Timestamp::from_micros(base.micros().wrapping_add(self.i64()?)))
    }

    fn class(&mut self) -> Result<FailureClass, DecodeError> {
        FailureClass::from_number(self.byte()?).ok_or(DecodeError("an unknown failure class"))
    }

    fn status(&mut self) -> Result<Option<u16>, DecodeError> {
        match self.u64()?.checked_sub(1) {
            None => Ok(None),
            Some(status) => u16::try_from(status).map(Some).map_err(|_| DecodeError("a status beyond 16 bits")),
        }
    }

    /// A text of the dictionary, copied at the expense of the record's bound.
    fn copied_text(&mut self) -> Result<String, DecodeError> {
        let index = self.text_index()?;
        let text = &self.texts[index];
        self.text_left =
            self.text_left.checked_sub(text.len()).ok_or(DecodeError("more text than a record may hold"))?;
        Ok(text.as_ref().to_owned())
    }

    fn text_index(&mut self) -> Result<usize, DecodeError> {
        let index = self.u64()?;
        usize::try_from(index)
            .ok()
            .filter(|&index| index < self.texts.len())
            .ok_or(DecodeError("a text that is not in the dictionary"))
    }

    /// A count of things that take at least `each` bytes.
    fn count(&mut self, each: usize) -> Result<usize, DecodeError> {
        let count = self.u64()?;
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= self.left.len() / each)
            .ok_or(DecodeError("a count beyond the bytes"))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&byte, left) = self.left.split_first().ok_or(CUT)?;
        self.left = left;
        Ok(byte)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        get_u64(&mut self.left).ok_or(CUT)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.u64()?).map_err(|_| DecodeError("a number beyond 32 bits"))
    }

    fn i64(&mut self) -> Result<i64, DecodeError> {
        get_i64(&mut self.left).ok_or(CUT)
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        get_text(&mut self.left).ok_or(DecodeError("a text that is cut off or not UTF-8"))
    }
}

const CUT: DecodeError = DecodeError("the bytes end in the middle, or a number is too long");
