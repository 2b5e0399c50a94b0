//! Inventory: an order that is created reserves its units, one that is cancelled releases them.

use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::call::Call;
use super::effect::Effect;
use super::station::Trade;
use crate::demo::order::{CANCELLED, CREATED, Order};

pub(crate) const TRADE: Trade = Trade { effect, answer };

fn effect(call: &Call, at: String) -> Result<Effect, String> {
    let what = match call.kind.as_str() {
        CREATED => "reserve",
        CANCELLED => "release",
        other => return Err(format!("inventory has nothing to do with {other}")),
    };
    let order: Order = serde_json::from_value(call.data.clone()).map_err(|e| format!("not an order: {e}"))?;
    Ok(Effect { units: order.units(), pence: order.pence(), ..Effect::of(call, what, at) })
}

fn answer(effect: &Effect) -> Response {
    axum::Json(json!({ "order": effect.order, "done": effect.effect, "units": effect.units })).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::effect;
    use crate::demo::shop::call::Call;

    fn call(kind: &str, data: serde_json::Value) -> Call {
        Call { key: "k".into(), id: "e".into(), kind: kind.into(), attempt: 1, customer: None, data }
    }

    #[test]
    fn a_created_order_reserves_and_a_cancelled_one_releases() {
        let order = json!({"id":"5","type":"OrderCreated","time":"2010-12-01T08:26:00Z","customer":null,
            "lines":[{"sku":"a","name":null,"quantity":3,"price":1.5}]});
        let reserved = effect(&call("OrderCreated", order.clone()), String::new()).unwrap();
        assert_eq!((reserved.effect.as_str(), reserved.units, reserved.pence), ("reserve", 3, 450));
        assert_eq!(effect(&call("OrderCancelled", order), String::new()).unwrap().effect, "release");
    }

    #[test]
    fn what_is_no_order_is_refused() {
        assert!(effect(&call("OrderCreated", json!({"id": 1})), String::new()).is_err());
        assert!(effect(&call("Weather", json!({})), String::new()).is_err());
    }
}
