//! Redrives: which letters are dealt with, and how fast a job takes up events.
//!
//! One job runs at a time. Its canary goes first; it takes up no faster than its plan says, nothing
//! while the subscription is paused or a breaker is not closed, and stops by itself when more than
//! a share of its events fail: an event fails when an attempt at it does, whether or not it
//! comes again, so that a job does not wait for the last retry to see it. How an event gets back
//! into its lane is told in `reopening`.
//!
//! Invariants: no letter is taken twice; the counts in a round are those of the round's facts; an
//! event is handed out only when the round that says that it is taken up is durable.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_model::{Outcome, Position, Timestamp};

use super::Subscription;
use super::timers::Timer;
use crate::{Action, Arrival, Bring, Fact, LettersClosed, Redrive, RedriveCommand, RedriveState, Redriven, Remembered};

/// How many finished jobs are shown.
const SHOWN: usize = 20;
/// How many letters are asked for at a time.
const BRING_MAX: usize = 256;
/// How many events may be taken up at once after a slow time, at most, by those that one second
/// brings.
const BURST: std::time::Duration = std::time::Duration::from_secs(1);
/// After this long letters that could not be read are asked for again.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// What an operator sees of the redrives of a subscription.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RedrivesView {
    /// The newest jobs, oldest first; only the last one may not be over.
    pub jobs: Vec<Redrive>,
    /// Events of the last job that failed and have no outcome yet.
    pub failing: usize,
    /// True when all that was asked for is durable.
    pub durable: bool,
    /// Letters that are dealt with, by their numbers ([`crate::letter_number`]): from, and behind the last, in order.
    pub closed: Vec<(u64, u64)>,
    /// The partitions that its jobs are of, where a group shares them out; `None`: all.
    pub parts: Option<Vec<u32>>,
}

#[derive(Debug, Default)]
pub(super) struct Redrives {
    /// As it is journaled, oldest first.
    jobs: Vec<Redrive>,
    /// Letters that are dealt with: start → end.
    closed: BTreeMap<u64, u64>,
    /// Taken up, and not back in their lanes yet: the round with them is not durable.
    waiting: BTreeMap<Position, (Redriven, Arrival)>,
    /// Open when the process ended, and not brought again yet.
    lost: BTreeMap<Position, Redriven>,
    /// Events of the running job that were taken up, in rounds or not.
    taken: u64,
    /// Events of the running job that failed and have no outcome.
    failing: BTreeSet<Position>,
    /// Where the present look at failures began: ended, dead.
    since: (u64, u64),
    /// The place of the last event of the running job that was looked at.
    after: Option<Position>,
    asked: bool,
    over: bool,
    not_before: Timestamp,
    /// The job changed since it was said last.
    changed: bool,
    /// The round that says so is outstanding.
    saying: bool,
}

impl Redrives {
    fn running(&mut self) -> Option<&mut Redrive> {
        self.jobs.last_mut().filter(|job| !job.state.is_over())
    }

    /// True while a job is not over.
    pub(super) fn is_under_way(&self) -> bool {
        self.jobs.last().is_some_and(|job| !job.state.is_over())
    }

    /// True when something must be said though no event ended.
    pub(super) fn has_news(&self) -> bool {
        self.changed
    }

    /// Events that must be back before anything is handed out: later ones of their keys would
    /// overtake them.
    pub(super) fn are_missing(&self) -> bool {
        !self.lost.is_empty()
    }

    fn close(&mut self, from: u64, until: u64) {
        let before = self.closed.range(..=from).next_back().map(|(s, e)| (*s, *e)).filter(|(_, end)| *end >= from);
        let (start, mut end) = before.map_or((from, until), |(start, end)| (start, end.max(until)));
        while let Some((next, its_end)) = self.closed.range(start..=end).next().map(|(s, e)| (*s, *e)) {
            self.closed.remove(&next);
            end = end.max(its_end);
        }
        self.closed.insert(start, end);
    }

    fn is_closed(&self, letter: u64) -> bool {
        self.closed.range(..=letter).next_back().is_some_and(|(_, end)| *end > letter)
    }

