use evenkeel_model::Event;

use super::{content_hash, data_pointer};

fn event(kind: &str, data: Option<&'static str>) -> Event {
    let mut event = Event::new("/s", "1", kind);
    event.data = data.map(Into::into);
    event
}

#[test]
fn the_hash_tells_type_and_data_and_nothing_else() {
    let base = content_hash(&event("T", Some("a")));
    let mut other_id = event("T", Some("a"));
    other_id.id.id = "2".to_owned();
    other_id.time = Some("2026-01-31T08:30:00Z".to_owned());
    assert_eq!(content_hash(&other_id), base);
    assert_ne!(content_hash(&event("U", Some("a"))), base);
    assert_ne!(content_hash(&event("T", Some("b"))), base);
    assert_ne!(content_hash(&event("Ta", Some(""))), base, "the border between type and data counts");
    assert_eq!(content_hash(&event("T", None)), content_hash(&event("T", Some(""))));
}

#[test]
fn the_hash_is_the_same_over_versions() {
    assert_eq!(content_hash(&event("OrderCreated", Some("{\"id\":1}"))), 0xf1ed_84ce_8fe2_8aa7);
}

#[test]
fn a_pointer_finds_values_in_json_data_only() {
    let mut order = event("T", Some(r#"{"order":{"id":17,"lines":[{"sku":"a/b"}]},"":1}"#));
    assert_eq!(data_pointer(&order, "/order/id"), Some(17.into()));
    assert_eq!(data_pointer(&order, "/order/lines/0/sku"), Some("a/b".into()));
    assert_eq!(data_pointer(&order, "/"), Some(1.into()));
    assert_eq!(data_pointer(&order, "/order/none"), None);
    assert_eq!(data_pointer(&order, "order"), None);
    order.datacontenttype = Some("text/plain".to_owned());
    assert_eq!(data_pointer(&order, "/order/id"), None);
    order.datacontenttype = Some("application/vnd.shop+json".to_owned());
    assert!(data_pointer(&order, "").is_some());
    assert_eq!(data_pointer(&event("T", Some("no json")), ""), None);
    assert_eq!(data_pointer(&event("T", None), ""), None);
}
