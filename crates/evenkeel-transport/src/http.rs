//! The handler that lives behind a URL, or behind several: POSTs out, one [`Answer`] per event back.
//!
//! Builds the request (`request`, `rendering` where another body is wanted, or `batch` where the handler takes
//! several events at once),
//! signs it (`sign`), chooses who is called (`endpoints`), makes the exchange under a connect
//! and a total time-out (`exchange`), and reads the answer: the header `evenkeel-verdict` first
//! (`verdict`), else the status (`status`), then the events that a done event returned
//! (`answer`). It does not retry, but for a call that found no connection, which goes to another
//! endpoint where there is one; it does not follow redirects.
//!
//! Invariants: every attempt ends in exactly one answer, within its time-out; no connection is
//! `unreachable` and never spends an attempt; an answer that claims events and cannot be read is
//! a failure, so that nothing it returned is lost silently; only addresses within [`Reach`] are
//! called.

mod reach;
mod resolve;
mod endpoints;
mod pace;
mod health;
mod request;
mod rendering;
mod batch;
mod sign;
mod tls;
mod handshake;
mod exchange;
mod callbacks;
mod pending;
mod answer;
mod retry_after;
mod status;
mod verdict;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::{Answer, Batching, BoxFuture, Call, Handler, PortError};
use evenkeel_model::Clock;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

pub use batch::Batch;
pub use callbacks::{Callbacks, Settling};
pub use endpoints::{Ejection, EndpointView};
pub use handshake::Handshake;
pub use health::Health;
pub use pace::Pace;
pub use reach::{Reach, literal};
pub use rendering::Rendering;
pub use request::Format;
pub use sign::Signing;
pub use status::Accepted;
pub use tls::{Roots, Version, config as client_config};

use batch::Suspects;
use endpoints::Endpoints;
use handshake::Grants;
use resolve::Resolver;

use crate::trace::Sampling;

/// How a handler behind one URL or several is called.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where to POST: `http://host:port/path` or `https://…`; several are endpoints of the same handler.
    pub urls: Vec<String>,
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
    /// In which mode an event goes out alone.
    pub format: Format,
    /// Several events in one request, where the handler takes them so.
    pub batch: Option<Batch>,
    /// The secrets that sign each request; none by default.
    pub signing: Signing,
    /// When one of several endpoints is left out.
    pub ejection: Ejection,
    /// How fast each endpoint is called; as fast as it answers, by default.
    pub pace: Option<Pace>,
    /// How endpoints are asked whether they are well; not at all by default.
    pub health: Option<Health>,
    /// Which certificates are trusted.
    pub roots: Roots,
    /// Which HTTP is spoken.
    pub version: Version,
    /// Where callbacks come in, for a 202 that is pending.
    pub callbacks: Option<Arc<Callbacks>>,
    /// What is accepted and what callbacks say outlives the process, where [`Callbacks::kept`] has a log. Then
    /// whoever commits must tell [`Callbacks::settling`] of each round.
    pub callbacks_kept: bool,
    /// How endpoints are asked before they are sent events; not at all by default.
    pub handshake: Option<Handshake>,
    /// Each call says that it is a shadow's: the handler leaves its effects out.
    pub shadow: bool,
    /// What is told in place of the event itself; for one event in a request.
    pub rendering: Option<Rendering>,
    /// Which traces are kept, where they are: then an event without a trace is given one of its own in the header
    /// `traceparent`. The event itself is never changed.
    pub sampling: Option<Sampling>,
}

impl HttpSettings {
    /// The defaults, for that URL and subscription.
    pub fn new(url: impl Into<String>, subscription: impl Into<Arc<str>>) -> HttpSettings {
        HttpSettings {
            urls: vec![url.into()],
            subscription: subscription.into(),
            connect_timeout: Duration::from_secs(2),
            answer_bytes_max: 1 << 20,
            accepted: Accepted::Ack,
            idle: Duration::from_secs(4),
            reach: Arc::default(),
            format: Format::Binary,
            batch: None,
            signing: Signing::default(),
            ejection: Ejection::default(),
            pace: None,
            health: None,
            roots: Roots::System,
            version: Version::Auto,
            callbacks: None,
            callbacks_kept: false,
            handshake: None,
            shadow: false,
            rendering: None,
            sampling: None,
        }
    }
}

