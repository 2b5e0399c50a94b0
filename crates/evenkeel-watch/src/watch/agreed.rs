//! Agreements beside objectives: counted from the same ledger, by the minute, and never alerted on.
//!
//! Invariant: an exclusion holds for an agreement only if it names it; what a team excludes for itself says nothing
//! to a customer.

use evenkeel_model::Timestamp;

use super::Watch;
use crate::sla::{Agreement, Hiding, Minute, Month};
use crate::tracked::Tracked;

/// An agreement with what it counted.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) agreement: Agreement,
    pub(crate) tracked: Tracked,
}

/// What is known of one month of an agreement.
#[derive(Clone, Debug, PartialEq)]
pub struct Monthly {
    /// The agreement.
    pub agreement: Agreement,
    /// The month.
    pub month: Month,
    /// Its minutes that have events, in order.
    pub minutes: Vec<Minute>,
    /// What is excluded of it, in the order in which it was said.
    pub hidings: Vec<Hiding>,
    /// When the ledger begins: of the time before nothing is known.
    pub known_from: Option<Timestamp>,
}

impl Watch {
    /// Counts for these agreements as well; meant to be called before the first record.
    pub fn agree(&mut self, agreements: Vec<Agreement>) {
        for agreement in agreements {
            let subscription = agreement.scope.subscription.clone();
            let tracked = Tracked::new(agreement.counted_as());
            self.subscriptions.entry(subscription).or_default().agreements.push(self.agreements.len());
            self.agreements.push(Agreed { agreement, tracked });
        }
    }

    /// All agreements, in the order in which they were given.
    pub fn agreements(&self) -> impl Iterator<Item = &Agreement> {
        self.agreements.iter().map(|agreed| &agreed.agreement)
    }

    /// A month of an agreement; the one that runs where none is named.
    pub fn monthly(&self, agreement: &str, month: Option<Month>, now: Timestamp) -> Option<Monthly> {
        let Agreed { agreement, tracked } =
            self.agreements.iter().find(|agreed| *agreed.agreement.name == *agreement)?;
        let month = month.unwrap_or_else(|| Month::of(now, &agreement.zone));
        let (from, until) = month.bounds(&agreement.zone);
        let slices = tracked.slices.first()?;
        let minutes = slices.minutes(from, until).filter(|(begins, _)| *begins >= from && *begins < until);
        let named = |exclusion: &&crate::Exclusion| exclusion.of.objective.as_ref() == Some(&agreement.name);
        let hidings = self.exclusions.iter().filter(named).filter(|e| e.from < until && e.until > from);
        Some(Monthly {
            agreement: agreement.clone(),
            month,
            minutes: minutes.map(|(begins, counts)| Minute { begins, counts }).collect(),
            hidings: hidings
                .map(|e| Hiding { from: e.from, until: e.until, reason: e.reason.clone(), by: e.by.clone() })
                .collect(),
            known_from: self.first_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use evenkeel_model::{Outcome, Timestamp};
    use jiff::tz::TimeZone;

    use crate::objective::{Empty, Indicator, Scope};
    use crate::sla::{Agreement, Availability, Credits, report, sliced};
    use crate::testing::Ledger;
    use crate::{Excluded, Exclusion, Watch};

    const MINUTE: Duration = Duration::from_secs(60);

    fn agreement() -> Agreement {
        Agreement {
            name: Arc::from("acme"),
            customer: Arc::from("ACME"),
            service: Arc::from("shop"),
            description: Arc::from(""),
            scope: Scope::of("payment"),
            indicator: Indicator::Success,
            slice: MINUTE,
            availability: Availability::AllBad,
            empty: Empty::Good,
            zone: TimeZone::UTC,
            credits: Credits::default(),
        }
    }

    #[test]
    fn an_agreement_counts_from_the_ledger_and_only_exclusions_that_name_it_hold() {
        // 2026-11-18T10:40:00Z.
        let start = Timestamp::from_millis(1_795_000_000_000 - 1_795_000_000_000 % 60_000);
        let mut watch = Watch::new(Vec::new()).unwrap();
        watch.agree(vec![agreement()]);
        let mut ledger = Ledger::default();
        for n in 0..3 {
            let at = start + MINUTE * n;
            watch.ingest(&ledger.ended(u64::from(n), at, Outcome::Dead, Duration::ZERO));
        }
        let down = |watch: &Watch| {
            let now = start + MINUTE * 10;
            let monthly = watch.monthly("acme", None, now).unwrap();
            let bounds = monthly.month.bounds(&monthly.agreement.zone);
            let slices = sliced(&monthly.minutes, &monthly.hidings, bounds, monthly.agreement.slice);
            report(&monthly.agreement, bounds, &slices, now, None).down
        };
        assert_eq!(down(&watch), 3);
        let exclusion = |of: Excluded| Exclusion {
            id: Arc::from(format!("{of:?}")),
            of,
            from: start,
            until: start + MINUTE,
            reason: Arc::from("maintenance"),
            by: Arc::from("ann"),
            said_at: start,
        };
        watch.exclude(exclusion(Excluded { subscription: Some(Arc::from("payment")), ..Excluded::default() }));
        assert_eq!(down(&watch), 3, "that is the team's own");
        watch.exclude(exclusion(Excluded { objective: Some(Arc::from("acme")), ..Excluded::default() }));
        assert_eq!(down(&watch), 2, "that is agreed with the customer");
        assert!(watch.monthly("nobody", None, start).is_none());
    }
}
