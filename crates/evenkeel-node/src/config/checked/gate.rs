//! How many events at once, how many per second, and how many of them retries.

use evenkeel_delivery::{Concurrency, Rate, RetryBudget};

use super::{parse, units, value};
use crate::config::raw;
use crate::error::Error;

pub(super) fn concurrency(at: &str, raw: &raw::Concurrency) -> Result<Concurrency, Error> {
    let default = Concurrency::default();
    let (min, max) = (raw.min.unwrap_or(default.min), raw.max.unwrap_or(default.max));
    if min == 0 || max < min || max > 10_000 {
        return Err(value(at, format!("min {min}, max {max}: it must be 1 ≤ min ≤ max ≤ 10000")));
    }
    let key = format!("{at}.bytes");
    let bytes = raw.bytes.as_ref().map_or(Ok(default.bytes), |text| parse(&key, text, units::size))?;
    if bytes == 0 {
        return Err(value(&key, "0 would let one event through at a time: write `max: 1` if that is meant"));
    }
    Ok(Concurrency { min, max, bytes })
}

pub(in crate::config) fn rate(
    at: &str,
    text: Option<&str>,
    burst_at: &str,
    burst: Option<u32>,
) -> Result<Option<Rate>, Error> {
    let Some(text) = text else {
        return match burst {
            Some(_) => Err(value(burst_at, "means something with `rate` only")),
            None => Ok(None),
        };
    };
    let per_second = parse(at, text, units::rate)?;
    if burst == Some(0) {
        return Err(value(burst_at, "must be 1 or more: 0 would let nothing through"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let burst = burst.unwrap_or(per_second.ceil().clamp(1.0, 1e6) as u32);
    Ok(Some(Rate { per_second, burst }))
}

pub(super) fn retry_budget(at: &str, raw: &raw::RetryBudget) -> Result<RetryBudget, Error> {
    let default = RetryBudget::default();
    let share = raw.share.unwrap_or(default.share);
    if !(0.0..=100.0).contains(&share) {
        return Err(value(&format!("{at}.share"), format!("{share} is not between 0 and 100")));
    }
    let key = format!("{at}.min");
    let min_per_second = raw.min.as_ref().map_or(Ok(default.min_per_second), |text| parse(&key, text, units::rate))?;
    Ok(RetryBudget { share, min_per_second })
}
