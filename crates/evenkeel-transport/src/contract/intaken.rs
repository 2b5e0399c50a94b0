//! A broker's queue behind an intake as a subject: the log is on a simulated disk, the queue is
//! whatever a [`Site`] connects to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_log::sim::SimDisk;
use evenkeel_log::{Log, Options, TopicSettings};
use evenkeel_model::{Clock, ManualClock, Position, Record, Shard};
use tokio::task::AbortHandle;

use super::rounds::NOW;
use super::{Capabilities, Opened, Subject};
use crate::pages::Pages;
use crate::{EmbeddedJournal, EmbeddedSource, Intake, IntakeSettings, JournalSettings, Queue, SourceSettings};

/// The topic that the queue's messages get places in.
pub const TOPIC: &str = "orders";
/// How long what was published may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// A queue that nothing was published to.
pub trait Site: Send + Sync {
    /// A new consumer of it.
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Queue>, PortError>>;
    /// Publishes to it.
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>>;
}

/// The queue behind an intake.
pub struct Intaken<S> {
    site: S,
    disk: SimDisk,
    clock: Arc<ManualClock>,
    life: Mutex<Life>,
    published: AtomicU64,
}

struct Life {
    log: Log,
    intake: Option<Arc<Intake>>,
    running: Option<AbortHandle>,
}

impl<S: Site> Intaken<S> {
    /// With an empty log.
    pub fn new(site: S) -> Intaken<S> {
        let clock = Arc::new(ManualClock::at(NOW));
        let (disk, log) = empty(&clock);
        let life = Mutex::new(Life { log, intake: None, running: None });
        Intaken { site, disk, clock, life, published: AtomicU64::new(0) }
    }

    /// The queue.
    pub fn site(&self) -> &S {
        &self.site
    }

    /// The intake that was opened last.
    pub fn intake(&self) -> Option<Arc<Intake>> {
        self.life().intake.clone()
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> Log {
        self.life().log.clone()
    }

    fn stop(&self) {
        let mut life = self.life();
        life.intake = None;
        life.running.take().inspect(AbortHandle::abort);
    }

    /// Everything that was published has its place.
    async fn arrived(&self) -> Result<(), PortError> {
        let (log, shard) = (self.log(), Shard::new(TOPIC, 0));
        let wanted = self.published.load(Ordering::SeqCst);
        let placed = async {
            loop {
                let version = log.version();
                let end = log.ends(&shard).map_or(0, |ends| ends.high_watermark);
                if end >= wanted {
                    return;
                }
                log.beyond(version).await;
            }
        };
        let late = || {
            let end = self.log().ends(&shard).map_or(0, |ends| ends.high_watermark);
            PortError(format!("{end} of {wanted} messages have a place after {PATIENCE:?}"))
        };
        tokio::time::timeout(PATIENCE, placed).await.map_err(|_| late())
    }

    fn records(&self, topic: &str) -> Result<Vec<Record>, PortError> {
        let log = self.log();
        let Some(known) = log.topic(topic) else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for partition in 0..known.partitions {
            let shard = Shard::new(topic, partition);
            let end = log.ends(&shard).map_or(0, |ends| ends.high_watermark);
            Pages::new(&log, shard, 0, end).each(|stored| {
                all.push(stored.record.clone());
                Ok(())
            })?;
        }
        Ok(all)
    }
}

fn empty(clock: &Arc<ManualClock>) -> (SimDisk, Log) {
    let disk = SimDisk::new(7);
    #[expect(clippy::expect_used, reason = "an empty simulated disk takes a log, and a log two topics")]
    let log = {
        let log = open(&disk, clock).expect("an empty disk");
        for (name, partitions) in [(TOPIC, 1), ("payments", 2)] {
            let created = log.create_topic(name, TopicSettings::partitions(partitions)).expect("a new topic");
            created.wait().expect("a topic");
        }
        log
    };
    (disk, log)
}

fn open(disk: &SimDisk, clock: &Arc<ManualClock>) -> Result<Log, PortError> {
    let opened = Log::open(Arc::new(disk.clone()), Options::default(), clock.clone());
    opened.map_err(|e| PortError(e.to_string()))
}

impl<S> Drop for Intaken<S> {
    fn drop(&mut self) {
        let life = self.life.get_mut().unwrap_or_else(PoisonError::into_inner);
        life.running.take().inspect(AbortHandle::abort);
        life.log.close();
    }
}

impl<S: Site> Subject for Intaken<S> {
    fn capabilities(&self) -> Capabilities {
        Capabilities { partitions: false, keeps_settled: true, fences: false }
    }

    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>> {
        Box::pin(async move {
            let count = records.len() as u64;
            self.site.publish(records).await?;
            let first = self.published.fetch_add(count, Ordering::SeqCst);
            let running = self.life().running.is_some();
            if running {
                self.arrived().await?;
            }
            let place = |offset| Position { shard: Shard::new(TOPIC, 0), offset };
            Ok((first..first + count).map(place).collect())
        })
    }

    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>> {
        Box::pin(async move {
            self.stop();
            let (log, clock): (Log, Arc<dyn Clock>) = (self.log(), self.clock.clone());
            let source = EmbeddedSource::open(log.clone(), SourceSettings::new("payment", TOPIC))?;
            let settings = JournalSettings { effects: Some("payments".into()), ..JournalSettings::new("payment") };
            let journal = EmbeddedJournal::open(log.clone(), settings, clock.clone())?;
            let queue = self.site.connect().await?;
            let intake = Intake::open(log, queue, IntakeSettings::new(TOPIC), clock)?;
            let (source, journal) = intake.reader(Arc::new(source), Arc::new(journal));
            let running = {
                let intake = intake.clone();
                tokio::spawn(async move { intake.run().await }).abort_handle()
            };
            {
                let mut life = self.life();
                life.intake = Some(intake);
                life.running = Some(running);
            }
            self.arrived().await?;
            Ok(Opened { source, journal })
        })
    }

    fn crash(&self) -> BoxFuture<'_, Result<(), PortError>> {
        self.stop();
        let reopened = {
            let mut life = self.life();
            self.disk.cut_power();
            life.log.close();
            open(&self.disk, &self.clock).map(|log| life.log = log)
        };
        Box::pin(std::future::ready(reopened))
    }

    fn dead(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        Box::pin(std::future::ready(self.records("payment.dead")))
    }

    fn effects(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        Box::pin(std::future::ready(self.records("payments")))
    }
}
