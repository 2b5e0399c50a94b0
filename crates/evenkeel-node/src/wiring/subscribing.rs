//! From a subscription's plan to a running one: its source, journal and handler.

use std::sync::{Arc, Mutex, PoisonError};

use evenkeel::runtime::{self, Dependencies, FallbackTo, SharedSpec, SubscriptionSpec};
use evenkeel_delivery::ports::{BoxFuture, Commit, Handler, Journal, Letters, PortError, Sink, Source};
use evenkeel_delivery::{Bring, Fact, Mark, Policy, Rate, Remembered, Round};
use evenkeel_log::Log;
use evenkeel_model::{Clock, Shard, Timestamp, names};
use evenkeel_transport::mirror::{Mirror, Target};
use evenkeel_transport::{
    Callbacks, EmbeddedJournal, EmbeddedSource, From as Begins, Held, HttpHandler, HttpSettings, Ingress, IngressSink,
    JournalSettings, Reach, Settling, SinkHandler, SourceSettings,
};

use super::bounded::Bounded;
use super::{Intakes, Wire, Wired, failed, overlay};
use crate::config::plan::{Bridge, FallbackPlan, From, Home, Plan, Push, SubscriptionPlan};
use crate::error::Error;
use crate::receivers;
use crate::sabotage::{self, Sabotage};
use crate::telemetry::Telemetry;

/// The plan's subscriptions, and one of the node's own for each receiver of alerts.
pub(crate) fn with_own(plan: &Plan) -> Vec<SubscriptionPlan> {
    let hooks = plan.webhooks.iter().map(|webhook| SubscriptionPlan {
        name: Arc::from(format!("{}.{}", names::ALERTS_TOPIC, webhook.name)),
        uid: format!("{}.{}", names::ALERTS_TOPIC, webhook.name),
        topic: Arc::from(names::ALERTS_TOPIC),
        home: None,
        bridge: None,
        mirror: false,
        filter: None,
        filter_written: None,
        identity: None,
        sequence: None,
        push: Push::to(webhook.url.clone()),
        from: From::Default,
        effects_topic: None,
        fallback: None,
        policy: Policy::default(),
    });
    let told = plan.receivers.iter().map(receivers::subscription);
    plan.subscriptions.iter().cloned().chain(hooks).chain(told).collect()
}

/// What the calls of all subscriptions have in common.
pub(crate) struct Calling {
    /// Which addresses may be called.
    pub(crate) reach: Arc<Reach>,
    /// Where later answers come in.
    pub(crate) callbacks: Arc<Callbacks>,
    /// The node's own URL, for those who are told of alerts.
    pub(crate) own_url: String,
    /// Who is told of what happens.
    pub(crate) telemetry: Option<Telemetry>,
}

/// A subscription that has all it needs, and has not begun.
pub(crate) struct Prepared {
    plan: SubscriptionPlan,
    run: Run,
    http: Option<Arc<HttpHandler>>,
    held: Arc<Held>,
    intakes: Intakes,
}

/// Who runs it.
enum Run {
    /// This node, all of it.
    Here(Box<SubscriptionSpec>),
    /// This node, what the group of a broker gives it.
    Shared(SharedSpec),
}

impl Prepared {
    pub(crate) fn start(self, clock: &Arc<dyn Clock>, dependencies: &Dependencies) -> Wire {
        let seed = u64::from_le_bytes(
            evenkeel_delivery::Mark::of(&self.plan.uid, "seed", "").0[..8].try_into().unwrap_or_default(),
        );
        let seed = seed ^ clock.now().micros().unsigned_abs();
        let (clock, dependencies) = (clock.clone(), dependencies.clone());
        let handle = match self.run {
            Run::Here(spec) => runtime::start_sharing(*spec, clock, seed, dependencies),
            Run::Shared(spec) => runtime::share_out(spec, clock, seed, dependencies),
        };
        if let Some(watch) = self.http.as_ref().and_then(|http| http.watch_health()) {
            tokio::spawn(watch);
        }
        self.intakes.follow(&self.plan.topic, &handle);
        Wire { plan: self.plan, handle, http: self.http, held: self.held }
    }
}

