//! What each happening means: it is noted, and the core is told.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{Answer, News, PortError};
use evenkeel_delivery::{Alarm, Command, Effects, Input, RedriveCommand, RedrivePlan};
use evenkeel_model::{Shard, Timestamp, Verdict};
use tokio::sync::oneshot;

use super::Owner;
use crate::runtime::draining::{Draining, Phase};
use crate::runtime::happening::{Back, Batch, Brought, Came, Committed, Control, Finished, Happening, ReadOver};
use crate::runtime::runners::Runners;

/// Between two times that the source is told what is no longer owed.
const SETTLE_EVERY: Duration = Duration::from_millis(250);
/// After this long a partition that could not be read is tried again.
const REREAD_AFTER: Duration = Duration::from_secs(1);

impl Owner {
    pub(super) fn take(&mut self, now: Timestamp, happening: Happening) {
        match happening {
            Happening::Finished => self.take_finished(now),
            Happening::Fetched(batch) => self.take_fetched(now, batch),
            Happening::ReadOver(over) => self.take_read_over(now, over),
            Happening::Committed(committed) => self.take_committed(now, committed),
            Happening::PatienceOver => self.seal(now),
            Happening::Brought(brought) => self.take_brought(now, brought),
            Happening::Timer => self.step(now, Input::Timer),
            Happening::SettlingDue => self.source.settle(&self.core.floors()),
            Happening::Changed(news) => self.take_news(news),
            Happening::Shards(shards) => self.take_shards(now, shards),
            Happening::Control(control) => self.take_control(now, control),
            // What is due goes with the next deed.
            Happening::LingerOver | Happening::Abandoned => {}
            Happening::GraceOver => self.take_grace_over(),
            Happening::Broke(why) => self.stop(why),
        }
    }

    pub(super) fn step(&mut self, now: Timestamp, input: Input) {
        self.core.step(now, input, &mut self.actions);
    }

    /// Nothing is dispatched, read or committed from here on.
    pub(super) fn stop(&mut self, why: String) {
        self.reins.stop(why);
        self.actions.clear();
        self.gathering.clear();
    }

    fn take_finished(&mut self, now: Timestamp) {
        let mut inputs = std::mem::take(&mut self.inputs);
        for back in self.runners.take() {
            match back {
                Back::One(finished) => inputs.push(self.finish(finished)),
                Back::Many(all) => inputs.extend(all.into_iter().map(|finished| self.finish(finished))),
                Back::Broke(why) => return self.stop(why),
            }
        }
        self.core.step_all(now, inputs.drain(..), &mut self.actions);
        self.inputs = inputs;
    }

    fn finish(&mut self, finished: Finished) -> Input {
        self.out = self.out.saturating_sub(1);
        let Finished { attempt, came, took, alarm } = finished;
        alarm.into_iter().for_each(|alarm| self.reins.alarm(alarm));
        let answer = match came {
            Came::Answered(answer) => answer,
            Came::Gone(why) => return Input::Gone { attempt, why },
        };
        let Answer { verdict, emitted, handler_version } = answer;
        let kept = verdict == Verdict::Ack && !emitted.is_empty() && self.keeps_effects();
        let count = if kept { u32::try_from(emitted.len()).unwrap_or(u32::MAX) } else { 0 };
        if kept {
            self.emitted.insert(attempt, emitted);
        }
        Input::Finished { attempt, verdict, emitted: count, handler_version, took }
    }

    fn keeps_effects(&self) -> bool {
        if self.effects != Effects::Log {
            self.reins.alarm(Alarm {
                code: "effects_ignored",
                message: "the handler returned events, but the subscription's effects are not \
                          kept: name a topic for them"
                    .to_owned(),
            });
        }
        self.effects == Effects::Log
    }

    fn take_fetched(&mut self, now: Timestamp, batch: Batch) {
        self.reading.took(&batch);
        let arrivals = batch.arrivals();
        batch.events.into_iter().for_each(|event| self.payloads.insert(event));
        self.step(now, Input::Arrived(arrivals));
    }

    fn take_read_over(&mut self, now: Timestamp, over: ReadOver) {
        // All that it sent is there.
        while let Ok(batch) = self.fetched.1.try_recv() {
            self.take_fetched(now, batch);
        }
        self.reading.over(over.failed.as_ref().map(|(shard, _)| *shard));
        self.read_after = Duration::ZERO;
        if let Some((_, problem)) = over.failed {
            self.read_after = REREAD_AFTER;
            self.reins.alarm(Alarm { code: "read_failed", message: problem.to_string() });
        }
        self.forget_sealed(now);
        let freed = self.reading.freed();
        if !freed.is_empty() {
            // Where they begin is journaled, as at the start.
            self.step(now, Input::Started(freed));
        }
    }

