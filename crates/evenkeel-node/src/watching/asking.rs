//! The way to ask the watch: one closed enum, and a handle that sends it.

use std::sync::Arc;

use evenkeel_watch::objective::Objective;
use evenkeel_watch::sla::{Agreement, Month, Monthly};
use evenkeel_watch::{Exclusion, Silence, Snapshot, Watch};
use tokio::sync::{mpsc, oneshot};

use super::{Report, watch_of};
use crate::config::plan::ProducerAlerts;
use crate::config::receivers::Receiver;
use crate::error::{Error, codes};

/// The way to ask the watch.
#[derive(Clone)]
pub(crate) struct Watching {
    pub(super) asks: mpsc::Sender<Ask>,
}

/// What it may be asked.
pub(super) enum Ask {
    Report(oneshot::Sender<Report>),
    Snapshot(oneshot::Sender<Snapshot>),
    Month { agreement: Arc<str>, month: Option<Month>, tell: oneshot::Sender<Option<Monthly>> },
    Burn { objective: Arc<str>, tell: oneshot::Sender<Option<f64>> },
    Replace { watch: Watch, done: oneshot::Sender<()> },
    Exclude { exclusion: Exclusion, done: oneshot::Sender<Result<(), Error>> },
    Include { id: String, done: oneshot::Sender<Result<Option<Exclusion>, Error>> },
    Receivers { receivers: Vec<Receiver>, producers: ProducerAlerts, done: oneshot::Sender<()> },
    Silence { silence: Silence, done: oneshot::Sender<Result<(), Error>> },
    Unsilence { id: String, done: oneshot::Sender<Result<Option<Silence>, Error>> },
}

impl Watching {
    /// Everything that is known now; `None` when the node is going down.
    pub(crate) async fn report(&self) -> Option<Report> {
        let (tell, told) = oneshot::channel();
        self.asks.send(Ask::Report(tell)).await.ok()?;
        told.await.ok()
    }

    /// The counts alone; `None` when the node is going down.
    pub(crate) async fn snapshot(&self) -> Option<Snapshot> {
        self.ask(Ask::Snapshot).await.ok()
    }

    /// A month of an agreement, the one that runs where none is named; `None` without the agreement.
    pub(crate) async fn month(&self, agreement: Arc<str>, month: Option<Month>) -> Result<Option<Monthly>, Error> {
        self.ask(|tell| Ask::Month { agreement, month, tell }).await
    }

    /// Other objectives from here on. They know last week: the ledger is read again.
    pub(crate) async fn replace(&self, objectives: Vec<Objective>, agreements: Vec<Agreement>) -> Result<(), Error> {
        let watch = watch_of(objectives, agreements)?;
        self.ask(|done| Ask::Replace { watch, done }).await
    }

    /// Others are told of alerts from here on.
    pub(crate) async fn replace_receivers(
        &self,
        receivers: Vec<Receiver>,
        producers: ProducerAlerts,
    ) -> Result<(), Error> {
        self.ask(|done| Ask::Receivers { receivers, producers, done }).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Error> {
        let (tell, told) = oneshot::channel();
        let gone = || Error::new(codes::NOT_READY, "the node is going down");
        self.asks.send(ask(tell)).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())
    }

    /// Counts a stretch of time for nobody, on record.
    pub(crate) async fn exclude(&self, exclusion: Exclusion) -> Result<(), Error> {
        self.ask(|done| Ask::Exclude { exclusion, done }).await?
    }

    /// Takes an exclusion back, on record; what it was, when it was there.
    pub(crate) async fn include(&self, id: String) -> Result<Option<Exclusion>, Error> {
        self.ask(|done| Ask::Include { id, done }).await?
    }

    /// Keeps alerts quiet for a while, on record.
    pub(crate) async fn silence(&self, silence: Silence) -> Result<(), Error> {
        self.ask(|done| Ask::Silence { silence, done }).await?
    }

    /// Ends a silence, on record; what it was, when it was there.
    pub(crate) async fn unsilence(&self, id: String) -> Result<Option<Silence>, Error> {
        self.ask(|done| Ask::Unsilence { id, done }).await?
    }

    /// The burn rate of an objective over the shortest window of its alerts.
    pub(crate) async fn burn(&self, objective: Arc<str>) -> Option<f64> {
        let (tell, told) = oneshot::channel();
        self.asks.send(Ask::Burn { objective, tell }).await.ok()?;
        told.await.ok()?
    }
}
