//! When somebody is told: the rules of an objective's alerts.

use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const FOUR_WEEKS: Duration = Duration::from_secs(28 * 86_400);

/// Who must act, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// In working hours.
    Ticket,
    /// Now.
    Page,
}

impl Severity {
    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ticket => "ticket",
            Severity::Page => "page",
        }
    }
}

/// One alert of an objective.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRule {
    /// Unique within its objective.
    pub name: Arc<str>,
    /// Who must act.
    pub severity: Severity,
    /// What must hold.
    pub trigger: Trigger,
    /// For how long it must hold without a break before the alert fires; zero for at once.
    pub after: Duration,
    /// For how long a firing alert holds while nobody can tell, since its short window is empty.
    /// Without a number it holds while the long window still burns.
    pub hold: Option<Duration>,
    /// The names of those who are told, as written.
    pub targets: Vec<Arc<str>>,
    /// Tell when it is over, too.
    pub tells_end: bool,
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trigger {
    /// Both windows burn faster than would spend `budget_share` of the budget in `long`.
    Burn {
        /// The share of the period's budget that is spent in `long` at the factor, in (0, 1].
        budget_share: f64,
        /// The window that must show enough damage.
        long: Duration,
        /// The window that must show that it goes on.
        short: Duration,
    },
    /// No event counted for so long, after there were some.
    Silence {
        /// For how long.
        over: Duration,
    },
    /// Less than this share of the budget is left.
    Remaining {
        /// The share, below 1; 0 for a budget that is spent.
        below: f64,
    },
    /// At the pace of the last hour the budget is spent within so long.
    Exhaustion {
        /// The time that is left.
        within: Duration,
    },
}

impl Trigger {
    /// Its name, as users see it.
    pub fn name(self) -> &'static str {
        match self {
            Trigger::Burn { .. } => "burn",
            Trigger::Silence { .. } => "silence",
            Trigger::Remaining { .. } => "remaining",
            Trigger::Exhaustion { .. } => "exhaustion",
        }
    }
}

impl AlertRule {
    /// A burn-rate alert that fires at once and tells its end.
    pub fn burn(name: &str, severity: Severity, budget_share: f64, long: Duration, short: Duration) -> AlertRule {
        AlertRule::of(name, severity, Trigger::Burn { budget_share, long, short })
    }

    /// An alert that fires at once and tells its end.
    pub fn of(name: &str, severity: Severity, trigger: Trigger) -> AlertRule {
        AlertRule {
            name: Arc::from(name),
            severity,
            trigger,
            after: Duration::ZERO,
            hold: None,
            targets: Vec::new(),
            tells_end: true,
        }
    }

    /// The four tiers of the SRE Workbook: 2 % in 1 h and 5 % in 6 h page; 10 % in 1 d and in 3 d are tickets.
    pub fn workbook() -> Vec<AlertRule> {
        vec![
            AlertRule::burn("page-quick", Severity::Page, 0.02, HOUR, 5 * MINUTE),
            AlertRule::burn("page-slow", Severity::Page, 0.05, 6 * HOUR, 30 * MINUTE),
            AlertRule::burn("ticket-quick", Severity::Ticket, 0.10, 24 * HOUR, 2 * HOUR),
            AlertRule::burn("ticket-slow", Severity::Ticket, 0.10, 72 * HOUR, 6 * HOUR),
        ]
    }

    /// The four tiers for an objective of this window: those of the Workbook from four weeks on. For a shorter one their
    /// windows are as much shorter, so that each spends its share as fast as in four weeks: an hour of a budget of
    /// one hour may always cost two per cent of it, and is no page.
    pub fn usual(window: Duration) -> Vec<AlertRule> {
        let mut tiers = AlertRule::workbook();
        for tier in tiers.iter_mut().filter(|_| window < FOUR_WEEKS) {
            if let Trigger::Burn { long, short, .. } = &mut tier.trigger {
                let scaled = |of: Duration| of.mul_f64(window.as_secs_f64() / FOUR_WEEKS.as_secs_f64());
                let whole = |of: Duration| Duration::from_secs(of.as_secs() + u64::from(of.subsec_nanos() > 0));
                (*long, *short) = (whole(scaled(*long)), whole(scaled(*short)));
            }
        }
        tiers
    }

    /// The burn rate at which `budget_share` of the budget of `period` is spent in the long
    /// window; none for an alert on something else.
    pub fn factor(&self, period: Duration) -> Option<f64> {
        match self.trigger {
            Trigger::Burn { budget_share, long, .. } => Some(budget_share * period.as_secs_f64() / long.as_secs_f64()),
            _ => None,
        }
    }

    /// Its windows, shortest first; none for an alert that looks at the whole budget.
    pub fn windows(&self) -> Vec<Duration> {
        match self.trigger {
            Trigger::Burn { long, short, .. } => vec![short, long],
            Trigger::Silence { over } => vec![over],
            Trigger::Remaining { .. } | Trigger::Exhaustion { .. } => Vec::new(),
        }
    }
}
