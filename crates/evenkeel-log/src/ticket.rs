//! Futures by hand: what an append, a new topic and a wait for news hand back.
//!
//! They work under any executor and, by `wait`, in plain threads. A job that finds no room waits
//! in its future; dropped there, it is never written. Dropping a future whose job is handed over
//! takes nothing back. A future that finds the log idle writes when it is first polled; until then
//! its job may wait. A promise that is dropped unkept says `Stopped`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::handover::Refused;
use crate::pen::Pen;
use crate::queue::Job;
use crate::{AppendError, Appended, Topic, TopicError};

/// Completes when the set is on the medium, or will not be.
#[must_use = "a set is durable only when this has completed"]
pub struct Appending(Submitted<Result<Appended, AppendError>>);

impl Appending {
    pub(crate) fn ready(outcome: Result<Appended, AppendError>) -> Appending {
        Appending(Submitted { ticket: Ticket::ready(outcome), errand: None })
    }

    pub(crate) fn submit(pen: &Arc<Pen>, job: Job, ticket: Ticket<Result<Appended, AppendError>>) -> Appending {
        Appending(Submitted::new(pen, job, ticket))
    }

    /// Blocks this thread until the outcome is known.
    pub fn wait(mut self) -> Result<Appended, AppendError> {
        self.0.wait()
    }
}

impl Future for Appending {
    type Output = Result<Appended, AppendError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx, Caller::Future)
    }
}

/// Completes when the topic is on the medium, or will not be.
#[must_use = "a topic is there only when this has completed"]
pub struct Creating(Submitted<Result<Topic, TopicError>>);

impl Creating {
    pub(crate) fn submit(pen: &Arc<Pen>, job: Job, ticket: Ticket<Result<Topic, TopicError>>) -> Creating {
        Creating(Submitted::new(pen, job, ticket))
    }

    /// Blocks this thread until the outcome is known.
    pub fn wait(mut self) -> Result<Topic, TopicError> {
        self.0.wait()
    }
}

impl Future for Creating {
    type Output = Result<Topic, TopicError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx, Caller::Future)
    }
}

/// Completes with the producer's id when it is taken for good, or will not be.
#[must_use = "the id may be used only when this has completed"]
pub struct Naming(Submitted<Result<i64, AppendError>>);

impl Naming {
    pub(crate) fn submit(pen: &Arc<Pen>, job: Job, ticket: Ticket<Result<i64, AppendError>>) -> Naming {
        Naming(Submitted::new(pen, job, ticket))
    }

    /// Blocks this thread until the outcome is known.
    pub fn wait(mut self) -> Result<i64, AppendError> {
        self.0.wait()
    }
}

impl Future for Naming {
    type Output = Result<i64, AppendError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx, Caller::Future)
    }
}

/// Who wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A task, which must not hold its executor for long.
    Future,
    /// A thread that would only sleep meanwhile.
    Thread,
}

/// A job on its way.
struct Submitted<T> {
    ticket: Ticket<T>,
    /// What is left to do for it; `None` when it is in other hands.
    errand: Option<Errand>,
}

/// A job that is still here because there was no room, or that waits and nobody was told.
struct Errand {
    pen: Arc<Pen>,
    job: Option<Job>,
    seat: Option<u64>,
    /// True when the task let others go first.
    yielded: bool,
}

impl<T> Submitted<T> {
    fn new(pen: &Arc<Pen>, job: Job, ticket: Ticket<T>) -> Submitted<T> {
        let Err(job) = pen.join(job) else { return Submitted { ticket, errand: None } };
        let job = match pen.handover().offer(job) {
            Ok(()) if pen.is_busy() => {
                pen.handover().tell();
                return Submitted { ticket, errand: None };
            }
            Ok(()) => None,
            Err(Refused::Full(job)) => Some(job),
            Err(Refused::Closed(job, why)) => {
                job.refuse(pen.refusal(&why));
                return Submitted { ticket, errand: None };
            }
        };
        Submitted { ticket, errand: Some(Errand { pen: pen.clone(), job, seat: None, yielded: false }) }
    }

    fn poll(&mut self, cx: &mut Context<'_>, caller: Caller) -> Poll<T> {
        let Some(errand) = &mut self.errand else { return self.ticket.poll(cx) };
        if errand.job.is_none()
            && let Some(value) = self.ticket.take()
        {
            self.errand = None;
            return Poll::Ready(value);
        }
        if !errand.run(cx, caller) {
            return Poll::Pending;
        }
        self.errand = None;
        self.ticket.poll(cx)
    }

    fn wait(&mut self) -> T {
        block_on(|cx| self.poll(cx, Caller::Thread))
    }
}

