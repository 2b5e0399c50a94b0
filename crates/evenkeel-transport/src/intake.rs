//! The way in for messages of a broker without lasting offsets: each is given a place in a topic
//! of the log, and the broker keeps it until its outcome is journaled.
//!
//! So everything behind it (order, parking, inbox, audit, story, replay) is the embedded log's, and
//! a node that loses its disk loses nothing that had no outcome: the broker gives it again. What it
//! does: takes within `prefetch`, places, renews, settles, gives back. What it does not: decide
//! anything about events, connect (that is the adapter's, behind [`Queue`]), or spawn: whoever
//! wires it drives [`Intake::run`].
//!
//! Invariants: a message is settled only when its place is durable, and when every subscription
//! that reads the topic journaled an outcome or that it waits (or the broker would throw it away);
//! places follow the order in which the broker gave; a message that is given again gets no second
//! place, as far as it can be known again (`book`).

mod queue;
mod late;
mod given;
mod bound;
mod book;
mod placing;
mod reader;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_delivery::ports::{Journal, PortError, Source};
use evenkeel_log::Log;
use evenkeel_model::{Clock, Shard, names};
use tokio::sync::{Notify, watch};

use crate::happenings::IntakeStands;
use crate::pages::{Pages, unreadable};
use book::Book;
use bound::Bound;
use placing::{Placer, name_of_stored};

pub use bound::Limit;
pub(crate) use given::given_before;
pub use given::note_given;
pub use late::LateQueue;
pub use queue::{Queue, Taken, Terms, Ticket};

/// After an error the broker is asked again after this, then after twice as long, to thirty times.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_DOUBLINGS: u32 = 8;
/// What is lent is looked through for what must be renewed so often in a lease: what is due at half
/// of it is renewed with a third of it to spare.
const LOOKS_PER_LEASE: u32 = 8;
/// And at least this often.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(1);
const LOOK_EVERY_MIN: Duration = Duration::from_millis(50);

/// How an intake takes.
#[derive(Clone, Debug)]
pub struct IntakeSettings {
    /// The topic whose places the messages get; it exists.
    pub topic: Arc<str>,
    /// So many messages are held at most, without an outcome; 1,000 by default. Fewer, while subscriptions can take
    /// fewer ([`Intake::follow`]).
    pub prefetch: usize,
    /// So many messages are taken at a time at most; 256 by default.
    pub batch: usize,
    /// The names of so many messages are remembered, so that one that is given again is known.
    pub remember: usize,
}

impl IntakeSettings {
    /// The defaults.
    pub fn new(topic: impl Into<Arc<str>>) -> IntakeSettings {
        IntakeSettings { topic: topic.into(), prefetch: 1000, batch: 256, remember: 1 << 16 }
    }
}

/// How an intake is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntakeView {
    /// Messages that the broker lends us.
    pub held: usize,
    /// How many these may be now.
    pub held_max: usize,
    /// Messages that the broker gave, since the start.
    pub received: u64,
    /// Messages that got a place, since the start.
    pub placed: u64,
    /// Messages that came again, since the start.
    pub again: u64,
    /// Messages that the broker was told are done with, since the start.
    pub settled: u64,
    /// So often the broker was told that a message is still worked on, since the start.
    pub renewed: u64,
    /// Messages that are too large for the log, and stay where they are.
    pub oversized: u64,
    /// True when the broker answered the last time that it was asked.
    pub connected: bool,
    /// Why nothing is taken now, if so.
    pub problem: Option<String>,
}

/// One queue's way in.
pub struct Intake {
    log: Log,
    clock: Arc<dyn Clock>,
    queue: Arc<dyn Queue>,
    settings: IntakeSettings,
    bound: Bound,
    book: Mutex<Book>,
    view: Mutex<IntakeView>,
    /// Something may be settled, or there may be room again.
    freed: Notify,
    room: Notify,
    draining: AtomicBool,
    /// True when receiving has come to its end.
    over: watch::Sender<bool>,
    /// One settles at a time.
    turn: tokio::sync::Mutex<()>,
    finished: Notify,
}

impl Intake {
    /// Opens the way in, with the names of the newest messages, read from the topic.
    pub fn open(
        log: Log,
        queue: Arc<dyn Queue>,
        settings: IntakeSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Intake>, PortError> {
        let mut book = Book::new(queue.terms(), settings.remember);
        read_names(&log, &settings, &mut book)?;
        Ok(Arc::new(Intake {
            log,
            clock,
            queue,
            settings,
            bound: Bound::default(),
            book: Mutex::new(book),
            view: Mutex::default(),
            freed: Notify::new(),
            room: Notify::new(),
            draining: AtomicBool::new(false),
            over: watch::Sender::new(false),
            turn: tokio::sync::Mutex::new(()),
            finished: Notify::new(),
        }))
    }

    /// A subscription's source and journal, so that the broker hears of its outcomes. To be called
    /// for every subscription that reads the topic, before [`Intake::run`] where it is there then.
    /// One of the same name takes the place of the one before.
    pub fn reader(
        self: &Arc<Intake>,
        subscription: &str,
        source: Arc<dyn Source>,
        journal: Arc<dyn Journal>,
    ) -> (Arc<dyn Source>, Arc<dyn Journal>) {
        self.book().add_reader(subscription);
        reader::pair(self.clone(), Arc::from(subscription), source, journal)
    }

    /// No more is held than a subscription that reads the topic can soon do something with: a few times what may be at
    /// its handler. Of several the one that can take most counts.
    pub fn follow(&self, subscription: &str, limit: Limit) {
        self.bound.follow(subscription, limit);
    }

    /// A subscription is gone: what only it owed is settled.
    pub fn forget(&self, subscription: &str) {
        self.bound.forget(subscription);
        self.book().remove_reader(subscription);
        self.freed.notify_one();
    }

    /// How it is.
    pub fn view(&self) -> IntakeView {
        let (held, held_max) = (self.book().held(), self.bound.now(self.settings.prefetch));
        IntakeView { held, held_max, ..self.seen().clone() }
    }

    /// Takes, renews and settles until it is finished, or until the log has stopped.
    pub async fn run(&self) {
        let receiving = async {
            let stopped = self.receiving().await.is_err();
            self.over.send_replace(true);
            if !stopped {
                self.finished.notified().await;
            }
        };
        let work = async {
            tokio::join!(self.settling(), self.renewing());
        };
        tokio::select! {
            () = receiving => {}
            () = work => {}
        }
    }

    /// Takes no more. To be followed, when the subscriptions have drained, by [`Intake::finish`].
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.room.notify_one();
    }

