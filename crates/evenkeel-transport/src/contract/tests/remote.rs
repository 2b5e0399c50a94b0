//! A broker that can go away: the embedded log behind ports that answer only while it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evenkeel_delivery::ports::{
    BoxFuture, Commit, Delivered, Fetched, Journal, News, Outgoing, Placed, PortError, Sink, SinkError, Source, Unsent,
};
use evenkeel_delivery::{Fact, Remembered};
use evenkeel_model::{Position, Record, Shard};

use super::embedded::Embedded;
use crate::contract::{Capabilities, Faults, Mistake, Opened, Subject};

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RemoteFault {
    /// It says nothing of a wrong password.
    LetsAnybodyIn,
    /// It reads a topic that is not there as an empty one.
    ImaginesTopics,
    /// What was being read when the broker went is passed over.
    SkipsWhatWasUnderWay,
    /// A commit that could not be made is acknowledged.
    CommitsToNobody,
    /// A part of a commit gets through.
    CommitsHalf,
    /// The sink confirms what it could not send.
    ConfirmsUnsent,
    /// The sink confirms, and drops every fifth.
    DropsConfirmed,
    /// One that is too large fails its neighbours.
    AllOrNothing,
}

pub(super) struct Remote {
    embedded: Embedded,
    away: Arc<AtomicBool>,
    fault: Option<RemoteFault>,
}

impl Remote {
    pub(super) fn new(fault: Option<RemoteFault>) -> Remote {
        Remote { embedded: Embedded::new(), away: Arc::default(), fault }
    }

    async fn opened(&self) -> Result<Opened, PortError> {
        let opened = self.embedded.open().await?;
        let (away, fault) = (self.away.clone(), self.fault);
        Ok(Opened {
            source: Arc::new(Far { port: opened.source, away: away.clone(), fault }),
            journal: Arc::new(Far { port: opened.journal, away, fault }),
        })
    }
}

impl Subject for Remote {
    fn capabilities(&self) -> Capabilities {
        self.embedded.capabilities()
    }
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>> {
        self.embedded.publish(records)
    }
    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>> {
        Box::pin(self.opened())
    }
    fn crash(&self) -> BoxFuture<'_, Result<(), PortError>> {
        self.embedded.crash()
    }
    fn dead(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        self.embedded.dead()
    }
    fn effects(&self) -> BoxFuture<'_, Result<Vec<Record>, PortError>> {
        self.embedded.effects()
    }
    fn sink(&self) -> BoxFuture<'_, Result<Option<Arc<dyn Sink>>, PortError>> {
        Box::pin(async move {
            let Some(sink) = self.embedded.sink().await? else { return Ok(None) };
            let far = Far { port: sink, away: self.away.clone(), fault: self.fault };
            Ok(Some(Arc::new(far) as Arc<dyn Sink>))
        })
    }
    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }
}

impl Faults for Remote {
    fn cut(&self) {
        self.away.store(true, Ordering::SeqCst);
    }
    fn mend(&self) {
        self.away.store(false, Ordering::SeqCst);
    }
    fn open_wrong(&self, mistake: Mistake) -> Option<BoxFuture<'_, Result<Opened, PortError>>> {
        let (says, blind) = match mistake {
            Mistake::Credentials => ("authentication failed", RemoteFault::LetsAnybodyIn),
            Mistake::Topic => ("topic `no-such-topic` does not exist", RemoteFault::ImaginesTopics),
        };
        Some(Box::pin(async move {
            if self.fault == Some(blind) { self.opened().await } else { Err(PortError(says.to_owned())) }
        }))
    }
}

/// A port behind a line that can be cut.
struct Far<P: ?Sized> {
    port: Arc<P>,
    away: Arc<AtomicBool>,
    fault: Option<RemoteFault>,
}

impl<P: ?Sized> Far<P> {
    fn is_away(&self) -> bool {
        self.away.load(Ordering::SeqCst)
    }
    fn there(&self) -> Result<(), PortError> {
        if self.is_away() { Err(PortError("the broker is away".to_owned())) } else { Ok(()) }
    }
}

impl Source for Far<dyn Source> {
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>> {
        self.port.shards()
    }
    fn fetch(&self, shard: &Shard, from: u64, max: usize) -> BoxFuture<'_, Result<Fetched, PortError>> {
        if self.fault == Some(RemoteFault::SkipsWhatWasUnderWay) && max == 7 {
            return self.port.fetch(shard, from + 1, max);
        }
        match self.there() {
            Ok(()) => self.port.fetch(shard, from, max),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<Delivered>>, PortError>> {
        self.port.get(at)
    }
    fn changed(&self) -> BoxFuture<'_, News> {
        self.port.changed()
    }
    fn settle(&self, floors: &[(Shard, u64)]) {
        self.port.settle(floors);
    }
}

impl Journal for Far<dyn Journal> {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        self.port.load()
    }
    fn commit(&self, mut commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        match (self.there(), self.fault) {
            (Ok(()), _) => self.port.commit(commit),
            (Err(_), Some(RemoteFault::CommitsToNobody)) => Box::pin(std::future::ready(Ok(()))),
            (Err(error), Some(RemoteFault::CommitsHalf)) => {
                commit.round.facts.retain(|fact| matches!(fact, Fact::Ended { entry, .. } if entry.emitted > 0));
                Box::pin(async move { self.port.commit(commit).await.and(Err(error)) })
            }
            (Err(error), _) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl Sink for Far<dyn Sink> {
    fn publish(&self, mut events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>> {
        let count = events.len();
        let fault = self.fault;
        if self.is_away() {
            let error = SinkError { unsent: Unsent::Unreachable, message: "the broker is away".to_owned() };
            let confirms = fault == Some(RemoteFault::ConfirmsUnsent);
            let answer = if confirms { Ok(Placed::default()) } else { Err(error) };
            return Box::pin(std::future::ready(vec![answer; count]));
        }
        if fault == Some(RemoteFault::DropsConfirmed) {
            let kept = events.into_iter().enumerate().filter(|(n, _)| n % 5 != 4).map(|(_, event)| event).collect();
            return Box::pin(async move {
                let mut answers = self.port.publish(kept).await;
                answers.resize_with(count, || Ok(Placed::default()));
                answers
            });
        }
        Box::pin(async move {
            let answers = self.port.publish(std::mem::take(&mut events)).await;
            match answers.iter().find(|answer| answer.is_err()) {
                Some(error) if fault == Some(RemoteFault::AllOrNothing) => vec![error.clone(); count],
                _ => answers,
            }
        })
    }
}
