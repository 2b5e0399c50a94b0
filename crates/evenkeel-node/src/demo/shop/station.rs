//! What the three services have alike: an endpoint for events, a book, a fault switch.
//!
//! A call is answered 2xx only after its effect is on the medium; a call with a known key has no
//! second effect and gets the first one's answer. What a service does is a [`Trade`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use evenkeel_model::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::Place;
use super::book::Book;
use super::call::Call;
use super::effect::Effect;
use super::serving;
use super::switch::{Fault, Switch, Turn};
use crate::demo::order::rfc3339;

/// What one service does with a call, and what it answers when it is done.
#[derive(Clone, Copy)]
pub(crate) struct Trade {
    pub(crate) effect: fn(&Call, String) -> Result<Effect, String>,
    pub(crate) answer: fn(&Effect) -> Response,
}

/// A service.
pub(crate) struct Station {
    name: &'static str,
    trade: Trade,
    book: Book<Effect>,
    switch: Switch,
    clock: SystemClock,
    calls: AtomicU64,
    repeats: AtomicU64,
}

pub(crate) async fn open(place: Place, trade: Trade) -> Result<(), String> {
    let station = Station::open(&place, trade)?;
    serving::serve(&place, routes(station)).await
}

impl Station {
    pub(crate) fn open(place: &Place, trade: Trade) -> Result<Arc<Station>, String> {
        let book = Book::open(&place.dir.join(format!("{}.jsonl", place.name)))?;
        Ok(Arc::new(Station {
            name: place.name,
            trade,
            book,
            switch: Switch::default(),
            clock: SystemClock::new(),
            calls: AtomicU64::new(0),
            repeats: AtomicU64::new(0),
        }))
    }

    async fn serve(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let call = match Call::read(headers, body) {
            Ok(call) => call,
            Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
        };
        let after = match self.switch.meets(&call.order()) {
            Turn::Refuse(status) => return (status, format!("{} fails on purpose", self.name)).into_response(),
            Turn::Hang => return std::future::pending().await,
            Turn::Serve { after } => after,
        };
        let effect = match (self.trade.effect)(&call, rfc3339(self.clock.now())) {
            Ok(effect) => effect,
            Err(why) => return (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
        };
        match self.book.keep(effect).await {
            Ok(kept) => {
                self.repeats.fetch_add(u64::from(!kept.fresh), Ordering::Relaxed);
                tokio::time::sleep(after).await;
                (self.trade.answer)(&kept.line)
            }
            Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why).into_response(),
        }
    }
}

pub(crate) fn routes(station: Arc<Station>) -> axum::Router {
    axum::Router::new()
        .route("/events", post(event))
        .route("/faults", post(fault))
        .route("/recycle", post(recycle))
        .route("/status", get(status))
        .with_state(station)
}

async fn event(State(station): State<Arc<Station>>, headers: HeaderMap, body: Bytes) -> Response {
    station.serve(&headers, &body).await
}

async fn fault(State(station): State<Arc<Station>>, Json(fault): Json<Fault>) -> StatusCode {
    station.switch.turn(fault);
    StatusCode::NO_CONTENT
}

async fn recycle(State(station): State<Arc<Station>>) -> StatusCode {
    station.switch.recycle();
    StatusCode::NO_CONTENT
}

async fn status(State(station): State<Arc<Station>>) -> Json<Value> {
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    Json(json!({ "calls": count(&station.calls), "repeats": count(&station.repeats) }))
}

#[cfg(test)]
mod tests;
