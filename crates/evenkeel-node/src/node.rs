//! A running node: opens the log, wires the parts, serves HTTP, and goes down in order.
//!
//! A damaged log is served for reading only: no subscription runs, nothing is taken in, and the
//! operator decides. Invariants: HTTP answers only after everything is wired; going down, it first stops taking
//! requests, then drains the subscriptions, then closes the log.

mod alarms;
mod indexing;
mod serving;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use evenkeel::runtime::{self, RetentionTask};
use evenkeel_log::{Damage, Disk, Log, OpenError, Options, RealDisk};
use evenkeel_model::{Clock, SystemClock};
use evenkeel_transport::Callbacks;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Plan;
use crate::error::{Error, codes};
use crate::happenings::{FolderBad, FolderDoubtful, LogDamaged, ObjectiveRefused, SubscriptionDrained};
use crate::replaying::Replays;
use crate::sabotage::Sabotage;
use crate::telemetry::Telemetry;
use crate::watching::chains::Following;
use crate::wiring::{self, Calling, Wired};
use crate::{api, changing, doctor, replaying, responding, watching};

/// How long a drain waits for what is at the handlers.
const DRAIN_GRACE: Duration = Duration::from_secs(10);
/// How often retention is applied.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// What a node is started with, beside its plan.
pub struct Means {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The disk; the plan's data folder unless another one is given.
    pub disk: Option<Arc<dyn Disk>>,
    /// How the log is sized.
    pub log: Options,
    /// How to cheat, for the proof of the proof.
    pub sabotage: Option<Sabotage>,
}

impl Default for Means {
    fn default() -> Means {
        Means { clock: Arc::new(SystemClock::new()), disk: None, log: Options::default(), sabotage: None }
    }
}

/// A node that has not started.
pub struct Node;

/// A node that runs. Dropping it stops nothing in order; [`RunningNode::shutdown`] does.
pub struct RunningNode {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// The log is damaged: what is whole is read, and nothing is taken in.
    pub is_damaged: bool,
    wired: Arc<Wired>,
    retention: Option<RetentionTask>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Node {
    /// Starts a node and returns when it is ready. Must be called in a tokio runtime.
    pub async fn start(plan: Plan, means: Means) -> Result<RunningNode, Error> {
        let Means { clock, disk, log: options, sabotage } = means;
        let started_at = clock.now();
        warn_of(disk.is_none().then_some(&plan.data));
        let wal_bytes_max = options.wal_bytes_max;
        let disk = disk.unwrap_or_else(|| Arc::new(RealDisk::new(&plan.data)));
        let log = open(&plan, disk.clone(), options.clone(), clock.clone()).await?;
        let (listener, http) = listen(plan.http).await?;
        let again = || open_read(&plan, log.clone(), disk, options, clock.clone());
        let (calling, base) = grounded(&plan, log.clone(), again, http, &clock, sabotage).await?;
        let is_damaged = !base.log.damage().is_empty();
        let (stop, stopping) = watch::channel(false);
        let (responding, listening) = responding::channel();
        // What cannot be recorded must not be decided: no alerts, and nothing that answers them.
        let chains = watching::chains::follow(&plan.chains, base.log.clone(), clock.clone(), stopping.clone());
        let watching = watching::start(
            watched(&plan, is_damaged, &chains)?,
            base.log.clone(),
            clock.clone(),
            base.wires.clone(),
            responding.clone(),
            stopping.clone(),
        );
        let means = responding::Means {
            log: base.log.clone(),
            clock: clock.clone(),
            wires: base.wires.clone(),
            watching: watching.clone(),
        };
        if !is_damaged {
            let playbooks = plan.playbooks.iter().map(|p| p.runs.clone()).collect();
            responding::start(playbooks, means, listening, stopping.clone())?;
        }
        let retention = (!is_damaged).then(|| retain(&base));
        tokio::spawn(alarms::tell(base.log.clone(), plan.data.clone(), stopping.clone()));
        let stories = indexing::start(base.log.clone(), is_damaged, stopping.clone());
        let headers_bytes_max = plan.limits.headers_bytes_max;
        let wired = Arc::new(Wired {
            plan: std::sync::RwLock::new(Arc::new(plan)),
            clock,
            started_at,
            log: base.log,
            wal_bytes_max,
            ingress: base.ingress,
            wires: base.wires,
            dependencies: base.dependencies,
            intakes: base.intakes,
            watching,
            responding,
            sabotage,
            http,
            telemetry: calling.telemetry,
            proofs: api::Proofs::default(),
            callbacks: calling.callbacks,
            changing: tokio::sync::Mutex::default(),
            replays: Replays::default(),
            stories,
            chains,
            exemplars: crate::metrics::Remembered::default(),
            returning: api::Returning::default(),
            processor: std::sync::Mutex::default(),
        });
        bridge(&wired);
        let is_damaged = go_on(&wired).await?;
        let serving = tokio::spawn(serving::serve(listener, api::routes(wired.clone()), headers_bytes_max, stopping));
        Ok(RunningNode { http, is_damaged, wired, retention, stop, serving })
    }
}

/// Goes on with what was under way. True when the log is damaged, as found now or before.
async fn go_on(node: &Arc<Wired>) -> Result<bool, Error> {
    match replaying::go_on(node).await {
        // What could not be read is told by whoever asks; the rest is served for reading.
        Err(_) if node.damaged().is_some() => Ok(true),
        done => done.map(|()| node.damaged().is_some()),
    }
}

/// Telemetry is told of the node's metrics, from here on.
fn bridge(node: &Arc<Wired>) {
    if let Some(telemetry) = &node.telemetry {
        telemetry.bridge(crate::metrics::bridge(node));
    }
}

/// What is watched, and who is told; a damaged log is not watched.
fn watched(plan: &Plan, is_damaged: bool, chains: &Following) -> Result<watching::Watched, Error> {
    plan.refused.iter().for_each(|finding| ObjectiveRefused { finding: finding.to_string() }.tell());
    if is_damaged {
        return watching::Watched::nothing();
    }
    Ok(watching::Watched {
        watch: watching::watch_of(plan.objectives.clone(), plan.agreements.clone())?,
        receivers: plan.receivers.clone(),
        producers: plan.producers,
        chains: chains.clone(),
    })
}

impl RunningNode {
    /// Takes a changed plan in, as `evenkeel apply` does, and removes nothing; what that changed, a
    /// line each.
    pub async fn apply(&self, plan: Plan) -> Result<Vec<String>, Error> {
        if let Some(damaged) = self.wired.damaged() {
            return Err(damaged);
        }
        let changes = changing::apply(&self.wired, plan, changing::How::default()).await?;
        Ok(changes.iter().map(changing::Change::in_words).collect())
    }

