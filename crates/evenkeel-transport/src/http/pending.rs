//! One attempt with a handler that may answer 202 now and say what came of it later.
//!
//! The attempt stays under way until the callback comes: its lane waits, and it holds a place
//! within the concurrency. No callback in time is no answer: the event is tried again, with the
//! same idempotency key. Whatever is not a bare 202 counts as always.

use std::time::Duration;

use ::http::{HeaderName, HeaderValue, Response};
use evenkeel_delivery::ports::{Answer, Call};
use evenkeel_model::{Failure, FailureClass, Verdict, names};

use super::{Callbacks, Outlet, answer, exchange, request};

pub(super) async fn run(outlet: &Outlet, call: &Call, callbacks: &Callbacks, within: Duration) -> Answer {
    match tried(outlet, call, callbacks, within).await {
        Ok(answer) => answer,
        Err(failure) => Answer { verdict: Verdict::Failed(failure), emitted: Vec::new(), handler_version: None },
    }
}

async fn tried(outlet: &Outlet, call: &Call, callbacks: &Callbacks, within: Duration) -> Result<Answer, Failure> {
    let settings = &outlet.settings;
    let mut waiting = callbacks.open().map_err(|e| put_off(e.0))?;
    let (mut headers, body) =
        request::build(settings, call, outlet.clock.now()).map_err(|why| exchange::unsendable(&why))?;
    let url = HeaderValue::try_from(waiting.url()).map_err(|e| put_off(format!("the callback's url: {e}")))?;
    headers.insert(HeaderName::from_static(names::CALLBACK), url);
    let (head, body) = exchange::post(outlet, headers, body, call.timeout).await?;
    if head.status != 202 || answer::has_verdict(&head) {
        return Ok(answer::read(settings, &head, body, outlet.clock.now()));
    }
    let version = answer::version(&head);
    let Ok(Ok((headers, body))) = tokio::time::timeout(within, &mut waiting.said).await else {
        let message = format!("HTTP 202, and no callback within {}", exchange::shown(within));
        let class = FailureClass::Failed;
        return Err(Failure { class, status: Some(202), unanswered: true, retry_after: None, message });
    };
    let (mut head, ()) = Response::new(()).into_parts();
    head.headers = headers;
    let answer = answer::read(settings, &head, body, outlet.clock.now());
    Ok(Answer { handler_version: answer.handler_version.or(version), ..answer })
}

fn put_off(message: String) -> Failure {
    Failure { class: FailureClass::Deferred, status: None, unanswered: true, retry_after: None, message }
}
