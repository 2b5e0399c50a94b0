//! Watches: tails the ledger into `evenkeel-watch`, and makes its alerts events of the alerts topic.
//!
//! One task owns the watch; everybody else asks it. It is rebuilt from the ledger at every start.
//! Invariants: an alert is durable in its topic before anything answers it; an alert that fired
//! before a restart does not fire a second time.

mod asking;
mod alerts;
mod spent;
mod sources;
mod exclusions;
mod telling;
pub(crate) mod chains;
mod silences;
mod tail;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_log::Log;
use evenkeel_model::{Clock, Shard, Timestamp};
use evenkeel_watch::objective::Objective;
use evenkeel_watch::sla::Agreement;
use evenkeel_watch::{Alert, AlertEvent, BadEvent, Exclusion, Point, Producer, Silence, Snapshot, TrendPoint, Watch};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::config::plan::ProducerAlerts;
use crate::config::receivers::Receiver;
use crate::error::{Error, codes};
use crate::forms::alert::AlertForm;
use crate::forms::producer::sentence;
use crate::happenings::{AlertChanged, SourceChanged};
use crate::responding::Responding;
use crate::wiring::Wires;
use alerts::Alerts;
use asking::Ask;
use chains::Following;
use sources::Sources;
use spent::Spent;
use tail::Tail;
use telling::Telling;

pub(crate) use asking::Watching;
pub(crate) use telling::Told;

/// How often the ledger is read and alerts are evaluated.
const EVERY: Duration = Duration::from_millis(250);
/// Stretches of an objective's window in its history.
const HISTORY_POINTS: u32 = 60;
/// Resolved alerts that are kept for show.
const PAST_KEPT: usize = 100;

/// Everything that is known at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) snapshot: Snapshot,
    /// How each subscription got on over the last hour.
    pub(crate) trends: BTreeMap<Arc<str>, Vec<TrendPoint>>,
    pub(crate) objectives: Vec<ObjectiveReport>,
    pub(crate) firing: Vec<Alert>,
    /// Where each of these stands with those who are told, in the same order.
    pub(crate) told: Vec<Told>,
    /// Newest last.
    pub(crate) past: Vec<AlertForm>,
    /// Alerts of spent dead-letter budgets, and of sources that don't send as usual.
    pub(crate) spent: Vec<AlertForm>,
    pub(crate) silences: Vec<Silence>,
    pub(crate) exclusions: Vec<Exclusion>,
    /// Alerts that hold, but not for long enough: objective, alert, since when.
    pub(crate) pending: Vec<(Arc<str>, Arc<str>, Timestamp)>,
}

/// An objective with its line and its last bad events.
#[derive(Clone, Debug)]
pub(crate) struct ObjectiveReport {
    pub(crate) objective: Objective,
    pub(crate) history: Vec<Point>,
    pub(crate) bad: Vec<BadEvent>,
}

/// What is watched, and who is told.
pub(crate) struct Watched {
    pub(crate) watch: Watch,
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) producers: ProducerAlerts,
    pub(crate) chains: Following,
}

impl Watched {
    /// Nothing, and nobody.
    pub(crate) fn nothing() -> Result<Watched, Error> {
        let watch = watch_of(Vec::new(), Vec::new())?;
        Ok(Watched { watch, receivers: Vec::new(), producers: ProducerAlerts::default(), chains: Following::default() })
    }
}

/// Starts the watch's task.
pub(crate) fn start(
    Watched { watch, receivers, producers, chains }: Watched,
    log: Log,
    clock: Arc<dyn Clock>,
    wires: Wires,
    responding: Responding,
    stop: watch::Receiver<bool>,
) -> Watching {
    let (asks, asked) = mpsc::channel(64);
    let owner = Owner {
        watch,
        chains,
        tail: Tail::new(log.clone()),
        alerts: Alerts::new(log.clone(), responding.clone()),
        sources: Sources::new(log.clone(), responding.clone(), producers),
        spent: Spent::new(log.clone(), responding),
        telling: Telling::new(log.clone(), receivers),
        log,
        past: VecDeque::new(),
        clock,
        wires,
    };
    tokio::spawn(owner.run(asked, stop));
    Watching { asks }
}

/// A watch that knows nothing yet.
pub(crate) fn watch_of(objectives: Vec<Objective>, agreements: Vec<Agreement>) -> Result<Watch, Error> {
    let mut watch = Watch::new(objectives).map_err(|problems| {
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::new(codes::CONFIG_VALUE, said.join("; "))
    })?;
    watch.agree(agreements);
    Ok(watch)
}