    /// Goes down in order. Attempts that outlast the grace go out again after the next start.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        let _ = self.serving.await;
        self.wired.intakes.drain();
        let resting = self.wired.replays.rest(DRAIN_GRACE);
        let wires = self.wired.wires.all();
        let draining = wires.iter().map(|wire| {
            let handle = wire.handle.clone();
            tokio::spawn(async move { handle.drain(DRAIN_GRACE).await })
        });
        for drained in draining.collect::<Vec<_>>() {
            if let Ok(drained) = drained.await {
                SubscriptionDrained { unfinished: drained.unfinished }.tell();
            }
        }
        resting.await;
        self.wired.intakes.finish().await;
        drop(self.retention);
        let log = self.wired.log.clone();
        let _ = wiring::blocking(move || log.close()).await;
        if let Some(telemetry) = &self.wired.telemetry {
            telemetry.finish().await;
        }
    }
}

/// Lets go of what is owed to nobody, again and again.
fn retain(base: &wiring::Base) -> RetentionTask {
    let keepers = base.wires.clone();
    runtime::retain(base.log.clone(), RETAIN_EVERY, move || keepers.keepers())
}

/// What the node stands on: how handlers are called, and all that runs on the log, if anything may.
/// Opening looks at few records; where who wires the parts reads a damaged one, it is opened `again`.
async fn grounded<F: Future<Output = Result<Option<Log>, Error>>>(
    plan: &Plan,
    log: Log,
    again: impl FnOnce() -> F,
    http: SocketAddr,
    clock: &Arc<dyn Clock>,
    sabotage: Option<Sabotage>,
) -> Result<(Calling, wiring::Base), Error> {
    match wired(plan, log.clone(), http, clock, sabotage).await {
        Err(e) if log.status().unreadable > 0 => {
            let damaged = again().await?.ok_or(e)?;
            wired(plan, damaged, http, clock, sabotage).await
        }
        done => done,
    }
}

async fn wired(
    plan: &Plan,
    log: Log,
    http: SocketAddr,
    clock: &Arc<dyn Clock>,
    sabotage: Option<Sabotage>,
) -> Result<(Calling, wiring::Base), Error> {
    let is_damaged = !log.damage().is_empty();
    let calling = calling(plan, http, clock, (!is_damaged).then(|| log.clone())).await?;
    let base = match is_damaged {
        false => wiring::base(plan, log, clock, &calling, sabotage).await?,
        true => wiring::reading_only(plan, log, clock),
    };
    Ok((calling, base))
}