impl Errand {
    /// True when the job is in other hands, or written.
    fn run(&mut self, cx: &mut Context<'_>, caller: Caller) -> bool {
        if let Some(job) = self.job.take() {
            match self.pen.handover().offer_or_sit(job, &mut self.seat, cx.waker()) {
                Ok(()) => {}
                Err(Refused::Full(job)) => {
                    self.job = Some(job);
                    self.pen.handover().tell();
                    return false;
                }
                Err(Refused::Closed(job, why)) => job.refuse(self.pen.refusal(&why)),
            }
        }
        if caller == Caller::Future && !self.yielded && self.pen.lets_others_first() {
            self.yielded = true;
            cx.waker().wake_by_ref();
            return false;
        }
        self.pen.write_or_tell(caller);
        true
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        match self.seat {
            Some(seat) => self.pen.handover().leave(seat),
            None => self.pen.handover().tell(),
        }
    }
}

/// Completes with the newest version when a group beyond the one asked about is durable, or when
/// the log has stopped.
#[must_use = "futures do nothing unless polled"]
pub struct Beyond {
    pub(crate) news: Arc<News>,
    pub(crate) version: u64,
    pub(crate) place: Option<u64>,
}

impl Beyond {
    /// Blocks this thread until there is news.
    pub fn wait(mut self) -> u64 {
        block_on(|cx| Pin::new(&mut self).poll(cx))
    }
}

impl Future for Beyond {
    type Output = u64;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let this = &mut *self;
        this.news.poll(this.version, &mut this.place, cx)
    }
}

impl Drop for Beyond {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            held(&self.news.0).waiting.remove(&place);
        }
    }
}

/// The newest version, and who waits for a newer one.
#[derive(Default)]
pub(crate) struct News(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    version: u64,
    ended: bool,
    next: u64,
    waiting: std::collections::BTreeMap<u64, Waker>,
}

impl News {
    pub(crate) fn version(&self) -> u64 {
        held(&self.0).version
    }

    /// A newer group is durable.
    pub(crate) fn advance(&self, version: u64) {
        let mut watched = held(&self.0);
        if version > watched.version {
            watched.version = version;
            wake_all(watched);
        }
    }

    /// There will be none any more.
    pub(crate) fn end(&self) {
        let mut watched = held(&self.0);
        watched.ended = true;
        wake_all(watched);
    }

    fn poll(&self, beyond: u64, place: &mut Option<u64>, cx: &mut Context<'_>) -> Poll<u64> {
        let mut watched = held(&self.0);
        if watched.version > beyond || watched.ended {
            if let Some(at) = place.take() {
                watched.waiting.remove(&at);
            }
            return Poll::Ready(watched.version);
        }
        let at = *place.get_or_insert(watched.next);
        watched.next = watched.next.max(at + 1);
        watched.waiting.insert(at, cx.waker().clone());
        Poll::Pending
    }
}

fn wake_all(mut watched: MutexGuard<'_, Watched>) {
    let waiting = std::mem::take(&mut watched.waiting);
    drop(watched);
    for waker in waiting.into_values() {
        waker.wake();
    }
}

/// The reading half of a promise.
pub(crate) struct Ticket<T>(Arc<Mutex<Slot<T>>>);

/// The writing half; kept once.
pub(crate) struct Promise<T: Broken> {
    slot: Arc<Mutex<Slot<T>>>,
    kept: bool,
}

/// What a promise says that nobody kept.
pub(crate) trait Broken {
    fn broken() -> Self;
}

impl<T> Broken for Result<T, AppendError> {
    fn broken() -> Self {
        Err(AppendError::Stopped { why: "its writer ended".to_owned() })
    }
}

impl<T> Broken for Result<T, TopicError> {
    fn broken() -> Self {
        Err(TopicError::Append(AppendError::Stopped { why: "its writer ended".to_owned() }))
    }
}

struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

pub(crate) fn promise<T: Broken>() -> (Promise<T>, Ticket<T>) {
    let slot = Arc::new(Mutex::new(Slot { value: None, waker: None }));
    (Promise { slot: slot.clone(), kept: false }, Ticket(slot))
}

impl<T> Ticket<T> {
    /// A ticket whose outcome is known.
    pub(crate) fn ready(value: T) -> Ticket<T> {
        Ticket(Arc::new(Mutex::new(Slot { value: Some(value), waker: None })))
    }

    /// The outcome, if it is known.
    fn take(&mut self) -> Option<T> {
        held(&self.0).value.take()
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = held(&self.0);
        match slot.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T: Broken> Promise<T> {
    pub(crate) fn keep(mut self, value: T) {
        self.settle(value);
    }

    fn settle(&mut self, value: T) {
        self.kept = true;
        let waker = {
            let mut slot = held(&self.slot);
            slot.value = Some(value);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Broken> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.kept {
            self.settle(T::broken());
        }
    }
}

/// Locks; a lock that another thread's panic left behind still guards plain data.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static UNPARK: Waker = Waker::from(Arc::new(Unpark(std::thread::current())));
}

fn block_on<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let fresh = |_| Waker::from(Arc::new(Unpark(std::thread::current())));
    let waker = UNPARK.try_with(Waker::clone).unwrap_or_else(fresh);
    let mut cx = Context::from_waker(&waker);
    loop {
        match poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
