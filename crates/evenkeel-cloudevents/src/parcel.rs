//! A record as a message with text headers, and back: the CloudEvents bindings of NATS and AMQP.
//!
//! A message that others wrote becomes a record with `ce_*` headers, in the order in which we write
//! them ourselves; its other headers follow by name. A record that we put on a broker is written
//! in the binding, so that others read it; where the binding can't say all of it (a header twice,
//! bytes that are no text, a key that is no attribute), the header [`names::EXACT`] does.
//!
//! Invariant: what we wrote comes back as the same record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use bytes::{Buf, Bytes};
use evenkeel_model::varint::{get_i64, get_text, get_u64, put_i64, put_text, put_u64};
use evenkeel_model::{Header, Record, Timestamp, names};

use crate::time::parse_rfc3339;

/// Whose binding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `ce-type`; values percent-encoded, as HTTP has them.
    Nats,
    /// `cloudEvents:type`, also read as `cloudEvents_type`.
    Amqp,
}

/// A message with text headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// By name; a name may repeat.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub body: Bytes,
}

/// The order in which a record's first headers stand.
const ATTRIBUTES: [&str; 7] =
    ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_dataschema"];
const CONTENT_TYPE: &str = "content-type";

impl Style {
    fn attribute(self, header: &str) -> Option<String> {
        let name = match self {
            Style::Nats => header.get(..3).filter(|p| p.eq_ignore_ascii_case("ce-")).map(|_| &header[3..])?,
            Style::Amqp => header.strip_prefix("cloudEvents:").or_else(|| header.strip_prefix("cloudEvents_"))?,
        };
        Some(format!("ce_{}", name.to_ascii_lowercase()))
    }

    fn header(self, attribute: &str) -> String {
        match self {
            Style::Nats => format!("ce-{attribute}"),
            Style::Amqp => format!("cloudEvents:{attribute}"),
        }
    }

    fn encode(self, value: &str) -> String {
        match self {
            Style::Nats => percent_encode(value),
            Style::Amqp => value.to_owned(),
        }
    }

    fn decode(self, value: String) -> String {
        match self {
            Style::Nats => percent_decode(&value).unwrap_or(value),
            Style::Amqp => value,
        }
    }
}

impl Parcel {
    /// A record as a message.
    pub fn of(record: &Record, style: Style) -> Parcel {
        let mut parcel = Parcel { headers: Vec::new(), body: record.value.clone().unwrap_or_default() };
        for header in &record.headers {
            let Some(value) = header.value.as_deref().and_then(|value| str::from_utf8(value).ok()) else { continue };
            match header.name.strip_prefix("ce_") {
                Some(attribute) if attribute.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) => {
                    parcel.headers.push((style.header(attribute), style.encode(value)));
                }
                Some(_) => {}
                None if is_plain(&header.name, value) && parcel.get(&header.name).is_none() => {
                    parcel.headers.push((header.name.clone(), value.to_owned()));
                }
                None => {}
            }
        }
        let read = parcel.clone().into_record(style, None, Timestamp::EPOCH);
        if read != *record {
            parcel.headers.push((names::EXACT.to_owned(), exact(record)));
        }
        parcel
    }

    /// All of a record but its payload, as text: what [`names::EXACT`] holds.
    pub fn exact(record: &Record) -> String {
        exact(record)
    }

    /// The record that [`Parcel::exact`] tells of, with its payload; `None` when it tells of none.
    pub fn restored(text: &str, body: &Bytes) -> Option<Record> {
        inexact(text, body)
    }

    /// The first header of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A message as a record. `key` is the broker's own idea of an ordering key, for a message that
    /// says nothing of one; `created` when the broker took it, for one that has no `time`.
    pub fn into_record(self, style: Style, key: Option<Bytes>, created: Timestamp) -> Record {
        if let Some(record) = self.get(names::EXACT).and_then(|text| inexact(text, &self.body)) {
            return record;
        }
        let mut headers: Vec<(String, String)> = self
            .headers
            .into_iter()
            .map(|(name, value)| match style.attribute(&name) {
                Some(attribute) => (attribute, style.decode(value)),
                None if name.eq_ignore_ascii_case(CONTENT_TYPE) => (CONTENT_TYPE.to_owned(), value),
                None => (name, value),
            })
            .collect();
        headers.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
        let text = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let own_key = text("ce_partitionkey").or_else(|| text("ce_subject"));
        let key = own_key.map(|key| Bytes::copy_from_slice(key.as_bytes())).or(key);
        let created = text("ce_time").and_then(parse_rfc3339).unwrap_or(created);
        let header = |(name, value): (String, String)| Header { name, value: Some(Bytes::from(value)) };
        Record { key, value: Some(self.body), created, headers: headers.into_iter().map(header).collect() }
    }
}

/// Attributes first, as we write them; extensions by name; then the content type, then the rest.
fn rank(name: &str) -> usize {
    let attribute = ATTRIBUTES.iter().position(|known| *known == name);
    attribute.unwrap_or(match name {
        _ if name.starts_with("ce_") => ATTRIBUTES.len(),
        CONTENT_TYPE => ATTRIBUTES.len() + 1,
        names::EXTENSION_TYPES => ATTRIBUTES.len() + 2,
        _ => ATTRIBUTES.len() + 3,
    })
}

/// What every broker's header takes, and gives back as it was.
fn is_plain(name: &str, value: &str) -> bool {
    let name_ok = (1..=200).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    name_ok
        && name != names::EXACT
        && value.trim() == value
        && !value.is_empty()
        && !value.chars().any(char::is_control)
}

/// All of a record but its payload.
fn exact(record: &Record) -> String {
    let mut out = Vec::new();
    put_i64(&mut out, record.created.micros());
    put_bytes(&mut out, record.key.as_deref());
    out.push(u8::from(record.value.is_some()));
    put_u64(&mut out, record.headers.len() as u64);
    for header in &record.headers {
        put_text(&mut out, &header.name);
        put_bytes(&mut out, header.value.as_deref());
    }
    BASE64.encode(out)
}

fn inexact(text: &str, body: &Bytes) -> Option<Record> {
    let mut from = Bytes::from(BASE64.decode(text).ok()?);
    let created = Timestamp::from_micros(get_i64(&mut from)?);
    let key = get_bytes(&mut from)?;
    let has_value = from.has_remaining().then(|| from.get_u8() == 1)?;
    let count = get_u64(&mut from)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push(Header { name: get_text(&mut from)?, value: get_bytes(&mut from)? });
    }
    Some(Record { key, value: has_value.then(|| body.clone()), headers, created })
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_u64(out, bytes.map_or(0, |bytes| bytes.len() as u64 + 1));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// `None` when the bytes end; the length is checked before it is used.
fn get_bytes(from: &mut Bytes) -> Option<Option<Bytes>> {
    let Some(len) = get_u64(from)?.checked_sub(1) else { return Some(None) };
    let len = usize::try_from(len).ok().filter(|len| *len <= from.remaining())?;
    Some(Some(from.split_to(len)))
}

/// As the HTTP binding has it (CloudEvents HTTP 3.1.3.2): all but printable ASCII, and `"` and `%`.
fn percent_encode(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' => out.push_str(&format!("%{byte:02X}")),
            0x21..=0x7e => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `None` when it is not percent-encoded text: then it is meant literally.
fn percent_decode(value: &str) -> Option<String> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let hex = str::from_utf8(tail.get(..2)?).ok()?;
        out.push(u8::from_str_radix(hex, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
