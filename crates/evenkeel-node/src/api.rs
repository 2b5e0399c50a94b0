//! The HTTP API: one file for each resource, all answers JSON, all errors problem documents.
//!
//! Decides nothing: it reads what the wired parts say. Invariants: an event is answered 200 only
//! when it is durable; every limit that refuses a request is named in the answer.

mod problem;
mod query;
mod limits;
mod publish;
mod topics;
mod intakes;
mod mirrors;
mod cursor;
mod events;
mod subscriptions;
mod changing;
mod replays;
pub(crate) mod apply;
mod dead;
mod redrives;
mod why;
mod parked;
mod callbacks;
mod dependencies;
pub(crate) mod audit;
mod slos;
mod exclusions;
mod slas;
mod producers;
mod alerts;
mod silences;
mod incidents;
mod telemetry;
mod usage;
mod chains;
mod health;
mod openapi;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

pub(crate) use dead::returning::Returning;
pub(crate) use page::Proofs;
pub(crate) use problem::Problem;
use query::Parameters;

use crate::error::{Error, codes};
use crate::metrics;
use crate::wiring::Wired;

/// What every resource is given.
pub(crate) type Node = State<Arc<Wired>>;

/// All routes of a node.
pub(crate) fn routes(node: Arc<Wired>) -> Router {
    let limits = node.plan().limits;
    let gate = limits::Gate::new(limits);
    of_brokers()
        .route("/v1/topics", get(topics::list))
        .route("/v1/topics/{topic}", get(topics::show).put(topics::put).delete(topics::delete))
        .route("/v1/topics/{topic}/delete-records", post(topics::delete_records))
        .route("/v1/topics/{topic}/events", get(events::list).post(publish::publish))
        .route("/v1/apply", post(apply::apply))
        .route("/v1/events/{id}", get(events::story))
        .route("/v1/subscriptions", get(subscriptions::list))
        .route("/v1/subscriptions/{name}", get(subscriptions::show).put(changing::put).delete(changing::remove))
        .route("/v1/subscriptions/{name}/pause", post(subscriptions::pause))
        .route("/v1/subscriptions/{name}/resume", post(changing::resume))
        .route("/v1/subscriptions/{name}/drain", post(changing::drain))
        .route("/v1/topics/{topic}/dead", get(dead::topics::list))
        .route("/v1/topics/{topic}/dead/groups", get(dead::topics::groups))
        .route("/v1/topics/{topic}/dead/{place}", get(dead::topics::show))
        .route("/v1/topics/{topic}/dead/redrives", post(dead::returning::give_back))
        .route("/v1/subscriptions/{name}/dead", get(dead::list))
        .route("/v1/subscriptions/{name}/dead/groups", get(dead::groups))
        .route("/v1/subscriptions/{name}/dead/{offset}", get(dead::show))
        .route("/v1/subscriptions/{name}/dead/drop", post(redrives::drop_letters))
        .route("/v1/subscriptions/{name}/rewind", post(redrives::rewind))
        .route("/v1/subscriptions/{name}/redrives", get(redrives::list).post(redrives::start))
        .route("/v1/subscriptions/{name}/redrives/{id}", get(redrives::show).delete(redrives::cancel))
        .route("/v1/subscriptions/{name}/redrives/{id}/pause", post(redrives::pause))
        .route("/v1/subscriptions/{name}/redrives/{id}/resume", post(redrives::resume))
        .route("/v1/subscriptions/{name}/parked", get(parked::list))
        .route("/v1/subscriptions/{name}/parked/release", post(parked::release))
        .route("/v1/subscriptions/{name}/parked/skip", post(parked::skip))
        .route("/v1/subscriptions/{name}/why", get(why::one))
        .route("/v1/why", get(why::all))
        .route("/v1/callbacks/{token}", post(callbacks::answer))
        .route("/v1/subscriptions/{name}/breaker", post(dependencies::force_handler))
        .route("/v1/dependencies", get(dependencies::list))
        .route("/v1/dependencies/{name}", get(dependencies::show))
        .route("/v1/dependencies/{name}/breaker", post(dependencies::force))
        .route("/v1/subscriptions/{name}/replays", get(replays::list).post(replays::begin))
        .route("/v1/subscriptions/{name}/replays/{id}", get(replays::show).delete(replays::stop))
        .route("/v1/audit", get(audit::show))
        .route("/v1/slos", get(slos::list))
        .route("/v1/slos/exclusions", get(exclusions::list).post(exclusions::say))
        .route("/v1/slos/exclusions/{id}", axum::routing::delete(exclusions::withdraw))
        .route("/v1/slas", get(slas::list))
        .route("/v1/slas/{name}", get(slas::show))
        .route("/v1/producers", get(producers::list))
        .route("/v1/alerts", get(alerts::list))
        .route("/v1/alerts/silences", get(silences::list).post(silences::say))
        .route("/v1/alerts/silences/{id}", axum::routing::delete(silences::withdraw))
        .route("/v1/incidents", get(incidents::list))
        .route("/v1/chains", get(chains::list))
        .route("/v1/telemetry", get(telemetry::show))
        .route("/v1/usage", get(usage::show))
        .route("/", get(page::show))
        .route("/objectives/{name}", get(page::objective))
        .route("/events/{id}", get(page::story))
        .route("/assets/{name}", get(page::asset))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(limits.body_bytes_max))
        .layer(middleware::from_fn_with_state(gate, limits::pass))
        .layer(middleware::from_fn_with_state(node.clone(), no_writing_behind_damage))
        .layer(middleware::from_fn(no_cross_origin))
        .with_state(node)
}

/// What there is of brokers, and the description of all of it.
fn of_brokers() -> Router<Arc<Wired>> {
    Router::new()
        .route("/v1/intakes", get(intakes::list))
        .route("/v1/subscriptions/{name}/mirror", get(mirrors::translate))
        .route("/openapi.json", get(openapi::show))
}

async fn nothing_here(request: Request) -> Problem {
    Problem::new(404, Error::new(codes::UNKNOWN_PATH, format!("there is nothing at `{}`", request.uri().path())))
}

async fn not_so(request: Request) -> Problem {
    let said = format!("`{}` does not take {}", request.uri().path(), request.method());
    Problem::new(405, Error::new(codes::UNKNOWN_PATH, said))
}

/// Nothing authenticates on loopback, so a page of another origin must not be able to change
/// anything through a visitor's browser.
async fn no_cross_origin(request: Request, next: Next) -> Response {
    let foreign = request.headers().get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    if foreign && request.method() != Method::GET && request.method() != Method::HEAD {
        let said = "a page of another origin may not change anything here";
        return Problem::new(403, Error::new(codes::INVALID_PARAMETER, said)).into_response();
    }
    next.run(request).await
}

/// Whatever would change something is refused while the log is damaged, and what fails for it says so.
async fn no_writing_behind_damage(State(node): Node, request: Request, next: Next) -> Response {
    let changes = request.method() != Method::GET && request.method() != Method::HEAD;
    if let Some(damaged) = node.damaged().filter(|_| changes) {
        return Problem::from(damaged).into_response();
    }
    let response = next.run(request).await;
    let vague = response.extensions().get::<problem::Told>().is_some_and(|told| told.leaves_damage_unnamed());
    match node.damaged().filter(|_| vague) {
        // This request met it, or asked somebody whom it stopped.
        Some(damaged) => Problem::from(damaged).into_response(),
        None => response,
    }
}
