//! A value picked out of an event: an attribute, a header of its record, or a place in its JSON data.
//!
//! With it a subscription says what identifies an event, and which of two events of a key is the newer. Pure.

use evenkeel_cloudevents::data_pointer;
use evenkeel_cloudevents::filter::attribute;
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_delivery::Version;
use evenkeel_model::{Event, Record};
use serde_json::Value;

/// What is shown of a value that cannot be used.
const SHOWN: usize = 60;

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// A CloudEvents attribute: `id`, `time`, `sequence`, any extension.
    Attribute(String),
    /// A header of the record, as text.
    Header(String),
    /// An RFC 6901 pointer into the JSON data: `/order/id`.
    Pointer(String),
}

impl std::fmt::Display for Pick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pick::Attribute(name) => write!(f, "the attribute `{name}`"),
            Pick::Header(name) => write!(f, "the header `{name}`"),
            Pick::Pointer(pointer) => write!(f, "`{pointer}` of the data"),
        }
    }
}

impl Pick {
    /// The value, as text; `None` when there is none, or none that has a text.
    pub fn text(&self, event: &Event, record: &Record) -> Option<String> {
        match self {
            Pick::Attribute(name) => attribute(event, name).map(|text| text.into_owned()),
            Pick::Header(name) => String::from_utf8(record.header(name)?.to_vec()).ok(),
            Pick::Pointer(pointer) => match data_pointer(event, pointer)? {
                Value::String(text) => Some(text),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(truth) => Some(truth.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            },
        }
    }

    /// The value, as a version: a whole number (also as text, leading zeros and all), or an RFC 3339 time, which
    /// counts as its microseconds.
    pub fn version(&self, event: &Event, record: &Record) -> Version {
        let Some(text) = self.text(event, record) else {
            return Version::Unreadable(format!("{self} is missing"));
        };
        let text = text.trim();
        if let Ok(number) = text.parse() {
            return Version::Known(number);
        }
        match parse_rfc3339(text) {
            Some(time) => Version::Known(i128::from(time.micros())),
            None => {
                let shown = text.get(..text.floor_char_boundary(SHOWN)).unwrap_or_default();
                Version::Unreadable(format!("{self} is `{shown}`, neither a whole number nor an RFC 3339 time"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_model::AttributeValue;

    use super::*;

    fn event(sequence: &str, data: &str) -> Event {
        let mut event = Event::new("/s", "1", "k");
        event.set_extension("sequence", AttributeValue::String(sequence.to_owned()));
        event.datacontenttype = Some("application/json".to_owned());
        event.data = Some(data.to_owned().into());
        event
    }

    fn version(text: &str) -> Version {
        Pick::Attribute("sequence".to_owned()).version(&event(text, "{}"), &Record::default())
    }

    #[test]
    fn numbers_digits_and_times_are_versions_and_nothing_else_is() {
        assert_eq!(version("000042"), Version::Known(42));
        assert_eq!(version("-3"), Version::Known(-3));
        assert_eq!(version("170141183460469231731687303715884105727"), Version::Known(i128::MAX));
        assert_eq!(version("1970-01-01T01:00:01+01:00"), Version::Known(1_000_000));
        for bad in ["", "1.5", "1e3", "v2", "0x10", "170141183460469231731687303715884105728", "2026-02-30T00:00:00Z"] {
            assert!(matches!(version(bad), Version::Unreadable(_)), "{bad}");
        }
        let long = version(&"ü".repeat(500));
        assert!(matches!(&long, Version::Unreadable(why) if why.len() < 200), "{long:?}");
    }

    #[test]
    fn a_value_is_found_where_it_is_said_to_be() {
        let event = event("1", r#"{"order":{"id":7,"name":"a","tags":[1],"none":null}}"#);
        let mut record = Record::default();
        record.push_header("x-id", "h".to_owned());
        let text = |pick: Pick| pick.text(&event, &record);
        assert_eq!(text(Pick::Pointer("/order/id".into())).as_deref(), Some("7"));
        assert_eq!(text(Pick::Pointer("/order/name".into())).as_deref(), Some("a"));
        for none in ["/order/tags", "/order/none", "/order", "/nowhere"] {
            assert_eq!(text(Pick::Pointer(none.into())), None, "{none}");
        }
        assert_eq!(text(Pick::Header("x-id".into())).as_deref(), Some("h"));
        assert_eq!(text(Pick::Header("x-other".into())), None);
        assert_eq!(text(Pick::Attribute("source".into())).as_deref(), Some("/s"));
        assert_eq!(
            Pick::Header("x-other".into()).version(&event, &record),
            Version::Unreadable("the header `x-other` is missing".into())
        );
    }
}