    /// This fact goes into the round that is being built.
    pub(super) fn said(&mut self, fact: &Fact, reopened: &mut Vec<Position>) {
        let Fact::Redriven(redriven) = fact else { return };
        reopened.push(redriven.at.clone());
        if let Some(job) = self.jobs.iter_mut().rev().find(|job| job.plan.id == redriven.job) {
            job.taken += 1;
            job.after = job.after.take().max(Some(redriven.at.clone()));
            self.changed = true;
        }
    }

    /// An event of this job ends in the round that is being built.
    pub(super) fn counted(&mut self, id: &str, outcome: Outcome) {
        if let Some(job) = self.jobs.iter_mut().rev().find(|job| *job.plan.id == *id) {
            match outcome {
                Outcome::Completed => job.completed += 1,
                Outcome::Dead => job.dead += 1,
                _ => job.otherwise += 1,
            }
            self.changed = true;
        }
    }

    /// What must be said at the end of a round.
    pub(super) fn news(&mut self) -> Option<Fact> {
        self.saying |= self.changed;
        std::mem::take(&mut self.changed).then(|| self.jobs.last().cloned().map(Fact::Redrive)).flatten()
    }

    /// That round is durable: gives what may go back into its lane.
    pub(super) fn durable(&mut self, reopened: Vec<Position>) -> Vec<(Redriven, Arrival)> {
        self.saying = false;
        reopened.iter().filter_map(|at| self.waiting.remove(at)).collect()
    }

    /// An attempt at an event of a job failed.
    pub(super) fn failed(&mut self, job: &str, at: &Position) {
        if self.running().is_some_and(|running| *running.plan.id == *job) {
            self.failing.insert(at.clone());
        }
    }

    /// An event of a job has its outcome.
    pub(super) fn ended(&mut self, at: &Position) {
        self.failing.remove(at);
    }

    /// Takes back what the journal remembers of redrives.
    pub(super) fn restore(&mut self, fact: Remembered) {
        match fact {
            Remembered::Redriven(redriven) => {
                self.close(redriven.letter.offset, redriven.letter.offset + 1);
                self.lost.insert(redriven.at.clone(), redriven);
            }
            Remembered::Redrive(job) => {
                self.jobs.retain(|known| known.plan.id != job.plan.id);
                self.jobs.push(job);
                if self.jobs.len() > SHOWN {
                    self.jobs.remove(0);
                }
            }
            Remembered::LettersClosed(closed) => self.close(closed.from, closed.until),
            _ => {}
        }
    }

    /// That event ended since.
    pub(super) fn restore_end(&mut self, at: &Position) {
        self.lost.remove(at);
    }

    pub(super) fn is_open(&self, at: &Position) -> bool {
        self.lost.contains_key(at)
    }

    /// Once all is taken back.
    pub(super) fn restored(&mut self) {
        self.taken = self.jobs.last().map_or(0, |job| job.taken);
        self.after = self.jobs.last().and_then(|job| job.after.clone());
        self.since = self.jobs.last().map_or((0, 0), |job| (job.taken - job.open(), job.dead));
    }

    pub(super) fn view(&self) -> RedrivesView {
        RedrivesView {
            jobs: self.jobs.clone(),
            failing: self.failing.len(),
            durable: !self.changed && !self.saying,
            closed: self.closed.iter().map(|(from, until)| (*from, *until)).collect(),
            parts: None,
        }
    }
}

impl Subscription {
    /// True while a redrive is not over: then another one does not begin.
    pub fn is_redriving(&self) -> bool {
        self.redrives.is_under_way()
    }

    /// What an operator sees of the redrives.
    pub fn redrives(&self) -> RedrivesView {
        self.redrives.view()
    }

