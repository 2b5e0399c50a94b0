//! Reads the ledger from where it was read last, into the watch.

use evenkeel_log::{Log, ReadLimit};
use evenkeel_model::{Shard, ledger, names};
use evenkeel_watch::Watch;

/// A place in the ledger.
pub(super) struct Tail {
    log: Log,
    shard: Shard,
    next: u64,
}

impl Tail {
    pub(super) fn new(log: Log) -> Tail {
        let shard = Shard::new(names::LEDGER_TOPIC, 0);
        let next = log.ends(&shard).map_or(0, |ends| ends.start);
        Tail { log, shard, next }
    }

    /// Counts every record that became durable since the last time.
    pub(super) fn read_into(&mut self, watch: &mut Watch) {
        loop {
            let records = match self.log.read(&self.shard, self.next, ReadLimit::default()) {
                Ok(records) => records,
                Err(e) => {
                    tracing::error!(error = %e, "the ledger cannot be read; indicators stand still");
                    return;
                }
            };
            let Some(last) = records.last() else { return };
            self.next = last.at.offset + 1;
            for stored in &records {
                match ledger::decode(stored.record.value.as_deref().unwrap_or_default()) {
                    Ok(record) => {
                        watch.ingest(&record);
                    }
                    Err(e) => tracing::error!(offset = stored.at.offset, error = ?e, "not a ledger record"),
                }
            }
        }
    }
}
