//! Reads the ledger from where it was read last, into the watch.

use evenkeel_log::{Log, ReadError, ReadLimit};
use evenkeel_model::{Shard, ledger, names};
use evenkeel_watch::Watch;

use crate::happenings::{LedgerUnreadable, NotALedgerRecord};

/// A place in the ledger.
pub(super) struct Tail {
    log: Log,
    shard: Shard,
    next: u64,
    /// The ledger could not be read, and that was said.
    is_unreadable: bool,
}

impl Tail {
    pub(super) fn new(log: Log) -> Tail {
        let shard = Shard::new(names::LEDGER_TOPIC, 0);
        let next = log.ends(&shard).map_or(0, |ends| ends.start);
        Tail { log, shard, next, is_unreadable: false }
    }

    /// Everything is counted again, for a watch that knows nothing.
    pub(super) fn rewind(&mut self) {
        self.next = self.log.ends(&self.shard).map_or(0, |ends| ends.start);
    }

    /// Counts every record that became durable since the last time.
    pub(super) fn read_into(&mut self, watch: &mut Watch) {
        loop {
            let records = match self.log.read(&self.shard, self.next, ReadLimit::default()) {
                Ok(records) => records,
                // A damaged log need not have a ledger.
                Err(ReadError::UnknownTopic { .. }) => return,
                Err(e) => {
                    if !std::mem::replace(&mut self.is_unreadable, true) {
                        LedgerUnreadable { error: e.to_string() }.tell();
                    }
                    return;
                }
            };
            self.is_unreadable = false;
            let Some(last) = records.last() else { return };
            self.next = last.at.offset + 1;
            for stored in &records {
                match ledger::decode(stored.record.value.as_deref().unwrap_or_default()) {
                    Ok(record) => {
                        watch.ingest(&record);
                    }
                    Err(e) => NotALedgerRecord { offset: stored.at.offset, error: format!("{e:?}") }.tell(),
                }
            }
        }
    }
}