    /// Settles what has its outcome, and gives back the rest. After [`Intake::drain`].
    pub async fn finish(&self) {
        // The broker may have been asked just before: what it gives is waited for.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
        self.settle_once().await;
        let rest = self.book().give_back();
        // Also when nothing is left: the broker is to lend us nothing any more.
        self.queue.give_back(rest).await;
        self.finished.notify_one();
    }

    /// An error says that the log takes nothing any more.
    async fn receiving(&self) -> Result<(), PortError> {
        let mut failures = 0;
        let mut placer = Placer::new(self.log.clone(), self.settings.topic.clone());
        while !self.draining.load(Ordering::SeqCst) {
            let room = self.bound.now(self.settings.prefetch).saturating_sub(self.book().held());
            if room == 0 {
                self.room.notified().await;
                continue;
            }
            match self.queue.receive(room.min(self.settings.batch)).await {
                Ok(messages) => {
                    failures = 0;
                    self.book().lend_by(self.queue.terms());
                    self.answered(messages.len());
                    self.place(&mut placer, messages).await.inspect_err(|stopped| self.trouble(stopped))?;
                }
                Err(problem) => {
                    self.trouble(&problem);
                    self.book().lost();
                    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(failures)).await;
                    failures = (failures + 1).min(PAUSE_DOUBLINGS);
                }
            }
        }
        Ok(())
    }

    fn answered(&self, messages: usize) {
        let mut view = self.seen();
        (view.connected, view.problem) = (true, None);
        view.received += messages as u64;
    }

    fn trouble(&self, problem: &PortError) {
        let mut view = self.seen();
        view.connected = false;
        if view.problem.as_ref() != Some(&problem.0) {
            IntakeStands { topic: self.settings.topic.to_string(), problem: problem.to_string() }.tell();
            view.problem = Some(problem.0.clone());
        }
    }

    /// Places what is new, and enters what came again where it lies.
    async fn place(&self, placer: &mut Placer, messages: Vec<Taken>) -> Result<(), PortError> {
        let now = self.clock.now();
        let new = self.book().sort_all(messages, now);
        let again = new.known;
        let placed = placer.place(new.messages, now).await?;
        let mut book = self.book();
        for (place, name, taken) in &placed.places {
            // Lent since it came: a slow device takes its time from the lease.
            book.placed(*place, name.clone(), taken, now);
        }
        let settles = book.has_settled();
        drop(book);
        let mut view = self.seen();
        view.placed += placed.places.len() as u64;
        view.again += again;
        view.oversized += placed.oversized;
        drop(view);
        if settles {
            self.freed.notify_one();
        }
        Ok(())
    }

    async fn settling(&self) {
        loop {
            self.freed.notified().await;
            self.settle_once().await;
        }
    }

    async fn settle_once(&self) {
        let _turn = self.turn.lock().await;
        let tickets = self.book().take_settled();
        if tickets.is_empty() {
            return;
        }
        let count = tickets.len();
        let again = self.queue.settle(tickets).await;
        self.seen().settled += (count - again.len()) as u64;
        // Those that failed go with the next look.
        self.book().settle_again(again);
        self.room.notify_one();
    }

    async fn renewing(&self) {
        loop {
            tokio::time::sleep(look_every(self.queue.terms().lease)).await;
            let (due, settles) = {
                let mut book = self.book();
                (book.due(self.clock.now()), book.has_settled())
            };
            if settles {
                self.freed.notify_one();
            }
            // A limit may have grown, and nobody says so.
            self.room.notify_one();
            if !due.is_empty() {
                let count = due.len() as u64;
                self.queue.renew(due).await;
                self.seen().renewed += count;
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, IntakeView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look_every(lease: Option<Duration>) -> Duration {
    let wished = lease.map_or(LOOK_EVERY_MAX, |lease| lease / LOOKS_PER_LEASE);
    wished.clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX)
}

/// The names of the newest messages of a topic.
fn read_names(log: &Log, settings: &IntakeSettings, book: &mut Book) -> Result<(), PortError> {
    let missing = || PortError(format!("topic `{}` does not exist", settings.topic));
    let partitions = log.topic(&settings.topic).ok_or_else(missing)?.partitions;
    for partition in 0..partitions {
        let shard = Shard::new(settings.topic.clone(), partition);
        let ends = log.ends(&shard).map_err(|e| unreadable(&shard, &e))?;
        let share = settings.remember as u64 / u64::from(partitions.max(1));
        let from = ends.high_watermark.saturating_sub(share).max(ends.start);
        Pages::new(log, shard, from, ends.high_watermark).each(|stored| {
            if stored.record.header(names::INTAKE).is_some() {
                book.know((partition, stored.at.offset), name_of_stored(&stored.record));
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
