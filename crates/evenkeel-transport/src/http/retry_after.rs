//! The header `Retry-After`: seconds, or a date in one of HTTP's three forms (RFC 9110 §5.6.7).
//!
//! A value that is neither is ignored: the failure stands by its status, and the schedule says
//! when to come again.

use std::time::Duration;

use evenkeel_model::Timestamp;

/// A wish beyond this is taken as this: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long to wait from `now`, as the header says.
pub(super) fn parse(value: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    Some(http_date(text)?.since(now).min(LONGEST))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`.
fn http_date(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match words.as_slice() {
        [day, date, month, year, time, "GMT"] if day.ends_with(',') => at(year, month, date, time),
        [day, date, time, "GMT"] if day.ends_with(',') => {
            let mut parts = date.splitn(3, '-');
            let (date, month, short) = (parts.next()?, parts.next()?, parts.next()?);
            at(&full_year(short)?, month, date, time)
        }
        [_, month, date, time, year] => at(year, month, date, time),
        _ => None,
    }
}

/// Two digits of a year stand for 1970 to 2069.
fn full_year(short: &str) -> Option<String> {
    let number: u32 = (short.len() == 2).then(|| short.parse().ok())??;
    Some(format!("{}", if number < 70 { 2000 + number } else { 1900 + number }))
}

fn at(year: &str, month: &str, date: &str, time: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let year = (year.len() == 4).then(|| number(year))??;
    let month = i64::try_from(MONTHS.iter().position(|m| *m == month)?).ok()? + 1;
    let date = number(date).filter(|d| (1..=31).contains(d))?;
    let mut clock = time.splitn(3, ':');
    let hour = number(clock.next()?).filter(|h| *h < 24)?;
    let minute = number(clock.next()?).filter(|m| *m < 60)?;
    let second = number(clock.next()?).filter(|s| *s <= 60)?;
    let seconds = days_from_civil(year, month, date) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Timestamp::from_millis(seconds * 1000))
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_model::Timestamp;

    use super::parse;

    /// 784111777 is the date of RFC 9110's own examples.
    #[test]
    fn all_forms_of_a_date_say_the_same_moment() {
        let now = Timestamp::from_millis((784_111_777 - 30) * 1000);
        for form in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(form.as_bytes(), now), Some(Duration::from_secs(30)), "{form}");
        }
        assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GMT", now + Duration::from_secs(60)), Some(Duration::ZERO));
    }

    #[test]
    fn seconds_are_bounded_and_garbage_is_ignored() {
        let now = Timestamp::EPOCH;
        assert_eq!(parse(b"120", now), Some(Duration::from_secs(120)));
        assert_eq!(parse(b"99999999999999999999", now), Some(Duration::from_secs(365 * 24 * 3600)));
        for garbage in
            ["", "soon", "-1", "1.5", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "\u{ff}"]
        {
            assert_eq!(parse(garbage.as_bytes(), now), None, "{garbage}");
        }
    }
}
