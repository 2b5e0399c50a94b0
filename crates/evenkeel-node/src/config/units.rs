//! Durations, sizes and rates as people write them: `5s`, `64KiB`, `100/s`.
//!
//! Invariant: what is formatted here parses to the same value.

use std::time::Duration;

const DURATIONS: [(&str, u64); 7] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

const SIZES: [(&str, u64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// A duration such as `250ms`, `5s`, `2m`, `1h30m`, `7d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write a number and a unit (us, ms, s, m, h, d, w), like `5s`");
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let after = &rest[digits..];
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (_, factor) = DURATIONS.iter().find(|(unit, _)| *unit == &after[..end]).ok_or_else(wrong)?;
        let part = scaled(number, *factor).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = &after[end..];
    }
    Ok(Duration::from_micros(total))
}

/// The shortest text of a duration.
pub fn show_duration(value: Duration) -> String {
    let us = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
    if us == 0 {
        return "0s".to_owned();
    }
    let (unit, factor) =
        DURATIONS.iter().rev().skip(1).find(|(_, factor)| us.is_multiple_of(*factor)).unwrap_or(&DURATIONS[0]);
    format!("{}{unit}", us / factor)
}

/// A size such as `512B`, `64KiB`, `1GiB`.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: write a number and a unit (B, KiB, MiB, GiB), like `64KiB`");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let (_, factor) = SIZES.iter().find(|(unit, _)| *unit == text[digits..].trim()).ok_or_else(wrong)?;
    scaled(number, *factor).ok_or_else(wrong)
}

/// The shortest text of a size, in binary units.
pub fn show_size(value: u64) -> String {
    let (unit, factor) = SIZES[..5]
        .iter()
        .rev()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor))
        .unwrap_or(&SIZES[0]);
    format!("{}{unit}", value / factor)
}

/// A rate such as `100/s`, `5/m`: events per second.
pub fn rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is not a rate: write a number and a unit (/s, /m, /h, /d), like `100/s`");
    let (number, unit) = text.trim().split_once('/').ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    if number.is_finite() && number > 0.0 { Ok(number / seconds) } else { Err(wrong()) }
}

/// The text of a rate in events per second, in the unit that reads best.
pub fn show_rate(per_second: f64) -> String {
    let units = [("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
    let whole = |seconds: &f64| (per_second * seconds).fract().abs() < 1e-9 && per_second * seconds >= 1.0;
    let (unit, seconds) = units.into_iter().find(|(_, seconds)| whole(seconds)).unwrap_or(("s", 1.0));
    format!("{}/{unit}", per_second * seconds)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to lie within an exact range first"
)]
fn scaled(number: f64, factor: u64) -> Option<u64> {
    let product = (number * factor as f64).round();
    (product.is_finite() && (0.0..9.0e18).contains(&product)).then_some(product as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, rate, show_duration, show_size, size};

    #[test]
    fn durations_read_as_people_write_them_and_back() {
        for (text, ms) in [("5s", 5_000), ("2m", 120_000), ("7d", 604_800_000), ("250ms", 250), ("1h30m", 5_400_000)] {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(ms), "{text}");
            assert_eq!(duration(&show_duration(read)).unwrap(), read, "{text}");
        }
        assert_eq!(show_duration(Duration::from_secs(7 * 86_400)), "7d");
    }

    #[test]
    fn a_bare_number_is_no_duration_size_or_rate() {
        for text in ["5", "", "s", "5 parsecs", "-5s", "1e99d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(size("64").is_err() && size("64Kib").is_err());
        assert!(rate("100").is_err() && rate("0/s").is_err());
    }

    #[test]
    fn sizes_and_rates_read_as_people_write_them() {
        assert_eq!(size("64KiB").unwrap(), 65_536);
        assert_eq!(show_size(65_536), "64KiB");
        assert_eq!(show_size(65_537), "65537B");
        assert!((rate("120/m").unwrap() - 2.0).abs() < 1e-9);
        for text in ["100/s", "7/m", "0.5/s"] {
            let read = rate(text).unwrap();
            assert!((rate(&super::show_rate(read)).unwrap() - read).abs() < 1e-9, "{text}");
        }
    }
}