/// Hands events to a service over HTTP, as CloudEvents.
pub struct HttpHandler {
    outlet: Arc<Outlet>,
}

/// A connection of HTTP/2 that does not answer a ping is given up, so that no call waits on a dead one.
const PING_EVERY: Duration = Duration::from_secs(10);

/// What every call of one handler shares.
struct Outlet {
    settings: HttpSettings,
    endpoints: Mutex<Endpoints>,
    suspects: Suspects,
    grants: Grants,
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    clock: Arc<dyn Clock>,
}

impl Outlet {
    fn endpoints(&self) -> MutexGuard<'_, Endpoints> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpHandler {
    /// A handler for these settings. `clock` reads a `Retry-After` that is a date. A URL that
    /// cannot be called is refused with what is wrong with it.
    pub fn new(settings: HttpSettings, clock: Arc<dyn Clock>) -> Result<HttpHandler, PortError> {
        let target = |url: &String| {
            let target = request::target(url, &settings.reach).map_err(PortError)?;
            let target = settings.rendering.as_ref().map_or(target.clone(), |rendering| rendering.target(target));
            Ok((url.clone(), target))
        };
        let targets = settings.urls.iter().map(target).collect::<Result<Vec<_>, PortError>>()?;
        if targets.is_empty() {
            return Err(PortError("the handler has no url".to_owned()));
        }
        let client = client(&settings).map_err(PortError)?;
        let grants = Grants::new(targets.len());
        let endpoints = Mutex::new(Endpoints::new(targets, settings.ejection, settings.pace));
        let outlet = Outlet { settings, endpoints, suspects: Suspects::default(), grants, client, clock };
        Ok(HttpHandler { outlet: Arc::new(outlet) })
    }

    /// Asks the endpoints whether they are well, until this handler is gone; to be spawned beside
    /// it. `None` where no check is set.
    pub fn watch_health(&self) -> Option<BoxFuture<'static, ()>> {
        let health = self.outlet.settings.health.clone()?;
        Some(Box::pin(health::watch(Arc::downgrade(&self.outlet), health)))
    }

    /// Its endpoints, as they are now.
    pub fn endpoints(&self) -> Vec<EndpointView> {
        self.outlet.endpoints().view(self.outlet.clock.now())
    }
}

/// Connections to whoever may be called, by TLS where the URL says so.
fn client(settings: &HttpSettings) -> Result<Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>, String> {
    let mut connector = HttpConnector::new_with_resolver(Resolver::new(settings.reach.clone()));
    connector.set_nodelay(true);
    connector.enforce_http(false);
    let is_secure = settings.urls.iter().any(|url| url.starts_with("https:"));
    let builder =
        HttpsConnectorBuilder::new().with_tls_config(tls::config(&settings.roots, is_secure)?).https_or_http();
    let connector = match settings.version {
        Version::Auto => builder.enable_all_versions().wrap_connector(connector),
        Version::Http1 => builder.enable_http1().wrap_connector(connector),
        Version::Http2 => builder.enable_http2().wrap_connector(connector),
    };
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(settings.idle)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http2_only(settings.version == Version::Http2)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(PING_EVERY)
        .build(connector))
}

impl Handler for HttpHandler {
    fn is_elsewhere(&self) -> bool {
        true
    }

    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        let outlet = self.outlet.clone();
        Box::pin(async move {
            let settings = &outlet.settings;
            match (settings.batch, settings.accepted, &settings.callbacks) {
                (None, Accepted::Pending { within }, Some(callbacks)) => {
                    pending::run(&outlet, &call, callbacks, within).await
                }
                (None, ..) => exchange::run(&outlet, &call).await,
                (Some(batch), ..) => batch::run(&outlet, batch, vec![call]).await.pop().unwrap_or_else(batch::broke),
            }
        })
    }

    fn batching(&self) -> Batching {
        match self.outlet.settings.batch {
            None => Batching::default(),
            Some(batch) => Batching { max: batch.max.max(1), linger: batch.linger },
        }
    }

    fn handle_batch(&self, calls: Vec<Call>) -> BoxFuture<'static, Vec<Answer>> {
        let outlet = self.outlet.clone();
        let batch = outlet.settings.batch.unwrap_or(Batch { max: 1, ..Batch::default() });
        Box::pin(async move { batch::run(&outlet, batch, calls).await })
    }
}

#[cfg(test)]
mod tests;
