//! A log on a simulated disk, with a clock that is moved by hand: what this crate's tests stand on.

use std::sync::Arc;

use evenkeel_log::sim::SimDisk;
use evenkeel_log::{Log, Options, TopicSettings};
use evenkeel_model::{AttributeValue, Clock, Event, ManualClock, Record, Shard, Stored, Timestamp};

/// 2026-11-21T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_219_200_000);

pub(crate) struct Bench {
    pub(crate) disk: SimDisk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Log,
}

impl Bench {
    /// A fresh log with these topics.
    pub(crate) fn new(topics: &[(&str, u32)]) -> Bench {
        let (disk, clock) = (SimDisk::new(7), Arc::new(ManualClock::at(START)));
        let log = open(&disk, &clock);
        let bench = Bench { disk, clock, log };
        for (name, partitions) in topics {
            bench.log.create_topic(name, TopicSettings::partitions(*partitions)).unwrap().wait().unwrap();
        }
        bench
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// The power goes, and comes back.
    pub(crate) fn crash(&mut self) {
        self.disk.cut_power();
        self.log.close();
        self.log = open(&self.disk, &self.clock);
    }

    /// All records of a topic, by partition and offset.
    pub(crate) fn records(&self, topic: &str) -> Vec<Stored> {
        records(&self.log, topic)
    }

    pub(crate) fn append(&self, topic: &str, partition: u32, records: Vec<Record>) -> u64 {
        let set = evenkeel_log::Set::of(Shard::new(topic, partition), records);
        self.log.append(set).wait().unwrap().placed[0].base
    }
}

pub(crate) fn open(disk: &SimDisk, clock: &Arc<ManualClock>) -> Log {
    Log::open(Arc::new(disk.clone()), Options::default(), clock.clone()).unwrap()
}

pub(crate) fn records(log: &Log, topic: &str) -> Vec<Stored> {
    let partitions = log.topic(topic).map_or(0, |t| t.partitions);
    let mut all = Vec::new();
    for partition in 0..partitions {
        let shard = Shard::new(topic, partition);
        let end = log.ends(&shard).unwrap().high_watermark;
        let mut pages = crate::pages::Pages::new(log, shard, 0, end);
        pages
            .each(|stored| {
                all.push(stored.clone());
                Ok(())
            })
            .unwrap();
    }
    all
}

/// An event of a shop, with a key unless that is empty.
pub(crate) fn event(id: &str, key: &str) -> Event {
    let mut event = Event::new("/shop", id, "OrderCreated");
    event.data = Some(format!("{{\"id\":\"{id}\"}}").into());
    if !key.is_empty() {
        event.set_extension("partitionkey", AttributeValue::String(key.into()));
    }
    event
}
