//! Numbers as people say them: 12.4 k/s, 38 ms, 2 h 14 min, 99.93 %.
//!
//! A share is never rounded up to 100 %, nor a number that is not zero down to 0. A number and
//! its unit are held together by a no-break space. Exact values are the caller's to show beside.

use std::time::Duration;

use evenkeel_model::Timestamp;

/// Between a number and its unit.
const NBSP: char = '\u{a0}';

/// `12,468`; from a million on `1.25 M`.
pub(super) fn count(n: u64) -> String {
    match n {
        0..1_000_000 => grouped(n),
        1_000_000..1_000_000_000 => scaled(n as f64 / 1e6, "M"),
        _ => scaled(n as f64 / 1e9, "G"),
    }
}

/// `12,468,001`, however large.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `0/s`, `0.3/s`, `212/s`, `12.4 k/s`.
pub(crate) fn rate(per_second: f64) -> String {
    let r = per_second.max(0.0);
    match r {
        r if r == 0.0 || r.is_nan() => "0/s".to_owned(),
        r if r < 0.1 => "<0.1/s".to_owned(),
        r if r < 9.95 => format!("{}/s", trimmed(r, 1)),
        r if r < 999.5 => format!("{r:.0}/s"),
        r if r < 999_500.0 => format!("{}/s", scaled(r / 1e3, "k")),
        r => format!("{}/s", scaled(r / 1e6, "M")),
    }
}

/// `<1 ms`, `38 ms`, `1.2 s`, `12 s`, `4 min 5 s`, `2 h 14 min`, `3 d 4 h`, `12 d`.
pub(crate) fn duration(d: Duration) -> String {
    let (ms, s) = (d.as_secs_f64() * 1e3, d.as_secs());
    match s {
        _ if d.is_zero() => format!("0{NBSP}ms"),
        _ if ms < 1.0 => format!("<1{NBSP}ms"),
        _ if ms < 999.5 => format!("{ms:.0}{NBSP}ms"),
        _ if ms < 9_950.0 => format!("{}{NBSP}s", trimmed(ms / 1e3, 1)),
        0..60 => format!("{s}{NBSP}s"),
        60..3600 => pair(s / 60, "min", s % 60, "s"),
        3600..86_400 => pair(s / 3600, "h", s % 3600 / 60, "min"),
        86_400..864_000 => pair(s / 86_400, "d", s % 86_400 / 3600, "h"),
        _ => format!("{}{NBSP}d", grouped(s / 86_400)),
    }
}

/// `99.93 %`, cut and never rounded up: as many digits, up to five, as it takes not to say 100.
pub(super) fn share(part: f64) -> String {
    if !part.is_finite() {
        return format!("–{NBSP}%");
    }
    let percent = part * 100.0;
    let digits = if (99.99..100.0).contains(&percent) { 4 } else { 2 };
    let scale = 10_f64.powi(digits);
    // The nudge takes back what binary fractions lose: 0.9993 × 100 is 99.92999….
    let cut = (percent * scale + 1e-6).floor() / scale;
    let cut = if percent > 0.0 && cut <= 0.0 { return format!("<0.01{NBSP}%") } else { cut };
    format!("{}{NBSP}%", trimmed(cut, digits.unsigned_abs() as usize))
}

/// A share of a budget: `62 %`, `−8 %`, `0.4 %`.
pub(super) fn budget(part: f64) -> String {
    let percent = part * 100.0;
    let digits = usize::from(percent.abs() < 10.0);
    let text = match percent.abs() {
        p if p < 999.5 => trimmed(p, digits),
        p => grouped(p.round().min(1e15) as u64),
    };
    let sign = if percent < 0.0 && text != "0" { "−" } else { "" };
    format!("{sign}{text}{NBSP}%")
}

/// `0×`, `0.4×`, `14.4×`, `212×`.
pub(super) fn multiple(of: f64) -> String {
    match of.max(0.0) {
        m if m > 0.0 && m < 0.05 => "<0.1×".to_owned(),
        m if m < 99.95 => format!("{}×", trimmed(m, 1)),
        m => format!("{}×", grouped(m.round().min(1e15) as u64)),
    }
}

/// `0 B`, `812 B`, `4 KiB`, `1.2 GiB`.
pub(crate) fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = n as f64;
    let mut at = 0;
    while value >= 1023.5 && at + 1 < units.len() {
        value /= 1024.0;
        at += 1;
    }
    let digits = usize::from(at > 0 && value < 9.95);
    format!("{}{NBSP}{}", trimmed(value, digits), units[at])
}

/// `now`, `12 s ago`, `in 12 s`.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    let whole = |d: Duration| Duration::from_secs(d.as_secs());
    match (now.since(at), at.since(now)) {
        (past, future) if past.as_secs() == 0 && future.as_secs() == 0 => "now".to_owned(),
        (past, _) if past.as_secs() > 0 => format!("{}{NBSP}ago", seconds(whole(past))),
        (_, future) => format!("in{NBSP}{}", seconds(whole(future))),
    }
}

/// Whole seconds, so that `3 s ago` does not say `3.0 s`.
fn seconds(d: Duration) -> String {
    if d.as_secs() < 60 { format!("{}{NBSP}s", d.as_secs()) } else { duration(d) }
}

fn pair(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large}{NBSP}{large_unit}"),
        _ => format!("{large}{NBSP}{large_unit}{NBSP}{small}{NBSP}{small_unit}"),
    }
}

/// Three digits that count: `1.25 M`, `12.4 k`, `124 k`.
fn scaled(value: f64, unit: &str) -> String {
    let digits = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{}{NBSP}{unit}", trimmed(value, digits))
}

/// With at most that many decimals, and no zeros behind the last one that counts.
fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests;
