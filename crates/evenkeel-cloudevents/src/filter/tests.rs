use evenkeel_model::{AttributeValue, Event};

use super::Filter;

fn order() -> Event {
    let mut event = Event::new("/shop/eu", "17", "OrderCreated");
    event.subject = Some("customer-4".to_owned());
    event.set_extension("priority", AttributeValue::Integer(5));
    event.set_extension("test", AttributeValue::Boolean(false));
    event
}

fn exact(name: &str, value: &str) -> Filter {
    Filter::Exact(name.to_owned(), value.to_owned())
}

#[test]
fn exact_prefix_and_suffix_look_at_every_attribute() {
    let event = order();
    for (name, value) in [
        ("id", "17"),
        ("source", "/shop/eu"),
        ("type", "OrderCreated"),
        ("subject", "customer-4"),
        ("specversion", "1.0"),
        ("priority", "5"),
        ("test", "false"),
    ] {
        assert!(exact(name, value).matches(&event), "{name}");
        assert!(!exact(name, "other").matches(&event), "{name}");
    }
    assert!(Filter::Prefix("type".to_owned(), "Order".to_owned()).matches(&event));
    assert!(!Filter::Prefix("type".to_owned(), "Created".to_owned()).matches(&event));
    assert!(Filter::Suffix("source".to_owned(), "/eu".to_owned()).matches(&event));
    assert!(!Filter::Suffix("source".to_owned(), "/us".to_owned()).matches(&event));
}

#[test]
fn an_attribute_that_is_not_there_matches_nothing_not_even_the_empty_value() {
    let event = order();
    for name in ["time", "dataschema", "datacontenttype", "unknown"] {
        let (n, v) = (name.to_owned(), String::new());
        assert!(!Filter::Exact(n.clone(), v.clone()).matches(&event), "{name}");
        assert!(!Filter::Prefix(n.clone(), v.clone()).matches(&event), "{name}");
        assert!(!Filter::Suffix(n, v).matches(&event), "{name}");
        assert!(Filter::Not(Box::new(exact(name, ""))).matches(&event), "{name}");
    }
}

#[test]
fn all_any_and_not_combine() {
    let event = order();
    let (yes, no) = (exact("id", "17"), exact("id", "18"));
    assert!(Filter::All(vec![]).matches(&event));
    assert!(!Filter::Any(vec![]).matches(&event));
    assert!(Filter::All(vec![yes.clone(), yes.clone()]).matches(&event));
    assert!(!Filter::All(vec![yes.clone(), no.clone()]).matches(&event));
    assert!(Filter::Any(vec![no.clone(), yes.clone()]).matches(&event));
    assert!(!Filter::Any(vec![no.clone(), no.clone()]).matches(&event));
    assert!(Filter::Not(Box::new(no)).matches(&event));
    assert!(!Filter::Not(Box::new(yes)).matches(&event));
}
