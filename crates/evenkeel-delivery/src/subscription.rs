//! The core of one subscription: told what happened, it says what to do.
//!
//! `step` is the whole interface of time; the files below each own one rule. It reads no clock,
//! does no I/O, never awaits, and draws chance from its seed, so that the same inputs give the
//! same actions.
//!
//! Invariants: each event that was read ends in exactly one outcome; at most one event of a lane
//! is at the handler; a lane moves on only after the round with its event's outcome is
//! committed; only booked attempts end an event.

mod credit;
mod arrivals;
mod lanes;
mod events;
mod labels;
mod marks;
mod dispatch;
mod doubt;
mod attempts;
mod verdicts;
mod booking;
mod waiting;
mod endings;
mod deaths;
mod rounds;
mod offsets;
mod inbox;
mod accused;
mod suspects;
mod stale;
mod breakers;
mod shared;
mod limiter;
mod budget;
mod blockers;
mod shedding;
mod fallback;
mod age;
mod timers;
mod commands;
mod redrives;
mod reopening;
mod restore;
mod owed;
mod view;
mod why;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use evenkeel_model::{Position, Shard, Timestamp};

use crate::random::Random;
use crate::{Action, Alarm, BreakerMark, BreakerPolicy, Input, Pending, Policy, Remembered, Versions};
pub use fallback::FALLBACK;
pub use owed::Owed;
pub use redrives::RedrivesView;
pub use view::{BreakerState, BreakerView, LaneView, View};
pub use why::{Why, WhyAsked, WhyEvent, WhyState};

use age::AgeClock;
use attempts::{Flights, Returned};
use blockers::Blockers;
use breakers::Breakers;
pub use breakers::HANDLER;
use budget::{Budget, Purse};
use deaths::Deaths;
use doubt::Doubt;
use events::{Events, Slot, Turn};
use fallback::FallingBack;
use inbox::Inbox;
use labels::Labels;
use lanes::{LaneId, Lanes};
use limiter::Limiter;
use marks::Marks;
use offsets::Offsets;
use redrives::Redrives;
use rounds::Rounds;
use shedding::Shedding;
use suspects::Suspects;
use timers::{Timer, Timers};

/// The same alarm is not raised again within this time, where it is raised rarely.
const RARELY: std::time::Duration = std::time::Duration::from_secs(60);

/// The state machine of one subscription.
pub struct Subscription {
    policy: Policy,
    random: Random,
    now: Timestamp,
    age: AgeClock,
    /// Counts happenings: hand-outs and returns.
    seq: u64,
    /// Counts arrivals.
    serial: u64,
    /// Counts attempts.
    attempt: u64,
    events: Events,
    lanes: Lanes,
    /// Who may be handed out.
    ready: BTreeSet<Turn>,
    /// True when what was handed out last had been handed out before.
    retried_last: bool,
    flights: Flights,
    doubt: Doubt,
    /// Lanes whose events were probes of the present outage.
    probed: Vec<LaneId>,
    breakers: Breakers,
    limiter: Limiter,
    /// Bytes of what is at the handler.
    flying_bytes: u64,
    rate: Option<Purse>,
    blockers: Blockers,
    falling_back: FallingBack,
    shedding: Shedding,
    budget: Budget,
    deaths: Deaths,
    /// Failed attempts that are not booked, by when they failed.
    unbooked: BTreeMap<u64, Slot>,
    /// When an event succeeded last, in the count of happenings.
    last_success: u64,
    undecided: BTreeSet<Slot>,
    /// Events that may be read beyond a limit, to find a witness.
    witnesses: usize,
    held: BTreeSet<Slot>,
    inbox: Inbox,
    /// Open events by their mark; duplicates are known by their first.
    marks: Marks,
    labels: Labels,
    offsets: Offsets,
    rounds: Rounds,
    redrives: Redrives,
    suspects: Suspects,
    versions: Versions,
    /// Events whose version could not be read, since the start.
    unversioned: u64,
    timers: Timers,
    wake_at: Option<Timestamp>,
    paused: Option<String>,
    draining: bool,
    parking_full: bool,
    alarms: Vec<Alarm>,
    alarmed: BTreeMap<&'static str, Timestamp>,
    /// What the journal remembers of events that did not arrive again yet.
    restored: HashMap<Position, Pending>,
    restored_overdue: HashMap<Position, usize>,
}