/// What the calls of all subscriptions have in common; who is told of them begins to listen. Without a log
/// nothing is called.
async fn calling(plan: &Plan, http: SocketAddr, clock: &Arc<dyn Clock>, log: Option<Log>) -> Result<Calling, Error> {
    let own_url = plan.callback.clone().unwrap_or_else(|| format!("http://{http}"));
    let callbacks = match log {
        None => Callbacks::new(own_url.clone()),
        Some(log) => {
            let (url, clock) = (own_url.clone(), clock.clone());
            wiring::blocking(move || Callbacks::kept(url, log, clock)).await?.map_err(|e| wiring::failed(&e))?
        }
    };
    let callbacks = Arc::new(callbacks);
    let telemetry = plan.telemetry.as_ref().map(|otlp| Telemetry::start(otlp, clock.clone())).transpose()?;
    Ok(Calling { reach: Arc::new(plan.reach.clone()), callbacks, own_url, telemetry })
}

async fn listen(at: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let listener = TcpListener::bind(at).await.map_err(|e| {
        Error::new(codes::LISTEN, format!("cannot listen on {at}: {e}"))
            .hint("choose another address with `--http` or `http.listen`; port 0 takes a free one")
    })?;
    let http = listener.local_addr().map_err(|e| wiring::failed(&e))?;
    Ok((listener, http))
}

/// What is not as it should be under the data folder, where there is one, stands in the node's log from the start.
fn warn_of(data: Option<&PathBuf>) {
    for found in data.into_iter().flat_map(|data| doctor::at_start(data)) {
        let (check, fix, level, found) =
            (found.check.to_string(), found.fix.unwrap_or_default(), found.level, found.found);
        match level {
            doctor::Level::Bad => FolderBad { check, fix, found }.tell(),
            _ => FolderDoubtful { check, fix, found }.tell(),
        }
    }
}

/// The log; one that is damaged is opened for reading only.
async fn open(plan: &Plan, disk: Arc<dyn Disk>, options: Options, clock: Arc<dyn Clock>) -> Result<Log, Error> {
    let opened = {
        let (disk, options, clock) = (disk.clone(), options.clone(), clock.clone());
        wiring::blocking(move || Log::open(disk, options, clock)).await?
    };
    let opened = match opened {
        Err(OpenError::Corrupt { damage }) => {
            tell_of(&damage);
            wiring::blocking(move || Log::open_damaged(disk, options, clock)).await?
        }
        other => other,
    };
    opened.map_err(|e| unopened(&plan.data, &e))
}

/// The same folder for reading only, if all that is in it is looked at and something is damaged.
async fn open_read(
    plan: &Plan,
    log: Log,
    disk: Arc<dyn Disk>,
    options: Options,
    clock: Arc<dyn Clock>,
) -> Result<Option<Log>, Error> {
    let opened = wiring::blocking(move || {
        log.close();
        Log::open_damaged(disk, options, clock)
    });
    let log = opened.await?.map_err(|e| unopened(&plan.data, &e))?;
    let damage = log.damage();
    tell_of(&damage);
    Ok((!damage.is_empty()).then_some(log))
}

fn tell_of(damage: &[Damage]) {
    for damage in damage {
        LogDamaged { damage: damage.to_string() }.tell();
    }
}

pub(crate) fn unopened(data: &Path, e: &OpenError) -> Error {
    match e {
        OpenError::Locked { .. } => Error::new(codes::DATA_IN_USE, e.to_string())
            .hint("one node at a time owns a folder: stop the other one, or name another folder with `--data`"),
        OpenError::Corrupt { .. } => Error::new(codes::DATA_CORRUPT, e.to_string())
            .hint("nothing was changed; keep a copy of the folder before anything else"),
        OpenError::Absent { .. } => Error::new(codes::DATA_FOLDER, e.to_string()),
        OpenError::Version { .. } | OpenError::Io { .. } => {
            Error::new(codes::DATA_FOLDER, format!("data folder `{}` cannot be used: {e}", data.display()))
                .hint("it must be a folder that this user may write")
        }
    }
}

/// Completes when the node goes down.
pub(crate) async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to say so: the node is gone.
    let _ = stop.wait_for(|stopping| *stopping).await;
}
