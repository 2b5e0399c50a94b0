//! Shipping: a captured payment ships its order. `examples/shop/shipping.py` is the same service
//! in Python; this one stands in where there is no Python.

use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::call::Call;
use super::effect::Effect;
use super::station::Trade;
use crate::demo::order::CAPTURED;

pub(crate) const TRADE: Trade = Trade { effect, answer };

fn effect(call: &Call, at: String) -> Result<Effect, String> {
    if call.kind != CAPTURED {
        return Err(format!("shipping has nothing to do with {}", call.kind));
    }
    let number = |name: &str| call.data.get(name).and_then(Value::as_i64).ok_or_else(|| format!("`{name}` is missing"));
    Ok(Effect { units: number("units")?, pence: number("pence")?, ..Effect::of(call, "ship", at) })
}

fn answer(effect: &Effect) -> Response {
    axum::Json(json!({ "order": effect.order, "shipped": effect.units })).into_response()
}
