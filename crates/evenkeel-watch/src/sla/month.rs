//! A month of the calendar, and where it begins and ends in a zone.

use std::fmt;
use std::str::FromStr;

use evenkeel_model::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month that `now` lies in, in the zone.
    pub fn of(now: Timestamp, zone: &TimeZone) -> Month {
        let at = jiff::Timestamp::from_microsecond(now.micros()).unwrap_or_default();
        let local = zone.to_datetime(at);
        Month { year: local.year(), month: local.month() }
    }

    /// Its first instant, and the first one after it. A month has as many hours as the zone's clocks give it.
    pub fn bounds(self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let next = match self.month {
            12 => Month { year: self.year.saturating_add(1), month: 1 },
            month => Month { year: self.year, month: month + 1 },
        };
        (begin(self.first(), zone), begin(next.first(), zone))
    }

    fn first(self) -> Date {
        date(self.year, self.month, 1)
    }
}

/// A midnight that the clocks skip is taken an hour later, one that they show twice the first time.
fn begin(day: Date, zone: &TimeZone) -> Timestamp {
    let zoned = zone.to_ambiguous_zoned(day.at(0, 0, 0, 0)).compatible();
    Timestamp::from_micros(zoned.map_or(i64::MAX, |zoned| zoned.timestamp().as_microsecond()))
}

impl FromStr for Month {
    type Err = String;

    /// `2026-10`.
    fn from_str(text: &str) -> Result<Month, String> {
        let wrong = || format!("`{text}` is not a month: write it like `2026-10`");
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let number = |text: &str, digits: usize| {
            (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()))
                .then(|| text.parse::<i16>().ok())
                .flatten()
        };
        let year = number(year, 4).filter(|year| (1970..=9998).contains(year)).ok_or_else(wrong)?;
        let month = number(month, 2).filter(|month| (1..=12).contains(month)).ok_or_else(wrong)?;
        Ok(Month { year, month: i8::try_from(month).map_err(|_| wrong())? })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}
