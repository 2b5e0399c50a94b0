//! What the core asks for is done here: attempts, commits, reads, the timer.

use std::task::Poll;
use std::time::Duration;

use evenkeel_delivery::{Action, Bring, DependencyReport, Dispatch, Input, Round};
use evenkeel_model::Timestamp;

use super::Owner;
use crate::runtime::attempt;
use crate::runtime::batch;
use crate::runtime::committing;
use crate::runtime::happening::{Back, Happening};
use crate::runtime::{reading, redriving};

/// While the handler has enough to do, no fewer events than these are worth a read.
const READ_LEAST: usize = 512;

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
                Action::Dependency { name, report } => self.report(&name, report),
                Action::Alarm(alarm) => self.reins.alarm(alarm),
                Action::Bring(wanted) => self.bring(wanted),
            }
        }
        self.send_off();
        self.begun |= self.runners.go();
        // Kept for its room: this runs for every happening.
        self.actions = actions;
        self.actions.clear();
    }

    /// The next round waits no longer if there is nothing to wait for.
    pub(super) fn seal_on(&mut self, now: Timestamp) {
        let in_vain = self.out == 0 || self.here && !self.runners.are_quick() || self.draining.is_some();
        if self.patience.is_waiting() && in_vain {
            self.seal(now);
            self.act();
        }
    }

    /// What was gathered goes out.
    pub(super) fn seal(&mut self, now: Timestamp) {
        self.patience.end();
        self.core.hold_rounds(false);
        self.step(now, Input::Timer);
    }

    fn report(&self, name: &str, report: DependencyReport) {
        if let Some(membership) = self.memberships.iter().find(|m| &*m.name == name) {
            membership.report(self.clock.now(), report);
        }
    }

    /// Starts a read, if there is credit and somebody to ask.
    pub(super) fn read_on(&mut self) {
        if self.draining.is_some() || self.reins.stopped().is_some() {
            return;
        }
        self.reins.limit(self.core.concurrency());
        let credit = self.core.credit();
        if credit < READ_LEAST && !self.core.is_hungry() {
            return;
        }
        let wanted = |shard: &_, next| self.core.reads_from(shard, next);
        let Some(asks) = self.reading.plan(credit, wanted) else { return };
        let (source, journal) = (self.source.clone(), self.journal.clone());
        let (after, fetched) = (self.read_after, self.fetched.0.clone());
        self.begun = true;
        self.work.spawn(async move {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            Happening::ReadOver(reading::fetch(source, journal, asks, fetched).await)
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
        if let Some(letter) = dispatch.letter.clone() {
            self.letters.insert(dispatch.at.clone(), letter);
        }
        self.out += 1;
        if !self.gathering.is_needless() && !dispatch.fallback {
            return self.gathering.push(self.clock.now(), dispatch);
        }
        match self.payloads.get(&dispatch.at) {
            Some(delivered) if !dispatch.fallback => {
                let call = self.ground.call(&dispatch, delivered);
                self.runners.push(attempt::at_hand(self.ground.clone(), dispatch.attempt, call));
            }
            payload => {
                let attempt = attempt::run(self.ground.clone(), dispatch, payload);
                self.runners.push(async move { Back::One(attempt.await) });
            }
        }
    }

    /// What was gathered goes to the handler, if it is enough or waited long enough.
    fn send_off(&mut self) {
        if self.gathering.is_empty() || self.reins.stopped().is_some() {
            return;
        }
        let now = self.clock.now();
        while let Some(together) = self.gathering.take(now, self.draining.is_some()) {
            let parts = together.into_iter().map(|dispatch| {
                let payload = self.payloads.get(&dispatch.at);
                (dispatch, payload)
            });
            let call = batch::run(self.ground.clone(), parts.collect());
            self.runners.push(async move { Back::Many(call.await) });
        }
        if let Some(due) = self.gathering.due() {
            self.lingering.want(due);
        }
    }

    fn bring(&mut self, wanted: Bring) {
        let (source, journal) = (self.source.clone(), self.journal.clone());
        self.work.spawn(async move { Happening::Brought(redriving::bring(wanted, source, journal).await) });
    }

    fn commit(&mut self, round: Round) {
        let prepared = committing::prepare(round, &mut self.payloads, &mut self.emitted, &mut self.letters);
        let (source, journal) = (self.source.clone(), self.journal.clone());
        (self.committing, self.begun) = (true, true);
        self.patience.commit_begins();
        self.work.spawn(async move { Happening::Committed(committing::commit(prepared, source, journal).await) });
    }
}
