//! What a line becomes: the CloudEvent that it is, or an event around the bare data in it.

use std::borrow::Cow;
use std::sync::Once;

use bytes::Bytes;
use evenkeel_cloudevents::{Limits, json};
use evenkeel_model::{AttributeValue, Event};
use serde_json::Value;

use crate::json_lines::nulls_for_nan;

/// How bare data becomes events. `--X` is a literal, `--X-from` a JSON pointer into the data.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct Flags {
    /// The CloudEvents type of bare data
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "type_from")]
    kind: Option<String>,
    /// Where the type stands in the data
    #[arg(long, value_name = "POINTER")]
    type_from: Option<String>,
    /// The CloudEvents source of bare data
    #[arg(long, value_name = "SOURCE", conflicts_with = "source_from")]
    source: Option<String>,
    /// Where the source stands in the data
    #[arg(long, value_name = "POINTER")]
    source_from: Option<String>,
    /// The ordering key
    #[arg(long, value_name = "KEY", conflicts_with = "key_from")]
    key: Option<String>,
    /// Where the ordering key stands in the data
    #[arg(long, value_name = "POINTER")]
    key_from: Option<String>,
    /// The id, for a single line; without one, ids are made for this run
    #[arg(long, value_name = "ID", conflicts_with = "id_from")]
    id: Option<String>,
    /// Where the id stands in the data: lines published again are then stored once
    #[arg(long, value_name = "POINTER")]
    id_from: Option<String>,
    /// Where the time of creation (RFC 3339) stands in the data
    #[arg(long, value_name = "POINTER")]
    time_from: Option<String>,
}

/// Turns lines into events.
pub(super) struct Shape {
    flags: Flags,
    run: String,
    told: Once,
}

impl Shape {
    /// `run` goes into the ids of events that have none.
    pub(super) fn new(flags: Flags, run: String) -> Shape {
        Shape { flags, run, told: Once::new() }
    }

    /// The event of a line, or what is wrong with it.
    pub(super) fn event(&self, line: &[u8], number: u64) -> Result<Event, String> {
        let line = self.repaired(line, number);
        let line = line.as_ref();
        let data: Value = serde_json::from_slice(line).map_err(|e| format!("is not JSON: {e}"))?;
        let mut event = if data.get("specversion").is_some() {
            json::decode(line, &Limits::default()).map_err(|p| p.to_string())?
        } else {
            self.around(&data, line, number)?
        };
        let flags = &self.flags;
        if let Some(key) = self.given(&data, "key", flags.key.as_ref(), flags.key_from.as_ref())? {
            event.set_extension("partitionkey", AttributeValue::String(key));
        }
        Ok(event)
    }

    /// The line with null for a bare NaN; said once, since it changes what is published.
    fn repaired<'a>(&self, line: &'a [u8], number: u64) -> Cow<'a, [u8]> {
        let text = std::str::from_utf8(line).ok().filter(|text| text.contains("NaN"));
        let Some(Cow::Owned(repaired)) = text.map(nulls_for_nan).filter(|repaired| repaired.as_bytes() != line) else {
            return Cow::Borrowed(line);
        };
        self.told.call_once(|| {
            eprintln!("line {number}: a bare NaN is not JSON; it is published as null, here and in later lines");
        });
        Cow::Owned(repaired.into_bytes())
    }

    fn around(&self, data: &Value, line: &[u8], number: u64) -> Result<Event, String> {
        let flags = &self.flags;
        let kind = self
            .given(data, "type", flags.kind.as_ref(), flags.type_from.as_ref())?
            .ok_or("is no CloudEvent (it has no `specversion`); for bare data say `--type` or `--type-from`")?;
        let source = self
            .given(data, "source", flags.source.as_ref(), flags.source_from.as_ref())?
            .unwrap_or_else(|| "/evenkeel/publish".to_owned());
        let id = self
            .given(data, "id", flags.id.as_ref(), flags.id_from.as_ref())?
            .unwrap_or_else(|| format!("{}-{number}", self.run));
        let mut event = Event::new(source, id, kind);
        event.time = self.given(data, "time", None, flags.time_from.as_ref())?;
        event.datacontenttype = Some("application/json".to_owned());
        event.data = Some(Bytes::copy_from_slice(line.trim_ascii()));
        Ok(event)
    }

    fn given(
        &self,
        data: &Value,
        name: &str,
        literal: Option<&String>,
        pointer: Option<&String>,
    ) -> Result<Option<String>, String> {
        let Some(pointer) = pointer else { return Ok(literal.cloned()) };
        match data.pointer(pointer) {
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Null) | None if name == "key" || name == "time" => Ok(None),
            found => Err(format!(
                "`--{name}-from {pointer}` finds {}, not text",
                found.map_or("nothing".to_owned(), |v| format!("`{v}`"))
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Flags, Shape};

    fn shape(flags: Flags) -> Shape {
        Shape::new(flags, "run".to_owned())
    }

    #[test]
    fn a_cloudevent_stays_as_it_is() {
        let line = br#"{"specversion":"1.0","id":"7","source":"/s","type":"T","subject":"k"}"#;
        let event = shape(Flags::default()).event(line, 1).unwrap();
        assert_eq!((event.id.id.as_str(), event.ordering_key().as_deref()), ("7", Some("k")));
    }

    #[test]
    fn bare_data_takes_literals_and_pointers() {
        let flags = Flags {
            kind: Some("OrderCreated".into()),
            id_from: Some("/order/id".into()),
            key_from: Some("/customer".into()),
            ..Flags::default()
        };
        let event = shape(flags.clone()).event(b"{\"order\":{\"id\":12},\"customer\":null}\n", 1).unwrap();
        assert_eq!((event.id.id.as_str(), event.kind.as_str()), ("12", "OrderCreated"));
        assert_eq!(event.ordering_key(), None);
        assert_eq!(event.data.as_deref(), Some(&b"{\"order\":{\"id\":12},\"customer\":null}"[..]));
        assert!(shape(flags).event(b"{\"customer\":\"c\"}", 1).unwrap_err().contains("/order/id"));
    }

    #[test]
    fn a_bare_nan_is_published_as_null_and_a_text_with_nan_in_it_as_it_is() {
        let typed = shape(Flags { kind: Some("T".into()), ..Flags::default() });
        let event = typed.event(br#"{"name":NaN,"a":"NaN"}"#, 1).unwrap();
        assert_eq!(event.data.as_deref(), Some(&br#"{"name":null,"a":"NaN"}"#[..]));
        let event = typed.event(br#"{"a":"NaN"}"#, 2).unwrap();
        assert_eq!(event.data.as_deref(), Some(&br#"{"a":"NaN"}"#[..]));
    }

    #[test]
    fn without_a_type_bare_data_is_refused_and_without_an_id_ids_differ() {
        assert!(shape(Flags::default()).event(b"{}", 1).unwrap_err().contains("--type"));
        let typed = shape(Flags { kind: Some("T".into()), ..Flags::default() });
        assert_ne!(typed.event(b"{}", 1).unwrap().id, typed.event(b"{}", 2).unwrap().id);
    }
}
