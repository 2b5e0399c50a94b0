//! A partition read from offset to offset in bounded pages, so that no reader holds more than one.
//!
//! Invariant: it reads up to the end that it was given and never beyond, whatever is appended
//! meanwhile; offsets that retention took are passed over.

use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Log, ReadError, ReadLimit};
use evenkeel_model::{Shard, Stored};

/// One page is at most this.
const PAGE: ReadLimit = ReadLimit { records: 4096, bytes: 4 << 20 };

/// The pages of one partition.
pub(crate) struct Pages<'a> {
    log: &'a Log,
    shard: Shard,
    next: u64,
    end: u64,
}

impl<'a> Pages<'a> {
    /// From `from` up to and without `end`.
    pub(crate) fn new(log: &'a Log, shard: Shard, from: u64, end: u64) -> Pages<'a> {
        Pages { log, shard, next: from, end }
    }

    /// The next page; empty at the end.
    pub(crate) fn next(&mut self) -> Result<Vec<Stored>, PortError> {
        while self.next < self.end {
            match self.log.read(&self.shard, self.next, PAGE) {
                Ok(mut page) => {
                    page.retain(|stored| stored.at.offset < self.end);
                    let Some(last) = page.last() else { break };
                    self.next = last.at.offset + 1;
                    return Ok(page);
                }
                Err(ReadError::BelowStart { start }) if start > self.next => {
                    self.next = start;
                }
                Err(ReadError::Beyond { .. }) => break,
                Err(e) => return Err(unreadable(&self.shard, &e)),
            }
        }
        Ok(Vec::new())
    }

    /// Shows each record to `see`, page by page.
    pub(crate) fn each(&mut self, mut see: impl FnMut(&Stored) -> Result<(), PortError>) -> Result<(), PortError> {
        loop {
            let page = self.next()?;
            if page.is_empty() {
                return Ok(());
            }
            page.iter().try_for_each(&mut see)?;
        }
    }
}

/// A read error, with the partition that it is about.
pub(crate) fn unreadable(shard: &Shard, error: &ReadError) -> PortError {
    PortError(format!("reading {}/{}: {error}", shard.topic, shard.partition))
}
