//! The subscriptions that run now: one list, which everybody looks at and run-time changes alter.
//!
//! Who looks gets the list as it is at that moment, and may keep it. Changes one at a time are
//! the caller's business (`changing`). Invariant: no two wires of one name.

use std::sync::{Arc, PoisonError, RwLock};

use evenkeel::runtime::Keeper;

use super::Wire;

/// The list; a clone is the same list.
#[derive(Clone, Default)]
pub(crate) struct Wires(Arc<RwLock<Arc<[Wire]>>>);

impl Wires {
    pub(crate) fn new(wires: Vec<Wire>) -> Wires {
        Wires(Arc::new(RwLock::new(wires.into())))
    }

    /// All of them, as they are now.
    pub(crate) fn all(&self) -> Arc<[Wire]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one of that name.
    pub(crate) fn find(&self, name: &str) -> Option<Wire> {
        self.all().iter().find(|w| &*w.plan.name == name).cloned()
    }

    /// All of them, as those who hold parked events aside.
    pub(crate) fn keepers(&self) -> Vec<Keeper> {
        self.all().iter().map(|w| Keeper { handle: w.handle.clone(), held: w.held.clone() }).collect()
    }

    /// Adds one, in the place of one of the same name if there is any.
    pub(crate) fn put(&self, wire: Wire) {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = list.to_vec();
        match all.iter_mut().find(|w| w.plan.name == wire.plan.name) {
            Some(there) => *there = wire,
            None => all.push(wire),
        }
        *list = all.into();
    }

    /// Takes one off the list.
    pub(crate) fn remove(&self, name: &str) {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *list = list.iter().filter(|w| &*w.plan.name != name).cloned().collect();
    }
}
