//! Handing out: oldest first, within the limit, through the gate; after an outage as `doubt` says.
//!
//! Invariants: nothing is handed out while paused, draining, held by a shed (probes apart), or behind
//! an open breaker; a probe is an event of a lane that was no probe of this outage yet, as long as there
//! is one; until the breaker closes only such lanes widen it; the bytes at the handler and the rate
//! stay within their bounds, for probes too.

use evenkeel_model::{Outcome, Timestamp};

use super::Subscription;
use super::attempts::{Flight, expired};
use super::breakers::{Accused, Gate};
use super::budget::Purse;
use super::endings::Ending;
use super::events::{Slot, State};
use super::shared::Changed;
use crate::{Action, AttemptId, BreakerMark, DependencyNews, Dispatch, Fact};

/// How many retries are passed over, at most, to find an event that is new.
const LOOK_AHEAD: usize = 64;
/// The highest priority.
pub(super) const URGENT: u8 = 9;

/// Where an event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the handler.
    Handler,
    /// To the handler, to find out whether it works.
    Probe,
    /// To the fallback.
    Fallback,
}

impl Subscription {
    pub(super) fn hand_out(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.draining || self.paused.is_some() || self.redrives.are_missing() {
            return;
        }
        self.shed_load(now);
        while self.at_handler() < self.limiter.limit() as usize {
            self.expire_first(now);
            let Some(first) = self.next_in_line(now) else { return };
            if first.is_some() && !self.rate_allows(now) {
                return;
            }
            match (self.breakers.gate(now), first) {
                (Gate::Shut, _) | (Gate::Free | Gate::Probe | Gate::Ask, None) => return,
                (Gate::Ask, Some((rank, ..))) => return self.breakers.ask(now, rank > 0),
                // A breaker that is not closed paces its probes itself.
                (Gate::Free, _) if self.limiter.hold_until() > now => return,
                (Gate::Widen, None | Some((1.., ..))) => {
                    let closed = self.breakers.close_proven(now);
                    if closed.is_empty() {
                        return;
                    }
                    self.say_breakers(closed);
                }
                (Gate::Free, Some(first)) => {
                    // A suspect whose turn it is stands in no line.
                    let freshest = self.next_of(now, &self.ready).filter(|_| self.ready.contains(&first));
                    let next = freshest.unwrap_or(first);
                    let stands = self.ready.contains(&next);
                    let slot = self.in_turn(next.3);
                    let Some(slot) = (if stands { self.instead(now, slot) } else { Some(slot) }) else { return };
                    if !self.has_room_for(slot) {
                        return;
                    }
                    if self.paid_for(now, slot) {
                        self.hand_out_one(now, slot, Route::Handler, actions);
                    }
                }
                // Who widens it is a probe as well: poison that opened it again must not do so at every end.
                (_, Some(first)) => {
                    let slot = self.probe_of(first);
                    if !self.has_room_for(slot) {
                        return;
                    }
                    self.hand_out_one(now, slot, Route::Probe, actions);
                }
            }
        }
    }

    /// Those at the fallback left out.
    pub(super) fn at_handler(&self) -> usize {
        self.flights.len() - self.falling_back.flying()
    }

    fn rate_allows(&mut self, now: Timestamp) -> bool {
        self.rate.as_mut().is_none_or(|rate| rate.has_one(now))
    }

    pub(super) fn rate_opens_at(&self) -> Option<Timestamp> {
        self.rate.as_ref().and_then(Purse::next_at)
    }

    /// True when its bytes fit beside those at the handler; alone, every event fits.
    pub(super) fn has_room_for(&self, slot: Slot) -> bool {
        let bytes = self.flying_bytes.saturating_add(u64::from(self.events[slot].bytes));
        self.flights.is_empty() || bytes <= self.policy.concurrency.bytes
    }

    /// Oldest first, but after a retry an event that is new goes before the next retry: it is
    /// the witness that tells poison from an outage, and retries alone would open the breaker.
    fn in_turn(&mut self, first: Slot) -> Slot {
        let is_new = |slot: &Slot| self.events[*slot].course.counters.deliveries == 0;
        let mut slot = first;
        if self.retried_last && !is_new(&first) && !self.suspects.has(first) {
            let next = self.ready.iter().take(LOOK_AHEAD).map(|(.., slot)| *slot);
            slot = next.into_iter().find(is_new).unwrap_or(first);
        }
        self.retried_last = !is_new(&slot);
        slot
    }

    /// What is no longer worth handling is no probe and no witness either.
    pub(super) fn expire_first(&mut self, now: Timestamp) {
        while let Some((.., slot)) = self.ready.first().copied()
            && self.end_moot(now, slot)
        {}
    }

    fn has_expired(&self, now: Timestamp, slot: Slot) -> bool {
        self.events[slot].detour.expires.is_some_and(|at| at <= now)
    }

