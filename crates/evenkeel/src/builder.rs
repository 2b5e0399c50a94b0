//! From declared to running: opens the log, makes the topics, starts the subscriptions.
//!
//! Everything is checked before anything is started. Invariant: [`Builder::start`] returns only
//! when the beginning of every subscription is durable, so that an event published after it is
//! never passed over.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Disk, Log, Options, RealDisk, Retention, TopicSettings};
use evenkeel_model::{Clock, SystemClock, names};
use evenkeel_transport::{EmbeddedJournal, EmbeddedSource, From, Held, Ingress, JournalSettings, SourceSettings};
use serde::de::DeserializeOwned;

use crate::changing::Keepers;
use crate::runtime::{self, Dependencies, Keeper, SubscriptionHandle, SubscriptionSpec};
use crate::{Context, Done, Evenkeel, HandlerError, StartError, Subscribe};

/// What is to run; made by [`Evenkeel::builder`].
pub struct Builder {
    data: PathBuf,
    disk: Option<Arc<dyn Disk>>,
    clock: Arc<dyn Clock>,
    options: Options,
    topics: Vec<(String, TopicSettings)>,
    subscriptions: Vec<Subscribe>,
    dedup: Duration,
    seed: u64,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            data: "./evenkeel-data".into(),
            disk: None,
            clock: Arc::new(SystemClock::new()),
            options: Options::default(),
            topics: Vec::new(),
            subscriptions: Vec::new(),
            dedup: Duration::from_secs(24 * 3600),
            seed: 0,
        }
    }
}

impl Builder {
    /// The folder of the log; `./evenkeel-data` by default. One process at a time has it.
    #[must_use]
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Builder {
        self.data = folder.into();
        self
    }

    /// A topic of so many partitions that keeps everything; made when it is not there yet.
    #[must_use]
    pub fn topic(self, name: &str, partitions: u32) -> Builder {
        self.topic_with(name, partitions, Retention::default())
    }

    /// A topic with limits to what it keeps. What a subscription still owes is kept regardless.
    #[must_use]
    pub fn topic_with(mut self, name: &str, partitions: u32, retention: Retention) -> Builder {
        self.topics.push((name.to_owned(), TopicSettings { retention, ..TopicSettings::partitions(partitions) }));
        self
    }

    /// An async function handles the events of a topic, under the default policy.
    #[must_use]
    pub fn subscription<F, T, Doing, D>(self, name: &str, topic: &str, function: F) -> Builder
    where
        F: Fn(Context, T) -> Doing + Send + Sync + 'static,
        T: DeserializeOwned + 'static,
        Doing: Future<Output = Result<D, HandlerError>> + Send + 'static,
        D: Done,
    {
        self.subscribe(Subscribe::new(name, topic, function))
    }

    /// A subscription with settings of its own.
    #[must_use]
    pub fn subscribe(mut self, subscription: Subscribe) -> Builder {
        self.subscriptions.push(subscription);
        self
    }

    /// For how long a repeated publish is answered with the first one's place; 24 h by default.
    #[must_use]
    pub fn dedup(mut self, window: Duration) -> Builder {
        self.dedup = window;
        self
    }

    /// The sizes of the log.
    #[must_use]
    pub fn options(mut self, options: Options) -> Builder {
        self.options = options;
        self
    }

