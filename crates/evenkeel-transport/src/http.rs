//! The handler that lives behind a URL: one POST per attempt, one [`Answer`] back.
//!
//! Builds the request (`request`), makes the exchange under a connect and a total time-out
//! (`exchange`), and reads the answer: the header `evenkeel-verdict` first (`verdict`), else
//! the status (`status`), then the events that a done event returned (`answer`). It does not
//! retry, does not follow redirects, and holds no state but a pool of connections.
//!
//! Invariants: every attempt ends in exactly one answer, within its time-out; no connection is
//! `unreachable` and never spends an attempt; an answer that claims events and cannot be read is
//! a failure, so that nothing it returned is lost silently.

mod reach;
mod resolve;
mod request;
mod exchange;
mod answer;
mod retry_after;
mod status;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::{Answer, BoxFuture, Call, Handler, PortError};
use evenkeel_model::Clock;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

pub use reach::{Reach, literal};
pub use status::Accepted;

use resolve::Resolver;

/// How one URL is called.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where to POST: `http://host:port/path`. TLS is not spoken yet.
    pub url: String,
    /// The subscription's name, told in the header `evenkeel-subscription`.
    pub subscription: Arc<str>,
    /// How long resolving and connecting may take; 2 s by default, and never more than the
    /// attempt's own time-out.
    pub connect_timeout: Duration,
    /// The largest answer that is read, in bytes; 1 MiB by default. A longer one is cut off, and
    /// the attempt has failed.
    pub answer_bytes_max: usize,
    /// What a 202 means.
    pub accepted: Accepted,
    /// How long an unused connection is kept; 4 s by default, less than the 5 s after which
    /// common servers close theirs, so that a call rarely meets a closing connection.
    pub idle: Duration,
    /// Which addresses may be called, judged for each connection that is made.
    pub reach: Arc<Reach>,
}

impl HttpSettings {
    /// The defaults, for that URL and subscription.
    pub fn new(url: impl Into<String>, subscription: impl Into<Arc<str>>) -> HttpSettings {
        HttpSettings {
            url: url.into(),
            subscription: subscription.into(),
            connect_timeout: Duration::from_secs(2),
            answer_bytes_max: 1 << 20,
            accepted: Accepted::Ack,
            idle: Duration::from_secs(4),
            reach: Arc::default(),
        }
    }
}

/// Hands events to a service over HTTP/1.1, in the CloudEvents binary mode.
pub struct HttpHandler {
    endpoint: Arc<Endpoint>,
}

/// What every call of one handler shares.
struct Endpoint {
    settings: HttpSettings,
    target: ::http::Uri,
    client: Client<HttpConnector<Resolver>, Full<Bytes>>,
    clock: Arc<dyn Clock>,
}

impl HttpHandler {
    /// A handler for these settings. `clock` reads a `Retry-After` that is a date. A URL that
    /// cannot be called is refused with what is wrong with it.
    pub fn new(settings: HttpSettings, clock: Arc<dyn Clock>) -> Result<HttpHandler, PortError> {
        let target = request::target(&settings.url, &settings.reach).map_err(PortError)?;
        let mut connector = HttpConnector::new_with_resolver(Resolver { reach: settings.reach.clone() });
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(settings.idle)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(HttpHandler { endpoint: Arc::new(Endpoint { settings, target, client, clock }) })
    }
}

impl Handler for HttpHandler {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let endpoint = self.endpoint.clone();
        Box::pin(async move { exchange::run(&endpoint, &call).await })
    }
}

#[cfg(test)]
mod tests;
