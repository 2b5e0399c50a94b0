//! Active health checks: each endpoint is asked at a path of its own, again and again.
//!
//! A 2xx within the time-out is good; everything else is not. What follows from it is said in
//! `endpoints`. The watch is a future that whoever starts the subscription spawns; it ends when
//! the handler is gone.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ::http::uri::PathAndQuery;
use ::http::{Method, Request, Uri};
use bytes::Bytes;
use http_body_util::Full;

use super::Outlet;

/// How endpoints are asked whether they are well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The path that is asked, with GET.
    pub path: PathAndQuery,
    /// How often.
    pub every: Duration,
    /// What takes longer than this is not well.
    pub timeout: Duration,
}

/// Asks until the handler is gone.
pub(super) async fn watch(outlet: Weak<Outlet>, health: Health) {
    loop {
        let Some(now) = outlet.upgrade() else { return };
        ask_all(&now, &health).await;
        drop(now);
        tokio::time::sleep(health.every).await;
    }
}

/// One round.
pub(super) async fn ask_all(outlet: &Arc<Outlet>, health: &Health) {
    for at in 0..outlet.settings.urls.len() {
        let target = outlet.endpoints().target(at).clone();
        let asked = tokio::time::timeout(health.timeout, ask(outlet, &target, &health.path)).await;
        outlet.endpoints().checked(outlet.clock.now(), at, asked.unwrap_or(false));
    }
}

async fn ask(outlet: &Outlet, target: &Uri, path: &PathAndQuery) -> bool {
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(path.clone());
    let Ok(uri) = Uri::from_parts(parts) else { return false };
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = Method::GET;
    *request.uri_mut() = uri;
    outlet.client.request(request).await.is_ok_and(|answer| answer.status().is_success())
}
