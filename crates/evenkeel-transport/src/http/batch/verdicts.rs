//! What the answer to a batch says of each of its events. Pure.
//!
//! `{"results":[{"source":"/shop","id":"7","verdict":"ack","events":[…]},{"id":"8","verdict":"retry; after=30s"}]}`
//! as JSON; a verdict has the grammar of the header. `source` may be left out where no other
//! event of the batch has that id. The header `evenkeel-verdict`, a status that is no success,
//! and a 2xx that is no JSON speak for all events at once.
//!
//! An event without a verdict has failed, and so has one with two: nothing is taken for done
//! that the handler did not say is done. A verdict for an event that was never sent is ignored,
//! and told in the log.

use std::collections::HashMap;

use ::http::header::CONTENT_TYPE;
use ::http::response;
use bytes::Bytes;
use evenkeel_cloudevents::{Limits, json};
use evenkeel_delivery::ports::{Answer, Call};
use evenkeel_model::{Event, Failure, FailureClass, Timestamp, Verdict};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::happenings::ForeignVerdicts;
use crate::http::{Accepted, HttpSettings, answer, verdict};

/// What was read.
pub(super) enum Read {
    /// One answer for each event.
    Each(Vec<Answer>),
    /// The same for all.
    Whole(Answer),
}

#[derive(Deserialize)]
struct Said<'a> {
    source: Option<String>,
    id: String,
    verdict: Option<String>,
    #[serde(borrow)]
    events: Option<&'a RawValue>,
}

/// Reads an answer that came.
pub(super) fn read(
    settings: &HttpSettings,
    head: &response::Parts,
    body: Bytes,
    now: Timestamp,
    calls: &[Call],
) -> Read {
    let essence = head.headers.get(CONTENT_TYPE).map(|v| v.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    let essence = essence.split(|b| *b == b';').next().unwrap_or_default().trim_ascii().to_vec();
    let refused_202 = head.status == 202 && settings.accepted != Accepted::Ack;
    let speaks_for_all = !head.status.is_success() || answer::has_verdict(head) || refused_202;
    let is_json = essence == b"application/json";
    if speaks_for_all || !is_json || body.trim_ascii().is_empty() {
        return whole(settings, head, body, now, calls);
    }
    match results(&body) {
        Ok(Some(said)) => Read::Each(each(settings, head, said, calls)),
        Ok(None) => whole(settings, head, body, now, calls),
        Err(wrong) => Read::Whole(failed(head, format!("the answer's verdicts cannot be read: {wrong}"))),
    }
}

/// The verdicts; none in JSON that has no `results`.
fn results(body: &[u8]) -> Result<Option<Vec<Said<'_>>>, serde_json::Error> {
    let json: &RawValue = serde_json::from_slice(body)?;
    let Ok(members) = serde_json::from_str::<HashMap<String, &RawValue>>(json.get()) else { return Ok(None) };
    members.get("results").map(|said| serde_json::from_str(said.get())).transpose()
}

/// The same for all. Events that are returned for all of them have no cause that could be named.
fn whole(settings: &HttpSettings, head: &response::Parts, body: Bytes, now: Timestamp, calls: &[Call]) -> Read {
    let answer = answer::read(settings, head, body, now);
    if calls.len() > 1 && !answer.emitted.is_empty() {
        let message = "the events that it returns must stand in `results`, each with the event that caused it";
        return Read::Whole(failed(head, message.to_owned()));
    }
    Read::Whole(answer)
}

fn each(settings: &HttpSettings, head: &response::Parts, said: Vec<Said<'_>>, calls: &[Call]) -> Vec<Answer> {
    let mut answers: Vec<Option<Answer>> = vec![None; calls.len()];
    let mut foreign = 0_usize;
    for (number, one) in said.into_iter().enumerate() {
        let meant = meant(&one, number, calls);
        let Some(place) = meant else {
            foreign += 1;
            continue;
        };
        answers[place] = Some(match answers[place] {
            Some(_) => failed(head, "the answer has two verdicts for this event".to_owned()),
            None => judged(settings, head, &one),
        });
    }
    if foreign > 0 {
        ForeignVerdicts { subscription: settings.subscription.to_string(), foreign }.tell();
    }
    let missing = || failed(head, "the answer has no verdict for this event".to_owned());
    answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
}

/// The place of the event that is meant; most handlers keep the order.
fn meant(said: &Said<'_>, number: usize, calls: &[Call]) -> Option<usize> {
    let places = (0..calls.len()).map(|n| (number + n) % calls.len());
    let mut found = places.filter(|at| {
        let id = &calls[*at].delivered.event.id;
        id.id == said.id && said.source.as_ref().is_none_or(|source| *source == id.source)
    });
    let first = found.next()?;
    (said.source.is_some() || found.next().is_none()).then_some(first)
}

fn judged(settings: &HttpSettings, head: &response::Parts, said: &Said<'_>) -> Answer {
    let Some(text) = &said.verdict else {
        return failed(head, "the answer has no `verdict` for this event".to_owned());
    };
    let verdict = match verdict::parse(text.as_bytes()) {
        Ok(verdict) => answer::filled(verdict),
        Err(why) => return failed(head, format!("the verdict `{text}`: {why}")),
    };
    let emitted = match (&verdict, said.events) {
        (Verdict::Ack, Some(events)) => returned(events, settings.answer_bytes_max),
        _ => Ok(Vec::new()),
    };
    match emitted {
        Ok(emitted) => Answer { verdict, emitted, handler_version: answer::version(head) },
        Err(why) => failed(head, why),
    }
}

fn returned(events: &RawValue, max: usize) -> Result<Vec<Event>, String> {
    let limits = Limits { body_bytes_max: max, ..Limits::default() };
    json::decode_batch(events.get().as_bytes(), &limits)
        .map_err(|problem| format!("the events of its verdict cannot be read: {problem}"))
}

fn failed(head: &response::Parts, message: String) -> Answer {
    let status = head.status.as_u16();
    let message = answer::bounded(format!("HTTP {status}: {message}"));
    let failure =
        Failure { class: FailureClass::Failed, status: Some(status), unanswered: false, retry_after: None, message };
    Answer { verdict: Verdict::Failed(failure), emitted: Vec::new(), handler_version: answer::version(head) }
}
