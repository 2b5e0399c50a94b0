//! Takes the alerts that the node's own delivery brings, each into the book once.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Place;
use super::book::{Book, Line};
use super::call::Call;
use super::serving;

/// An alert that arrived.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Arrived {
    key: String,
    event: String,
    kind: String,
    data: Value,
}

impl Line for Arrived {
    fn key(&self) -> String {
        self.key.clone()
    }
}

pub(crate) async fn open(place: Place) -> Result<(), String> {
    let book: Arc<Book<Arrived>> = Arc::new(Book::open(&place.dir.join("hooks.jsonl"))?);
    serving::serve(&place, axum::Router::new().route("/alerts", post(alert)).with_state(book)).await
}

async fn alert(State(book): State<Arc<Book<Arrived>>>, headers: HeaderMap, body: Bytes) -> Response {
    let call = match Call::read(&headers, &body) {
        Ok(call) => call,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let arrived = Arrived { key: call.key, event: call.id, kind: call.kind, data: call.data };
    match book.keep(arrived).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why).into_response(),
    }
}
