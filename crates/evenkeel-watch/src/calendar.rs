//! Windows bound to a calendar: days, weeks, months, quarters and years in a time zone.
//!
//! The n-th window begins n steps after the first one's start, counted from that start and not
//! from the window before: months that begin on the 31st begin on the last day of a shorter month
//! and on the 31st again after it. Minutes and hours are steps of time; longer units are steps of
//! the calendar, so that a day with a change of clocks has 23 or 25 hours. A start that the clocks
//! skip is taken an hour later, one that they show twice the first time (RFC 5545).
//!
//! Does not: look up a zone by its name; whoever reads the name brings the zone.

use evenkeel_model::Timestamp;
use jiff::Span;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::openslo::shorthand::{Shorthand, Unit};

#[cfg(test)]
mod tests;

/// Windows that follow each other without a gap.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// When one of them begins, in the zone.
    pub start: DateTime,
    /// The zone.
    pub zone: TimeZone,
    /// How long each is.
    pub step: Shorthand,
}

impl Calendar {
    /// The window that `now` lies in: its first instant, and the first one after it.
    pub fn around(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let [first, last] =
            [jiff::Timestamp::MIN, jiff::Timestamp::MAX].map(|at| Timestamp::from_micros(at.as_microsecond()));
        let now = now.clamp(first, last);
        let us = self.step.length().as_micros().max(1);
        let since = i128::from(now.micros()) - i128::from(self.begin(0).micros());
        // A guess by the unit's usual length is off by a few windows in a century.
        let mut n = i64::try_from(since.div_euclid(i128::try_from(us).unwrap_or(i128::MAX))).unwrap_or(0);
        while self.begin(n) > now {
            n -= 1;
        }
        while self.begin(n + 1) <= now && self.begin(n + 1) > self.begin(n) {
            n += 1;
        }
        (self.begin(n), self.begin(n + 1))
    }

    /// When the n-th window begins; the end of time where the calendar ends.
    fn begin(&self, n: i64) -> Timestamp {
        let count = i64::from(self.step.count).saturating_mul(n);
        let instant = match self.step.unit {
            Unit::Minute => self.instant(self.start).map(|at| later(at, 60, count)),
            Unit::Hour => self.instant(self.start).map(|at| later(at, 3_600, count)),
            Unit::Day => self.on_calendar(Span::new().try_days(count)),
            Unit::Week => self.on_calendar(Span::new().try_weeks(count)),
            Unit::Month => self.on_calendar(Span::new().try_months(count)),
            Unit::Quarter => self.on_calendar(Span::new().try_months(count.saturating_mul(3))),
            Unit::Year => self.on_calendar(Span::new().try_years(count)),
        };
        instant.unwrap_or(Timestamp::from_micros(if n < 0 { i64::MIN } else { i64::MAX }))
    }

    fn on_calendar(&self, by: Result<Span, jiff::Error>) -> Option<Timestamp> {
        self.instant(self.start.checked_add(by.ok()?).ok()?)
    }

    fn instant(&self, local: DateTime) -> Option<Timestamp> {
        let zoned = self.zone.to_ambiguous_zoned(local).compatible().ok()?;
        Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
    }
}

fn later(at: Timestamp, unit_s: i64, count: i64) -> Timestamp {
    Timestamp::from_micros(at.micros().saturating_add(unit_s.saturating_mul(1_000_000).saturating_mul(count)))
}
