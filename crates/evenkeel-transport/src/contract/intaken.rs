//! A broker's queue behind an intake as a subject: the log is on a simulated disk, the queue is
//! whatever a [`Site`] connects to.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, NativeLimits, Outgoing, Placed, PortError, Sink, SinkError};
use evenkeel_log::sim::SimDisk;
use evenkeel_log::{Log, Options, TopicSettings};
use evenkeel_model::{Clock, Position, Record, Shard, Timestamp};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::proxy::{Line, Proxy};
use super::rounds::NOW;
use super::{Capabilities, Faults, Mistake, Opened, Subject};
use crate::pages::Pages;
use crate::{EmbeddedJournal, EmbeddedSource, Intake, IntakeSettings, JournalSettings, Queue, SourceSettings};

/// The topic that the queue's messages get places in.
pub const TOPIC: &str = "orders";
/// How long what was published may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connecting to a queue.
pub type Connecting<'a> = BoxFuture<'a, Result<Arc<dyn Queue>, PortError>>;

/// What a broker can do, as a subscription sees it: its messages have places in a topic of the log, which keeps them.
pub fn behind_an_intake(own: Capabilities) -> Capabilities {
    let prefetch = u32::try_from(IntakeSettings::new(TOPIC).prefetch).ok();
    Capabilities { keeps_settled: true, limits: NativeLimits { unsettled_max: prefetch, ..own.limits }, ..own }
}

/// A queue that nothing was published to.
pub trait Site: Send + Sync {
    /// What the broker can do.
    fn capabilities(&self) -> Capabilities {
        Capabilities::QUEUE
    }
    /// A new consumer of it.
    fn connect(&self) -> Connecting<'_>;
    /// Publishes to it, past the proxy.
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), PortError>>;
    /// A sink that publishes to it.
    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
    /// What lies between it and its broker.
    fn proxy(&self) -> Option<&Proxy> {
        None
    }
    /// Connects with a mistake in the settings; `None` where that mistake can't be made.
    fn connect_wrong(&self, mistake: Mistake) -> Option<Connecting<'_>> {
        let _ = mistake;
        None
    }
}

/// The queue behind an intake.
pub struct Intaken<S> {
    site: S,
    disk: SimDisk,
    clock: Arc<Ticking>,
    life: Mutex<Life>,
    published: Arc<AtomicU64>,
    cut: AtomicBool,
}

struct Life {
    log: Log,
    intake: Option<Arc<Intake>>,
    running: Option<AbortHandle>,
}

/// A clock that begins when all that happens here happens.
struct Ticking(Instant);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        NOW + self.0.elapsed()
    }
}

impl<S: Site> Intaken<S> {
    /// With an empty log.
    pub fn new(site: S) -> Intaken<S> {
        let clock = Arc::new(Ticking(Instant::now()));
        let (disk, log) = empty(&clock);
        let life = Mutex::new(Life { log, intake: None, running: None });
        Intaken { site, disk, clock, life, published: Arc::default(), cut: AtomicBool::new(false) }
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

    /// Everything that was published has its place, as far as there is room for it.
    async fn arrived(&self) -> Result<(), PortError> {
        let (log, shard) = (self.log(), Shard::new(TOPIC, 0));
        let room = IntakeSettings::new(TOPIC).prefetch as u64;
        let wanted = self.published.load(Ordering::SeqCst).min(room);
        let end = || log.ends(&shard).map_or(0, |ends| ends.high_watermark);
        let placed = async {
            loop {
                let version = log.version();
                if end() >= wanted {
                    return;
                }
                log.beyond(version).await;
            }
        };
        let late = || PortError(format!("{} of {wanted} messages have a place after {PATIENCE:?}", end()));
        tokio::time::timeout(PATIENCE, placed).await.map_err(|_| late())
    }

    async fn open_with(&self, queue: Arc<dyn Queue>) -> Result<Opened, PortError> {
        let (log, clock): (Log, Arc<dyn Clock>) = (self.log(), self.clock.clone());
        let source = EmbeddedSource::open(log.clone(), SourceSettings::new("payment", TOPIC))?;
        let settings = JournalSettings { effects: Some("payments".into()), ..JournalSettings::new("payment") };
        let journal = EmbeddedJournal::open(log.clone(), settings, clock.clone())?;
        let intake = Intake::open(log, queue, IntakeSettings::new(TOPIC), clock)?;
        let (source, journal) = intake.reader("payment", Arc::new(source), Arc::new(journal));
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

fn empty(clock: &Arc<Ticking>) -> (SimDisk, Log) {
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

fn open(disk: &SimDisk, clock: &Arc<Ticking>) -> Result<Log, PortError> {
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
        behind_an_intake(self.site.capabilities())
    }

    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>> {
        Box::pin(async move {
            let count = records.len() as u64;
            self.site.publish(records).await?;
            let first = self.published.fetch_add(count, Ordering::SeqCst);
            let running = self.life().running.is_some();
            if running && !self.cut.load(Ordering::SeqCst) {
                self.arrived().await?;
            }
            let place = |offset| Position { shard: Shard::new(TOPIC, 0), offset };
            Ok((first..first + count).map(place).collect())
        })
    }

    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>> {
        Box::pin(async move {
            self.stop();
            self.open_with(self.site.connect().await?).await
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

    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        Box::pin(async move {
            let sink = self.site.sink().await?;
            let counting = |sink| Arc::new(Counting { sink, published: self.published.clone() }) as Arc<dyn Sink>;
            Ok(sink.map(counting))
        })
    }

    fn faults(&self) -> Option<&dyn Faults> {
        self.site.proxy().map(|_| self as &dyn Faults)
    }

    fn unsettled(&self) -> BoxFuture<'_, Result<Option<u64>, PortError>> {
        let held = self.intake().map(|intake| intake.view().held as u64);
        Box::pin(std::future::ready(Ok(held)))
    }
}

impl<S: Site> Faults for Intaken<S> {
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.site.proxy().into_iter().for_each(|proxy| proxy.set(Line::Cut));
    }

    fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
        self.site.proxy().into_iter().for_each(|proxy| proxy.set(Line::Open));
    }

    fn open_wrong(&self, mistake: Mistake) -> Option<BoxFuture<'_, Result<Opened, PortError>>> {
        let connecting = self.site.connect_wrong(mistake)?;
        Some(Box::pin(async move { self.open_with(connecting.await?).await }))
    }
}

/// A sink whose events are counted as published.
struct Counting {
    sink: Arc<dyn Sink>,
    published: Arc<AtomicU64>,
}

impl Sink for Counting {
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        Box::pin(async move {
            let answers = self.sink.publish(events).await;
            self.published.fetch_add(answers.iter().filter(|a| a.is_ok()).count() as u64, Ordering::SeqCst);
            answers
        })
    }
}