/// How events come into topics.
pub(crate) struct Ways<'a> {
    pub(crate) ingress: &'a Arc<Ingress>,
    pub(crate) intakes: &'a Intakes,
}

/// Opens the ports of a subscription and journals where it begins.
pub(crate) async fn prepare(
    plan: SubscriptionPlan,
    log: &Log,
    clock: &Arc<dyn Clock>,
    calling: &Calling,
    ways: &Ways<'_>,
    how: Option<Sabotage>,
) -> Result<Prepared, Error> {
    let ingress = ways.ingress;
    if let Some(home) = plan.home.clone() {
        return over(plan, &home, log, clock, calling, ingress);
    }
    let settings = JournalSettings {
        effects: plan.effects_topic.clone(),
        fallback: plan.falls_to().map(Arc::from),
        inbox: plan.policy.inbox,
        ..JournalSettings::new(plan.name.clone())
    };
    let journal = EmbeddedJournal::open(log.clone(), settings, clock.clone()).map_err(|e| failed(&e))?;
    let settings = SourceSettings {
        uid: plan.uid.clone(),
        filter: plan.filter.clone(),
        identity: plan.identity.clone(),
        sequence: plan.sequence.clone(),
        from: begins(&plan.from, &plan.topic, log),
        held_bytes_max: plan.policy.parking.held,
        ..SourceSettings::new(plan.name.clone(), plan.topic.clone())
    };
    let source = EmbeddedSource::open(log.clone(), settings).map_err(|e| failed(&e))?;
    let held = source.held();
    let told = calling.telemetry.clone().filter(|_| !plan.name.starts_with(names::OWN_PREFIX));
    let remembered = begin(&journal, &source).await.map_err(|e| failed(&e))?;
    let journal = Recalled {
        journal,
        remembered: Mutex::new(Some(remembered)),
        name: plan.name.clone(),
        told,
        callbacks: calling.callbacks.clone(),
    };
    let (source, journal) = ways.intakes.reader(&plan.topic, &plan.name, Arc::new(source), Arc::new(journal));
    let (handler, http) = handler(&plan, calling, ingress, log, clock)?;
    let own = plan.name.starts_with(names::OWN_PREFIX);
    let how = how.filter(|_| !own);
    let telemetry = calling.telemetry.as_ref().filter(|_| !own);
    let handler = sabotage::handler(how, handler);
    let spec = SubscriptionSpec {
        name: plan.name.clone(),
        uid: plan.uid.clone(),
        policy: sabotage::policy(how, paced(&plan)),
        source,
        journal,
        handler: telemetry.map_or(handler.clone(), |telemetry| telemetry.handler(&plan, handler)),
        fallback: fallback(&plan, calling, clock)?,
        fence: runtime::new_fence(log).await.map_err(|e| failed(&e))?,
    };
    Ok(Prepared { plan, run: Run::Here(Box::new(spec)), http, held, intakes: ways.intakes.clone() })
}

/// A subscription over a broker: its partitions are opened as the group gives them.
fn over(
    plan: SubscriptionPlan,
    home: &Home,
    log: &Log,
    clock: &Arc<dyn Clock>,
    calling: &Calling,
    ingress: &Arc<Ingress>,
) -> Result<Prepared, Error> {
    let (handler, http) = handler(&plan, calling, ingress, log, clock)?;
    let handler = match &calling.telemetry {
        Some(telemetry) => telemetry.handler(&plan, handler),
        None => handler,
    };
    let policy = paced(&plan);
    // Each partition has a core of its own; what they have at the handler together is bounded here.
    let handler = Arc::new(Bounded::new(handler, policy.concurrency.max));
    let hands = overlay::Hands { policy, handler, fallback: fallback(&plan, calling, clock)? };
    let (membership, open) = overlay::shared(&plan, home, hands, log, clock)?;
    // Its topic is not ours: nothing of it is held aside here.
    let held = Held::open(log.clone(), plan.name.clone(), 0).map_err(|e| failed(&e))?;
    let spec = SharedSpec { name: plan.name.clone(), membership, open, grace: home.broker.grace };
    Ok(Prepared { plan, run: Run::Shared(spec), http, held: Arc::new(held), intakes: Intakes::default() })
}