struct Owner {
    watch: Watch,
    chains: Following,
    tail: Tail,
    log: Log,
    alerts: Alerts,
    spent: Spent,
    sources: Sources,
    telling: Telling,
    past: VecDeque<AlertForm>,
    clock: Arc<dyn Clock>,
    wires: Wires,
}

impl Owner {
    async fn run(mut self, mut asked: mpsc::Receiver<Ask>, mut stop: watch::Receiver<bool>) {
        self.take_back().await;
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => self.tick().await,
                ask = asked.recv() => match ask {
                    Some(ask) => self.answer(ask).await,
                    None => return,
                },
                _ = crate::node::told_to_stop(&mut stop) => return,
            }
        }
    }

    /// Alerts that fired before the restart go on; responding hears of the newest state of each,
    /// in case it did not before.
    async fn take_back(&mut self) {
        let forms = self.alerts.read_back();
        let mut newest: Vec<Alert> = Vec::new();
        for form in forms {
            if self.spent.take_back(&form).await || self.sources.take_back(&form).await {
                newest.retain(|a| *a.objective != *form.objective);
                newest.extend(form.read());
                if form.resolved_at.is_some() {
                    self.remember(form);
                }
                continue;
            }
            let Some(alert) = form.read() else { continue };
            if alert.resolved_at.is_some() {
                self.remember(form);
            }
            newest.retain(|a| (&a.objective, &a.name) != (&alert.objective, &alert.name));
            newest.push(alert);
        }
        self.look_at_topics();
        exclusions::read_into(&self.log, &mut self.watch);
        self.tail.read_into(&mut self.watch);
        let firing: Vec<Alert> = newest.iter().filter(|a| a.resolved_at.is_none()).cloned().collect();
        self.watch.adopt(&firing);
        for alert in newest {
            // Responding heard of a spent budget, and of a source, from them themselves.
            if &*alert.name != spent::ALERT && !sources::ALERTS.contains(&&*alert.name) {
                self.alerts.tell(&alert).await;
            }
            let heard =
                if alert.resolved_at.is_none() { AlertEvent::Firing(alert) } else { AlertEvent::Resolved(alert) };
            self.telling.hear(self.clock.now(), &heard);
        }
        self.telling.only(self.clock.now(), &self.firing());
    }

    /// All alerts that fire, those of spent budgets and of sources among them.
    fn firing(&self) -> Vec<Alert> {
        let spent = self.spent.firing().chain(self.sources.firing()).filter_map(AlertForm::read);
        self.watch.alerts().into_iter().cloned().chain(spent).collect()
    }

    /// Where topics end, and who reads them: what the ledger does not say.
    fn look_at_topics(&mut self) {
        let now = self.clock.now();
        let wires = self.wires.all();
        let mut readers: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
        for wire in wires.iter() {
            readers.entry(wire.plan.topic.clone()).or_default().push(wire.plan.name.clone());
        }
        for (topic, subscriptions) in readers {
            let partitions = self.log.topic(&topic).map_or(0, |topic| topic.partitions);
            for partition in 0..partitions {
                if let Ok(ends) = self.log.ends(&Shard::new(topic.clone(), partition)) {
                    self.watch.set_end(&topic, partition, ends.high_watermark, now);
                }
            }
            self.watch.set_subscribers(&topic, subscriptions);
        }
    }

    async fn tick(&mut self) {
        self.look_at_topics();
        self.tail.read_into(&mut self.watch);
        self.chains.count_into(&mut self.watch);
        for wire in self.wires.all().iter() {
            let view = wire.handle.view().await;
            self.watch.set_oldest(&wire.plan.name, view.as_ref().and_then(|view| view.oldest));
            if let Some(view) = view
                && let Some(changed) = self.spent.look(self.clock.now(), &wire.plan.name, &view).await
            {
                self.other_changed(changed);
            }
        }
        for producer in self.watch.judge_producers(self.clock.now()) {
            let (source, topic) = (producer.source.to_string(), producer.topic.to_string());
            let sending = producer.sending.name().to_owned();
            SourceChanged { source, topic, sending, what: sentence(&producer) }.tell();
        }
        let producers: Vec<Producer> = self.watch.producers().collect();
        for changed in self.sources.look(self.clock.now(), &producers).await {
            self.other_changed(changed);
        }
        for change in self.watch.tick(self.clock.now()) {
            if change.alert().resolved_at.is_some() {
                self.remember(AlertForm::from(change.alert()));
            }
            AlertChanged::of(&AlertForm::from(change.alert())).tell();
            self.telling.hear(self.clock.now(), &change);
            self.alerts.push(change);
        }
        if self.alerts.flush(self.clock.now()).await {
            self.telling.step(self.clock.now()).await;
        }
    }

    fn other_changed(&mut self, changed: AlertForm) {
        if let Some(alert) = changed.read() {
            let heard =
                if alert.resolved_at.is_none() { AlertEvent::Firing(alert) } else { AlertEvent::Resolved(alert) };
            self.telling.hear(self.clock.now(), &heard);
        }
        if changed.resolved_at.is_some() {
            self.remember(changed);
        }
    }

    async fn answer(&mut self, ask: Ask) {
        let ask = match ask {
            Ask::Replace { watch, done } => {
                self.replace(watch);
                let _ = done.send(());
                return;
            }
            Ask::Exclude { exclusion, done } => {
                let said = exclusions::say(&self.log, &mut self.watch, exclusion, self.clock.now()).await;
                let _ = done.send(said);
                return;
            }
            Ask::Include { id, done } => {
                let withdrawn = exclusions::withdraw(&self.log, &mut self.watch, &id, self.clock.now()).await;
                let _ = done.send(withdrawn);
                return;
            }
            Ask::Receivers { receivers, producers, done } => {
                self.sources.replace(producers);
                let firing = self.firing();
                self.telling.replace(receivers, self.clock.now(), &firing);
                let _ = done.send(());
                return;
            }
            Ask::Silence { silence, done } => {
                let _ = done.send(self.telling.silence(silence, self.clock.now()).await);
                return;
            }
            Ask::Unsilence { id, done } => {
                let _ = done.send(self.telling.unsilence(&id, self.clock.now()).await);
                return;
            }
            other => other,
        };
        self.tail.read_into(&mut self.watch);
        let now = self.clock.now();
        // Whoever asked may have gone away.
        match ask {
            Ask::Report(tell) => drop(tell.send(self.report(now))),
            Ask::Snapshot(tell) => drop(tell.send(self.watch.snapshot(now))),
            Ask::Month { agreement, month, tell } => drop(tell.send(self.watch.monthly(&agreement, month, now))),
            Ask::Burn { objective, tell } => drop(tell.send(self.burn(now, &objective))),
            _ => {}
        }
    }

    /// Alerts of objectives that stay go on; those of others are over.
    fn replace(&mut self, watch: Watch) {
        let firing: Vec<Alert> = self.watch.alerts().into_iter().cloned().collect();
        self.watch = watch;
        exclusions::read_into(&self.log, &mut self.watch);
        self.tail.rewind();
        self.chains.rewind();
        self.look_at_topics();
        self.tail.read_into(&mut self.watch);
        self.watch.adopt(&firing);
        self.telling.only(self.clock.now(), &self.firing());
    }

    fn burn(&self, now: Timestamp, name: &str) -> Option<f64> {
        let objective = self.watch.objectives().find(|o| &*o.name == name)?;
        let window = objective
            .alerts
            .iter()
            .flat_map(evenkeel_watch::AlertRule::windows)
            .min()
            .unwrap_or(Duration::from_secs(60));
        self.watch.burn(name, now, window)
    }

    fn report(&self, now: Timestamp) -> Report {
        let objectives = self.watch.objectives().map(|objective| ObjectiveReport {
            history: self.watch.history(&objective.name, now, HISTORY_POINTS).unwrap_or_default(),
            bad: self.watch.bad_events(&objective.name),
            objective: objective.clone(),
        });
        Report {
            snapshot: self.watch.snapshot(now),
            trends: self
                .watch
                .subscriptions()
                .map(|(name, seen)| (name.clone(), seen.trend.points().copied().collect()))
                .collect(),
            objectives: objectives.collect(),
            firing: self.watch.alerts().into_iter().cloned().collect(),
            told: self.watch.alerts().into_iter().map(|alert| self.telling.told(now, alert)).collect(),
            past: self.past.iter().cloned().collect(),
            spent: self.spent.firing().chain(self.sources.firing()).cloned().collect(),
            silences: self.telling.silences().to_vec(),
            exclusions: self.watch.exclusions().to_vec(),
            pending: self.watch.pending().into_iter().map(|(of, name, at)| (of.clone(), name.clone(), at)).collect(),
        }
    }

    fn remember(&mut self, form: AlertForm) {
        if self.past.len() == PAST_KEPT {
            self.past.pop_front();
        }
        self.past.push_back(form);
    }
}