impl Subscription {
    /// A subscription that remembers nothing. `seed` feeds the jitter.
    pub fn new(mut policy: Policy, seed: u64) -> Subscription {
        policy.overdue_after.sort_unstable();
        policy.overdue_after.dedup();
        Subscription {
            random: Random::new(seed),
            now: Timestamp::EPOCH,
            age: AgeClock::default(),
            seq: 0,
            serial: 0,
            attempt: 0,
            events: Events::default(),
            lanes: Lanes::new(policy.order, policy.parking),
            ready: BTreeSet::new(),
            retried_last: false,
            flights: Flights::default(),
            doubt: Doubt::default(),
            probed: Vec::new(),
            breakers: Breakers::new(&policy),
            limiter: Limiter::new(policy.concurrency),
            flying_bytes: 0,
            rate: policy.rate.map(Purse::of),
            blockers: Blockers::default(),
            falling_back: FallingBack::new(policy.fallback),
            shedding: Shedding::new(&policy),
            budget: Budget::new(policy.retry_budget),
            deaths: Deaths::new(policy.dead_budget),
            unbooked: BTreeMap::new(),
            last_success: 0,
            undecided: BTreeSet::new(),
            witnesses: 0,
            held: BTreeSet::new(),
            inbox: Inbox::new(policy.inbox),
            marks: Marks::default(),
            labels: Labels::default(),
            offsets: Offsets::default(),
            rounds: Rounds::default(),
            redrives: Redrives::default(),
            suspects: Suspects::default(),
            versions: Versions::default(),
            unversioned: 0,
            timers: Timers::default(),
            wake_at: None,
            paused: None,
            draining: false,
            parking_full: false,
            alarms: Vec::new(),
            alarmed: BTreeMap::new(),
            restored: HashMap::new(),
            restored_overdue: HashMap::new(),
            policy,
        }
    }

    /// From now on its dependencies are shared with others: said before anything else. What
    /// becomes of calls is reported by [`Action::Dependency`], and how they stand is told by
    /// [`Input::Dependency`]. Without it their breakers are this subscription's own. `handler`: the
    /// implicit one is shared as well, with others who have the same handler.
    pub fn share_dependencies(&mut self, handler: bool) {
        self.breakers.share(handler);
    }

    /// The shared dependencies, each with its policy and what the journal remembered of it.
    pub fn shared_dependencies(&self) -> Vec<(Arc<str>, BreakerPolicy, BreakerMark)> {
        self.breakers.shared()
    }

    /// Takes back what the journal remembers, before the first step.
    pub fn restore(&mut self, now: Timestamp, remembered: Vec<Remembered>) {
        self.now = now;
        self.take_back(now, remembered);
    }

    /// Where reading of a partition begins: the lowest offset without an outcome, or `from`.
    pub fn resume_at(&self, shard: &Shard, from: u64) -> u64 {
        self.offsets.committed(shard).unwrap_or(from)
    }

    /// The lowest offset of each partition that is still owed.
    pub fn floors(&self) -> Vec<(Shard, u64)> {
        self.offsets.floors().collect()
    }

    /// Decides.
    pub fn step(&mut self, now: Timestamp, input: Input, actions: &mut Vec<Action>) {
        self.step_all(now, [input], actions);
    }

    /// Decides, when all of this happened at the same time: what comes of it is as of [`step`] for
    /// each, but what to do next is asked once.
    ///
    /// [`step`]: Subscription::step
    pub fn step_all(&mut self, now: Timestamp, inputs: impl IntoIterator<Item = Input>, actions: &mut Vec<Action>) {
        let now = now.max(self.now);
        for input in inputs {
            self.pass_time(now);
            self.take(now, input);
        }
        self.go_on(now, actions);
    }

