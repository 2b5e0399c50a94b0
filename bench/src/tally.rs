//! What the ledger says of a run: the one source of every figure but the flushes.

use std::time::Duration;

use evenkeel_log::{Log, ReadLimit};
use evenkeel_model::ledger::{LedgerEntry, decode};
use evenkeel_model::{Outcome as Ending, Shard, Timestamp, names};

use crate::Outcome;

/// The completed events of a run.
pub(crate) struct Tally {
    /// Created-to-completed, in microseconds, sorted.
    latencies_us: Vec<u64>,
    /// When the last round was journaled.
    pub(crate) last: Timestamp,
}

impl Tally {
    pub(crate) fn read(log: &Log) -> Outcome<Tally> {
        Tally::read_from(log, Timestamp::EPOCH)
    }

    /// Only of events that were completed at or after `since`.
    pub(crate) fn read_from(log: &Log, since: Timestamp) -> Outcome<Tally> {
        let shard = Shard::new(names::LEDGER_TOPIC, 0);
        let mut tally = Tally { latencies_us: Vec::new(), last: Timestamp::EPOCH };
        let mut from = 0;
        loop {
            let page = log.read(&shard, from, ReadLimit::default())?;
            let Some(last) = page.last() else { break };
            from = last.at.offset + 1;
            for stored in page {
                let record = decode(stored.record.value.as_deref().unwrap_or_default());
                let record = record.map_err(|error| format!("the ledger cannot be read: {}", error.0))?;
                tally.last = tally.last.max(stored.appended);
                tally.take(&record.entries, since);
            }
        }
        tally.latencies_us.sort_unstable();
        Ok(tally)
    }

    fn take(&mut self, entries: &[LedgerEntry], since: Timestamp) {
        for entry in entries {
            if let LedgerEntry::Ended(ended) = entry
                && ended.outcome == Ending::Completed
                && ended.at >= since
            {
                self.latencies_us.push(ended.created_to_ended_us);
            }
        }
    }

    pub(crate) fn completed(&self) -> u64 {
        self.latencies_us.len() as u64
    }

    /// The latency that this share of the events did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = (self.latencies_us.len() as f64 * share).ceil() as usize;
        let at = rank.clamp(1, self.latencies_us.len().max(1)) - 1;
        Duration::from_micros(self.latencies_us.get(at).copied().unwrap_or_default())
    }
}
