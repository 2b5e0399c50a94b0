//! The entries of incidents in their topic: read back at the start, written as they happen.

use std::time::Duration;

use evenkeel_cloudevents::kafka::{Read, from_record, to_record};
use evenkeel_log::{AppendError, Log, ReadLimit, Set};
use evenkeel_model::{Shard, Timestamp, names};
use evenkeel_respond::Entry;

use crate::forms::entry;
use crate::happenings::IncidentNotStored;

/// How long to wait before asking a full disk again.
const FULL_DISK_PAUSE: Duration = Duration::from_millis(500);

/// The topic of incidents.
pub(super) struct Book {
    log: Log,
    shard: Shard,
    written: u64,
}

impl Book {
    /// The book, and all that is in it.
    pub(super) fn open(log: Log) -> (Book, Vec<Entry>) {
        let shard = Shard::new(names::INCIDENTS_TOPIC, 0);
        let mut next = log.ends(&shard).map_or(0, |ends| ends.start);
        let mut entries = Vec::new();
        while let Ok(records) = log.read(&shard, next, ReadLimit::default()) {
            let Some(last) = records.last() else { break };
            next = last.at.offset + 1;
            entries.extend(records.iter().filter_map(|stored| match from_record(&stored.record, &stored.at) {
                Read::Event(event) => entry::read(&event),
                Read::Plain(_) | Read::NotAnEvent(_) => None,
            }));
        }
        (Book { log, shard, written: next }, entries)
    }

    /// Makes an entry durable; false when the log has stopped.
    pub(super) async fn write(&mut self, entry: &Entry, now: Timestamp) -> bool {
        let record = to_record(&entry::event(entry, self.written), now);
        self.written += 1;
        loop {
            match self.log.append(Set::of(self.shard.clone(), vec![record.clone()])).await {
                Ok(_) => return true,
                Err(AppendError::DiskFull) => tokio::time::sleep(FULL_DISK_PAUSE).await,
                Err(e) => {
                    IncidentNotStored { error: e.to_string() }.tell();
                    return false;
                }
            }
        }
    }
}
