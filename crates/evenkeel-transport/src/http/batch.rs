//! Several events in one request, for a handler that opted in; a verdict for each.
//!
//! The request is a CloudEvents batch in JSON; what differs between its events stands in each of
//! them: `evenkeelkey`, `evenkeelattempt`, `evenkeelmaxattempts`, `evenkeeldelivery`. The answer may say a verdict
//! for each (`verdicts`), or nothing, which is the same for all.
//!
//! One request is one observation. What happened to it as a whole is told with its first event;
//! the others are put off at no cost. When it failed or was refused, nobody can tell which event
//! was the reason: all are put off, each goes alone next (`suspects`), and only what happens
//! then counts. So poison costs its neighbours no attempt, and a refused batch dead-letters
//! nothing. Invariant: one answer for each call, in order.

mod request;
mod suspects;
mod verdicts;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::{Answer, Call};
use evenkeel_model::{Failure, FailureClass, Verdict};
use tokio::task::JoinSet;

use super::{Outlet, answer, exchange};

pub(super) use suspects::Suspects;

/// How events are gathered into one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Events of one request.
    pub max: usize,
    /// How long the first of them may wait for others.
    pub linger: Duration,
    /// Bytes of data of one request, beyond its first event.
    pub bytes_max: usize,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch { max: 64, linger: Duration::ZERO, bytes_max: 1 << 20 }
    }
}

/// Hands them over, in as few requests as may be.
pub(super) async fn run(outlet: &Arc<Outlet>, batch: Batch, calls: Vec<Call>) -> Vec<Answer> {
    let mut groups = groups(batch, &outlet.suspects, calls);
    if groups.len() == 1 {
        return one(outlet, &groups.remove(0).1).await;
    }
    let mut sent = JoinSet::new();
    let mut lengths = Vec::with_capacity(groups.len());
    for (number, (places, calls)) in groups.into_iter().enumerate() {
        lengths.push(places);
        let outlet = outlet.clone();
        sent.spawn(async move { (number, one(&outlet, &calls).await) });
    }
    let mut answers: Vec<Option<Answer>> = Vec::new();
    answers.resize_with(lengths.iter().map(Vec::len).sum(), || None);
    while let Some(done) = sent.join_next().await {
        let Ok((number, group)) = done else { continue };
        for (place, answer) in lengths[number].iter().zip(group) {
            answers[*place] = Some(answer);
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(broke)).collect()
}

/// The requests: suspects alone, the others together within the limits; each with the places of
/// its calls.
fn groups(batch: Batch, suspects: &Suspects, calls: Vec<Call>) -> Vec<(Vec<usize>, Vec<Call>)> {
    let mut groups: Vec<(Vec<usize>, Vec<Call>)> = Vec::new();
    let (mut open, mut bytes) = (None, 0);
    for (place, call) in calls.into_iter().enumerate() {
        let size = call.delivered.event.data.as_ref().map_or(0, bytes::Bytes::len);
        if suspects.has(&call.key) {
            groups.push((vec![place], vec![call]));
            continue;
        }
        let fits = |group: &(Vec<usize>, Vec<Call>)| group.1.len() < batch.max && bytes + size <= batch.bytes_max;
        match open.filter(|at: &usize| fits(&groups[*at])) {
            Some(at) => {
                bytes += size;
                groups[at].0.push(place);
                groups[at].1.push(call);
            }
            None => {
                bytes = size;
                open = Some(groups.len());
                groups.push((vec![place], vec![call]));
            }
        }
    }
    groups
}

async fn one(outlet: &Outlet, calls: &[Call]) -> Vec<Answer> {
    let timeout = calls.iter().map(|call| call.timeout).min().unwrap_or_default();
    let now = outlet.clock.now();
    let built = request::build(&outlet.settings, calls, now);
    let came = match built {
        Ok((headers, body)) => exchange::post(outlet, headers, body, timeout).await,
        Err(why) => Err(exchange::unsendable(&why)),
    };
    let answers = match came {
        Ok((head, body)) => verdicts::read(&outlet.settings, &head, body, outlet.clock.now(), calls),
        Err(failure) => verdicts::Read::Whole(bare(Verdict::Failed(failure))),
    };
    match answers {
        verdicts::Read::Each(answers) => {
            outlet.suspects.judged(calls, &answers);
            answers
        }
        verdicts::Read::Whole(answer) if calls.len() == 1 => {
            outlet.suspects.judged(calls, std::slice::from_ref(&answer));
            vec![answer]
        }
        verdicts::Read::Whole(answer) => spread(&outlet.suspects, calls, answer),
    }
}

/// What happened to a request of several events as a whole, told to each.
fn spread(suspects: &Suspects, calls: &[Call], answer: Answer) -> Vec<Answer> {
    let Verdict::Failed(failure) = &answer.verdict else {
        return calls.iter().map(|_| Answer { emitted: Vec::new(), ..answer.clone() }).collect();
    };
    let blames = matches!(failure.class, FailureClass::Failed | FailureClass::Refused | FailureClass::Rejected);
    if blames {
        suspects.suspect(calls.iter().map(|call| call.key));
    }
    let after = if blames { "it goes alone next" } else { "it is put off" };
    let message = answer::bounded(format!("in a batch of {}: {}; {after}", calls.len(), failure.message));
    let class = FailureClass::Deferred;
    let put_off = Answer { verdict: Verdict::Failed(Failure { class, message, ..failure.clone() }), ..answer.clone() };
    let mut answers = vec![put_off; calls.len()];
    if !blames {
        answers[0] = answer;
    }
    answers
}

fn bare(verdict: Verdict) -> Answer {
    Answer { verdict, emitted: Vec::new(), handler_version: None }
}

/// The task of a request broke; its events come again.
pub(super) fn broke() -> Answer {
    let message = "the request broke before it was answered".to_owned();
    let class = FailureClass::Deferred;
    bare(Verdict::Failed(Failure { class, status: None, unanswered: true, retry_after: None, message }))
}