    /// Another disk than the folder of [`Builder::data`]: for tests.
    #[must_use]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Builder {
        self.disk = Some(disk);
        self
    }

    /// Another clock than the machine's: for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Builder {
        self.clock = clock;
        self
    }

    /// What the jitter of retries is drawn from; by default the time of the start.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// Opens the log, recovers what was there, and starts every subscription.
    pub async fn start(mut self) -> Result<Evenkeel, StartError> {
        self.check()?;
        if self.seed == 0 {
            self.seed = self.clock.now().micros().unsigned_abs();
        }
        let log = self.open_log().await?;
        match self.start_on(log.clone()).await {
            Ok(evenkeel) => Ok(evenkeel),
            Err(error) => {
                log.close();
                Err(error)
            }
        }
    }

    fn check(&self) -> Result<(), StartError> {
        let mut names = BTreeSet::new();
        let twice = self.subscriptions.iter().find(|subscribe| !names.insert(&subscribe.name));
        match twice {
            Some(twice) => Err(StartError::Refused(format!("subscription `{}` is declared twice", twice.name))),
            None => Ok(()),
        }
    }

    async fn open_log(&self) -> Result<Log, StartError> {
        let disk = self.disk.clone().unwrap_or_else(|| Arc::new(RealDisk::new(&self.data)));
        let (options, clock) = (self.options.clone(), self.clock.clone());
        // Recovery reads files: it may take long, and must not hold up the runtime.
        let opened = tokio::task::spawn_blocking(move || Log::open(disk, options, clock)).await;
        let opened = opened.map_err(|broke| StartError::Refused(format!("opening the log broke: {broke}")))?;
        Ok(opened?)
    }

    async fn start_on(self, log: Log) -> Result<Evenkeel, StartError> {
        let mut new = BTreeSet::new();
        for (name, settings) in &self.topics {
            if log.topic(name).is_none() {
                new.insert(name.clone());
            }
            log.create_topic(name, *settings)?.await?;
        }
        let (rebuilt, clock, window) = (log.clone(), self.clock.clone(), self.dedup);
        let opened = tokio::task::spawn_blocking(move || Ingress::open(rebuilt, clock, window)).await;
        let ingress = opened.map_err(|broke| StartError::Refused(format!("opening the way in broke: {broke}")))??;
        // All journals before any source: a journal makes `<subscription>.dead`, which another
        // subscription may read, whichever is declared first.
        let mut journals = Vec::new();
        for subscribe in &self.subscriptions {
            let dead = format!("{}{}", subscribe.name, names::DEAD_SUFFIX);
            if log.topic(&dead).is_none() {
                new.insert(dead);
            }
            journals.push(journal(&log, subscribe, &self.clock)?);
        }
        let (mut running, mut keepers) = (Vec::new(), Vec::new());
        let dependencies = Dependencies::default();
        for (number, (mut subscribe, journal)) in (0_u64..).zip(self.subscriptions.into_iter().zip(journals)) {
            let is_new = new.contains(&*subscribe.topic);
            let audited = crate::evenkeel::audited(&subscribe);
            let (spec, held) = wire(&log, &mut subscribe, journal, is_new, &self.clock).await?;
            let seed = self.seed.wrapping_add(number);
            let handle = runtime::start_sharing(spec, self.clock.clone(), seed, dependencies.clone());
            keepers.push(Keeper { handle: handle.clone(), held });
            running.push((handle, audited));
        }
        begun(&running.iter().map(|(handle, _)| handle.clone()).collect::<Vec<_>>()).await?;
        let (keepers, clock, seed) = (Keepers::new(keepers), self.clock, self.seed);
        let theirs = keepers.clone();
        let retention = runtime::retain(log.clone(), RETAIN_EVERY, move || theirs.all());
        Ok(Evenkeel { log, ingress, running, keepers, retention, dependencies, clock, seed })
    }
}

/// How often topics with limits are relieved of what is beyond them.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

pub(crate) fn journal(
    log: &Log,
    subscribe: &Subscribe,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<EmbeddedJournal>, PortError> {
    let settings = JournalSettings {
        effects: subscribe.effects.clone(),
        fallback: subscribe.fallback_topic.clone(),
        inbox: subscribe.policy.inbox,
        ..JournalSettings::new(subscribe.name.clone())
    };
    Ok(Arc::new(EmbeddedJournal::open(log.clone(), settings, clock.clone())?))
}

pub(crate) async fn wire(
    log: &Log,
    subscribe: &mut Subscribe,
    journal: Arc<EmbeddedJournal>,
    topic_is_new: bool,
    clock: &Arc<dyn Clock>,
) -> Result<(SubscriptionSpec, Arc<Held>), PortError> {
    let handler = subscribe.handler(clock.clone())?;
    let default = if topic_is_new { From::Earliest } else { From::Latest };
    let source = SourceSettings {
        uid: subscribe.uid.clone(),
        filter: subscribe.filter.clone(),
        identity: subscribe.identity.take(),
        sequence: subscribe.sequence.take(),
        from: subscribe.from.take().unwrap_or(default),
        held_bytes_max: subscribe.policy.parking.held,
        ..SourceSettings::new(subscribe.name.clone(), subscribe.topic.clone())
    };
    let source = EmbeddedSource::open(log.clone(), source)?;
    let held = source.held();
    let spec = SubscriptionSpec {
        name: subscribe.name.clone(),
        uid: subscribe.uid.clone(),
        policy: subscribe.checked_policy(),
        source: Arc::new(source),
        journal,
        handler,
        fallback: subscribe.fallback.take(),
        fence: runtime::new_fence(log).await?,
    };
    Ok((spec, held))
}

/// Waits until the beginning of each is durable.
pub(crate) async fn begun(handles: &[SubscriptionHandle]) -> Result<(), StartError> {
    for handle in handles {
        handle.begun().await;
        if let Some(why) = handle.is_stopped() {
            return Err(StartError::Refused(format!("subscription `{}`: {why}", handle.name())));
        }
    }
    Ok(())
}