    /// Ends what is no longer worth handling: expired, or older than what was completed of its key.
    fn end_moot(&mut self, now: Timestamp, slot: Slot) -> bool {
        if self.has_expired(now, slot) {
            self.expire(now, slot);
            return true;
        }
        let Some(newest) = self.outdated_by(slot) else { return false };
        self.end_stale(now, slot, newest);
        true
    }

    fn expire(&mut self, now: Timestamp, slot: Slot) {
        let failure = Some(expired(now, "its expirytime passed before it could be handled".to_owned()));
        self.end(now, slot, Ending { outcome: Outcome::Expired, failure, emitted: 0, acked: None });
    }

    pub(super) fn hand_out_one(&mut self, now: Timestamp, slot: Slot, route: Route, actions: &mut Vec<Action>) {
        if self.end_moot(now, slot) {
            return;
        }
        self.note_hand_out(slot);
        self.leave_ready(slot);
        let lane = self.events[slot].lane;
        if route == Route::Probe {
            self.lanes[lane].probes += 1;
            self.probed.push(lane);
        }
        self.seq += 1;
        self.attempt += 1;
        let attempt = AttemptId(self.attempt);
        let fallback = route == Route::Fallback;
        let admitted = if fallback { self.falling_back.sent() } else { self.breakers.admit() };
        let doubted = if fallback { None } else { self.goes_in_doubt(now, slot) };
        let flight = Flight { slot, since: now, dispatched: self.seq, admitted, fallback, doubted };
        self.flights.insert(attempt, flight);
        self.flying_bytes += u64::from(self.events[slot].bytes);
        if let Some(rate) = self.rate.as_mut().filter(|_| !fallback) {
            rate.take(now);
        }
        let (reading, attempts_max, at) = (self.age.reading(), self.attempts_max(), self.position(slot));
        let event = &mut self.events[slot];
        event.course.ages_from.get_or_insert(reading);
        event.state = State::Flying;
        event.course.counters.deliveries += 1;
        let tried = event.course.counters.attempts + u32::try_from(event.detour.unbooked.len()).unwrap_or(u32::MAX);
        actions.push(Action::Dispatch(Dispatch {
            attempt,
            at,
            mark: event.detour.redriven.as_ref().map_or(event.mark, |r| r.key(event.mark)),
            number: tried.saturating_add(1).min(attempts_max),
            delivery: event.course.deliveries(),
            timeout: self.policy.timeout,
            letter: event.detour.redriven.as_ref().map(|r| r.letter.clone()),
            fallback,
        }));
    }

    /// A shared dependency is told of.
    pub(super) fn dependency_told(&mut self, now: Timestamp, name: &str, news: DependencyNews) {
        match self.breakers.told(name, news) {
            (Changed::No, _) => {}
            (Changed::Opened(mark), which) => {
                self.say_breakers(vec![mark]);
                self.doubt.opened(self.serial);
                self.defer_accusers(now, which);
            }
            (Changed::Closed(mark), _) => self.say_breakers(vec![mark]),
        }
    }

    /// What was given leave to probe and does not go out now is given back.
    pub(super) fn give_back_leave(&mut self, now: Timestamp) {
        if self.draining || self.paused.is_some() || self.line_is_empty() {
            self.breakers.give_back_all();
        } else {
            self.breakers.give_back(now);
        }
    }

    /// Opens breakers, on the record; what accused them was the outage.
    pub(super) fn open_breakers(&mut self, now: Timestamp, which: Accused) {
        if which == Accused::NOBODY {
            return;
        }
        let marks = self.breakers.open(now, which, &mut self.random);
        if !marks.is_empty() {
            self.doubt.opened(self.serial);
        }
        self.say_breakers(marks);
        self.defer_accusers(now, which);
    }

    /// Breakers changed: on the record, and told.
    pub(super) fn say_breakers(&mut self, marks: Vec<BreakerMark>) {
        for mark in marks {
            let dependency = &mark.dependency;
            let by = mark.forced.as_ref().map_or_else(String::new, |f| format!(" by an operator: {}", f.reason));
            match mark.open_until {
                Some(_) => self.alarm("breaker_open", format!("the breaker of `{dependency}` opened{by}")),
                None => self.alarm("breaker_closed", format!("the breaker of `{dependency}` closed{by}")),
            }
            self.rounds.say(Fact::Breaker(mark));
        }
        if self.breakers.all_closed() {
            self.forget_probes();
        }
    }

    /// The outage is over: oldest first again.
    fn forget_probes(&mut self) {
        for lane in std::mem::take(&mut self.probed) {
            self.lanes[lane].probes = 0;
            if let Some(slot) = self.lanes[lane].head()
                && matches!(self.events[slot].state, State::Ready { rank: 1.. })
            {
                self.leave_ready(slot);
                self.make_ready(slot);
            }
        }
    }
}