    fn take(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Started(shards) => self.started(&shards),
            Input::Arrived(arrivals) => self.arrived(now, arrivals),
            Input::Finished { attempt, verdict, emitted, handler_version, took } => {
                self.finished(now, Returned { attempt, emitted, handler_version, took }, verdict);
            }
            Input::Gone { attempt, why } => self.gone(now, attempt, &why),
            Input::Brought { letters, over, problem } => self.brought(now, letters, over, problem),
            Input::Committed { round } => self.committed(now, round),
            Input::Sealed { round } => self.inbox.sealed(round),
            Input::Timer => self.wake_at = None,
            Input::Dependency { name, news } => self.dependency_told(now, &name, news),
            Input::Command(command) => self.command(now, command),
        }
    }

    fn go_on(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        self.fire(now);
        self.pay_out(now);
        self.hand_out(now, actions);
        self.fall_back(now, actions);
        self.spare_lone();
        self.redrive_on(now, actions);
        self.give_back_leave(now);
        actions.extend(self.breakers.take_reports().map(|(name, report)| Action::Dependency { name, report }));
        self.commit_gathered(actions);
        self.eject_blockers(now);
        self.watch_parking();
        actions.extend(self.alarms.drain(..).map(Action::Alarm));
        self.wake(now, actions);
    }

    /// True when nothing is at the handler and nothing waits to be committed.
    pub fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.rounds.is_idle()
    }

    fn pass_time(&mut self, now: Timestamp) {
        let stands = self.paused.is_some() || self.draining || !self.breakers.all_closed();
        self.age.advance(now, stands, self.limiter.hold_until());
        self.now = now;
        if self.wake_at.is_some_and(|at| at <= now) {
            self.wake_at = None;
        }
    }

    fn fire(&mut self, now: Timestamp) {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Retry(slot) => self.make_ready(slot),
                Timer::Overdue(slot) => self.expect_overdue(now, slot),
                Timer::Booking(seq) => self.booking_due(now, seq),
                // It only wakes: the job goes on by itself.
                Timer::Redrive => {}
            }
        }
    }

    /// Asks to be woken, unless an earlier wake-up is on its way.
    fn wake(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let mut next = [self.timers.next(), self.blockers.next_at].into_iter().flatten().min();
        if self.paused.is_none() && !self.draining {
            let gates = match self.line_is_empty() {
                true => [None; 5],
                false => [
                    Some(self.limiter.hold_until()),
                    self.breakers.opens_at(),
                    self.rate_opens_at(),
                    self.falls_back_at(),
                    self.doubt.ends_at(),
                ],
            };
            let gate = gates.into_iter().chain([self.budget.next_at()]).flatten().filter(|at| *at > now).min();
            next = [next, gate].into_iter().flatten().min();
        }
        if let Some(next) = next
            && self.wake_at.is_none_or(|at| next < at)
        {
            self.wake_at = Some(next);
            actions.push(Action::Wake(next));
        }
    }

    /// An event has at least one attempt, whatever the policy says.
    fn attempts_max(&self) -> u32 {
        self.policy.retry.attempts.max(1)
    }

    fn alarm(&mut self, code: &'static str, message: String) {
        self.alarms.push(Alarm { code, message });
    }

    fn alarm_rarely(&mut self, now: Timestamp, code: &'static str, message: String) {
        if self.alarmed.get(code).is_none_or(|at| now.since(*at) >= RARELY) {
            self.alarmed.insert(code, now);
            self.alarm(code, message);
        }
    }

    /// Tells once that a limit of parking was reached.
    fn watch_parking(&mut self) {
        let full = self.lanes.are_full();
        if full && !self.parking_full {
            let (keys, events) = (self.lanes.parked_keys(), self.lanes.parked_events());
            self.alarm("parking_full", format!("{keys} parked keys hold {events} events: reading stops"));
        }
        self.parking_full = full;
    }
}

#[cfg(test)]
mod tests;
