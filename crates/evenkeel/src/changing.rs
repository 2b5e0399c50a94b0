//! Subscriptions that come, change and go while the others run.
//!
//! Invariants: where a new one begins is durable before it is said to run; one that changes goes on where it
//! was; one that goes owes nothing any more, keeps its past, and goes on where it was if it comes again; nobody
//! else notices.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::builder::{begun, journal, wire};
use crate::runtime::{self, Drained, Keeper};
use crate::{Evenkeel, StartError, Subscribe};

/// How long what is at the handler may still take when a subscription is given other settings.
const GRACE: Duration = Duration::from_secs(10);

impl Evenkeel {
    /// Begins a subscription while everything else runs; returns when the place where it begins is durable. Unless it
    /// says otherwise it begins with the events that are published from now on, or, if it was there before, where it
    /// was. One of the same name that runs is drained first, and goes on under these settings.
    ///
    /// It is not written down anywhere: at the next start it runs when it is declared, or begun again.
    pub async fn subscribe(&mut self, mut subscribe: Subscribe) -> Result<(), StartError> {
        let name = subscribe.name.clone();
        if let Some(running) = self.subscription(&name).cloned() {
            running.drain(GRACE).await;
            self.forget(&name);
        }
        let journal = journal(&self.log, &subscribe, &self.clock)?;
        let audited = crate::evenkeel::audited(&subscribe);
        let (spec, held) = wire(&self.log, &mut subscribe, journal, false, &self.clock).await?;
        self.seed = self.seed.wrapping_add(1);
        let handle = runtime::start_sharing(spec, self.clock.clone(), self.seed, self.dependencies.clone());
        begun(std::slice::from_ref(&handle)).await?;
        self.keepers.put(Keeper { handle: handle.clone(), held });
        self.running.push((handle, audited));
        Ok(())
    }

    /// Ends a subscription within `grace`: what its topics keep for it they keep no more. Its dead letters and its
    /// past stay. `None`: there is none of that name.
    pub async fn unsubscribe(&mut self, name: &str, grace: Duration) -> Option<Drained> {
        let running = self.subscription(name)?.clone();
        let drained = running.drain(grace).await;
        self.forget(name);
        self.log.release(name);
        Some(drained)
    }

    fn forget(&mut self, name: &str) {
        self.running.retain(|(handle, _)| &**handle.name() != name);
        self.keepers.remove(name);
    }
}

/// Who holds parked events aside; a clone is the same list.
#[derive(Clone)]
pub(crate) struct Keepers(Arc<Mutex<Vec<Keeper>>>);

impl Keepers {
    pub(crate) fn new(keepers: Vec<Keeper>) -> Keepers {
        Keepers(Arc::new(Mutex::new(keepers)))
    }

    /// All of them, as they are now.
    pub(crate) fn all(&self) -> Vec<Keeper> {
        self.list().clone()
    }

    fn put(&self, keeper: Keeper) {
        self.list().push(keeper);
    }

    fn remove(&self, name: &str) {
        self.list().retain(|keeper| &**keeper.handle.name() != name);
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Keeper>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
