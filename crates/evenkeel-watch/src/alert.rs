//! The state of each alert: quiet, pending or firing.
//!
//! Rules (multi-window, multi-burn-rate; SRE Workbook, chapter 5): a burn alert fires when both its
//! windows burn above its factor *and* that many bad events are too rare to be chance
//! ([`crate::tail`] below alpha; in a composite one part must show that alone, at alpha over the
//! number of parts). It clears when the short window burns at or below the factor, by as good
//! evidence ([`evidence`]): one good event after a quiet stretch is no recovery. While the short
//! window is empty or says too little nobody knows: the last state holds as long as the long window
//! still burns (and no longer than the rule's `hold`); while it is empty also as long as the
//! subscription's oldest event is older than a latency objective's threshold. An alert with `after`
//! is pending until it has held that long.
//!
//! A window that begins before the first event ever counted is taken as if the time before had
//! been good at the same rate: else ten bad seconds in the first minute of a new objective would
//! look like two per cent of a month's budget, and page for hours. Windows of up to a minute are
//! never corrected; for longer ones the first seconds of history count as ten.
//!
//! Invariant: `Firing` and `Resolved` alternate, beginning with `Firing`.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::budget::{self, Counted};
use crate::objective::Objective;
use crate::rule::{AlertRule, Severity, Trigger};
use crate::slices::Slices;
use evidence::{is_of_failure, is_of_recovery};

mod evidence;
#[cfg(test)]
mod tests;

/// An alert that fires, or fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The objective.
    pub objective: Arc<str>,
    /// Its service.
    pub service: Arc<str>,
    /// Its subscription.
    pub subscription: Arc<str>,
    /// The alert's name within the objective.
    pub name: Arc<str>,
    /// Who must act.
    pub severity: Severity,
    /// What it looks at: `burn`, `silence`, `remaining` or `exhaustion`.
    pub trigger: Arc<str>,
    /// The share of the budget that is spent in `long` at `factor`; 0 where nothing burns.
    pub budget_share: f64,
    /// The long window; of a silence how long it is, of what is left when it would be spent.
    pub long: Duration,
    /// The short window.
    pub short: Duration,
    /// The burn rate above which it fires; of `remaining` the share below which it does.
    pub factor: f64,
    /// The burn rate of the long window, when it fired or was resolved; like the short one's
    /// corrected for a history that is shorter than the window. Of `remaining`: what is left.
    pub burn_long: f64,
    /// The burn rate of the short window, when it fired or was resolved; 0 when it was empty.
    pub burn_short: f64,
    /// Bad events in the long window.
    pub bad: u64,
    /// Valid events in the long window.
    pub valid: u64,
    /// When it fired.
    pub started_at: Timestamp,
    /// When the run of bad events that made it fire began.
    pub first_bad_at: Timestamp,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// The names of those who are told.
    pub targets: Vec<Arc<str>>,
    /// Whether they are told when it is over.
    pub tells_end: bool,
}

impl Alert {
    /// One sentence for people.
    pub fn summary(&self) -> String {
        let name = &self.objective;
        match &*self.trigger {
            "silence" => format!("{name} has counted no event for {}", said(self.long)),
            "remaining" => format!(
                "{name} has {:.1} % of its error budget left, less than {:.1} %",
                self.burn_long * 100.0,
                self.factor * 100.0
            ),
            "exhaustion" => format!("{name} has spent its error budget in {} if it goes on like this", said(self.long)),
            _ => {
                let long = said(self.long);
                let events = match self.valid {
                    0 => format!("(no event in {long})"),
                    valid => format!("({} of {valid} events bad in {long})", self.bad),
                };
                if self.resolved_at.is_some() {
                    return format!("{name} no longer burns its error budget too fast {events}");
                }
                if self.burn_long >= 1.0 {
                    return format!(
                        "{name} burns its error budget {:.1} times as fast as it may {events}",
                        self.burn_long
                    );
                }
                // What it may is said of the whole window, and a share that is gone in a part of it says more.
                let spent = self.budget_share * self.burn_long / self.factor.max(f64::MIN_POSITIVE);
                format!("{name} has spent {:.1} % of its error budget in {long} {events}", spent * 100.0)
            }
        }
    }
}

/// `1h`, `3d`, `6m26s`.
fn said(time: Duration) -> String {
    if time.is_zero() || time.subsec_nanos() > 0 {
        return format!("{time:?}");
    }
    let mut left = time.as_secs();
    let mut text = String::new();
    for (length, unit) in [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")] {
        if left >= length {
            text += &format!("{}{unit}", left / length);
        }
        left %= length;
    }
    text
}

