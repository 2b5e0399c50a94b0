//! How long the next round waits for handlers that are about to answer.
//!
//! An attempt in the process is on record before it begins. A round that went as soon as the one
//! before it is durable would say what begins next and no outcome: every second commit for nothing.
//! So the next round waits for those who were just handed their events, if handlers are done at
//! once: until nothing is out, one of them has to wait for something, or a time has passed like that
//! of the commit before it. Where handlers are elsewhere it waits for a millisecond, in which others
//! answer too. What arrives meanwhile goes along.
//!
//! Invariant: a round waits at most [`LONGEST`], once.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// The timer counts in milliseconds.
const SHORTEST: Duration = Duration::from_millis(1);
/// However slow the medium is.
const LONGEST: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(super) struct Patience {
    /// When the commit under way began.
    since: Option<Instant>,
    nap: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn commit_begins(&mut self) {
        self.since = Some(Instant::now());
    }

    /// The commit is over, and the next round waits; `here`: for handlers in this process.
    pub(super) fn begin(&mut self, here: bool) {
        let took = self.since.take().map_or(SHORTEST, |since| since.elapsed());
        let longest = if here { LONGEST } else { SHORTEST };
        self.nap = Some(Box::pin(tokio::time::sleep(took.clamp(SHORTEST, longest))));
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.nap.is_some()
    }

    /// The next round waits no longer.
    pub(super) fn end(&mut self) {
        self.nap = None;
    }

    /// Completes when the round waited long enough; never, while none waits. Safe to be dropped.
    pub(super) async fn over(&mut self) {
        match &mut self.nap {
            Some(nap) => nap.as_mut().await,
            None => std::future::pending().await,
        }
    }
}
