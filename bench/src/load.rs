//! The events: orders of a thousand customers, some 200 bytes of JSON each.

use evenkeel::{Clock, Event};
use evenkeel_cloudevents::time::format_rfc3339;

/// Keys, so that order is kept among many, as in a shop.
const CUSTOMERS: u64 = 1000;

/// The order of that number, created now.
pub(crate) fn event(number: u64, clock: &dyn Clock) -> Event {
    let mut event = Event::new("/bench", format!("order-{number}"), "OrderCreated");
    event.subject = Some(format!("customer-{}", number.wrapping_mul(2_654_435_761) % CUSTOMERS));
    event.time = Some(format_rfc3339(clock.now()));
    event.datacontenttype = Some("application/json".to_owned());
    event.data = Some(body(number).into());
    event
}

pub(crate) fn body(number: u64) -> String {
    format!(
        "{{\"order\":{number},\"customer\":\"customer-{}\",\"currency\":\"EUR\",\"lines\":[{{\"sku\":\"85123A\",\
         \"description\":\"WHITE HANGING HEART T-LIGHT HOLDER\",\"quantity\":6,\"cents\":255}}],\"cents\":1530}}",
        number.wrapping_mul(2_654_435_761) % CUSTOMERS
    )
}