    pub(super) fn redrive(&mut self, now: Timestamp, command: RedriveCommand) {
        let Redrives { jobs, .. } = &mut self.redrives;
        match (command, jobs.last_mut().filter(|job| !job.state.is_over())) {
            (RedriveCommand::Start(plan), None) => self.start_redrive(now, plan),
            (RedriveCommand::Start(_), Some(_)) | (_, None) => return,
            (RedriveCommand::Pause, Some(job)) => {
                (job.state, job.why) = (RedriveState::Paused, "paused by an operator".to_owned());
            }
            (RedriveCommand::Resume, Some(job)) => {
                (job.state, job.why) = (RedriveState::Running, String::new());
                self.redrives.since = (job.taken - job.open(), job.dead);
                self.redrives.failing.clear();
                self.redrives.not_before = self.redrives.not_before.max(now);
            }
            (RedriveCommand::Cancel { reason }, Some(job)) => {
                (job.state, job.why, job.ended_at) = (RedriveState::Cancelled, reason, Some(now));
            }
        }
        self.redrives.changed = true;
    }

    fn start_redrive(&mut self, now: Timestamp, plan: crate::RedrivePlan) {
        let redrives = &mut self.redrives;
        redrives.jobs.push(Redrive::new(plan));
        if redrives.jobs.len() > SHOWN {
            redrives.jobs.remove(0);
        }
        (redrives.taken, redrives.since, redrives.over) = (0, (0, 0), false);
        (redrives.after, redrives.not_before) = (None, now);
        redrives.failing.clear();
    }

    pub(super) fn drop_letters(&mut self, letters: &evenkeel_model::Shard, mut offsets: Vec<u64>, reason: &str) {
        offsets.sort_unstable();
        offsets.dedup();
        offsets.retain(|offset| !self.redrives.is_closed(*offset));
        for run in offsets.chunk_by(|a, b| a + 1 == *b) {
            let (from, until) = (run[0], run[run.len() - 1] + 1);
            self.redrives.close(from, until);
            let closed = LettersClosed { letters: letters.clone(), from, until, reason: Some(reason.to_owned()) };
            self.rounds.say(Fact::LettersClosed(closed));
            self.redrives.changed = true;
        }
    }

    /// Asks for letters, where a job may take up more; ends a job of which nothing is left.
    pub(super) fn redrive_on(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.redrives.asked || self.draining {
            return;
        }
        if !self.redrives.lost.is_empty() {
            if self.redrives.not_before <= now {
                let lost = self.redrives.lost.values().take(BRING_MAX);
                let places = lost.map(|r| (r.letter.clone(), r.at.clone())).collect();
                self.redrives.asked = true;
                actions.push(Action::Bring(Bring::Again(places)));
            }
            return;
        }
        if !self.judge_redrive(now) {
            return;
        }
        let gate = self.paused.is_none() && self.breakers.all_closed();
        let room = if gate { self.redrive_room(now) } else { 0 };
        let redrives = &mut self.redrives;
        let Some(job) = redrives.jobs.last().filter(|_| room > 0 && !redrives.over) else { return };
        redrives.asked = true;
        actions.push(Action::Bring(Bring::Next {
            selection: job.plan.selection.clone(),
            letters: job.plan.letters.clone(),
            until: job.plan.until,
            after: redrives.after.clone(),
            max: room,
        }));
    }

    /// Whether the job goes on: it may have failed too often, or be done. Also proves its canary.
    fn judge_redrive(&mut self, now: Timestamp) -> bool {
        let redrives = &mut self.redrives;
        let Some(job) = redrives.jobs.last_mut().filter(|job| job.state == RedriveState::Running) else { return false };
        let (ended, failing) = (job.taken - job.open(), redrives.failing.len() as u64);
        let said = job.taken == redrives.taken;
        let (failed, tried) = (job.dead - redrives.since.1 + failing, ended - redrives.since.0 + failing);
        let all = redrives.over || redrives.taken >= u64::from(job.plan.canary);
        let canary_over = !job.proven && all && said && ended + failing >= job.taken;
        let enough = tried >= u64::from(job.plan.stop_min.max(1)) || canary_over && tried > 0;
        if enough && failed * 1000 > u64::from(job.plan.stop_permille) * tried {
            let part = if job.proven { "" } else { "of its canary, " };
            job.state = RedriveState::Stopped;
            job.why = format!("{part}{failed} of {tried} events failed again");
            let why = format!("redrive `{}` stopped by itself: {}", job.plan.id, job.why);
            redrives.changed = true;
            self.alarm("redrive_stopped", why);
            return false;
        }
        if canary_over {
            (job.proven, redrives.changed) = (true, true);
        }
        if redrives.over && said && job.open() == 0 {
            (job.state, job.ended_at) = (RedriveState::Done, Some(now));
            redrives.changed = true;
        }
        job.state == RedriveState::Running
    }