type Handlers = (Arc<dyn Handler>, Option<Arc<HttpHandler>>);

/// Who handles its events: the endpoints, or the sink of a bridge.
fn handler(
    plan: &SubscriptionPlan,
    calling: &Calling,
    ingress: &Arc<Ingress>,
    log: &Log,
    clock: &Arc<dyn Clock>,
) -> Result<Handlers, Error> {
    if let Some(bridge) = plan.bridge.as_ref().filter(|_| plan.mirror) {
        let target = match bridge {
            Bridge::Topic(topic) => Target::Topic(topic.clone()),
            Bridge::Broker(home) => Target::Broker(overlay::copier(home)?),
        };
        let mirror = Mirror::open(log.clone(), plan.name.clone(), target).map_err(|e| failed(&e))?;
        return Ok((Arc::new(mirror), None));
    }
    let sink: Arc<dyn Sink> = match &plan.bridge {
        None => {
            let settings = http_settings(plan, &plan.push, calling)?;
            let http = Arc::new(HttpHandler::new(settings, clock.clone()).map_err(|e| failed(&e))?);
            return Ok((http.clone(), Some(http)));
        }
        Some(Bridge::Topic(topic)) => Arc::new(IngressSink::new(ingress.clone(), topic.clone())),
        Some(Bridge::Broker(home)) => overlay::sink(home)?,
    };
    Ok((Arc::new(SinkHandler::new(sink)), None))
}

/// The handler of a subscription for a replay, beside the one that the subscription has.
pub(crate) fn replay_handler(node: &Wired, plan: &SubscriptionPlan, shadow: bool) -> Result<Arc<dyn Handler>, Error> {
    let calling = node.calling();
    let settings = http_settings(plan, &plan.push, &calling)?;
    // Health is the running subscription's business.
    let settings = HttpSettings { shadow, health: None, callbacks_kept: false, ..settings };
    Ok(Arc::new(HttpHandler::new(settings, node.clock.clone()).map_err(|e| failed(&e))?))
}

/// What all endpoints take together is no more than what goes out: an event need not find out.
fn paced(plan: &SubscriptionPlan) -> Policy {
    let mut policy = plan.policy.clone();
    let Some(pace) = plan.push.pace.filter(|_| plan.push.batch.is_none()) else { return policy };
    let endpoints = u32::try_from(plan.push.urls.len()).unwrap_or(u32::MAX);
    let all = Rate { per_second: pace.per_second * f64::from(endpoints), burst: pace.burst.saturating_mul(endpoints) };
    policy.rate = Some(match policy.rate {
        Some(rate) if rate.per_second <= all.per_second => rate,
        _ => all,
    });
    policy
}

/// Who takes what meets an open breaker.
fn fallback(plan: &SubscriptionPlan, calling: &Calling, clock: &Arc<dyn Clock>) -> Result<Option<FallbackTo>, Error> {
    Ok(match &plan.fallback {
        None => None,
        Some(FallbackPlan::Topic(_)) => Some(FallbackTo::Topic),
        Some(FallbackPlan::Handler(push)) => {
            let settings = HttpSettings { health: None, ..http_settings(plan, push, calling)? };
            Some(FallbackTo::Handler(Arc::new(HttpHandler::new(settings, clock.clone()).map_err(|e| failed(&e))?)))
        }
    })
}

/// How a handler is called; its secrets are read here.
fn http_settings(plan: &SubscriptionPlan, push: &Push, calling: &Calling) -> Result<HttpSettings, Error> {
    let settings = HttpSettings {
        urls: push.urls.clone(),
        reach: calling.reach.clone(),
        callbacks: Some(calling.callbacks.clone()),
        // Over a broker another node may go on, and this one's log is not where it looks.
        callbacks_kept: plan.home.is_none(),
        accepted: push.accepted,
        version: push.version,
        roots: push.trusted(&plan.name)?,
        handshake: push.handshake.clone(),
        answer_bytes_max: push.answer_bytes_max,
        format: push.format,
        batch: push.batch,
        signing: push.signing(&plan.name)?,
        ejection: push.ejection,
        pace: push.pace,
        health: push.health.clone(),
        sampling: calling.telemetry.as_ref().and_then(Telemetry::sampling),
        ..HttpSettings::new("", plan.name.clone())
    };
    match &push.receiver {
        Some(receiver) => receivers::settings(receiver, settings, &calling.own_url),
        None => Ok(settings),
    }
}

