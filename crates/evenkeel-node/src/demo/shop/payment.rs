//! Payment: an order that is created is charged, and the captured payment is returned as an
//! event. The event is made of the book's line alone, so that it is the same however often it
//! is asked for.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::call::Call;
use super::effect::Effect;
use super::station::Trade;
use crate::demo::order::{CAPTURED, CREATED, Draft, Order, PAYMENT_SOURCE, event_at};

pub(crate) const TRADE: Trade = Trade { effect, answer };

fn effect(call: &Call, at: String) -> Result<Effect, String> {
    if call.kind != CREATED {
        return Err(format!("payment has nothing to do with {}", call.kind));
    }
    let order: Order = serde_json::from_value(call.data.clone()).map_err(|e| format!("not an order: {e}"))?;
    Ok(Effect { units: order.units(), pence: order.pence(), ..Effect::of(call, "capture", at) })
}

fn answer(effect: &Effect) -> Response {
    let id = format!("payment-{}", effect.order);
    let draft = Draft { source: PAYMENT_SOURCE, id: &id, kind: CAPTURED, customer: effect.customer.as_deref() };
    let data = json!({ "order": effect.order, "units": effect.units, "pence": effect.pence });
    let event = event_at(&draft, &effect.at, &effect.at, data);
    ([(header::CONTENT_TYPE, "application/cloudevents+json")], event.to_string()).into_response()
}
