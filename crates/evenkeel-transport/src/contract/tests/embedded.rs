//! The embedded log as a subject.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, PortError, Sink};
use evenkeel_model::{Position, Record, partition_for_key};

use crate::bench::Bench;
use crate::contract::{Capabilities, Opened, Subject};
use crate::{EmbeddedJournal, EmbeddedSource, Ingress, IngressSink, JournalSettings, SourceSettings};

pub(super) struct Embedded(Mutex<Bench>);

impl Embedded {
    pub(super) fn new() -> Embedded {
        Embedded(Mutex::new(Bench::new(&[("orders", 3), ("payments", 2)])))
    }

    fn records(&self, topic: &str) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        let records = self.0.lock().unwrap().records(topic);
        Box::pin(async move { Ok(records.into_iter().map(|s| s.record).collect()) })
    }
}

impl Subject for Embedded {
    fn capabilities(&self) -> Capabilities {
        crate::EMBEDDED
    }
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>> {
        let bench = self.0.lock().unwrap();
        let mut places = Vec::new();
        for record in records {
            let partition = partition_for_key(record.key.as_deref().unwrap_or_default(), 3);
            let offset = bench.append("orders", partition, vec![record]);
            places.push(Position { shard: evenkeel_model::Shard::new("orders", partition), offset });
        }
        Box::pin(async move { Ok(places) })
    }

    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>> {
        Box::pin(async move {
            let bench = self.0.lock().unwrap();
            let source = EmbeddedSource::open(bench.log.clone(), SourceSettings::new("payment", "orders"))?;
            let settings = JournalSettings { effects: Some("payments".into()), ..JournalSettings::new("payment") };
            let journal = EmbeddedJournal::open(bench.log.clone(), settings, bench.clock())?;
            Ok(Opened { source: Arc::new(source), journal: Arc::new(journal) })
        })
    }

    fn crash(&self) -> BoxFuture<'_, Result<(), PortError>> {
        self.0.lock().unwrap().crash();
        Box::pin(async { Ok(()) })
    }

    fn dead(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        self.records("payment.dead")
    }

    fn effects(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        self.records("payments")
    }

    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        let bench = self.0.lock().unwrap();
        let ingress = Ingress::open(bench.log.clone(), bench.clock(), Duration::from_secs(3600));
        let sink = ingress.map(|ingress| Some(Arc::new(IngressSink::new(ingress, "orders")) as Arc<dyn Sink>));
        Box::pin(std::future::ready(sink))
    }
}
