//! A source, a journal and handlers under the test's control.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Commit, Delivered, Handler, Journal, News, PortError, Source};
use evenkeel_delivery::{Arrival, Fact, Mark, Policy, Remembered, Screen};
use evenkeel_model::ledger::Ended;
use evenkeel_model::{Clock, Created, Event, Outcome, Position, Record, Shard, Timestamp, Verdict};
use tokio::sync::{Notify, watch};

use crate::runtime::{SubscriptionHandle, SubscriptionSpec, start};
use crate::testing::TokioClock;

/// One topic of one partition, in memory.
#[derive(Default)]
pub(super) struct Shelf {
    events: Mutex<Vec<Arc<Delivered>>>,
    changed: Notify,
    /// What `settle` said last.
    pub(super) settled: Mutex<BTreeMap<Shard, u64>>,
    /// From now on `get` finds nothing.
    pub(super) emptied: AtomicBool,
    /// A second partition, whose reads never come back.
    pub(super) stuck: Option<Shard>,
}

pub(super) fn shard() -> Shard {
    Shard::new("orders", 0)
}

impl Shelf {
    pub(super) fn put(&self, keys: &[&str], now: Timestamp) {
        let mut events = self.events.lock().unwrap();
        for key in keys {
            let offset = events.len() as u64;
            events.push(Arc::new(delivered(offset, key, now)));
        }
        drop(events);
        self.changed.notify_one();
    }

    pub(super) fn settled_below(&self) -> u64 {
        self.settled.lock().unwrap().get(&shard()).copied().unwrap_or(0)
    }
}

fn delivered(offset: u64, key: &str, now: Timestamp) -> Delivered {
    let id = format!("event-{offset}");
    Delivered {
        arrival: Arrival {
            at: Position { shard: shard(), offset },
            key: Some(key.to_owned().into()),
            mark: Mark::of("uid", "/test", &id),
            created: Created { at: now, believed: true },
            expires: None,
            bytes: 0,
            priority: 4,
            kind: "Test".into(),
            source: "/test".into(),
            version: evenkeel_delivery::Version::None,
            given_before: 0,
            screen: Screen::Wanted,
        },
        appended: now,
        event: Event::new("/test", id, "Test"),
        record: Record::default(),
    }
}

impl Source for Shelf {
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>> {
        Box::pin(async { Ok(std::iter::once(shard()).chain(self.stuck.clone()).map(|shard| (shard, 0)).collect()) })
    }

    fn fetch(
        &self,
        shard: &Shard,
        from: u64,
        max: usize,
    ) -> BoxFuture<'_, Result<(Vec<Arc<Delivered>>, u64), PortError>> {
        if self.stuck.as_ref() == Some(shard) {
            return Box::pin(std::future::pending());
        }
        let events = self.events.lock().unwrap();
        let from = usize::try_from(from).unwrap();
        let found: Vec<_> = events.iter().skip(from).take(max).cloned().collect();
        let next = (from + found.len()) as u64;
        Box::pin(async move { Ok((found, next)) })
    }

    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<Delivered>>, PortError>> {
        let found = self.events.lock().unwrap().get(usize::try_from(at.offset).unwrap()).cloned();
        let found = found.filter(|_| !self.emptied.load(Ordering::SeqCst));
        Box::pin(async move { Ok(found) })
    }

    fn changed(&self) -> BoxFuture<'_, News> {
        Box::pin(async {
            self.changed.notified().await;
            News::More
        })
    }

    fn settle(&self, floors: &[(Shard, u64)]) {
        self.settled.lock().unwrap().extend(floors.iter().cloned());
    }
}

/// A journal that remembers commits, waits behind a gate, or fails.
pub(super) struct Book {
    pub(super) commits: Mutex<Vec<Commit>>,
    /// Commits wait while it is false.
    pub(super) open: watch::Sender<bool>,
    pub(super) broken: AtomicBool,
}

impl Default for Book {
    fn default() -> Book {
        Book { commits: Mutex::default(), open: watch::Sender::new(true), broken: AtomicBool::new(false) }
    }
}

impl Book {
    pub(super) fn facts(&self) -> Vec<Fact> {
        self.commits.lock().unwrap().iter().flat_map(|commit| commit.round.facts.clone()).collect()
    }

    pub(super) fn ended(&self) -> Vec<Ended> {
        let entry = |fact| if let Fact::Ended { entry, .. } = fact { Some(entry) } else { None };
        self.facts().into_iter().filter_map(entry).collect()
    }

