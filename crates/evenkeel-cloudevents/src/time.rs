//! RFC 3339 times, to the letter, in both directions.
//!
//! The grammar is checked here, since calendars in libraries accept more than RFC 3339 does
//! (a space for the `T`, missing seconds, time zones in brackets); the calendar is jiff's.

use evenkeel_model::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The time of `2026-01-31T09:30:00.25+01:00`; `None` for whatever is not RFC 3339. Digits
/// beyond the microsecond are cut off. Second 60 is allowed where UTC has leap seconds, in the
/// last minute of a month, and counts as the second after it. `-00:00` is UTC, with the local
/// offset unknown.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let (year, month, day) = date(bytes.get(..10)?)?;
    if !matches!(bytes.get(10)?, b'T' | b't') {
        return None;
    }
    let (hour, minute, second) = time_of_day(bytes.get(11..19)?)?;
    let (micros, rest) = fraction(&bytes[19..])?;
    let offset_s = offset(rest)?;
    let leap = second == 60;
    let date = Date::new(year, month, day).ok()?;
    let local = date.at(hour, minute, if leap { 59 } else { second }, 0);
    let utc_s = seconds(local)?.checked_sub(offset_s)?;
    if leap && !is_end_of_month(utc_s) {
        return None;
    }
    let whole = utc_s + i64::from(leap);
    Some(Timestamp::from_micros(whole.checked_mul(1_000_000)?.checked_add(micros)?))
}

/// The time in UTC with milliseconds, or microseconds where it has them:
/// `2026-01-31T08:30:00.250Z`. Times outside the years 0 to 9999 come out as the nearest
/// that RFC 3339 can say.
pub fn format_rfc3339(at: Timestamp) -> String {
    const FIRST_S: i64 = -62_167_219_200;
    const LAST_S: i64 = 253_402_207_200;
    let at = Timestamp::from_micros(at.micros().clamp(FIRST_S * 1_000_000, LAST_S * 1_000_000));
    let Ok(exact) = jiff::Timestamp::from_microsecond(at.micros()) else { return String::new() };
    let t = TimeZone::UTC.to_datetime(exact);
    let (date, time) = (t.date(), t.time());
    let us = i64::from(time.subsec_nanosecond() / 1000);
    let whole = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    if us % 1000 == 0 { format!("{whole}.{:03}Z", us / 1000) } else { format!("{whole}.{us:06}Z") }
}

fn date(bytes: &[u8]) -> Option<(i16, i8, i8)> {
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i16::from(two_digits(&bytes[..2])?) * 100 + i16::from(two_digits(&bytes[2..4])?);
    Some((year, two_digits(&bytes[5..7])?, two_digits(&bytes[8..10])?))
}

fn time_of_day(bytes: &[u8]) -> Option<(i8, i8, i8)> {
    if bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (two_digits(&bytes[..2])?, two_digits(&bytes[3..5])?, two_digits(&bytes[6..8])?);
    (hour <= 23 && minute <= 59 && second <= 60).then_some((hour, minute, second))
}

/// Microseconds of `.25`, and what stands behind it.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = bytes.strip_prefix(b".") else { return Some((0, bytes)) };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let padded = digits[..count].iter().copied().chain(std::iter::repeat(b'0')).take(6);
    let micros = padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    Some((micros, &digits[count..]))
}

/// Seconds east of UTC.
fn offset(bytes: &[u8]) -> Option<i64> {
    match bytes {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two_digits(&[*h1, *h2])?, two_digits(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn two_digits(bytes: &[u8]) -> Option<i8> {
    match bytes {
        [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => Some(((a - b'0') * 10 + (b - b'0')).cast_signed()),
        _ => None,
    }
}

/// Seconds since the epoch of a civil time, read as UTC.
fn seconds(utc: DateTime) -> Option<i64> {
    let days = utc.date().since(Date::constant(1970, 1, 1)).ok()?.get_days();
    let time = utc.time();
    Some(
        i64::from(days) * 86_400
            + i64::from(time.hour()) * 3600
            + i64::from(time.minute()) * 60
            + i64::from(time.second()),
    )
}

/// Whether the second after this one begins a month.
fn is_end_of_month(utc_s: i64) -> bool {
    let Ok(next) = jiff::Timestamp::from_second(utc_s + 1) else { return false };
    let next = TimeZone::UTC.to_datetime(next);
    next.day() == 1 && (next.hour(), next.minute(), next.second()) == (0, 0, 0)
}

#[cfg(test)]
mod tests;
