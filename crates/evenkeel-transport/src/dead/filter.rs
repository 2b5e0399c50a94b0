//! Which dead letters are meant: a conjunction of plain conditions, and its text.
//!
//! The text (`reason=rejected&type=OrderCreated`, values percent-escaped) is what a redrive job
//! keeps in the journal, and what the query of a list is. It knows letters, not where they lie.
//! Invariant: what [`Filter::to_text`] writes, [`Filter::parse`] reads back equal.

use evenkeel_cloudevents::time::{format_rfc3339, parse_rfc3339};
use evenkeel_model::Timestamp;

use super::DeadLetter;

/// The names of all conditions, in the order of the text.
pub const CONDITIONS: [&str; 11] =
    ["reason", "class", "fingerprint", "type", "source", "id", "key", "version", "contains", "since", "until"];
const SINCE: usize = 9;

/// Which dead letters are meant; without conditions, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// By the index of [`CONDITIONS`].
    texts: [Option<String>; 9],
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// A condition that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Its name.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub rule: String,
}

impl std::fmt::Display for FilterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}; it was `{}`", self.field, self.rule, self.value)
    }
}

impl std::error::Error for FilterError {}

impl Filter {
    /// Adds a condition. `since` and `until` bound the time of death (RFC 3339, `until` not
    /// included); `contains` looks for a text in the failure's message; the others are equal or not.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), FilterError> {
        let wrong = |rule: String| FilterError { field: name.to_owned(), value: value.to_owned(), rule };
        let index = CONDITIONS.iter().position(|c| *c == name);
        let index = index.ok_or_else(|| wrong(format!("is not one of {}", CONDITIONS.join(", "))))?;
        if let Some(text) = self.texts.get_mut(index) {
            *text = Some(value.to_owned());
            return Ok(());
        }
        let time = parse_rfc3339(value).ok_or_else(|| wrong("must be a time, as 2026-11-30T12:00:00Z".to_owned()))?;
        *(if index == SINCE { &mut self.since } else { &mut self.until }) = Some(time);
        Ok(())
    }

    /// Reads the text of a filter.
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        let mut filter = Filter::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            filter.set(&unescaped(name), &unescaped(value))?;
        }
        Ok(filter)
    }

    /// Its text, the same for equal filters.
    pub fn to_text(&self) -> String {
        let times = [self.since, self.until].map(|at| at.map(format_rfc3339));
        let values = self.texts.iter().chain(&times);
        let pairs = CONDITIONS.iter().zip(values);
        let pairs = pairs.filter_map(|(name, value)| Some(format!("{name}={}", escaped(value.as_deref()?))));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Whether a letter is meant.
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        let key = letter.key.as_deref().map(String::from_utf8_lossy);
        let found = [
            Some(&*letter.reason),
            Some(&*letter.class),
            Some(&*letter.fingerprint),
            Some(&*letter.kind),
            Some(&*letter.source),
            Some(&*letter.id),
            key.as_deref(),
            Some(&*letter.handler_version),
        ];
        let equal = self.texts.iter().zip(found).all(|(wanted, found)| wanted.is_none() || wanted.as_deref() == found);
        equal
            && self.texts[8].as_ref().is_none_or(|text| letter.message.contains(text))
            && self.since.is_none_or(|since| letter.appended >= since)
            && self.until.is_none_or(|until| letter.appended < until)
    }
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, hex) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(*other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
