//! The report of a month: how available the service was, and what the customer gets back.
//!
//! Pure arithmetic over slices: the same slices give the same report wherever it is computed.

use std::time::Duration;

use evenkeel_model::Timestamp;

use super::agreement::{Agreement, Availability, Share};
use super::slice::Sliced;
use crate::objective::Empty;
use crate::slices::Counts;

/// What became of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The month's first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
    /// Up to when slices are judged: the end of the month, or the last whole slice before now.
    pub judged_until: Timestamp,
    /// Slices that were judged and are not excluded: what availability is a share of.
    pub slices: u64,
    /// Of those, ones that are down; where availability is a mean, ones with a bad event.
    pub down: u64,
    /// Of those, ones without events.
    pub empty: u64,
    /// Slices that are excluded, and empty ones that the agreement leaves out.
    pub excluded: u64,
    /// Slices that are still to come.
    pub to_come: u64,
    /// Events that counted.
    pub events: Counts,
    /// Events of excluded minutes.
    pub excluded_events: Counts,
    /// The availability, rounded down to parts of a billion; all of it where nothing was judged.
    pub availability: Share,
    /// What the customer gets back.
    pub credit: Credit,
}

impl Report {
    /// Whether the month is over, so that nothing can change any more but by late events and exclusions.
    pub fn is_final(&self) -> bool {
        self.judged_until >= self.until
    }
}

/// What the customer gets back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credit {
    /// The tier that holds: below this.
    pub below: Option<Share>,
    /// Of the bill, capped.
    pub share: Share,
    /// The bill, in minor units, where it was told.
    pub billed: Option<u64>,
    /// What is given back of it, in minor units: rounded to the nearest; 0 where it isn't more than the least.
    pub amount: Option<u64>,
    /// Until when it may be claimed.
    pub claim_until: Option<Timestamp>,
}

/// The report of a month's slices, seen from `now`; `billed` is in minor units of the currency.
pub fn report(
    agreement: &Agreement,
    (from, until): (Timestamp, Timestamp),
    slices: &[Sliced],
    now: Timestamp,
    billed: Option<u64>,
) -> Report {
    let over = now.clamp(from, until);
    let judged = match over == until {
        true => slices.len(),
        false => usize::try_from(over.since(from).as_micros() / agreement.slice.as_micros().max(1)).unwrap_or(0),
    };
    let judged = judged.min(slices.len());
    let mut sum = Sum::default();
    slices[..judged].iter().for_each(|slice| sum.add(agreement, slice));
    let availability = sum.availability(agreement.availability);
    let slice_ends = from + agreement.slice * u32::try_from(judged).unwrap_or(u32::MAX);
    Report {
        from,
        until,
        judged_until: slice_ends.min(until),
        slices: sum.slices,
        down: sum.down,
        empty: sum.empty,
        excluded: sum.excluded,
        to_come: (slices.len() - judged) as u64,
        events: sum.events,
        excluded_events: sum.excluded_events,
        availability,
        credit: credit(agreement, availability, until, billed),
    }
}

#[derive(Default)]
struct Sum {
    slices: u64,
    down: u64,
    empty: u64,
    excluded: u64,
    events: Counts,
    excluded_events: Counts,
    /// The ratios' sum.
    ratios: f64,
}

impl Sum {
    fn add(&mut self, agreement: &Agreement, slice: &Sliced) {
        self.events.add(&slice.counts);
        self.excluded_events.add(&slice.hidden);
        if slice.is_hidden {
            self.excluded += 1;
            return;
        }
        let Counts { good, bad } = slice.counts;
        let valid = good + bad;
        if valid == 0 {
            return self.add_empty(agreement.empty);
        }
        self.slices += 1;
        self.ratios += good as f64 / valid as f64;
        self.down += u64::from(match agreement.availability {
            Availability::Mean => bad > 0,
            Availability::AllBad => good == 0,
            Availability::Below(share) => {
                u128::from(good) * u128::from(Share::WHOLE.0) < u128::from(share.0) * u128::from(valid)
            }
        });
    }

    fn add_empty(&mut self, empty: Empty) {
        if empty == Empty::Skipped {
            self.excluded += 1;
            return;
        }
        self.slices += 1;
        self.empty += 1;
        match empty {
            Empty::Bad => self.down += 1,
            Empty::Good | Empty::Skipped => self.ratios += 1.0,
        }
    }

    fn availability(&self, how: Availability) -> Share {
        if self.slices == 0 {
            return Share::WHOLE;
        }
        match how {
            Availability::Mean => {
                // The sum of at most 44,640 ratios is off by less than 1e-11: what is a round number stays one.
                let mean = (self.ratios / self.slices as f64 * 1e9 + 1e-2).floor();
                Share((mean as u64).min(Share::WHOLE.0))
            }
            Availability::AllBad | Availability::Below(_) => {
                let up = u128::from(self.slices - self.down) * u128::from(Share::WHOLE.0) / u128::from(self.slices);
                Share(u64::try_from(up).unwrap_or(0))
            }
        }
    }
}

fn credit(agreement: &Agreement, availability: Share, until: Timestamp, billed: Option<u64>) -> Credit {
    let terms = &agreement.credits;
    let tier = terms.tiers.iter().filter(|tier| availability < tier.below).max_by_key(|tier| tier.credit);
    let share = tier.map_or(Share(0), |tier| tier.credit.min(terms.cap));
    let amount = billed.map(|billed| {
        let exact = u128::from(billed) * u128::from(share.0);
        let rounded = (exact + u128::from(Share::WHOLE.0) / 2) / u128::from(Share::WHOLE.0);
        u64::try_from(rounded).unwrap_or(u64::MAX)
    });
    Credit {
        below: tier.map(|tier| tier.below),
        share,
        billed,
        amount: amount.map(|amount| if amount > terms.more_than { amount } else { 0 }),
        claim_until: tier.and(terms.claim_within).map(|within: Duration| until + within),
    }
}
