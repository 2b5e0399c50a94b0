//! What queues have in common: an intake into a log of its own, and a subscription behind it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::runtime::{self, SubscriptionSpec};
use evenkeel::{Clock, SystemClock};
use evenkeel_log::{Log, Options, RealDisk, TopicSettings};
use evenkeel_model::names;
use evenkeel_transport::{
    EmbeddedJournal, EmbeddedSource, From as Begins, Intake, IntakeSettings, JOURNAL_PARTITIONS, JournalSettings,
    Queue, SourceSettings,
};

use super::meter::{Meter, Nothing};
use super::wide;
use crate::Outcome;

const TOPIC: &str = "bench";
const PARTITIONS: u32 = 4;

/// Delivers so many messages of the queue; measured until the broker was told of all of them.
pub(super) async fn deliver(queue: Arc<dyn Queue>, folder: &Path, events: u64) -> Outcome<f64> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let log = Log::open(Arc::new(RealDisk::new(folder)), Options::default(), clock.clone())?;
    let own = [(names::LEDGER_TOPIC, 1), (names::JOURNAL_TOPIC, JOURNAL_PARTITIONS), (TOPIC, PARTITIONS)];
    for (name, partitions) in own {
        log.create_topic(name, TopicSettings::partitions(partitions))?.wait()?;
    }
    let intake = Intake::open(log.clone(), queue, IntakeSettings::new(TOPIC), clock.clone())?;
    let journal = EmbeddedJournal::open(log.clone(), JournalSettings::new("bench"), clock.clone())?;
    let source = SourceSettings { from: Begins::Earliest, ..SourceSettings::new("bench", TOPIC) };
    let source = EmbeddedSource::open(log.clone(), source)?;
    let (source, journal) = intake.reader("bench", Arc::new(source), Arc::new(journal));
    let meter = Meter::new(events);
    let spec = SubscriptionSpec {
        name: "bench".into(),
        uid: "bench".to_owned(),
        policy: wide(),
        source,
        journal,
        handler: Arc::new(Nothing(meter.clone())),
        fallback: None,
        fence: 1,
    };
    let handle = runtime::start(spec, clock, 1);
    let running = tokio::spawn({
        let intake = intake.clone();
        async move { intake.run().await }
    });
    let mut every = tokio::time::interval(Duration::from_millis(1));
    while intake.view().settled < events {
        every.tick().await;
    }
    meter.done(events);
    let rate = meter.rate().await;
    intake.drain();
    handle.drain(Duration::from_secs(10)).await;
    intake.finish().await;
    running.abort();
    Ok(rate)
}
