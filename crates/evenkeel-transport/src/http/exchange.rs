//! One exchange: connect, send, wait, read; every way in which it can end becomes an answer.
//!
//! Two clocks run: the connect time-out until there is a connection, and the attempt's own until
//! the last byte that is needed. What ends before there is a connection is `unreachable`; what
//! ends after it, without a whole answer, is `failed`, since the handler may have done its work.

use std::time::Duration;

use ::http::{Response, response};
use bytes::{Bytes, BytesMut};
use evenkeel_delivery::ports::{Answer, Call};
use evenkeel_model::{Failure, FailureClass, Verdict};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::{Instant, timeout_at};

use super::{Endpoint, answer, request};

/// Of an answer that is no success only so much is read, for the failure's message.
const EXCERPT_BYTES: usize = 4096;

/// Makes one attempt.
pub(super) async fn run(endpoint: &Endpoint, call: &Call) -> Answer {
    match exchange(endpoint, call).await {
        Ok((head, body)) => answer::read(&endpoint.settings, &head, body, endpoint.clock.now()),
        Err(failure) => Answer { verdict: Verdict::Failed(failure), emitted: Vec::new(), handler_version: None },
    }
}

async fn exchange(endpoint: &Endpoint, call: &Call) -> Result<(response::Parts, Bytes), Failure> {
    let deadline = deadline(call.timeout);
    let response = send(endpoint, call, deadline).await?;
    let (head, body) = response.into_parts();
    if head.status.is_success() || answer::says_ack(&head) {
        let body = read_whole(body, endpoint.settings.answer_bytes_max, deadline, call.timeout).await?;
        return Ok((head, body));
    }
    let excerpt = read_excerpt(body, deadline).await;
    Ok((head, excerpt))
}

async fn send(endpoint: &Endpoint, call: &Call, deadline: Instant) -> Result<Response<Incoming>, Failure> {
    let url = &endpoint.settings.url;
    let mut request = request::build(&endpoint.target, &endpoint.settings.subscription, call, endpoint.clock.now())
        .map_err(|why| lost(FailureClass::Rejected, format!("the event cannot be sent over HTTP: {why}")))?;
    let mut connection = capture_connection(&mut request);
    let mut sending = endpoint.client.request(request);
    let connect_timeout = endpoint.settings.connect_timeout.min(call.timeout);
    let connected = timeout_at(self::deadline(connect_timeout), async {
        tokio::select! {
            biased;
            done = &mut sending => Some(done),
            _ = connection.wait_for_connection_metadata() => None,
        }
    });
    let done = match connected.await {
        Err(_) => {
            let message = format!("no connection to {url} within {}", shown(connect_timeout));
            return Err(lost(FailureClass::Unreachable, message));
        }
        Ok(Some(done)) => done,
        Ok(None) => timeout_at(deadline, sending).await.map_err(|_| late(url, call.timeout))?,
    };
    done.map_err(|e| match e.is_connect() {
        true => lost(FailureClass::Unreachable, format!("no connection to {url}: {}", chain(&e))),
        false => lost(FailureClass::Failed, format!("no HTTP answer from {url}: {}", chain(&e))),
    })
}

/// The whole body, which may not be longer than `max`.
async fn read_whole(mut body: Incoming, max: usize, deadline: Instant, timeout: Duration) -> Result<Bytes, Failure> {
    let too_long = || answered(format!("the answer's body is longer than {max} bytes and was cut off"));
    if body.size_hint().lower() > max as u64 {
        return Err(too_long());
    }
    let mut whole = BytesMut::new();
    loop {
        let frame = timeout_at(deadline, body.frame()).await.map_err(|_| {
            lost(FailureClass::Failed, format!("the answer's body was not complete within {}", shown(timeout)))
        })?;
        let Some(frame) = frame else { return Ok(whole.freeze()) };
        let frame = frame.map_err(|e| {
            lost(FailureClass::Failed, format!("the connection was lost in the answer's body: {}", chain(&e)))
        })?;
        if let Some(data) = frame.data_ref() {
            if whole.len() + data.len() > max {
                return Err(too_long());
            }
            whole.extend_from_slice(data);
        }
    }
}

/// The beginning of a body, however it ends.
async fn read_excerpt(mut body: Incoming, deadline: Instant) -> Bytes {
    let mut excerpt = BytesMut::new();
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        if let Some(data) = frame.data_ref() {
            excerpt.extend_from_slice(&data[..data.len().min(EXCERPT_BYTES - excerpt.len())]);
        }
        if excerpt.len() >= EXCERPT_BYTES {
            break;
        }
    }
    excerpt.freeze()
}

fn deadline(from_now: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(from_now).unwrap_or(now + Duration::from_secs(365 * 24 * 3600))
}

fn late(url: &str, timeout: Duration) -> Failure {
    lost(FailureClass::Failed, format!("no answer from {url} within {}", shown(timeout)))
}

/// A failure without an answer.
fn lost(class: FailureClass, message: String) -> Failure {
    Failure { class, status: None, unanswered: true, retry_after: None, message: answer::bounded(message) }
}

/// A failure of the handler's, whose answer came.
fn answered(message: String) -> Failure {
    Failure { unanswered: false, ..lost(FailureClass::Failed, message) }
}

fn shown(d: Duration) -> String {
    if d.subsec_millis() == 0 { format!("{} s", d.as_secs()) } else { format!("{} ms", d.as_millis()) }
}

/// An error with its causes: the outermost alone says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