/// An alert changed.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertEvent {
    /// It began.
    Firing(Alert),
    /// It is over.
    Resolved(Alert),
}

impl AlertEvent {
    /// The alert.
    pub fn alert(&self) -> &Alert {
        match self {
            AlertEvent::Firing(alert) | AlertEvent::Resolved(alert) => alert,
        }
    }
}

/// Where an alert stands.
#[derive(Clone, Debug, Default, PartialEq)]
enum State {
    #[default]
    Quiet,
    /// It holds since then, but not for long enough.
    Pending(Timestamp),
    Firing(Box<Alert>),
}

/// What an alert sees at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Enough to begin.
    breached: bool,
    /// Enough to go on.
    goes_on: bool,
    burn_long: f64,
    burn_short: f64,
    bad: u64,
    valid: u64,
}

/// One alert of one objective.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    rule: AlertRule,
    state: State,
}

impl Tier {
    pub(crate) fn new(rule: AlertRule) -> Tier {
        Tier { rule, state: State::Quiet }
    }

    pub(crate) fn firing(&self) -> Option<&Alert> {
        match &self.state {
            State::Firing(alert) => Some(alert),
            State::Quiet | State::Pending(_) => None,
        }
    }

    /// Its name, and since when it is pending.
    pub(crate) fn pending(&self) -> Option<(&Arc<str>, Timestamp)> {
        match self.state {
            State::Pending(since) => Some((&self.rule.name, since)),
            State::Quiet | State::Firing(_) => None,
        }
    }

    /// Takes over an alert that fired before a restart.
    pub(crate) fn adopt(&mut self, alert: &Alert) {
        if self.rule.name == alert.name {
            self.state = State::Firing(Box::new(alert.clone()));
        }
    }

    /// `lagging`: the subscription's oldest event has broken the objective already.
    pub(crate) fn step(&mut self, now: Timestamp, counted: Counted<'_>, lagging: bool) -> Option<AlertEvent> {
        let seen = match self.rule.trigger {
            Trigger::Burn { long, short, .. } => self.burning(now, counted, (long, short), lagging)?,
            Trigger::Silence { over } => silent(now, counted, over),
            Trigger::Remaining { below } => remaining(now, counted, below),
            Trigger::Exhaustion { within } => exhausting(now, counted, within),
        };
        match &mut self.state {
            State::Firing(_) if seen.goes_on => None,
            State::Firing(alert) => {
                (alert.burn_long, alert.burn_short) = (seen.burn_long, seen.burn_short);
                (alert.bad, alert.valid) = (seen.bad, seen.valid);
                alert.resolved_at = Some(now);
                let over = AlertEvent::Resolved((**alert).clone());
                self.state = State::Quiet;
                Some(over)
            }
            State::Quiet if seen.breached && self.rule.after > Duration::ZERO => {
                self.state = State::Pending(now);
                None
            }
            State::Pending(since) if seen.goes_on && now.since(*since) < self.rule.after => None,
            State::Pending(_) if !seen.goes_on => {
                self.state = State::Quiet;
                None
            }
            State::Quiet if !seen.breached => None,
            State::Quiet | State::Pending(_) => {
                let alert = self.describe(now, counted, &seen);
                self.state = State::Firing(Box::new(alert.clone()));
                Some(AlertEvent::Firing(alert))
            }
        }
    }

    /// What a burn alert sees; nothing when it is quiet and stays so, which costs nothing while the
    /// short window has no bad event.
    fn burning(
        &self,
        now: Timestamp,
        counted: Counted<'_>,
        (long, short): (Duration, Duration),
        lagging: bool,
    ) -> Option<Seen> {
        let objective = counted.objective;
        let factor = self.rule.factor(objective.window.length())?;
        let quiet = self.state == State::Quiet;
        if quiet && !counts_slices(objective) && counted.last_bad().is_none_or(|bad| bad < now - short - SECOND) {
            return None;
        }
        let burn_short = counted.known_burn(now, short);
        if quiet && burn_short.is_none_or(|burn| burn <= factor) {
            return None;
        }
        let tallies = counted.tallies(now, now - long, now);
        let burn_long = budget::burn_of(&tallies).map(|burn| burn * counted.known_share(now, long));
        let burns = |burn: Option<f64>| burn.is_some_and(|burn| burn > factor);
        let held = self.rule.hold.is_none_or(|most| {
            let unknown_since = counted.last_bad().or(counted.last()).map_or(now, |last| last + short);
            now.since(unknown_since) < most
        });
        let recovered = || is_of_recovery(&counted.tallies(now, now - short, now), &tallies, factor, objective);
        let nobody_knows = match burn_short {
            None => lagging || burns(burn_long) && held,
            Some(_) => burns(burn_long) && held && !recovered(),
        };
        Some(Seen {
            breached: burns(burn_short) && burns(burn_long) && is_of_failure(&tallies, objective),
            goes_on: burns(burn_short) || nobody_knows,
            burn_long: burn_long.unwrap_or(0.0),
            burn_short: burn_short.unwrap_or(0.0),
            bad: tallies.iter().map(|(_, tally)| tally.events.bad).sum(),
            valid: tallies.iter().map(|(_, tally)| tally.events.valid()).sum(),
        })
    }