    fn take_news(&mut self, news: News) {
        self.reading.wake();
        if news == News::Shards {
            self.look_for_shards(Duration::ZERO);
        }
    }

    /// Those that are new are read when the others were read up to now: keys may have moved.
    fn take_shards(&mut self, now: Timestamp, shards: Result<Vec<(Shard, u64)>, PortError>) {
        let shards = match shards {
            Ok(shards) => shards,
            Err(problem) => {
                self.reins.alarm(Alarm { code: "read_failed", message: problem.to_string() });
                return self.look_for_shards(REREAD_AFTER);
            }
        };
        let new: Vec<_> = shards.into_iter().filter(|(shard, _)| !self.reading.knows(shard)).collect();
        if !new.is_empty() {
            self.source.settle(&new);
            self.reading.hold(new, now);
        }
    }

    /// What the journal has sealed the core need not keep; but no event may be on its way that was
    /// looked up before it was sealed.
    fn forget_sealed(&mut self, now: Timestamp) {
        let round = self.journal.sealed();
        if round > self.sealed && !self.reading.is_under_way() {
            self.sealed = round;
            self.step(now, Input::Sealed { round });
        }
    }

    fn take_committed(&mut self, now: Timestamp, committed: Committed) {
        self.committing = false;
        committed.alarms.into_iter().for_each(|alarm| self.reins.alarm(alarm));
        if let Err(problem) = committed.result {
            return self.stop(format!("the journal failed: {problem}"));
        }
        self.reins.begin();
        if self.draining.is_none() && (!self.here || self.runners.are_quick()) {
            self.patience.begin(self.here);
            self.core.hold_rounds(true);
        }
        self.step(now, Input::Committed { round: committed.round });
        self.forget_sealed(now);
        if !self.settling.is_set() {
            self.settling.want(now + SETTLE_EVERY);
        }
    }

    fn take_brought(&mut self, now: Timestamp, brought: Brought) {
        let Brought { letters, over, problem } = brought;
        let mut told = Vec::with_capacity(letters.len());
        for (letter, delivered) in letters {
            // The core may pass a letter over: then its bytes make room like those of any old event.
            if let Some(delivered) = delivered {
                self.payloads.insert(delivered);
            }
            told.push(letter);
        }
        self.step(now, Input::Brought { letters: told, over, problem });
    }

    fn take_redrive(&mut self, now: Timestamp, plan: RedrivePlan, told: oneshot::Sender<Result<(), Arc<str>>>) {
        let busy = self.core.redrives().jobs.pop().filter(|_| self.core.is_redriving());
        let answer = busy.map_or(Ok(()), |job| Err(job.plan.id));
        if answer.is_ok() {
            self.step(now, Input::Command(Command::Redrive(RedriveCommand::Start(plan))));
        }
        let _ = told.send(answer);
    }

    fn take_control(&mut self, now: Timestamp, control: Control) {
        match control {
            Control::Command(command) => self.step(now, Input::Command(command)),
            Control::Redrive { plan, told } => self.take_redrive(now, plan, told),
            Control::Redrives(tell) => {
                let _ = tell.send(self.core.redrives());
            }
            Control::Why { asked, told } => {
                let _ = told.send(self.core.why(now, &asked));
            }
            Control::Dependency(name, news) => self.step(now, Input::Dependency { name, news }),
            Control::Owed(tell) => {
                let _ = tell.send(self.core.owed());
            }
            Control::View(tell) => {
                let _ = tell.send(self.core.view(now));
            }
            Control::Pending(tell) => {
                let _ = tell.send(self.core.pending());
            }
            Control::Drain { grace, done } => match &mut self.draining {
                Some(draining) => draining.join(done),
                None => {
                    self.draining = Some(Draining::new(grace, done));
                    self.step(now, Input::Command(Command::Drain));
                }
            },
        }
    }

    fn take_grace_over(&mut self) {
        let Some(draining) = &mut self.draining else { return };
        draining.advance(self.out);
        match draining.phase() {
            Phase::Finishing => {}
            // Dropping the set ends its tasks; their events keep their place.
            Phase::Committing => {
                self.runners = Runners::new();
                self.gathering.clear();
            }
            Phase::GivenUp => self.stop("the journal did not answer within the drain".to_owned()),
        }
    }

    /// Nothing is at the handler, and all that was decided is durable.
    pub(super) fn is_drained(&self) -> bool {
        let Some(draining) = &self.draining else { return false };
        if self.reins.stopped().is_some() {
            return true;
        }
        let over = draining.phase() != Phase::Finishing;
        !self.committing && self.runners.is_idle() && self.gathering.is_empty() && (over || self.core.is_idle())
    }
}
