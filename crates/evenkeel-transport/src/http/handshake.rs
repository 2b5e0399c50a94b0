//! The handshake of "HTTP 1.1 Web Hooks for Event Delivery" (CloudEvents): an endpoint is asked
//! before it is given events, and says how many a minute it takes.
//!
//! `OPTIONS` with `WebHook-Request-Origin` and `WebHook-Request-Rate`; the answer's
//! `WebHook-Allowed-Origin` must be that origin or `*`. `WebHook-Allowed-Rate` is kept, evenly.
//! A grant lasts a day. Invariants: no event goes to an endpoint that did not agree; asking, and
//! waiting for its rate, spend nothing.

use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use evenkeel_model::{Failure, FailureClass, Timestamp};
use http_body_util::Full;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::Outlet;

/// How long an endpoint's word is good.
const GRANTED_FOR: Duration = Duration::from_secs(24 * 3600);
/// One that refused is not asked again before this.
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// How endpoints are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Who asks: the name of a host, such as `events.shop.example`.
    pub origin: String,
    /// How many requests a minute are wished for; `None`: as many as there are.
    pub rate: Option<u32>,
}

/// What each endpoint said.
#[derive(Default)]
pub(super) struct Grants(Vec<Mutex<Grant>>);

#[derive(Default)]
struct Grant {
    asked: Option<(Timestamp, Result<Option<u32>, String>)>,
    /// The next request may go then.
    next: Timestamp,
}

impl Grants {
    pub(super) fn new(endpoints: usize) -> Grants {
        Grants((0..endpoints).map(|_| Mutex::default()).collect())
    }
}

/// Lets a request pass, or says why it may not.
pub(super) async fn pass(outlet: &Outlet, at: usize, deadline: Instant) -> Result<(), Failure> {
    let Some(handshake) = &outlet.settings.handshake else { return Ok(()) };
    let Some(grant) = outlet.grants.0.get(at) else { return Ok(()) };
    let mut grant =
        timeout_at(deadline, grant.lock()).await.map_err(|_| put_off("the endpoint is still being asked", None))?;
    let now = outlet.clock.now();
    let known = grant
        .asked
        .as_ref()
        .is_some_and(|(when, said)| now.since(*when) < if said.is_ok() { GRANTED_FOR } else { REFUSED_FOR });
    if !known {
        let said = timeout_at(deadline, ask(outlet, at, handshake)).await;
        grant.asked = Some((now, said.unwrap_or_else(|_| Err("it did not answer in time".to_owned()))));
    }
    match &grant.asked {
        Some((_, Err(why))) => {
            let url = outlet.endpoints().url(at);
            Err(unreachable(format!(
                "{url} did not agree to be sent events (WebHook-Request-Origin: {}): {why}",
                handshake.origin
            )))
        }
        Some((_, Ok(Some(per_minute)))) => {
            if grant.next > now {
                return Err(put_off("the endpoint's rate is used up", Some(grant.next.since(now))));
            }
            grant.next = now + Duration::from_secs(60) / (*per_minute).max(1);
            Ok(())
        }
        Some((_, Ok(None))) | None => Ok(()),
    }
}

async fn ask(outlet: &Outlet, at: usize, handshake: &Handshake) -> Result<Option<u32>, String> {
    let target: Uri = outlet.endpoints().target(at).clone();
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = Method::OPTIONS;
    *request.uri_mut() = target;
    let origin = HeaderValue::from_str(&handshake.origin).map_err(|e| e.to_string())?;
    request.headers_mut().insert("webhook-request-origin", origin);
    if let Some(rate) = handshake.rate {
        request.headers_mut().insert("webhook-request-rate", HeaderValue::from(rate));
    }
    let answer = outlet.client.request(request).await.map_err(|e| format!("it cannot be asked: {e}"))?;
    if !answer.status().is_success() {
        return Err(format!("HTTP {}", answer.status().as_u16()));
    }
    granted(answer.headers(), handshake)
}

/// The rate that is allowed; `None`: any.
fn granted(headers: &HeaderMap, handshake: &Handshake) -> Result<Option<u32>, String> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    match text("webhook-allowed-origin") {
        Some("*") => {}
        Some(origin) if origin.eq_ignore_ascii_case(&handshake.origin) => {}
        Some(other) => return Err(format!("it allows `{other}`")),
        None => return Err("its answer has no WebHook-Allowed-Origin".to_owned()),
    }
    match text("webhook-allowed-rate") {
        None | Some("*") => Ok(None),
        Some(rate) => match rate.parse() {
            Ok(rate) if rate > 0 => Ok(Some(rate)),
            _ => Err(format!("its WebHook-Allowed-Rate `{rate}` is no number of requests a minute")),
        },
    }
}

fn unreachable(message: String) -> Failure {
    Failure { class: FailureClass::Unreachable, status: None, unanswered: true, retry_after: None, message }
}

pub(super) fn put_off(why: &str, retry_after: Option<Duration>) -> Failure {
    let class = FailureClass::Deferred;
    Failure { class, status: None, unanswered: true, retry_after, message: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use ::http::HeaderMap;

    use super::{Handshake, granted};

    #[test]
    fn only_a_clear_yes_to_this_origin_is_a_yes() {
        let handshake = Handshake { origin: "events.shop.example".into(), rate: Some(60) };
        let said = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            granted(&headers, &handshake)
        };
        let (origin, rate) = ("webhook-allowed-origin", "webhook-allowed-rate");
        assert_eq!(said(&[(origin, "*")]), Ok(None));
        assert_eq!(said(&[(origin, "Events.Shop.Example"), (rate, "120")]), Ok(Some(120)));
        assert_eq!(said(&[(origin, "*"), (rate, "*")]), Ok(None));
        for wrong in [
            &[][..],
            &[(rate, "120")],
            &[(origin, "shop.example")],
            &[(origin, "*"), (rate, "0")],
            &[(origin, "*"), (rate, "lots")],
        ] {
            assert!(said(wrong).is_err(), "{wrong:?}");
        }
    }
}
