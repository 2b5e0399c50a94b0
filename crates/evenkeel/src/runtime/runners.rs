//! Attempts under way: each is polled once by one of a few runners, and goes on in a task of its
//! own only if it has to wait.
//!
//! A handler that is done at once costs no task. Events that are handed out wait in one line for
//! the first runner that is free, and there are as many runners as the runtime has threads, so that
//! a handler that blocks its thread holds up nothing that a task of its own would not. While
//! handlers wait for something, every attempt gets its task at once.
//!
//! Invariants: what came back is given once; while an attempt is in the line a runner is awake;
//! dropping the runners ends every attempt.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::happening::Back;

/// An attempt, or several in one call.
type Attempt = Pin<Box<dyn Future<Output = Back> + Send>>;

/// Attempts that a runner polls before others on its thread get their turn.
const TURN: usize = 32;

pub(super) struct Runners {
    shared: Arc<Shared>,
    /// Attempts that were pushed and did not come back.
    out: usize,
}

struct Shared {
    line: Mutex<Line>,
    /// One permit for each runner that is woken.
    woken: Semaphore,
    back: Mutex<Vec<Back>>,
    came: Notify,
    /// The runners, and attempts that wait; gone when nobody wants them any more.
    tasks: Mutex<Option<JoinSet<()>>>,
    /// True while handlers are done at their first poll.
    quick: AtomicBool,
    /// Told when they no longer are.
    slowed: Notify,
}

#[derive(Default)]
struct Line {
    attempts: VecDeque<Attempt>,
    /// Runners that were started.
    started: usize,
    /// Those of them that sleep, and were not woken.
    idle: usize,
}

impl Runners {
    pub(super) fn new() -> Runners {
        let shared = Shared {
            line: Mutex::default(),
            woken: Semaphore::new(0),
            back: Mutex::default(),
            came: Notify::new(),
            tasks: Mutex::new(Some(JoinSet::new())),
            quick: AtomicBool::new(true),
            slowed: Notify::new(),
        };
        Runners { shared: Arc::new(shared), out: 0 }
    }

    /// Begins an attempt; those that wait in the line go when [`Runners::go`] is called.
    pub(super) fn push(&mut self, attempt: impl Future<Output = Back> + Send + 'static) {
        self.out += 1;
        if self.are_quick() {
            locked(&self.shared.line).attempts.push_back(Box::pin(attempt));
        } else {
            self.shared.wait_for(Box::pin(attempt), true);
        }
    }

    /// Wakes as many runners as there is something for; false when there is nothing. A runner never
    /// wakes another: that one could not run before the first is done with what it takes up next.
    pub(super) fn go(&mut self) -> bool {
        let mut line = locked(&self.shared.line);
        let waiting = line.attempts.len();
        let _ = (0..waiting).try_for_each(|_| self.shared.one_more(&mut line).then_some(()));
        waiting > 0
    }

    /// Completes when something came back that was not taken. Safe to be dropped.
    pub(super) async fn came(&self) {
        while locked(&self.shared.back).is_empty() {
            self.shared.came.notified().await;
        }
    }

    /// True while handlers are done at their first poll.
    pub(super) fn are_quick(&self) -> bool {
        self.shared.quick.load(Ordering::Relaxed)
    }

    /// Completes when handlers no longer are done at their first poll. Safe to be dropped.
    pub(super) async fn slowed(&self) {
        while self.are_quick() {
            self.shared.slowed.notified().await;
        }
    }

    /// What came back.
    pub(super) fn take(&mut self) -> Vec<Back> {
        let back = std::mem::take(&mut *locked(&self.shared.back));
        self.out -= back.len();
        back
    }

    /// True when every attempt came back, and was taken.
    pub(super) fn is_idle(&self) -> bool {
        self.out == 0
    }
}

impl Drop for Runners {
    fn drop(&mut self) {
        locked(&self.shared.line).attempts.clear();
        // A runner that is just at work finds none, and its attempt ends as well.
        drop(locked(&self.shared.tasks).take());
    }
}

impl Shared {
    /// One runner more is awake, if there is one more.
    fn one_more(self: &Arc<Shared>, line: &mut Line) -> bool {
        if line.idle > 0 {
            line.idle -= 1;
            self.woken.add_permits(1);
            return true;
        }
        let more = line.started < tokio::runtime::Handle::current().metrics().num_workers().max(1);
        if more {
            line.started += 1;
            self.begin(run(self.clone()));
        }
        more
    }

    /// The next attempt; without one the runner is to sleep.
    fn next(&self) -> Option<Attempt> {
        let mut line = locked(&self.line);
        let next = line.attempts.pop_front();
        line.idle += usize::from(next.is_none());
        next
    }

    fn came_back(&self, back: Back) {
        let mut all = locked(&self.back);
        all.push(back);
        if all.len() == 1 {
            self.came.notify_one();
        }
    }

    fn begin(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = &mut *locked(&self.tasks) {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// The attempt goes on in a task of its own.
    fn wait_for(self: &Arc<Shared>, attempt: Attempt, is_new: bool) {
        let shared = self.clone();
        self.begin(async move {
            let guard = Guard(&shared);
            let mut attempt = attempt;
            if is_new && let Poll::Ready(back) = once(&mut attempt).await {
                shared.quick.store(true, Ordering::Relaxed);
                return shared.came_back(back);
            }
            let back = attempt.await;
            drop(guard);
            shared.came_back(back);
        });
    }
}

/// Takes attempts out of the line for ever.
async fn run(shared: Arc<Shared>) {
    let _guard = Guard(&shared);
    for turn in 1_usize.. {
        match shared.next() {
            Some(mut attempt) => match once(&mut attempt).await {
                Poll::Ready(back) => shared.came_back(back),
                Poll::Pending => {
                    shared.quick.store(false, Ordering::Relaxed);
                    shared.slowed.notify_one();
                    shared.wait_for(attempt, false);
                    // It has to be polled there once before something here may take long.
                    tokio::task::yield_now().await;
                }
            },
            None => match shared.woken.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return,
            },
        }
        if turn.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
}

/// What one poll gives.
async fn once(attempt: &mut Attempt) -> Poll<Back> {
    std::future::poll_fn(|context| Poll::Ready(attempt.as_mut().poll(context))).await
}

/// Tells of a panic that was not the handler's: nobody would wait for it.
struct Guard<'a>(&'a Arc<Shared>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.came_back(Back::Broke("an attempt panicked outside of its handler".to_owned()));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
