//! What was agreed, and the rules that an agreement must obey.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::objective::{Empty, Indicator, Objective, Part, Problem, Scope, Window};
use crate::openslo::is_dns_label;
use crate::rule::AlertRule;

/// The longest window for which minutes are kept: the running month and the three before it.
const KEPT: Duration = Duration::from_secs(124 * 86_400);

/// A share in parts of a billion, so that comparisons are exact: 99.9 % is 999,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u64);

impl Share {
    /// All of it.
    pub const WHOLE: Share = Share(1_000_000_000);

    /// Reads `99.9%` (or `0.999`); at most seven digits behind the point of a percentage.
    pub fn read(text: &str) -> Option<Share> {
        let text = text.trim();
        let (number, scale) = match text.strip_suffix('%') {
            Some(percent) => (percent.trim(), 7_usize),
            None => (text, 9),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > scale {
            return None;
        }
        let padded: u64 = format!("{whole}{part:0<scale$}").parse().ok()?;
        Some(Share(padded))
    }

    /// As a number between 0 and 1.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl std::fmt::Display for Share {
    /// As a percentage without needless digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.0 / 10_000_000, self.0 % 10_000_000);
        let text = format!("{whole}.{part:07}");
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// How the slices of a month make its availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// The mean of the slices' ratios of good events; each slice weighs the same.
    Mean,
    /// The share of slices that are not down; one is down when all of its events were bad.
    AllBad,
    /// The share of slices that are not down; one is down when less than this share of its events was good.
    Below(Share),
}

impl Availability {
    /// Its name, as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Availability::Mean => "mean",
            Availability::AllBad => "all_bad",
            Availability::Below(_) => "below",
        }
    }
}

/// A step of the service credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// An availability below this.
    pub below: Share,
    /// The share of the bill that it gives back.
    pub credit: Share,
}

/// What the customer gets back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credits {
    /// From the mildest to the hardest; the hardest that holds counts.
    pub tiers: Vec<Tier>,
    /// The most that is given back, of the bill.
    pub cap: Share,
    /// A credit must be more than this, in minor units of the currency (cents).
    pub more_than: u64,
    /// The currency, for people.
    pub currency: Arc<str>,
    /// How long after the month's end it may be claimed.
    pub claim_within: Option<Duration>,
}

impl Default for Credits {
    fn default() -> Credits {
        Credits { tiers: Vec::new(), cap: Share::WHOLE, more_than: 0, currency: Arc::from("USD"), claim_within: None }
    }
}

/// What was agreed with a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// Its name: an RFC 1123 label.
    pub name: Arc<str>,
    /// With whom.
    pub customer: Arc<str>,
    /// About which service.
    pub service: Arc<str>,
    /// For people.
    pub description: Arc<str>,
    /// Which events count.
    pub scope: Scope,
    /// What makes one good.
    pub indicator: Indicator,
    /// How long a slice is: whole minutes, counted from the beginning of the month.
    pub slice: Duration,
    /// What slices make of the month.
    pub availability: Availability,
    /// What a slice without events is.
    pub empty: Empty,
    /// Where months begin.
    pub zone: TimeZone,
    /// What the customer gets back.
    pub credits: Credits,
}

impl Agreement {
    /// The objective without alerts by which its events are counted.
    pub fn counted_as(&self) -> Objective {
        let part = Part { scope: self.scope.clone(), indicator: self.indicator, target: 0.0, ..Part::default() };
        Objective {
            name: Arc::clone(&self.name),
            service: Arc::clone(&self.service),
            parts: vec![part],
            window: Window::Rolling(KEPT),
            alerts: Vec::<AlertRule>::new(),
            ..Objective::default()
        }
    }

    /// All that is wrong with it.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut say = |is_wrong: bool, field: &str, value: String, rule: &str| {
            if is_wrong {
                problems.push(Problem { field: field.to_owned(), value: format!("`{value}`"), rule: rule.to_owned() });
            }
        };
        let slice_s = self.slice.as_secs();
        say(!is_dns_label(&self.name), "name", self.name.to_string(), "a name is 1 to 63 of a-z, 0-9 and `-`");
        let is_whole = self.slice.subsec_nanos() == 0 && slice_s.is_multiple_of(60) && (60..=86_400).contains(&slice_s);
        say(!is_whole, "slice", format!("{}s", self.slice.as_secs_f64()), "a slice is whole minutes, at most a day");
        if let Availability::Below(share) = self.availability {
            let is_wrong = share == Share(0) || share > Share::WHOLE;
            say(is_wrong, "down_below", share.to_string(), "a share above 0 % and at most 100 %");
        }
        let Credits { tiers, cap, .. } = &self.credits;
        say(*cap > Share::WHOLE, "credits.cap", cap.to_string(), "no more is given back than was paid: at most 100 %");
        for (at, tier) in tiers.iter().enumerate() {
            let field = |name: &str| format!("credits.tiers[{at}].{name}");
            let rule = "a share above 0 % and at most 100 %";
            let is_share = |share: Share| share > Share(0) && share <= Share::WHOLE;
            say(!is_share(tier.below), &field("below"), tier.below.to_string(), rule);
            say(!is_share(tier.credit), &field("credit"), tier.credit.to_string(), rule);
            let Some(before) = at.checked_sub(1).and_then(|before| tiers.get(before)) else { continue };
            let rule = "tiers go from the mildest to the hardest: each is below the one before";
            say(tier.below >= before.below, &field("below"), tier.below.to_string(), rule);
            let rule = "a harder tier gives back more than the one before";
            say(tier.credit <= before.credit, &field("credit"), tier.credit.to_string(), rule);
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}