    pub(super) fn outcomes(&self) -> BTreeMap<u64, Outcome> {
        self.ended().into_iter().map(|entry| (entry.offset, entry.outcome)).collect()
    }
}

impl Journal for Book {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        let remembered = self.facts().into_iter().filter_map(remembered).collect();
        Box::pin(async move { Ok(remembered) })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let _ = self.open.subscribe().wait_for(|open| *open).await;
            if self.broken.load(Ordering::SeqCst) {
                return Err(PortError("the disk is gone".to_owned()));
            }
            self.commits.lock().unwrap().push(commit);
            Ok(())
        })
    }
}

fn remembered(fact: Fact) -> Option<Remembered> {
    Some(match fact {
        Fact::Ended { shard, mark, entry } => {
            Remembered::Done { at: Position { shard, offset: entry.offset }, mark, when: entry.at }
        }
        Fact::Pending(pending) => Remembered::Pending(pending),
        Fact::Progress { shard, below } => Remembered::Progress { shard, below },
        Fact::Breaker(mark) => Remembered::Breaker(mark),
        Fact::Paused(why) => Remembered::Paused(why),
        Fact::Redriven(redriven) => Remembered::Redriven(redriven),
        Fact::Redrive(job) => Remembered::Redrive(job),
        Fact::LettersClosed(closed) => Remembered::LettersClosed(closed),
        Fact::Open(open) => Remembered::Open(open),
        Fact::Version(mark) => Remembered::Version(mark),
        Fact::Attempt { .. } | Fact::Overdue { .. } => return None,
    })
}

/// A handler made of a function.
pub(super) struct By<F> {
    function: F,
    pub(super) calls: AtomicUsize,
}

pub(super) fn by<F, Doing>(function: F) -> Arc<By<F>>
where
    F: Fn(Call) -> Doing + Send + Sync + 'static,
    Doing: Future<Output = Answer> + Send + 'static,
{
    Arc::new(By { function, calls: AtomicUsize::new(0) })
}

/// A handler that is done with an event when the gate opens.
pub(super) fn behind(gate: &Arc<Notify>) -> Arc<By<impl Fn(Call) -> BoxFuture<'static, Answer> + use<>>> {
    let gate = gate.clone();
    by(move |_| {
        let gate = gate.clone();
        Box::pin(async move {
            gate.notified().await;
            ack()
        }) as BoxFuture<'static, Answer>
    })
}

impl<F, Doing> Handler for By<F>
where
    F: Fn(Call) -> Doing + Send + Sync + 'static,
    Doing: Future<Output = Answer> + Send + 'static,
{
    /// So that a test that holds the journal up sees attempts all the same.
    fn is_elsewhere(&self) -> bool {
        true
    }

    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Box::pin((self.function)(call))
    }
}

pub(super) fn ack() -> Answer {
    Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None }
}

pub(super) fn offset(call: &Call) -> u64 {
    call.delivered.arrival.at.offset
}

/// A subscription over the doubles, on virtual time.
pub(super) struct Stage {
    pub(super) clock: Arc<TokioClock>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) book: Arc<Book>,
}

impl Stage {
    pub(super) fn new() -> Stage {
        let clock = Arc::new(TokioClock::at(Timestamp::from_millis(1_700_000_000_000)));
        Stage { clock, shelf: Arc::default(), book: Arc::default() }
    }

    pub(super) fn put(&self, keys: &[&str]) {
        self.shelf.put(keys, self.clock.now());
    }

    /// The same, with a second partition whose reads never come back.
    pub(super) fn half_stuck() -> Stage {
        let stuck = Some(Shard::new("orders", 1));
        Stage { shelf: Arc::new(Shelf { stuck, ..Shelf::default() }), ..Stage::new() }
    }

    pub(super) fn start(&self, policy: Policy, handler: Arc<dyn Handler>) -> SubscriptionHandle {
        let spec = SubscriptionSpec {
            name: "test".into(),
            uid: "uid".to_owned(),
            policy,
            source: self.shelf.clone(),
            journal: self.book.clone(),
            handler,
            fallback: None,
            fence: 1,
        };
        start(spec, self.clock.clone(), 7)
    }
}

/// Waits, on tokio's paused clock, until it is so; fails after an hour of it.
pub(super) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..360_000 {
        if so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