    fn describe(&self, now: Timestamp, counted: Counted<'_>, seen: &Seen) -> Alert {
        let objective = counted.objective;
        let (budget_share, long, short) = match self.rule.trigger {
            Trigger::Burn { budget_share, long, short } => (budget_share, long, short),
            Trigger::Silence { over } => (0.0, over, over),
            Trigger::Remaining { .. } => (0.0, objective.window.length(), Duration::ZERO),
            Trigger::Exhaustion { within } => (0.0, within, Duration::ZERO),
        };
        let factor = match self.rule.trigger {
            Trigger::Remaining { below } => below,
            _ => self.rule.factor(objective.window.length()).unwrap_or(0.0),
        };
        let gap = if short.is_zero() { budget::HOUR } else { short };
        let bad_since = |slices: &Slices| slices.bad_since(now, long, gap);
        Alert {
            objective: Arc::clone(&objective.name),
            service: Arc::clone(&objective.service),
            subscription: objective.subscription(),
            name: Arc::clone(&self.rule.name),
            severity: self.rule.severity,
            trigger: Arc::from(self.rule.trigger.name()),
            budget_share,
            long,
            short,
            factor,
            burn_long: seen.burn_long,
            burn_short: seen.burn_short,
            bad: seen.bad,
            valid: seen.valid,
            started_at: now,
            first_bad_at: counted.slices.iter().filter_map(bad_since).min().unwrap_or(now),
            resolved_at: None,
            targets: self.rule.targets.clone(),
            tells_end: self.rule.tells_end,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Whether slices are counted: such a window begins with a whole slice, and may burn without a bad event.
fn counts_slices(objective: &Objective) -> bool {
    objective.parts.iter().any(|part| part.method.slice().is_some())
}

fn silent(now: Timestamp, counted: Counted<'_>, over: Duration) -> Seen {
    let silent = counted.last().is_some_and(|last| now.since(last) >= over);
    Seen { breached: silent, goes_on: silent, ..Seen::default() }
}

fn remaining(now: Timestamp, counted: Counted<'_>, below: f64) -> Seen {
    let window = counted.objective.window.length();
    let left = 1.0 - counted.consumed(now) * counted.known_share(now, window);
    seen_of_window(now, counted, left < below, left)
}

fn exhausting(now: Timestamp, counted: Counted<'_>, within: Duration) -> Seen {
    let objective = counted.objective;
    let (_, until) = objective.window.around(now);
    let window = objective.window.length();
    let pace = counted.known_burn(now, budget::HOUR.min(window));
    let left = 1.0 - counted.consumed(now) * counted.known_share(now, window);
    let lasts = budget::exhausted_in(left, objective, pace, until.since(now));
    // An hour of a quiet topic has too few events to be evidence of anything.
    let tallies = counted.tallies(now, now - (6 * budget::HOUR).min(window), now);
    let soon = lasts.is_some_and(|lasts| lasts <= within);
    Seen { breached: soon && is_of_failure(&tallies, objective), ..seen_of_window(now, counted, soon, left) }
}

fn seen_of_window(now: Timestamp, counted: Counted<'_>, breached: bool, left: f64) -> Seen {
    if !breached {
        return Seen::default();
    }
    let (from, _) = counted.objective.window.around(now);
    let tallies = counted.tallies(now, from, now);
    Seen {
        breached,
        goes_on: breached,
        burn_long: left,
        burn_short: 0.0,
        bad: tallies.iter().map(|(_, tally)| tally.events.bad).sum(),
        valid: tallies.iter().map(|(_, tally)| tally.events.valid()).sum(),
    }
}
