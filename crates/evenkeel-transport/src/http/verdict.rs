//! The header `evenkeel-verdict`: a verdict's name, then parameters behind semicolons.
//!
//! `ack` · `retry; after=30s; reason="…"; dependency=bank` · `defer; until=2026-12-01T00:00:00Z` · `busy; after=5s` ·
//! `reject; reason="…"` · `drop; reason="…"` · `pause; dependency=bank`. A value is a token or a
//! quoted string with `\` before `"` and `\`. What is not in this grammar is no verdict: the
//! caller makes a failure of it that names this header, and the message says what would be right.

use std::time::Duration;

use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::Verdict;

/// A delay beyond this is refused: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The verdict of a header's value, or what is wrong with it.
pub(super) fn parse(value: &[u8]) -> Result<Verdict, String> {
    let text = std::str::from_utf8(value).map_err(|_| "it is not UTF-8".to_owned())?;
    let (name, mut given) = split(text)?;
    let verdict = match name.as_str() {
        "ack" => Verdict::Ack,
        "retry" => Verdict::Retry {
            after: given.delay("after")?,
            message: given.take("reason").unwrap_or_default(),
            dependency: given.take("dependency").filter(|name| !name.is_empty()),
        },
        "busy" => Verdict::Busy { after: given.delay("after")? },
        "reject" => Verdict::Reject { reason: given.reason() },
        "drop" => Verdict::Drop { reason: given.reason() },
        "defer" => {
            let until = given.needed("until", "until=2026-12-01T00:00:00Z")?;
            let until = parse_rfc3339(&until).ok_or_else(|| {
                format!("`until={until}` is not a time as RFC 3339 has it, such as 2026-12-01T00:00:00Z")
            })?;
            Verdict::Defer { until }
        }
        "pause" => Verdict::Pause { dependency: given.needed("dependency", "dependency=bank")? },
        other => {
            return Err(format!("`{other}` is not a verdict; say ack, retry, defer, busy, reject, drop or pause"));
        }
    };
    match given.0.first() {
        None => Ok(verdict),
        Some((unknown, _)) => Err(format!("`{name}` has no parameter `{unknown}`")),
    }
}

/// The parameters that were given and not yet used.
struct Given(Vec<(String, String)>);

impl Given {
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    fn needed(&mut self, name: &str, example: &str) -> Result<String, String> {
        self.take(name).filter(|v| !v.is_empty()).ok_or_else(|| format!("it needs `{name}`, as in `{example}`"))
    }

    fn reason(&mut self) -> String {
        self.take("reason").filter(|r| !r.is_empty()).unwrap_or_else(|| "the handler gave no reason".to_owned())
    }

    fn delay(&mut self, name: &str) -> Result<Option<Duration>, String> {
        self.take(name).map(|text| delay(name, &text)).transpose()
    }
}

/// `200ms`, `30s`, `5m`, `2h`, `7d`.
fn delay(name: &str, text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let ms = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_ms)).filter(|_| unit_ms > 0);
    let delay = ms.map(Duration::from_millis).ok_or_else(|| {
        format!("`{name}={text}` is not a duration: a whole number and a unit (ms, s, m, h, d), such as 30s")
    })?;
    if delay > LONGEST { Err(format!("`{name}={text}` is longer than 365d")) } else { Ok(delay) }
}

/// The name and the parameters, both in lower case but for values.
fn split(text: &str) -> Result<(String, Given), String> {
    let (name, mut rest) = cut_name(text);
    if name.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut given = Given(Vec::new());
    while !rest.is_empty() {
        let after = rest.strip_prefix(';').ok_or_else(|| format!("`;` was expected before `{rest}`"))?;
        let (parameter, after) = cut_name(after);
        if parameter.is_empty() && after.is_empty() {
            break;
        }
        let after = after
            .strip_prefix('=')
            .ok_or_else(|| format!("`{parameter}` needs a value, as in `{parameter}=…`"))?
            .trim_start();
        let (value, after) = cut_value(after)?;
        if given.0.iter().any(|(n, _)| *n == parameter) {
            return Err(format!("`{parameter}` is given twice"));
        }
        given.0.push((parameter, value));
        rest = after.trim();
    }
    Ok((name, given))
}

fn cut_name(text: &str) -> (String, &str) {
    let text = text.trim();
    let end = text.find([';', '=']).unwrap_or(text.len());
    (text[..end].trim().to_ascii_lowercase(), &text[end..])
}

fn cut_value(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Ok((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests;
