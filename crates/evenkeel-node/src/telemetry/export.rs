//! Sends to the collector, by HTTP or gRPC, and never holds anybody up.
//!
//! Each signal has a queue of its own and a task that empties it in batches. A queue that is full takes nothing
//! more: what comes is dropped and counted, so that an exporter that is down costs memory for one queue and
//! time for nobody. A batch that fails for a reason that may pass is tried again with growing pauses, [`TRIES`]
//! times; then it is dropped, and counted. Metrics are cumulative: one that was not sent is in the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::Clock;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::bridge::{Bridge, Registry};
use super::conventions::SCHEMA;
use super::instruments::Instruments;
use super::logs::Line;
use super::post::{Failed, Post};
use super::span::Span;
use super::wire::{self, Message};
use crate::config::telemetry::{Otlp, Signal};
use crate::error::Error;
use crate::happenings::{CollectorBack, CollectorDown};

/// Spans or lines of one request.
const BATCH: usize = 512;
/// How long the first of a batch waits for others.
const LINGER: Duration = Duration::from_millis(500);
/// How often a batch is tried.
const TRIES: u32 = 5;
/// The first pause between two tries; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);
/// How long the end waits for what is still queued.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// What became of a signal so far: spans, log lines, or requests with metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) signal: Signal,
    pub(crate) sent: u64,
    pub(crate) dropped: u64,
    /// Those that wait in its queue; metrics have none.
    pub(crate) queued: u64,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
}

/// The way into a queue.
#[derive(Debug)]
pub(super) struct Queue<T> {
    way: mpsc::Sender<T>,
    counts: Arc<Counts>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue { way: self.way.clone(), counts: self.counts.clone() }
    }
}

impl<T> Queue<T> {
    /// One that is emptied by who asked for it.
    #[cfg(test)]
    pub(super) fn with_room(max: usize) -> (Queue<T>, mpsc::Receiver<T>) {
        let (way, waiting) = mpsc::channel(max);
        (Queue { way, counts: Arc::default() }, waiting)
    }

