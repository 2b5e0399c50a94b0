//! One attempt with a handler that may answer 202 now and say what came of it later.
//!
//! The attempt stays under way until the callback comes: its lane waits, and it holds a place
//! within the concurrency. No callback in time is no answer: the event is tried again, with the
//! same idempotency key. Whatever is not a bare 202 counts as always. An event that was accepted before the
//! process ended is not called for again while its callback may come.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue, Response};
use evenkeel_delivery::ports::{Answer, Call};
use evenkeel_model::{Failure, FailureClass, Verdict, names};

use super::callbacks::{Found, Of, Said, Waiting};
use super::{Callbacks, Outlet, answer, exchange, request};

/// What a call came to.
enum Called<'c> {
    Answered(Answer),
    /// It was accepted by a handler of that version.
    Accepted(Waiting<'c>, Option<Arc<str>>),
}

pub(super) async fn run(outlet: &Outlet, call: &Call, callbacks: &Callbacks, within: Duration) -> Answer {
    match tried(outlet, call, callbacks, within).await {
        Ok(answer) => answer,
        Err(failure) => Answer { verdict: Verdict::Failed(failure), emitted: Vec::new(), handler_version: None },
    }
}

async fn tried(outlet: &Outlet, call: &Call, callbacks: &Callbacks, within: Duration) -> Result<Answer, Failure> {
    let of = outlet.settings.callbacks_kept.then(|| Of::call(&outlet.settings.subscription, call));
    let (mut waiting, left, version) = match of.as_ref().and_then(|of| callbacks.found(of)) {
        Some(Found::Said(said, version)) => return Ok(read(outlet, said, version)),
        Some(Found::Awaited(waiting, until, version)) => (waiting, until.since(outlet.clock.now()), version),
        None => match asked(outlet, call, callbacks, of.clone()).await? {
            Called::Answered(answer) => return Ok(answer),
            Called::Accepted(waiting, version) => {
                if let Some(of) = of {
                    let until = outlet.clock.now() + within;
                    // A log that stopped stops the node; until then the callback is waited for all the same.
                    let _ = callbacks.accepted(&waiting, of, until, version.clone()).await;
                }
                (waiting, within, version)
            }
        },
    };
    let Ok(Ok(said)) = tokio::time::timeout(left, &mut waiting.said).await else {
        let message = format!("HTTP 202, and no callback within {}", exchange::shown(within));
        let class = FailureClass::Failed;
        return Err(Failure { class, status: Some(202), unanswered: true, retry_after: None, message });
    };
    Ok(read(outlet, said, version))
}

async fn asked<'c>(
    outlet: &Outlet,
    call: &Call,
    callbacks: &'c Callbacks,
    of: Option<Of>,
) -> Result<Called<'c>, Failure> {
    let settings = &outlet.settings;
    let (waiting, url) = callbacks.open(of).map_err(|e| put_off(e.0))?;
    let (mut headers, body) =
        request::build(settings, call, outlet.clock.now()).map_err(|why| exchange::unsendable(&why))?;
    let url = HeaderValue::try_from(url).map_err(|e| put_off(format!("the callback's url: {e}")))?;
    headers.insert(HeaderName::from_static(names::CALLBACK), url);
    let (head, body) = exchange::post(outlet, headers, body, call.timeout).await?;
    if head.status != 202 || answer::has_verdict(&head) {
        return Ok(Called::Answered(answer::read(settings, &head, body, outlet.clock.now())));
    }
    Ok(Called::Accepted(waiting, answer::version(&head)))
}

/// What a callback says, by a handler that was of that version when it accepted.
fn read(outlet: &Outlet, said: Said, version: Option<Arc<str>>) -> Answer {
    let (mut head, ()) = Response::new(()).into_parts();
    let (headers, body) = said;
    head.headers = headers;
    let answer = answer::read(&outlet.settings, &head, body, outlet.clock.now());
    Answer { handler_version: answer.handler_version.or(version), ..answer }
}

fn put_off(message: String) -> Failure {
    Failure { class: FailureClass::Deferred, status: None, unanswered: true, retry_after: None, message }
}
