//! `/metrics`: what the watch counted, in the forms that Prometheus reads.
//!
//! Every count comes from the ledger, so it survives a restart and can be recomputed. What is shown is gathered
//! first (`gather`), then written in the form that was asked for (`form`, `text`, `protobuf`), away from the
//! threads that deliver. Invariants: no secret is in a label (`labels`); how many series there are is one of them.

mod metric;
pub mod names;
mod log;
pub(crate) mod process;
mod labels;
mod exemplars;
mod exposition;
mod gather;
mod form;
mod text;
mod protobuf;
mod otlp;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use evenkeel_watch::Snapshot;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::api::{Node, Problem};
use crate::telemetry::Registry;
use crate::wiring::{self, Wired};
use gather::Seen;

pub(crate) use exemplars::Remembered;
pub use form::Form;
pub(crate) use gather::prometheus_duration;

/// All metrics now.
pub(crate) async fn show(State(node): Node, headers: HeaderMap) -> Result<Response, Problem> {
    let (form, is_packed) = (Form::asked(&headers), form::takes_gzip(&headers));
    let mut seen = Seen::look(&node).await;
    let written = move || {
        if form != Form::Text
            && let Some(snapshot) = &seen.snapshot
        {
            seen.known = exemplars::look_up(&node.exemplars, &node.log, snapshot);
        }
        let page = write(&seen, form);
        if is_packed { packed(&page) } else { page }
    };
    let body = wiring::blocking(written).await?;
    let kind = (header::CONTENT_TYPE, form.content_type());
    let vary = (header::VARY, "Accept, Accept-Encoding");
    if is_packed {
        return Ok(([kind, vary, (header::CONTENT_ENCODING, "gzip")], body).into_response());
    }
    Ok(([kind, vary], body).into_response())
}

/// The way for telemetry to all metrics; a node that is gone has none.
pub(crate) fn bridge(node: &Arc<Wired>) -> Registry {
    let node = Arc::downgrade(node);
    Box::new(move || {
        let node = node.upgrade();
        Box::pin(async move {
            let node = node?;
            let (mut seen, now) = (Seen::look(&node).await, node.clock.now());
            let written = move || {
                if let Some(snapshot) = &seen.snapshot {
                    seen.known = exemplars::look_up(&node.exemplars, &node.log, snapshot);
                }
                otlp::write(&gather::page(&seen), now)
            };
            wiring::blocking(written).await.ok()
        })
    })
}

/// The page of what a watch counted, without the node around it: what a benchmark measures.
pub fn page(snapshot: Snapshot, form: Form) -> Vec<u8> {
    write(&Seen { snapshot: Some(snapshot), ..Seen::default() }, form)
}

fn write(seen: &Seen, form: Form) -> Vec<u8> {
    let page = gather::page(seen);
    match form {
        Form::Text => text::write(&page, false).into_bytes(),
        Form::OpenMetrics => text::write(&page, true).into_bytes(),
        Form::Protobuf => protobuf::write(&page),
    }
}

/// Quickly rather than tightly: a scrape is read once.
fn packed(page: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::with_capacity(page.len() / 8), Compression::fast());
    // Memory takes all that is written to it.
    let _ = packed.write_all(page);
    packed.finish().unwrap_or_default()
}
