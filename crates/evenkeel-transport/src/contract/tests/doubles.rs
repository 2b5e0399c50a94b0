//! Transports that break one promise each: the embedded one behind ports that misbehave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use evenkeel_delivery::ports::{BoxFuture, Commit, Delivered, Journal, News, PortError, Source};
use evenkeel_delivery::{Fact, Remembered};
use evenkeel_model::{Position, Record, Shard};

use super::embedded::Embedded;
use crate::contract::{Capabilities, Opened, Subject};

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Loses,
    Reorders,
    Repeats,
    SkipsAcrossPages,
    DropsHeaders,
    CutsPayload,
    GivesTheNext,
    Sleeps,
    SettlesOnFetch,
    SettlesTooMuch,
    Imagines,
    AcksWithoutWriting,
    ForgetsMarks,
    ForgetsProgress,
    KeepsTheFirst,
    LosesReturnedEvents,
    CommitsInTwo,
}

pub(super) struct Double {
    embedded: Embedded,
    fault: Fault,
    gone: Arc<Mutex<BTreeMap<Shard, u64>>>,
}

impl Double {
    pub(super) fn new(fault: Fault) -> Double {
        Double { embedded: Embedded::new(), fault, gone: Arc::default() }
    }
}

impl Subject for Double {
    fn capabilities(&self) -> Capabilities {
        crate::EMBEDDED
    }
    fn publish(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Vec<Position>, PortError>> {
        self.embedded.publish(records)
    }
    fn open(&self) -> BoxFuture<'_, Result<Opened, PortError>> {
        Box::pin(async move {
            let opened = self.embedded.open().await?;
            let gone = self.gone.clone();
            Ok(Opened {
                source: Arc::new(BadSource { source: opened.source, fault: self.fault, gone }),
                journal: Arc::new(BadJournal { journal: opened.journal, fault: self.fault }),
            })
        })
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
}

struct BadSource {
    source: Arc<dyn Source>,
    fault: Fault,
    /// Settled for good, below these offsets.
    gone: Arc<Mutex<BTreeMap<Shard, u64>>>,
}

impl BadSource {
    fn spoil(&self, events: &mut Vec<Arc<Delivered>>) {
        match self.fault {
            Fault::Loses => events.retain(|e| e.arrival.at.offset % 5 != 3),
            Fault::Reorders if events.len() > 2 => events.swap(1, 2),
            Fault::Repeats => events.extend(events.first().cloned()),
            Fault::DropsHeaders => each(events, |e| e.record.headers.retain(|h| h.value.is_some())),
            Fault::CutsPayload => each(events, |e| {
                e.record.value = e.record.value.as_ref().map(|v| v.slice(..v.len().min(65_535)));
            }),
            _ => {}
        }
    }
}

fn each(events: &mut [Arc<Delivered>], change: impl Fn(&mut Delivered)) {
    events.iter_mut().for_each(|event| change(Arc::make_mut(event)));
}

impl Source for BadSource {
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>> {
        self.source.shards()
    }
    fn fetch(
        &self,
        shard: &Shard,
        from: u64,
        max: usize,
    ) -> BoxFuture<'_, Result<(Vec<Arc<Delivered>>, u64), PortError>> {
        let shard = shard.clone();
        Box::pin(async move {
            let (mut events, mut next) = self.source.fetch(&shard, from, max).await?;
            self.spoil(&mut events);
            let below = self.gone.lock().unwrap().get(&shard).copied().unwrap_or(0);
            events.retain(|e| e.arrival.at.offset >= below);
            match self.fault {
                Fault::SkipsAcrossPages if max > 1 => next += 1,
                // At once for the next reader; what this one goes on with is not touched.
                Fault::SettlesOnFetch if events.is_empty() => drop(self.gone.lock().unwrap().insert(shard, next)),
                _ => {}
            }
            Ok((events, next))
        })
    }
    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<Delivered>>, PortError>> {
        let mut at = at.clone();
        at.offset += u64::from(self.fault == Fault::GivesTheNext);
        let below = self.gone.lock().unwrap().get(&at.shard).copied().unwrap_or(0);
        Box::pin(async move { if at.offset < below { Ok(None) } else { self.source.get(&at).await } })
    }
    fn changed(&self) -> BoxFuture<'_, News> {
        if self.fault == Fault::Sleeps { Box::pin(std::future::pending()) } else { self.source.changed() }
    }
    fn settle(&self, floors: &[(Shard, u64)]) {
        if self.fault == Fault::SettlesTooMuch {
            self.gone.lock().unwrap().extend(floors.iter().map(|(shard, below)| (shard.clone(), below + 1)));
        }
        self.source.settle(floors);
    }
}

struct BadJournal {
    journal: Arc<dyn Journal>,
    fault: Fault,
}

impl Journal for BadJournal {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        Box::pin(async move {
            let mut all = self.journal.load().await?;
            match self.fault {
                Fault::Imagines => all.push(Remembered::Paused(None)),
                Fault::ForgetsProgress => all.retain(|r| !matches!(r, Remembered::Progress { .. })),
                Fault::ForgetsMarks => all.iter_mut().for_each(|r| {
                    if let Remembered::Done { mark, .. } = r {
                        *mark = None;
                    }
                }),
                _ => {}
            }
            Ok(all)
        })
    }

    fn commit(&self, mut commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            match self.fault {
                Fault::AcksWithoutWriting => return Ok(()),
                Fault::KeepsTheFirst => {
                    commit.round.facts.retain(|f| !matches!(f, Fact::Pending(p) if p.counters.attempts == 4))
                }
                Fault::LosesReturnedEvents => {
                    commit.emitted.clear();
                    commit.round.facts.iter_mut().for_each(|f| {
                        if let Fact::Ended { entry, .. } = f {
                            entry.emitted = 0;
                        }
                    });
                }
                Fault::CommitsInTwo => {
                    let (first, second): (Vec<Fact>, Vec<Fact>) = commit
                        .round
                        .facts
                        .drain(..)
                        .partition(|f| matches!(f, Fact::Ended { entry, .. } if entry.emitted > 0));
                    let mut half = commit.clone();
                    (half.round.facts, commit.round.facts) = (first, second);
                    self.journal.commit(half).await?;
                    tokio::task::yield_now().await;
                }
                _ => {}
            }
            self.journal.commit(commit).await
        })
    }
}
