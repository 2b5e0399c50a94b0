//! When a breaker opens and how long it stays so, read and checked.

use evenkeel_delivery::BreakerPolicy;

use super::{duration, positive, value};
use crate::config::raw;
use crate::error::Error;

pub(super) fn read(at: &str, raw: raw::Breaker) -> Result<BreakerPolicy, Error> {
    let default = BreakerPolicy::default();
    let key = |name: &str| format!("{at}.{name}");
    let consecutive = raw.consecutive.unwrap_or(default.consecutive);
    if consecutive < 2 {
        return Err(value(&key("consecutive"), "must be 2 or more: one failure is no outage"));
    }
    let open = positive(&key("open"), duration(&key("open"), &raw.open, default.open)?)?;
    let open_max = raw.open_max.as_ref().map(|_| duration(&key("open_max"), &raw.open_max, open)).transpose()?;
    if let Some(max) = open_max.filter(|max| *max < open) {
        let (max, open) = (super::units::show_duration(max), super::units::show_duration(open));
        return Err(value(&key("open_max"), format!("{max} is less than `open`, which is {open}")));
    }
    let slow_call = raw.slow_call.as_ref().map(|_| duration(&key("slow_call"), &raw.slow_call, open)).transpose()?;
    if raw.slow_ratio.is_some() && slow_call.is_none() {
        return Err(value(&key("slow_ratio"), "means something with `slow_call` only: from when on is a call slow?"));
    }
    Ok(BreakerPolicy {
        window: positive(&key("window"), duration(&key("window"), &raw.window, default.window)?)?,
        min_calls: raw.min_calls.unwrap_or(default.min_calls).max(1),
        failure_ratio: ratio(&key("failure_ratio"), raw.failure_ratio, default.failure_ratio)?,
        consecutive,
        open,
        open_max,
        slow_call: slow_call.map(|bound| positive(&key("slow_call"), bound)).transpose()?,
        slow_ratio: ratio(&key("slow_ratio"), raw.slow_ratio, default.slow_ratio)?,
    })
}

fn ratio(at: &str, written: Option<f64>, default: f64) -> Result<f64, Error> {
    let ratio = written.unwrap_or(default);
    if ratio > 0.0 && ratio <= 1.0 {
        Ok(ratio)
    } else {
        Err(value(at, format!("{ratio} is not above 0 and at most 1")))
    }
}
