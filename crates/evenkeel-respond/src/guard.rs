//! Whether a playbook may run now: a pure decision from recorded inputs.
//!
//! Order of the rules: kill switch, disabled, one run per scope, cool-down, rate, flap breaker.
//! The flap breaker is last, since it disables the playbook: a remedy that is needed again and
//! again is not a remedy.

use std::collections::VecDeque;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::RunId;

#[cfg(test)]
mod tests;

/// How often a playbook may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// At most this many runs …
    pub runs_max: u32,
    /// … in this time.
    pub per: Duration,
    /// From the end of a run to the next.
    pub cool_down: Duration,
    /// So many runs may fail in one incident; then only a person can help it. At least 1.
    pub tries: u32,
    /// Record what would be done, and do nothing.
    pub dry_run: bool,
    /// After this many runs …
    pub flap_max: u32,
    /// … in this time the playbook is disabled, and a person is asked.
    pub flap_within: Duration,
}

impl Default for Guard {
    /// 3 runs an hour, 10 min apart, disabled after 3 in a day; one that failed is not tried again.
    fn default() -> Guard {
        Guard {
            runs_max: 3,
            per: Duration::from_secs(3600),
            cool_down: Duration::from_secs(600),
            tries: 1,
            dry_run: false,
            flap_max: 3,
            flap_within: Duration::from_secs(86_400),
        }
    }
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The kill switch is on.
    pub kill_switch: bool,
    /// The playbook is disabled.
    pub disabled: bool,
    /// The run that holds the scope.
    pub busy_with: Option<RunId>,
    /// Since the end of the last run.
    pub since_last: Option<Duration>,
    /// The cool-down.
    pub cool_down: Duration,
    /// Runs within `per`.
    pub runs: u32,
    /// How many may be.
    pub runs_max: u32,
    /// Runs within `flap_within`.
    pub flaps: u32,
    /// How many may be.
    pub flap_max: u32,
}

/// The rule that refused a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The kill switch is on.
    KillSwitch,
    /// The playbook is disabled.
    Disabled,
    /// Another run changes the same scope.
    Busy,
    /// Too soon after the last run.
    CoolDown,
    /// Too many runs in the guard's time.
    Rate,
    /// Needed too often: it doesn't help.
    Flap,
}

impl Rule {
    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Rule::KillSwitch => "kill_switch",
            Rule::Disabled => "disabled",
            Rule::Busy => "busy",
            Rule::CoolDown => "cool_down",
            Rule::Rate => "rate",
            Rule::Flap => "flap",
        }
    }

    /// In words, with the numbers.
    pub fn explain(self, inputs: &Inputs) -> String {
        match self {
            Rule::KillSwitch => "the kill switch is on".to_owned(),
            Rule::Disabled => "it is disabled until somebody enables it".to_owned(),
            Rule::Busy => match inputs.busy_with {
                Some(run) => format!("{run} changes the same scope"),
                None => "its scope is taken".to_owned(),
            },
            Rule::CoolDown => format!(
                "the last run ended {:.1?} ago, the cool-down is {:.1?}",
                inputs.since_last.unwrap_or_default(),
                inputs.cool_down
            ),
            Rule::Rate => format!("{} runs, at most {} are allowed", inputs.runs, inputs.runs_max),
            Rule::Flap => format!("needed {} times, so it does not help", inputs.flaps),
        }
    }
}

impl Guard {
    /// No limit but one run per scope: for what a person starts by hand.
    pub fn by_hand() -> Guard {
        Guard { runs_max: u32::MAX, cool_down: Duration::ZERO, flap_max: u32::MAX, ..Guard::default() }
    }

    /// The rule that refuses a run with these inputs, if any.
    pub fn decide(&self, inputs: &Inputs) -> Option<Rule> {
        let too_soon = inputs.since_last.is_some_and(|since| since < inputs.cool_down);
        [
            (inputs.kill_switch, Rule::KillSwitch),
            (inputs.disabled, Rule::Disabled),
            (inputs.busy_with.is_some(), Rule::Busy),
            (too_soon, Rule::CoolDown),
            (inputs.runs >= inputs.runs_max, Rule::Rate),
            (inputs.flaps >= inputs.flap_max, Rule::Flap),
        ]
        .into_iter()
        .find_map(|(refuses, rule)| refuses.then_some(rule))
    }

    pub(crate) fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        if self.runs_max == 0 {
            problems.push(("runs_max", "a playbook may run at least once"));
        }
        if self.flap_max == 0 {
            problems.push(("flap_max", "a playbook may run at least once"));
        }
        problems
    }
}

/// When one playbook ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    started: VecDeque<Timestamp>,
    last_ended: Option<Timestamp>,
    pub(crate) disabled: bool,
}

impl History {
    /// Runs that are remembered; no guard counts further.
    const MOST: usize = 1000;

    pub(crate) fn began(&mut self, at: Timestamp) {
        if self.started.len() == History::MOST {
            self.started.pop_front();
        }
        self.started.push_back(at);
    }

    pub(crate) fn ended(&mut self, at: Timestamp) {
        self.last_ended = Some(at);
    }

    /// Somebody trusts it again: its runs no longer count against it.
    pub(crate) fn enable(&mut self) {
        self.disabled = false;
        self.started.clear();
    }

    pub(crate) fn inputs(&self, now: Timestamp, guard: &Guard) -> Inputs {
        let within = |time: Duration| {
            let count = self.started.iter().filter(|&&at| now.since(at) < time).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        Inputs {
            kill_switch: false,
            disabled: self.disabled,
            busy_with: None,
            since_last: self.last_ended.map(|at| now.since(at)),
            cool_down: guard.cool_down,
            runs: within(guard.per),
            runs_max: guard.runs_max,
            flaps: within(guard.flap_within),
            flap_max: guard.flap_max,
        }
    }
}
