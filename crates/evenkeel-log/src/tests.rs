//! Tests of the whole log, on the simulated disk unless they say otherwise.

mod batches;
mod damage;
mod exactly_once;
mod explore;
mod golden;
mod harm;
mod handover;
mod laps;
mod learned;
mod limits;
mod mending;
mod met;
mod model;
mod mutation;
mod panics;
mod producers;
mod reading;
mod senseless;
mod retention;
mod sessions;
mod repair;
mod report;
mod threads;
mod topics;
mod meanwhile;
mod hard_limits;
mod upkeep;
mod compaction;
mod transactions;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{ManualClock, Record, Shard, Timestamp};

use crate::sim::SimDisk;
use crate::{
    AppendError, Appended, Log, OpenError, Options, Producer, ReadError, ReadLimit, Retained, Safeguard, Set,
    TopicSettings,
};

/// A log whose steps are taken by hand, on a disk that survives it.
struct Rig {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    options: Options,
    log: Option<Log>,
}

/// Small enough that every file fills up within a test.
fn small() -> Options {
    Options {
        wal_first_file_bytes: 48 << 10,
        wal_file_bytes: 96 << 10,
        wal_bytes_max: 512 << 10,
        group_bytes_max: 24 << 10,
        writers: Some(1),
        pending_bytes_max: 64 << 10,
        segment_bytes: 6 << 10,
        flush_bytes: 64 << 10,
        write_back_bytes: 8 << 10,
        unwritten_bytes_max: 48 << 10,
        open_segments_max: 3,
        tail_bytes: 2 << 10,
        cached_bytes: 4 << 10,
        compaction_bytes: 1 << 10,
        headroom_bytes: 8 << 10,
        producer_expiry: Duration::from_secs(3600),
        producers_max: 40,
        without: None,
    }
}

impl Rig {
    fn new(seed: u64, without: Option<Safeguard>) -> Rig {
        let options = Options { without, ..small() };
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        Rig { disk: SimDisk::new(seed), clock, options, log: None }
    }

    /// A log with topic `t` of two partitions.
    fn with_topic(seed: u64, without: Option<Safeguard>) -> Rig {
        let mut rig = Rig::new(seed, without);
        rig.open().expect("an empty folder opens");
        rig.create("t", 2);
        rig
    }

    fn open(&mut self) -> Result<(), OpenError> {
        self.log = None;
        self.log = Some(Log::open_idle(Arc::new(self.disk.clone()), self.options.clone(), self.clock.clone())?);
        Ok(())
    }

    fn log(&self) -> &Log {
        self.log.as_ref().expect("the log is open")
    }

    /// The process dies, the machine runs on.
    fn kill(&mut self) {
        if let Some(log) = self.log.take() {
            log.crash();
        }
        self.disk.kill();
    }

    fn create(&self, name: &str, partitions: u32) {
        let creating = self.log().create_topic(name, TopicSettings::partitions(partitions)).expect("a good name");
        self.log().step();
        creating.wait().expect("the topic is created");
    }

    /// Appends one record in a group of its own.
    fn append(&self, partition: u32, value: &str) -> Result<Appended, AppendError> {
        self.clock.advance(Duration::from_millis(1));
        let appending = self.log().append(Set::of(Shard::new("t", partition), vec![self.record(value)]));
        self.log().step();
        appending.wait()
    }

    fn record(&self, value: &str) -> Record {
        use evenkeel_model::Clock;
        Record { value: Some(Bytes::copy_from_slice(value.as_bytes())), created: self.clock.now(), ..Record::default() }
    }

    /// Appends a set in a group of its own.
    fn put(&self, set: Set) -> Result<Appended, AppendError> {
        self.clock.advance(Duration::from_millis(1));
        let appending = self.log().append(set);
        self.log().step();
        appending.wait()
    }

    /// A producer that never was, in its first incarnation.
    fn producer(&self) -> Producer {
        let naming = self.log().new_producer();
        self.log().step();
        Producer { id: naming.wait().expect("an id"), epoch: 0 }
    }

    /// Applies retention.
    fn retain(&self) -> Result<Retained, AppendError> {
        let removals = self.log().removals();
        let appending = self.log().append(crate::retention::set(&removals));
        self.log().step();
        appending.wait().map(|_| crate::retention::sum(&removals))
    }

    /// All values of a partition of `t`, from its start.
    fn values(&self, partition: u32) -> Result<Vec<String>, ReadError> {
        let shard = Shard::new("t", partition);
        let mut from = self.log().ends(&shard)?.start;
        let mut values = Vec::new();
        loop {
            let read = self.log().read(&shard, from, ReadLimit::records(7))?;
            let Some(last) = read.last() else { return Ok(values) };
            from = last.at.offset + 1;
            values.extend(read.iter().map(|s| text(&s.record)));
        }
    }

    /// The newest write-ahead file.
    fn wal(&self) -> String {
        self.disk.paths().into_iter().rfind(|p| p.starts_with("wal/")).expect("there is a write-ahead file")
    }
}

fn text(record: &Record) -> String {
    String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
}

/// A batch as a producer sends it: one record for each value.
pub(crate) fn sent(producer: Producer, sequence: i32, transactional: bool, values: &[&str]) -> Bytes {
    let record = |value: &&str| Record { value: Some(Bytes::copy_from_slice(value.as_bytes())), ..Record::default() };
    let mut batch = crate::batch::encode(&values.iter().map(record).collect::<Vec<_>>());
    batch[22] = u8::from(transactional) << 4;
    batch[43..51].copy_from_slice(&producer.id.to_be_bytes());
    batch[51..53].copy_from_slice(&producer.epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&sequence.to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

/// Where `needle` stands in a file.
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|w| w == needle).expect("the bytes are there")
}

/// Polls once.
fn poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
