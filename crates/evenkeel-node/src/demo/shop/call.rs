//! One call of a subscription: a CloudEvent in binary mode and its idempotency key, as a service
//! of somebody else's making would read them, by hand.

use axum::http::HeaderMap;
use evenkeel_model::names;
use serde_json::Value;

/// What a service needs to know of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// Without its quotes.
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) attempt: u32,
    pub(crate) customer: Option<String>,
    pub(crate) data: Value,
}

impl Call {
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Call, String> {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let must = |name: &str| text(name).ok_or_else(|| format!("the header {name} is missing"));
        let data = serde_json::from_slice(body).map_err(|e| format!("the body is not JSON: {e}"))?;
        Ok(Call {
            key: must(names::IDEMPOTENCY_KEY)?.trim_matches('"').to_owned(),
            id: must("ce-id")?,
            kind: must("ce-type")?,
            attempt: text(names::ATTEMPT).and_then(|n| n.parse().ok()).unwrap_or(1),
            customer: text("ce-partitionkey"),
            data,
        })
    }

    /// The order that this is about: the event's own, or the one that its data names.
    pub(crate) fn order(&self) -> String {
        let named = self.data.get("order").or_else(|| self.data.get("id"));
        named.and_then(Value::as_str).unwrap_or(&self.id).to_owned()
    }
}
