//! What an HTTP answer says: verdict, returned events, the handler's version. Pure.

use std::sync::Arc;

use ::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use ::http::{HeaderMap, response};
use bytes::Bytes;
use evenkeel_cloudevents::Limits;
use evenkeel_cloudevents::http::decode;
use evenkeel_delivery::ports::Answer;
use evenkeel_model::{Event, Failure, FailureClass, Timestamp, Verdict, names};

use super::status::{Meaning, meaning};
use super::{HttpSettings, retry_after, verdict};

/// A message is never longer than this.
const MESSAGE_BYTES: usize = 1024;

/// Reads an answer that came whole (or, when it is no success, its beginning).
pub(super) fn read(settings: &HttpSettings, head: &response::Parts, body: Bytes, now: Timestamp) -> Answer {
    let handler_version = version(head);
    let verdict = said(head, &body, now).unwrap_or_else(|| by_status(settings, head, &body, now));
    let events = match verdict {
        Verdict::Ack => returned(&head.headers, body, settings.answer_bytes_max),
        _ => Ok(Vec::new()),
    };
    match events {
        Ok(emitted) => Answer { verdict, emitted, handler_version },
        Err(message) => {
            let verdict = Verdict::Failed(failure(FailureClass::Failed, head, message, now));
            Answer { verdict, emitted: Vec::new(), handler_version }
        }
    }
}

/// The handler's version, where the answer tells it.
pub(super) fn version(head: &response::Parts) -> Option<Arc<str>> {
    head.headers.get(names::HANDLER_VERSION).map(|v| String::from_utf8_lossy(v.as_bytes()).trim().into())
}

/// True when the answer says more than its status.
pub(super) fn has_verdict(head: &response::Parts) -> bool {
    head.headers.contains_key(names::VERDICT)
}

/// True when the header says `ack`, whatever the status: then the body is wanted whole.
pub(super) fn says_ack(head: &response::Parts) -> bool {
    let mut given = head.headers.get_all(names::VERDICT).iter();
    given.next().is_some_and(|v| verdict::parse(v.as_bytes()) == Ok(Verdict::Ack))
}

/// The verdict of the header, where there is one. It says more than the status, and so it counts.
fn said(head: &response::Parts, body: &[u8], now: Timestamp) -> Option<Verdict> {
    let mut given = head.headers.get_all(names::VERDICT).iter();
    let first = given.next()?;
    let parsed = match given.next() {
        Some(_) => Err("it is given more than once".to_owned()),
        None => verdict::parse(first.as_bytes()),
    };
    let wish = retry_after_of(&head.headers, now);
    Some(match parsed {
        Ok(Verdict::Retry { after, message, dependency }) => {
            let message = if message.is_empty() { described(head, body) } else { bounded(message) };
            Verdict::Retry { after: after.or(wish), message, dependency }
        }
        Ok(Verdict::Busy { after }) => Verdict::Busy { after: after.or(wish) },
        Ok(other) => filled(other),
        Err(why) => {
            let shown = String::from_utf8_lossy(first.as_bytes());
            let message = format!("HTTP {}: header `{}: {shown}`: {why}", head.status.as_u16(), names::VERDICT);
            Verdict::Failed(failure(FailureClass::Failed, head, message, now))
        }
    })
}

/// A verdict whose words are bounded, and are there where they are needed.
pub(super) fn filled(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Retry { after, message, dependency } if message.is_empty() => {
            Verdict::Retry { after, message: "the handler said retry".to_owned(), dependency }
        }
        Verdict::Retry { after, message, dependency } => {
            Verdict::Retry { after, message: bounded(message), dependency }
        }
        Verdict::Reject { reason } => Verdict::Reject { reason: bounded(reason) },
        Verdict::Drop { reason } => Verdict::Drop { reason: bounded(reason) },
        other => other,
    }
}

fn by_status(settings: &HttpSettings, head: &response::Parts, body: &[u8], now: Timestamp) -> Verdict {
    match meaning(head.status.as_u16(), settings.accepted) {
        Meaning::Done => Verdict::Ack,
        Meaning::Failure(class) => Verdict::Failed(failure(class, head, described(head, body), now)),
    }
}

fn failure(class: FailureClass, head: &response::Parts, message: String, now: Timestamp) -> Failure {
    Failure {
        class,
        status: Some(head.status.as_u16()),
        unanswered: false,
        retry_after: retry_after_of(&head.headers, now),
        message: bounded(message),
    }
}

fn retry_after_of(headers: &HeaderMap, now: Timestamp) -> Option<std::time::Duration> {
    retry_after::parse(headers.get(RETRY_AFTER)?.as_bytes(), now)
}

/// The status and what the body begins with, in one line.
fn described(head: &response::Parts, body: &[u8]) -> String {
    let status = head.status.as_u16();
    if head.status.is_redirection() {
        let to = head.headers.get(LOCATION).map(|l| String::from_utf8_lossy(l.as_bytes()).into_owned());
        let to = to.map(|l| format!(" to {l}")).unwrap_or_default();
        return bounded(format!("HTTP {status}: a redirect{to}, which is not followed; give the final url"));
    }
    if status == 202 {
        return "HTTP 202: accepted, which does not count as done here".to_owned();
    }
    let line: String = String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).take(500).collect();
    if line.is_empty() { format!("HTTP {status}") } else { bounded(format!("HTTP {status}: {line}")) }
}

/// The events that the answer carries. None, unless its headers say so.
fn returned(headers: &HeaderMap, body: Bytes, max: usize) -> Result<Vec<Event>, String> {
    let is_structured = headers
        .get(CONTENT_TYPE)
        .is_some_and(|v| v.as_bytes().to_ascii_lowercase().trim_ascii().starts_with(b"application/cloudevents"));
    if !is_structured && !headers.contains_key("ce-specversion") {
        return Ok(Vec::new());
    }
    let limits = Limits { body_bytes_max: max, ..Limits::default() };
    let named = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    decode(named, body, &limits).map_err(|problem| format!("the answer's events cannot be read: {problem}"))
}

/// Cuts a message at its bound, between characters.
pub(super) fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES {
        let cut = (0..=MESSAGE_BYTES).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(cut);
    }
    message
}
