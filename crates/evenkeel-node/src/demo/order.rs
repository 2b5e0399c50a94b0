//! An order, as it stands in the file of real orders and in the data of an event.
//!
//! Quantities and prices may be negative or zero, names may be null: as in life. Money is
//! counted in pence, rounded per line, so that three books can agree to the penny.

use evenkeel_model::Timestamp;
use serde::{Deserialize, Serialize};

/// The source of everything that the order desk publishes.
pub(crate) const ORDERS_SOURCE: &str = "/shop/orders";
/// The source of cancellations of orders whose payment died.
pub(crate) const COMPENSATION_SOURCE: &str = "/shop/compensation";
/// The source of captured payments.
pub(crate) const PAYMENT_SOURCE: &str = "/shop/payment";

pub(crate) const CREATED: &str = "OrderCreated";
pub(crate) const CANCELLED: &str = "OrderCancelled";
pub(crate) const CAPTURED: &str = "PaymentCaptured";

/// One order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) time: String,
    pub(crate) customer: Option<String>,
    #[serde(default)]
    pub(crate) country: Option<String>,
    pub(crate) lines: Vec<Line>,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) name: Option<String>,
    pub(crate) quantity: i64,
    pub(crate) price: f64,
}

impl Order {
    pub(crate) fn units(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }

    #[expect(clippy::cast_possible_truncation, reason = "a price times a quantity in pence is far below 2^53")]
    #[expect(clippy::cast_precision_loss, reason = "quantities are far below 2^53")]
    pub(crate) fn pence(&self) -> i64 {
        self.lines.iter().map(|line| (line.price * 100.0 * line.quantity as f64).round() as i64).sum()
    }

    /// The order as a CloudEvent in the JSON format, stamped as recorded `now`. An order without
    /// a customer has no key.
    pub(crate) fn to_event(&self, now: Timestamp) -> serde_json::Value {
        let customer = self.customer.as_deref();
        let draft = Draft { source: ORDERS_SOURCE, id: &self.id, kind: &self.kind, customer };
        event_at(&draft, &self.time, &rfc3339(now), serde_json::json!(self))
    }
}

/// The attributes of an event to be.
pub(crate) struct Draft<'a> {
    pub(crate) source: &'a str,
    pub(crate) id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) customer: Option<&'a str>,
}

/// A CloudEvent in the JSON format; both times are RFC 3339.
pub(crate) fn event_at(draft: &Draft<'_>, time: &str, recorded: &str, data: serde_json::Value) -> serde_json::Value {
    let mut event = serde_json::json!({
        "specversion": "1.0",
        "id": draft.id,
        "source": draft.source,
        "type": draft.kind,
        "time": time,
        "recordedtime": recorded,
        "datacontenttype": "application/json",
        "data": data,
    });
    if let (Some(customer), Some(fields)) = (draft.customer, event.as_object_mut()) {
        fields.insert("partitionkey".to_owned(), customer.into());
    }
    event
}

/// RFC 3339 with microseconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::{Line, Order};
    use evenkeel_model::Timestamp;

    fn order(customer: Option<&str>) -> Order {
        let line = |quantity, price| Line { sku: "85123A".into(), name: None, quantity, price };
        Order {
            id: "536365".into(),
            kind: "OrderCreated".into(),
            time: "2010-12-01T08:26:00Z".into(),
            customer: customer.map(str::to_owned),
            country: None,
            lines: vec![line(6, 2.55), line(-1, 0.1), line(3, 0.0)],
        }
    }

    #[test]
    fn pence_are_rounded_per_line_and_may_be_negative() {
        assert_eq!(order(None).pence(), 1530 - 10);
        assert_eq!(order(None).units(), 8);
    }

    #[test]
    fn an_order_without_a_customer_is_an_event_without_a_key() {
        let without = order(None).to_event(Timestamp::from_millis(1));
        assert!(without.get("partitionkey").is_none() && without.get("subject").is_none());
        let with = order(Some("17850")).to_event(Timestamp::from_millis(1));
        assert_eq!(with["partitionkey"], "17850");
        assert_eq!(with["recordedtime"], "1970-01-01T00:00:00.001Z");
        assert_eq!(with["time"], "2010-12-01T08:26:00Z");
    }
}