    /// Takes it where there is room.
    pub(super) fn push(&self, item: T) {
        if self.way.try_send(item).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waiting(&self) -> u64 {
        (self.way.max_capacity() - self.way.capacity()) as u64
    }
}

/// The tasks that send, and the ways to them.
pub(super) struct Export {
    spans: Queue<Span>,
    lines: Queue<Line>,
    counts: Vec<(Signal, Arc<Counts>)>,
    bridge: Bridge,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Export {
    /// Must be called in a tokio runtime.
    pub(super) fn start(plan: &Otlp, clock: &Arc<dyn Clock>, instruments: &Arc<Instruments>) -> Result<Export, Error> {
        let post = Arc::new(Post::new(plan)?);
        let resource = Arc::new(vec![
            ("service.name".to_owned(), plan.service.clone()),
            ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        let (stop, stopping) = watch::channel(false);
        let bridge = Bridge::default();
        let (mut counts, mut tasks) = (Vec::new(), Vec::new());
        let mut counted = |signal| {
            let of: Arc<Counts> = Arc::default();
            counts.push((signal, of.clone()));
            of
        };
        let about = |signal, counts| About {
            signal,
            counts,
            post: post.clone(),
            resource: resource.clone(),
            stop: stopping.clone(),
        };
        let of = counted(Signal::Traces);
        let (way, waiting) = mpsc::channel(plan.queue);
        let spans = Queue { way, counts: of.clone() };
        if plan.signals.contains(&Signal::Traces) {
            tasks.push(tokio::spawn(about(Signal::Traces, of).run(waiting, Span::write)));
        }
        let of = counted(Signal::Logs);
        let (way, waiting) = mpsc::channel(plan.queue);
        let lines = Queue { way, counts: of.clone() };
        if plan.signals.contains(&Signal::Logs) {
            tasks.push(tokio::spawn(about(Signal::Logs, of).run(waiting, Line::write)));
        }
        if plan.signals.contains(&Signal::Metrics) {
            let about = about(Signal::Metrics, counted(Signal::Metrics));
            tasks.push(tokio::spawn(about.repeat(instruments.clone(), bridge.clone(), clock.clone(), plan.interval)));
        }
        Ok(Export { spans, lines, counts, bridge, stop, tasks: Mutex::new(tasks) })
    }

    pub(super) fn spans(&self) -> Queue<Span> {
        self.spans.clone()
    }

    pub(super) fn lines(&self) -> Queue<Line> {
        self.lines.clone()
    }

    pub(super) fn bridge(&self, registry: Registry) {
        self.bridge.set(registry);
    }

    pub(super) fn sent(&self) -> Vec<Sent> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let one = |(signal, counts): &(Signal, Arc<Counts>)| Sent {
            signal: *signal,
            sent: load(&counts.sent),
            dropped: load(&counts.dropped),
            queued: match signal {
                Signal::Traces => self.spans.waiting(),
                Signal::Logs => self.lines.waiting(),
                Signal::Metrics => 0,
            },
        };
        self.counts.iter().map(one).collect()
    }

    /// Sends what is queued, for a moment, and ends.
    pub(super) async fn finish(&self) {
        let _ = self.stop.send(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let until = Instant::now() + FINISH_WITHIN;
        for mut task in tasks {
            // One that waits for an answer is given up: what it had is lost, as it would be with the process.
            if timeout_at(until, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

/// What a task knows.
struct About {
    signal: Signal,
    counts: Arc<Counts>,
    post: Arc<Post>,
    resource: Arc<Vec<(String, String)>>,
    stop: watch::Receiver<bool>,
}

impl About {
    /// Empties a queue until the end.
    async fn run<T>(mut self, mut waiting: mpsc::Receiver<T>, write: fn(&T, &mut Message)) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut is_down = false;
        loop {
            let came = tokio::select! {
                came = waiting.recv_many(&mut batch, BATCH) => came,
                _ = told(&mut self.stop) => 0,
            };
            if came == 0 {
                let all = self.rest(&mut waiting, &mut batch, write, &mut is_down);
                let _ = timeout(FINISH_WITHIN, all).await;
                return;
            }
            let until = Instant::now() + LINGER;
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                match timeout_at(until, waiting.recv_many(&mut batch, room)).await {
                    Ok(more) if more > 0 => {}
                    _ => break,
                }
            }
            self.send(&mut batch, write, &mut is_down).await;
        }
    }

    /// What is queued at the end.
    async fn rest<T>(
        &mut self,
        waiting: &mut mpsc::Receiver<T>,
        batch: &mut Vec<T>,
        write: fn(&T, &mut Message),
        is_down: &mut bool,
    ) {
        while let Ok(item) = waiting.try_recv() {
            batch.push(item);
            if batch.len() == BATCH {
                self.send(batch, write, is_down).await;
            }
        }
        self.send(batch, write, is_down).await;
    }

    /// Sends a batch, or drops it in the end.
    async fn send<T>(&mut self, batch: &mut Vec<T>, write: fn(&T, &mut Message), is_down: &mut bool) {
        if batch.is_empty() {
            return;
        }
        let body = Bytes::from(wire::request(&self.resource, SCHEMA, |scope| {
            batch.iter().for_each(|item| {
                scope.message(2, |out| write(item, out));
            });
        }));
        let came = self.deliver(&body).await;
        self.book(batch.len(), came, is_down);
        batch.clear();
    }

    /// Tries until it is taken, refused for good, or was tried often enough; at the end once.
    async fn deliver(&mut self, body: &Bytes) -> Result<(), String> {
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let failed = match self.post.send(self.signal, body.clone()).await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let (why, wish) = match failed {
                Failed::ForGood(why) => return Err(why),
                Failed::ForNow(why, wish) => (why, wish),
            };
            if tries == TRIES || *self.stop.borrow() {
                return Err(why);
            }
            let _ = timeout(wish.unwrap_or(pause).min(Duration::from_secs(30)), told(&mut self.stop)).await;
            (tries, pause) = (tries + 1, pause * 2);
        }
    }

    fn book(&self, items: usize, came: Result<(), String>, is_down: &mut bool) {
        let count = if came.is_ok() { &self.counts.sent } else { &self.counts.dropped };
        count.fetch_add(items as u64, Ordering::Relaxed);
        let signal = self.signal.name().to_owned();
        match came {
            Ok(()) if std::mem::replace(is_down, false) => CollectorBack { signal }.tell(),
            Err(why) if !std::mem::replace(is_down, true) => {
                CollectorDown { signal, why }.tell();
            }
            _ => {}
        }
    }

    /// Sends the metrics again and again.
    async fn repeat(
        mut self,
        instruments: Arc<Instruments>,
        bridge: Bridge,
        clock: Arc<dyn Clock>,
        interval: Duration,
    ) {
        let mut is_down = false;
        loop {
            let over = timeout(interval, told(&mut self.stop)).await.is_ok();
            // At the end the node is gone; what it counted is in its ledger, and in the first request after the next start.
            let registry = if over { None } else { bridge.ask().await };
            let body = wire::request(&self.resource, SCHEMA, |scope| {
                instruments.write(scope, clock.now());
                registry.iter().for_each(|registry| scope.append(registry));
            });
            let sending = self.post.send(self.signal, Bytes::from(body));
            let came = timeout(if over { FINISH_WITHIN } else { interval.max(FINISH_WITHIN) }, sending).await;
            let came = came.unwrap_or_else(|_| Err(Failed::ForNow("no answer in time".to_owned(), None)));
            self.book(1, came.map_err(Failed::words), &mut is_down);
            if over {
                return;
            }
        }
    }
}

/// Completes at the end.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopping| *stopping).await;
}
