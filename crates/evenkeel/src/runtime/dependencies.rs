//! The dependencies of a node, each with one breaker for all the subscriptions that name it.
//!
//! Carries messages and decides nothing: what a subscription reports goes to the pure
//! [`Dependency`], and what that says goes to whom it concerns. Invariant: a member that ends,
//! however it ends, leaves, so that no leave to probe is lost with it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evenkeel_delivery::{
    BreakerMark, BreakerPolicy, BreakerView, Dependency, DependencyNews, DependencyReport, Force, HANDLER, Member,
};
use evenkeel_model::{Clock, Timestamp};
use tokio::sync::mpsc::WeakUnboundedSender;

use super::happening::Control;

/// All dependencies that subscriptions of this process share.
#[derive(Clone, Default)]
pub struct Dependencies {
    shared: Arc<Shared>,
    /// The handler that several parts of one subscription call: theirs alone.
    handler: Option<Arc<Shared>>,
}

#[derive(Default)]
struct Shared {
    all: Mutex<BTreeMap<Arc<str>, One>>,
    members: AtomicU64,
}

struct One {
    breaker: Dependency,
    members: BTreeMap<Member, Seat>,
}

/// Where a member is reached. Weak, since a breaker must not keep a subscription running.
struct Seat {
    subscription: Arc<str>,
    control: WeakUnboundedSender<Control>,
}

/// A dependency, as an operator sees it.
#[derive(Clone, Debug)]
pub struct DependencyView {
    /// Its breaker.
    pub breaker: BreakerView,
    /// The subscriptions that name it.
    pub subscriptions: Vec<Arc<str>>,
    /// Calls within the breaker's window.
    pub calls: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Those of them that took too long.
    pub slow: u32,
}

impl Dependencies {
    /// For the parts of one subscription: what they find out of their handler counts for all of them.
    pub(super) fn with_handler(&self) -> Dependencies {
        Dependencies { shared: self.shared.clone(), handler: Some(Arc::default()) }
    }

    pub(super) fn has_handler(&self) -> bool {
        self.handler.is_some()
    }

    /// All of them, by name.
    pub fn view(&self, now: Timestamp) -> Vec<DependencyView> {
        self.lock("").values().map(|one| one.view(now)).collect()
    }

    /// An operator's word; false when no subscription names that dependency.
    pub fn force(&self, now: Timestamp, name: &str, force: &Force) -> bool {
        let mut all = self.lock(name);
        let Some(one) = all.get_mut(name) else { return false };
        let mut out = Vec::new();
        one.breaker.force(now, force, &mut out);
        one.tell(name, out);
        true
    }

    /// A subscription names this dependency; the policy that is named last counts.
    pub(super) fn join(
        &self,
        (name, policy, mark): (Arc<str>, BreakerPolicy, BreakerMark),
        subscription: Arc<str>,
        control: WeakUnboundedSender<Control>,
        clock: Arc<dyn Clock>,
    ) -> Membership {
        let member = Member(self.shared.members.fetch_add(1, Ordering::Relaxed));
        let mut all = self.lock(&name);
        let one = all.entry(name.clone()).or_insert_with(|| One {
            breaker: Dependency::new(name.clone(), policy, clock.now().micros().unsigned_abs()),
            members: BTreeMap::new(),
        });
        one.breaker.set_policy(policy);
        one.members.insert(member, Seat { subscription, control });
        let mut out = Vec::new();
        one.breaker.join(member, Some(&mark), &mut out);
        one.tell(&name, out);
        Membership { dependencies: self.clone(), name, member, clock }
    }

    fn lock(&self, name: &str) -> MutexGuard<'_, BTreeMap<Arc<str>, One>> {
        let shared = self.handler.as_ref().filter(|_| name == HANDLER).unwrap_or(&self.shared);
        shared.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl One {
    fn tell(&self, name: &str, out: Vec<(Member, DependencyNews)>) {
        for (member, news) in out {
            let control = self.members.get(&member).and_then(|seat| seat.control.upgrade());
            if let Some(control) = control {
                // A subscription that has ended leaves by itself.
                let _ = control.send(Control::Dependency(Arc::from(name), news));
            }
        }
    }

    fn view(&self, now: Timestamp) -> DependencyView {
        let (breaker, (calls, failed, slow)) = self.breaker.view(now);
        let mut subscriptions: Vec<_> = self.members.values().map(|seat| seat.subscription.clone()).collect();
        subscriptions.sort();
        // One that is shared out has a seat for each of its partitions.
        subscriptions.dedup();
        DependencyView { breaker, subscriptions, calls, failed, slow }
    }
}

/// A subscription's part in a dependency; leaves when it is dropped.
pub(super) struct Membership {
    dependencies: Dependencies,
    pub(super) name: Arc<str>,
    member: Member,
    clock: Arc<dyn Clock>,
}

impl Membership {
    pub(super) fn report(&self, now: Timestamp, report: DependencyReport) {
        let mut all = self.dependencies.lock(&self.name);
        let Some(one) = all.get_mut(&self.name) else { return };
        let mut out = Vec::new();
        one.breaker.report(now, self.member, report, &mut out);
        one.tell(&self.name, out);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut all = self.dependencies.lock(&self.name);
        let Some(one) = all.get_mut(&self.name) else { return };
        one.members.remove(&self.member);
        let mut out = Vec::new();
        one.breaker.leave(self.clock.now(), self.member, &mut out);
        one.tell(&self.name, out);
        if one.members.is_empty() {
            all.remove(&self.name);
        }
    }
}
