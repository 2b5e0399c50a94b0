//! What the rest of the process holds of a running subscription, and the task's end of it.
//!
//! A handle only sends; it owns no state. Dropping the last one stops the subscription at once,
//! as a crash would: nothing is lost, but what was at the handler goes out again after a restart.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use evenkeel_delivery::{Alarm, Command, Owed, RedrivePlan, RedrivesView, View, Why, WhyAsked};
use evenkeel_model::Position;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::happening::Control;
use crate::happenings::{Alarmed, Stopped};

/// Alarms that a slow listener may fall behind before it misses the oldest.
const ALARMS_KEPT: usize = 256;

/// A running subscription.
#[derive(Clone)]
pub struct SubscriptionHandle {
    name: Arc<str>,
    // Unbounded, since its senders are operators: a wish must neither block nor get lost.
    control: mpsc::UnboundedSender<Control>,
    told: Arc<Told>,
    task: Option<AbortHandle>,
}

/// How a drain ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Attempts that were still at the handler when the grace ended. Their events have no
    /// outcome: they go out again, with the same idempotency keys, after the next start.
    pub unfinished: usize,
    /// Why the subscription had stopped before, if it had.
    pub stopped: Option<String>,
}

impl SubscriptionHandle {
    /// The subscription's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns when the subscription has loaded its journal and the place where it begins is
    /// durable: no later event can be passed over. Also when it stopped; see
    /// [`SubscriptionHandle::is_stopped`].
    pub async fn begun(&self) {
        let _ = self.told.begun.subscribe().wait_for(|begun| *begun).await;
    }

    /// Passes an operator's wish on. Without effect once the subscription has ended.
    pub fn command(&self, command: Command) {
        let _ = self.control.send(Control::Command(command));
    }

    /// Says, whenever it is asked, how many events may be at its handler at that moment; 0 where nobody knows: before it
    /// began, and where several partitions have a limit each. It does not keep the subscription running.
    pub fn concurrency(&self) -> impl Fn() -> u32 + Send + Sync + 'static {
        let told = self.told.clone();
        move || told.concurrency.load(Ordering::Relaxed)
    }

    /// What an operator sees of it; `None` once it has ended.
    pub async fn view(&self) -> Option<View> {
        let (tell, told) = oneshot::channel();
        self.control.send(Control::View(tell)).ok()?;
        told.await.ok()
    }

    /// Events that it has read and that have no committed outcome, and whether each is parked; `None` once it has
    /// ended. What an audit asks for: it takes as long as there are many.
    pub async fn pending(&self) -> Option<Vec<(Position, bool)>> {
        let (tell, told) = oneshot::channel();
        self.control.send(Control::Pending(tell)).ok()?;
        told.await.ok()
    }

    /// What is owed to it of each partition, event by event; `None` once it has ended, or stopped.
    pub async fn owed(&self) -> Option<Vec<Owed>> {
        if self.is_stopped().is_some() {
            return None;
        }
        let (tell, told) = oneshot::channel();
        self.control.send(Control::Owed(tell)).ok()?;
        told.await.ok()
    }

    /// Starts a redrive. Refused while another one is not over, with that one's name; `None` once the
    /// subscription has ended.
    pub async fn redrive(&self, plan: RedrivePlan) -> Option<Result<(), Arc<str>>> {
        let (tell, told) = oneshot::channel();
        self.control.send(Control::Redrive { plan, told: tell }).ok()?;
        told.await.ok()
    }

    /// Its redrives, and which letters are dealt with; `None` once it has ended.
    pub async fn redrives(&self) -> Option<RedrivesView> {
        let (tell, told) = oneshot::channel();
        self.control.send(Control::Redrives(tell)).ok()?;
        told.await.ok()
    }

    /// What holds an event or a key up; `None` once the subscription has ended.
    pub async fn why(&self, asked: WhyAsked) -> Option<Why> {
        let (tell, told) = oneshot::channel();
        self.control.send(Control::Why { asked, told: tell }).ok()?;
        told.await.ok()
    }

    /// Stops reading and dispatching, lets what is at the handler finish within `grace`, commits
    /// what came of it, and ends the subscription.
    pub async fn drain(&self, grace: Duration) -> Drained {
        let (done, drained) = oneshot::channel();
        let ended = || Drained { unfinished: 0, stopped: self.is_stopped() };
        if self.control.send(Control::Drain { grace, done }).is_err() {
            return ended();
        }
        drained.await.unwrap_or_else(|_| ended())
    }

    /// Stops it at once, as if the process had died, and returns when its task is gone.
    pub async fn kill(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.control.closed().await;
    }

    /// What an operator should know, from now on.
    pub fn alarms(&self) -> broadcast::Receiver<Alarm> {
        self.told.alarms.subscribe()
    }

    /// Whether its task is gone: it was drained or killed.
    pub fn is_ended(&self) -> bool {
        self.control.is_closed()
    }

    /// Why it stopped by itself, if it did: its journal failed, or its state could not be read.
    /// A stopped subscription dispatches nothing until the process starts again.
    pub fn is_stopped(&self) -> Option<String> {
        self.told.stopped.get().cloned()
    }

    /// Tells the operator, as the subscription itself would.
    pub(super) fn alarm(&self, alarm: Alarm) {
        self.told.alarm(&self.name, alarm);
    }

    pub(super) fn with_task(mut self, task: AbortHandle) -> SubscriptionHandle {
        self.task = Some(task);
        self
    }
}

