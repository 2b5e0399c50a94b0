//! Events are copied, so many in one set as it bears; and what a copy looks like.

use evenkeel_delivery::Owed;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Append, AppendError, ReadError, ReadLimit, Set};
use evenkeel_model::{Position, Record, Stored, Timestamp, names};

use super::{Held, Tended};
use crate::pages::unreadable;
use crate::{dead, journal};

/// One set takes so many bytes, or one record.
const SET_BYTES: u64 = 512 << 10;
/// Offsets that are read together.
const SPAN: u64 = 512;
/// What a record costs beside its bytes.
const RECORD_BYTES: usize = 32;

impl Held {
    /// Copies what waits durably below `upto` and has no copy. Gives the offset below which all of it
    /// has one now.
    pub(super) fn keep(&self, owed: &Owed, upto: u64, tended: &mut Tended) -> Result<u64, PortError> {
        let mut left: Vec<u64> = {
            let state = self.state();
            let copies = state.copies.get(&owed.shard);
            let has_copy = |at: &u64| copies.is_some_and(|copies| copies.contains_key(at));
            owed.parked_below(upto).filter(|at| !has_copy(at)).collect()
        };
        left.reverse();
        while let Some(first) = left.last().copied() {
            let mut batch = Vec::new();
            let mut bytes = 0;
            for stored in self.span(owed, &mut left)? {
                let (at, record) = (stored.at.offset, copy_of(stored));
                let size = weight(&record);
                let full = self.size().bytes + bytes + size > self.bytes_max;
                if full || bytes + size > SET_BYTES && !batch.is_empty() {
                    if !self.append(batch, tended)? {
                        return Ok(first);
                    }
                    if full {
                        tended.full = true;
                        return Ok(at);
                    }
                    (batch, bytes) = (Vec::new(), 0);
                }
                bytes += size;
                batch.push(record);
            }
            if !self.append(batch, tended)? {
                return Ok(first);
            }
        }
        Ok(upto)
    }

    /// The next of the records that are left to be copied, some that lie close together.
    fn span(&self, owed: &Owed, left: &mut Vec<u64>) -> Result<Vec<Stored>, PortError> {
        let Some(first) = left.pop() else { return Ok(Vec::new()) };
        let mut wanted = vec![first];
        while let Some(next) = left.pop_if(|at| *at - first < SPAN) {
            wanted.push(next);
        }
        let end = wanted.last().map_or(first, |last| last + 1);
        let (mut found, mut next) = (Vec::with_capacity(wanted.len()), first);
        while next < end {
            let limit = ReadLimit::records(usize::try_from(end - next).unwrap_or(usize::MAX));
            let page = match self.log.read(&owed.shard, next, limit) {
                Ok(page) => page,
                Err(ReadError::BelowStart { start }) if start > next => {
                    next = start;
                    continue;
                }
                Err(e) => return Err(unreadable(&owed.shard, &e)),
            };
            let Some(last) = page.last() else { break };
            next = last.at.offset + 1;
            found.extend(page.into_iter().filter(|stored| wanted.binary_search(&stored.at.offset).is_ok()));
        }
        Ok(found)
    }

    /// False when the set is larger than one may be: a record that is nearly as large as a set.
    fn append(&self, records: Vec<Record>, tended: &mut Tended) -> Result<bool, PortError> {
        if records.is_empty() {
            return Ok(true);
        }
        self.create()?;
        let copied = records.len() as u64;
        let set = Set::appends(vec![Append::records(self.shard.clone(), records)]);
        match self.log.append(set).wait() {
            Ok(_) => tended.copied += copied,
            Err(AppendError::TooLarge { .. }) => {
                tended.full = true;
                return Ok(false);
            }
            Err(e) => return Err(self.failed(&e)),
        }
        self.read_on(&mut self.state())?;
        Ok(true)
    }
}

/// The record that holds an event aside.
fn copy_of(stored: Stored) -> Record {
    let Stored { at, appended, mut record } = stored;
    record.push_header(names::held::ORIGIN, journal::place(&at));
    record.push_header(names::held::APPENDED, appended.micros().to_string());
    record
}

/// The event as it was, at its own place; `None` for a record that holds none.
pub(super) fn original(copy: Stored) -> Option<Stored> {
    let mut record = copy.record;
    let text = |name: &str| record.header(name).and_then(|value| std::str::from_utf8(value).ok());
    let at: Position = dead::position(text(names::held::ORIGIN)?)?;
    let appended = Timestamp::from_micros(text(names::held::APPENDED)?.parse().ok()?);
    record.headers.retain(|header| !header.name.starts_with(names::held::PREFIX));
    Some(Stored { at, appended, record })
}

/// What a copy counts for.
pub(super) fn weight(record: &Record) -> u64 {
    let of = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers: usize = record.headers.iter().map(|header| header.name.len() + of(&header.value)).sum();
    (RECORD_BYTES + of(&record.key) + of(&record.value) + headers) as u64
}
