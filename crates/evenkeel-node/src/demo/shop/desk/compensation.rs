//! An order whose payment died is cancelled: the subscription on `payment.dead` calls here, and
//! the cancellation that is answered goes back to the orders with the outcome.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use evenkeel_model::Clock as _;
use serde_json::Value;

use super::Desk;
use crate::demo::order::{CANCELLED, COMPENSATION_SOURCE, Draft, Order, event_at, rfc3339};
use crate::demo::shop::call::Call;
use crate::demo::shop::effect::Effect;

pub(super) async fn cancel(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    let read = Call::read(&headers, &body).and_then(|call| {
        let order = serde_json::from_value(call.data.clone()).map_err(|e| format!("not an order: {e}"))?;
        Ok((call, order))
    });
    let (call, order): (Call, Order) = match read {
        Ok(read) => read,
        Err(why) => return (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
    };
    let at = rfc3339(desk.clock.now());
    let effect = Effect { units: order.units(), pence: order.pence(), ..Effect::of(&call, "cancel", at) };
    match desk.cancels.keep(effect).await {
        Ok(kept) => cancellation(&kept.line, order),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why).into_response(),
    }
}

/// The same for every call with the same key: its time is the book's.
fn cancellation(cancel: &Effect, order: Order) -> Response {
    let id = format!("cancel-{}", order.id);
    let customer = order.customer.clone();
    let mut data = serde_json::json!(Order { id: id.clone(), kind: CANCELLED.to_owned(), ..order });
    if let Some(fields) = data.as_object_mut() {
        fields.insert("order".to_owned(), Value::from(cancel.order.clone()));
        fields.insert("reason".to_owned(), Value::from("its payment could not be captured"));
    }
    let draft = Draft { source: COMPENSATION_SOURCE, id: &id, kind: CANCELLED, customer: customer.as_deref() };
    let event = event_at(&draft, &cancel.at, &cancel.at, data);
    ([(header::CONTENT_TYPE, "application/cloudevents+json")], event.to_string()).into_response()
}