    /// How many events may be taken up now.
    fn redrive_room(&mut self, now: Timestamp) -> usize {
        let redrives = &self.redrives;
        let Some(job) = redrives.jobs.last() else { return 0 };
        if redrives.not_before > now {
            self.timers.set(redrives.not_before, Timer::Redrive);
            return 0;
        }
        let ended = job.taken - job.open();
        let mut room = u64::from(job.plan.at_once.max(1)).saturating_sub(redrives.taken - ended);
        if !job.proven {
            room = room.min(u64::from(job.plan.canary).saturating_sub(redrives.taken));
        }
        if !job.plan.every.is_zero() {
            let burst = (BURST.as_micros() / job.plan.every.as_micros()).max(1);
            let passed = now.since(redrives.not_before).as_micros() / job.plan.every.as_micros() + 1;
            room = room.min(u64::try_from(passed.min(burst)).unwrap_or(u64::MAX));
        }
        usize::try_from(room).unwrap_or(usize::MAX).min(BRING_MAX)
    }

    /// Letters came.
    pub(super) fn brought(&mut self, now: Timestamp, letters: Vec<crate::Letter>, over: bool, problem: Option<String>) {
        self.redrives.asked = false;
        if let Some(problem) = problem {
            self.redrives.not_before = now + ASK_AGAIN;
            self.timers.set(self.redrives.not_before, Timer::Redrive);
            self.alarm_rarely(now, "redrive_unreadable", format!("dead letters cannot be read: {problem}"));
            return;
        }
        let mut taken = 0_u32;
        for letter in letters {
            match self.redrives.lost.remove(&letter.origin) {
                Some(redriven) => self.take_up_again(now, redriven, letter.arrival),
                None => taken += u32::from(self.take_up_dead(now, letter)),
            }
        }
        let redrives = &mut self.redrives;
        let Some(job) = redrives.jobs.last() else { return };
        redrives.over |= over;
        let every = job.plan.every;
        if taken > 0 && !every.is_zero() {
            let earliest = if redrives.not_before + BURST.max(every) > now { redrives.not_before } else { now };
            redrives.not_before = earliest + every * taken;
        }
    }

    /// Takes up an event of the running job; false when its letter is passed over.
    fn take_up_dead(&mut self, now: Timestamp, letter: crate::Letter) -> bool {
        let Subscription { redrives, marks, events, offsets, .. } = self;
        let running = redrives.jobs.last().filter(|job| job.state == RedriveState::Running);
        let Some(plan) = running.map(|job| job.plan.clone()) else { return false };
        redrives.after = redrives.after.take().max(Some(letter.origin.clone()));
        let open = |a: &Arrival| marks.find(&a.mark, events).is_some() || offsets.find(&a.at.shard).is_none();
        let fresh = letter.arrival.filter(|a| !open(a) && !redrives.waiting.contains_key(&a.at));
        let Some(arrival) = fresh.filter(|_| !redrives.is_closed(letter.at.offset)) else {
            if let Some(job) = redrives.running() {
                job.skipped += 1;
                redrives.changed = true;
            }
            return false;
        };
        let redriven =
            Redriven { at: arrival.at.clone(), letter: letter.at, job: plan.id, new_key: plan.new_key, when: now };
        redrives.close(redriven.letter.offset, redriven.letter.offset + 1);
        redrives.taken += 1;
        redrives.waiting.insert(arrival.at.clone(), (redriven.clone(), arrival));
        self.rounds.say(Fact::Redriven(redriven));
        true
    }
}
