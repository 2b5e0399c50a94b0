//! What the core asks for is done here: attempts, commits, reads, the timer.

use std::task::Poll;
use std::time::Duration;

use evenkeel_delivery::{Action, Dispatch, Round};

use super::Owner;
use crate::runtime::attempt::Attempt;
use crate::runtime::committing;
use crate::runtime::happening::Happening;
use crate::runtime::reading;

impl Owner {
    /// Does what the core asked for since the last time.
    pub(super) fn act(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        for action in actions.drain(..) {
            if self.reins.stopped().is_some() {
                break;
            }
            match action {
                Action::Dispatch(dispatch) => self.dispatch(dispatch),
                Action::Commit(round) => self.commit(round),
                Action::Wake(at) => self.timer.want(at),
                Action::Alarm(alarm) => self.reins.alarm(alarm),
            }
        }
        // Kept for its room: this runs for every happening.
        self.actions = actions;
        self.actions.clear();
    }

    /// Starts a read, if there is credit and somebody to ask.
    pub(super) fn read_on(&mut self) {
        if self.draining.is_some() || self.reins.stopped().is_some() {
            return;
        }
        let Some(asks) = self.reading.plan(self.core.credit()) else { return };
        let source = self.source.clone();
        let after = self.read_after;
        self.work.spawn(async move {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            Happening::Fetched(reading::fetch(source, asks).await)
        });
    }

    /// Asks the source for its partitions again.
    pub(super) fn look_for_shards(&mut self, after: Duration) {
        let source = self.source.clone();
        self.work.spawn(async move {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            Happening::Shards(source.shards().await)
        });
    }

    /// Listens for the next change of the source, before anything more is read: a change that
    /// comes after the read must not be missed.
    pub(super) async fn watch(&mut self) {
        let source = self.source.clone();
        self.changed = Box::pin(async move { source.changed().await });
        let changed = &mut self.changed;
        let at_once = std::future::poll_fn(|context| Poll::Ready(changed.as_mut().poll(context))).await;
        if let Poll::Ready(news) = at_once {
            // It was polled to its end, and must not be polled again.
            self.changed = Box::pin(std::future::ready(news));
        }
    }

    fn dispatch(&mut self, dispatch: Dispatch) {
        let attempt = Attempt {
            payload: self.payloads.get(&dispatch.at),
            dispatch,
            attempts_max: self.attempts_max,
            fence: self.fence,
            source: self.source.clone(),
            handler: self.handler.clone(),
            clock: self.clock.clone(),
        };
        self.attempts.spawn(attempt.run());
    }

    fn commit(&mut self, round: Round) {
        let prepared = committing::prepare(round, &mut self.payloads, &mut self.emitted);
        let (source, journal) = (self.source.clone(), self.journal.clone());
        self.committing = true;
        self.work.spawn(async move { Happening::Committed(committing::commit(prepared, source, journal).await) });
    }
}
