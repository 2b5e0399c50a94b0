//! OpenSLO's durations: a whole number and one of `m h d w M Q Y`.
//!
//! In a rolling window a month is 30 days, a quarter 90 and a year 365, as in OpenSLO's go-sdk;
//! in a calendar window they are the calendar's.

use std::fmt;
use std::time::Duration;

use super::fields::Fields;
use super::finding::{Findings, Rule};
use super::tree::Value;

/// A duration as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shorthand {
    /// How many.
    pub count: u32,
    /// Of what.
    pub unit: Unit,
}

/// What a duration counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `w`
    Week,
    /// `M`
    Month,
    /// `Q`
    Quarter,
    /// `Y`
    Year,
}

const UNITS: [(char, Unit, u64); 7] = [
    ('m', Unit::Minute, 60),
    ('h', Unit::Hour, 3_600),
    ('d', Unit::Day, 86_400),
    ('w', Unit::Week, 7 * 86_400),
    ('M', Unit::Month, 30 * 86_400),
    ('Q', Unit::Quarter, 90 * 86_400),
    ('Y', Unit::Year, 365 * 86_400),
];

impl Shorthand {
    /// Reads `12h`, `4w`, `1M`.
    pub fn parse(text: &str) -> Option<Shorthand> {
        let postfix = text.chars().last()?;
        let (_, unit, _) = UNITS.into_iter().find(|(letter, ..)| *letter == postfix)?;
        let digits = &text[..text.len() - postfix.len_utf8()];
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        Some(Shorthand { count: plain.then(|| digits.parse().ok())??, unit })
    }

    /// How long it is when it isn't bound to a calendar.
    pub fn length(self) -> Duration {
        let seconds = UNITS.into_iter().find(|(_, unit, _)| *unit == self.unit).map_or(0, |(.., seconds)| seconds);
        Duration::from_secs(u64::from(self.count) * seconds)
    }
}

impl fmt::Display for Shorthand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = UNITS.into_iter().find(|(_, unit, _)| *unit == self.unit).map_or('m', |(letter, ..)| letter);
        write!(f, "{}{letter}", self.count)
    }
}

/// A duration in a field; a finding when it is something else. A bare number means minutes.
pub(super) fn read(fields: &Fields<'_>, name: &str, out: &mut Findings) -> Option<Shorthand> {
    let minutes = |number: f64| (number.fract() == 0.0 && (0.0..1e9).contains(&number)).then_some(number as u32);
    let (read, found) = match &fields.get(name)?.value {
        Value::Text(text) => (Shorthand::parse(text), format!("`{text}`")),
        Value::Number(number) => {
            (minutes(*number).map(|count| Shorthand { count, unit: Unit::Minute }), number.to_string())
        }
        other => (None, other.kind().to_owned()),
    };
    if read.is_none() {
        let rule = "a duration is a whole number and one of m, h, d, w, M, Q, Y, like `30d`";
        out.add(&fields.at(name), Rule::DurationShorthand, format!("is {found}; {rule}"));
    }
    read
}

/// A duration that must be there.
pub(super) fn required(fields: &Fields<'_>, name: &str, out: &mut Findings) -> Option<Shorthand> {
    out.check(fields.has(name), &fields.at(name), Rule::Required, || "is missing".to_owned());
    read(fields, name, out)
}