/// A topic without records is one that was created together with its subscription, or as good.
fn begins(from: &From, topic: &str, log: &Log) -> Begins {
    let is_empty = || {
        let partitions = log.topic(topic).map_or(0, |t| t.partitions);
        (0..partitions).all(|p| log.ends(&Shard::new(topic, p)).is_ok_and(|ends| ends.high_watermark == 0))
    };
    match from {
        From::Earliest => Begins::Earliest,
        From::Default if is_empty() => Begins::Earliest,
        From::Default | From::Latest => Begins::Latest,
        From::Time(at) => Begins::Time(*at),
        From::Offset(offset) => Begins::Offset(*offset),
        From::Offsets(offsets) => Begins::Offsets(offsets.clone()),
    }
}

/// Journals where a subscription without progress begins in each partition, so that it begins
/// there after every restart.
async fn begin(journal: &EmbeddedJournal, source: &EmbeddedSource) -> Result<Vec<Remembered>, PortError> {
    let mut remembered = journal.load().await?;
    let known =
        |shard: &Shard| remembered.iter().any(|r| matches!(r, Remembered::Progress { shard: s, .. } if s == shard));
    let shards = source.shards().await?;
    // Partitions that came later are the runtime's: it reads them when their turn comes.
    let has_begun = shards.iter().any(|(shard, _)| known(shard));
    let missing = if has_begun { Vec::new() } else { shards };
    if !missing.is_empty() {
        let facts =
            missing.iter().map(|(shard, below)| Fact::Progress { shard: shard.clone(), below: *below }).collect();
        let round = Round { number: 0, facts, acked: Vec::new() };
        journal.commit(Commit { round, emitted: Vec::new(), dead: Vec::new() }).await?;
        remembered.extend(missing.into_iter().map(|(shard, below)| Remembered::Progress { shard, below }));
    }
    Ok(remembered)
}

/// A journal that was read once already and need not be read again. Who wants to hear of commits hears of them,
/// and what handlers accepted is forgotten with its outcome.
struct Recalled {
    journal: EmbeddedJournal,
    remembered: Mutex<Option<Vec<Remembered>>>,
    name: Arc<str>,
    told: Option<Telemetry>,
    callbacks: Arc<Callbacks>,
}

impl Recalled {
    async fn settle(&self, commit: Commit, settling: Settling) -> Result<(), PortError> {
        self.callbacks.begin_anew(&settling).await?;
        self.journal.commit(commit).await?;
        let callbacks = self.callbacks.clone();
        // Nobody waits for it: what is not forgotten is forgotten by its age.
        tokio::spawn(async move { callbacks.settled(settling).await });
        Ok(())
    }
}

impl Journal for Recalled {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        let taken = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).take();
        match taken {
            Some(remembered) => Box::pin(std::future::ready(Ok(remembered))),
            None => self.journal.load(),
        }
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        let told = self.told.as_ref().map(|telemetry| (telemetry, telemetry.settling(&commit)));
        let committing: BoxFuture<'_, Result<(), PortError>> = match self.callbacks.settling(&self.name, &commit.round)
        {
            Some(settling) => Box::pin(self.settle(commit, settling)),
            None => self.journal.commit(commit),
        };
        let Some((telemetry, settling)) = told else { return committing };
        Box::pin(async move {
            let committed = committing.await;
            if committed.is_ok() {
                telemetry.settled(&self.name, &settling);
            }
            committed
        })
    }

    fn letters(&self, wanted: Bring) -> BoxFuture<'_, Result<Letters, PortError>> {
        self.journal.letters(wanted)
    }

    fn seen<'a>(&'a self, marks: &'a [Mark]) -> BoxFuture<'a, Result<Vec<Option<Timestamp>>, PortError>> {
        self.journal.seen(marks)
    }

    fn sealed(&self) -> u64 {
        self.journal.sealed()
    }
}
