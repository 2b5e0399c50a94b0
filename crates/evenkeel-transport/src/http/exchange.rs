//! One exchange: connect, send, wait, read; every way in which it can end becomes an answer.
//!
//! Two clocks run: the connect time-out until there is a connection, and the attempt's own until
//! the last byte that is needed. What ends before there is a connection is `unreachable`, and is
//! tried at another endpoint first, where there is one; what ends after it, without a whole
//! answer, is `failed`, since the handler may have done its work.

use std::time::Duration;

use ::http::{HeaderMap, Method, Request, Response, response};
use bytes::{Bytes, BytesMut};
use evenkeel_delivery::ports::{Answer, Call};
use evenkeel_model::{Failure, FailureClass, Verdict};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::{Instant, timeout_at};

use super::endpoints::Said;
use super::{Outlet, answer, handshake, rendering, request};

/// Of an answer that is no success only so much is read, for the failure's message.
const EXCERPT_BYTES: usize = 4096;

/// Makes one attempt with one event.
pub(super) async fn run(outlet: &Outlet, call: &Call) -> Answer {
    let came = match built(outlet, call) {
        Ok((headers, body)) => post(outlet, headers, body, call.timeout).await,
        Err(why) => Err(unsendable(&why)),
    };
    match came {
        Ok((head, body)) => answer::read(&outlet.settings, &head, body, outlet.clock.now()),
        Err(failure) => Answer { verdict: Verdict::Failed(failure), emitted: Vec::new(), handler_version: None },
    }
}

/// The request: of the event itself, or of what is told in its place.
fn built(outlet: &Outlet, call: &Call) -> Result<(HeaderMap, Bytes), String> {
    let (settings, now) = (&outlet.settings, outlet.clock.now());
    let Some(rendering) = &settings.rendering else { return request::build(settings, call, now) };
    let body = rendering.of(&call.delivered.event, now)?;
    Ok((rendering::headers(settings, call, &body, now)?, body))
}

/// Makes one exchange, with whichever endpoint answers.
pub(super) async fn post(
    outlet: &Outlet,
    mut headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
) -> Result<(response::Parts, Bytes), Failure> {
    let deadline = deadline(timeout);
    let endpoints = outlet.settings.urls.len();
    let (mut tried, mut refused) = (Vec::new(), None);
    loop {
        let place = match (Place::pick(outlet, &tried), refused) {
            (Ok(place), _) => place,
            // Nobody else may be called now: what the first one said counts.
            (Err(_), Some(failure)) => return Err(failure),
            (Err(wait), None) => return Err(handshake::put_off("every endpoint has had its rate", Some(wait))),
        };
        let is_last = tried.len() + 1 >= endpoints;
        let with = if is_last { std::mem::take(&mut headers) } else { headers.clone() };
        let came = exchange(outlet, place.at, with, body.clone(), deadline, timeout).await;
        let said = match &came {
            Ok((head, _)) if head.status.is_server_error() => Said::Fails,
            Ok((head, _)) if head.status.is_success() => Said::Works,
            Ok(_) => Said::Nothing,
            Err(failure) if failure.class == FailureClass::Deferred => Said::Nothing,
            Err(_) => Said::Fails,
        };
        tried.push(place.returned(said));
        let unreachable = came.as_ref().is_err_and(|failure| failure.class == FailureClass::Unreachable);
        if !unreachable || is_last || Instant::now() >= deadline {
            return came;
        }
        refused = came.err();
    }
}

/// A call under way at an endpoint; one that is given up says nothing of it.
struct Place<'o> {
    outlet: &'o Outlet,
    at: usize,
    said: Said,
}

impl Place<'_> {
    fn pick<'o>(outlet: &'o Outlet, tried: &[usize]) -> Result<Place<'o>, Duration> {
        let at = outlet.endpoints().pick(outlet.clock.now(), tried)?;
        Ok(Place { outlet, at, said: Said::Nothing })
    }

    fn returned(mut self, said: Said) -> usize {
        self.said = said;
        self.at
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.outlet.endpoints().returned(self.outlet.clock.now(), self.at, self.said);
    }
}

async fn exchange(
    outlet: &Outlet,
    at: usize,
    headers: HeaderMap,
    body: Bytes,
    deadline: Instant,
    timeout: Duration,
) -> Result<(response::Parts, Bytes), Failure> {
    handshake::pass(outlet, at, deadline).await?;
    let response = send(outlet, at, headers, body, deadline, timeout).await?;
    let (head, body) = response.into_parts();
    if head.status.is_success() || answer::says_ack(&head) {
        let body = read_whole(body, outlet.settings.answer_bytes_max, deadline, timeout).await?;
        return Ok((head, body));
    }
    let excerpt = read_excerpt(body, deadline).await;
    Ok((head, excerpt))
}

async fn send(
    outlet: &Outlet,
    at: usize,
    headers: HeaderMap,
    body: Bytes,
    deadline: Instant,
    timeout: Duration,
) -> Result<Response<Incoming>, Failure> {
    let (target, url) = {
        let endpoints = outlet.endpoints();
        (endpoints.target(at).clone(), endpoints.url(at))
    };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    let mut connection = capture_connection(&mut request);
    let mut sending = outlet.client.request(request);
    let connect_timeout = outlet.settings.connect_timeout.min(timeout);
    let connected = timeout_at(self::deadline(connect_timeout).min(deadline), async {
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
        Ok(None) => timeout_at(deadline, sending).await.map_err(|_| late(&url, timeout))?,
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

/// The event has no form that HTTP could carry: it never will.
pub(super) fn unsendable(why: &str) -> Failure {
    lost(FailureClass::Rejected, format!("the event cannot be sent over HTTP: {why}"))
}

/// A failure without an answer.
fn lost(class: FailureClass, message: String) -> Failure {
    Failure { class, status: None, unanswered: true, retry_after: None, message: answer::bounded(message) }
}

/// A failure of the handler's, whose answer came.
fn answered(message: String) -> Failure {
    Failure { unanswered: false, ..lost(FailureClass::Failed, message) }
}

pub(super) fn shown(d: Duration) -> String {
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