/// What the task tells everybody who holds a handle.
struct Told {
    concurrency: AtomicU32,
    stopped: OnceLock<String>,
    alarms: broadcast::Sender<Alarm>,
    begun: watch::Sender<bool>,
}

impl Told {
    fn alarm(&self, name: &str, alarm: Alarm) {
        let (code, what) = (alarm.code.to_string(), alarm.message.clone());
        Alarmed { subscription: name.to_owned(), code, what }.tell();
        // Nobody listening is no failure: the alarm stands in the log.
        let _ = self.alarms.send(alarm);
    }
}

/// The task's end of the handles.
pub(super) struct Reins {
    pub(super) name: Arc<str>,
    pub(super) control: mpsc::UnboundedReceiver<Control>,
    /// For those who may speak to the task without keeping it alive.
    pub(super) sender: mpsc::WeakUnboundedSender<Control>,
    told: Arc<Told>,
}

impl Reins {
    pub(super) fn stopped(&self) -> Option<&String> {
        self.told.stopped.get()
    }

    /// Says why the subscription stopped; the first reason counts.
    pub(super) fn stop(&self, why: String) {
        Stopped { subscription: self.name.to_string(), why: why.clone() }.tell();
        let _ = self.told.stopped.set(why);
        self.begin();
    }

    /// Says how many events may be at the handler.
    pub(super) fn limit(&self, concurrency: u32) {
        self.told.concurrency.store(concurrency, Ordering::Relaxed);
    }

    /// Tells those who wait for the beginning.
    pub(super) fn begin(&self) {
        self.told.begun.send_if_modified(|begun| !std::mem::replace(begun, true));
    }

    pub(super) fn alarm(&self, alarm: Alarm) {
        self.told.alarm(&self.name, alarm);
    }
}

impl Drop for Reins {
    fn drop(&mut self) {
        self.begin();
    }
}

pub(super) fn pair(name: Arc<str>) -> (SubscriptionHandle, Reins) {
    let (sender, control) = mpsc::unbounded_channel();
    let (alarms, _) = broadcast::channel(ALARMS_KEPT);
    let told = Arc::new(Told {
        concurrency: AtomicU32::new(0),
        stopped: OnceLock::new(),
        alarms,
        begun: watch::Sender::new(false),
    });
    let weak = sender.downgrade();
    let handle = SubscriptionHandle { name: name.clone(), control: sender, told: told.clone(), task: None };
    (handle, Reins { name, control, sender: weak, told })
}
