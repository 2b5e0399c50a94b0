//! Messages of AMQP 0-9-1 as parcels, and back.
//!
//! Headers that change from one delivery to the next are left out: a message that is given again is
//! known by its content. How often it was given is noted apart, which is no part of that.

use bytes::Bytes;
use evenkeel_model::{Record, Timestamp};
use evenkeel_transport::{Parcel, Style, note_given};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};

/// How often it was given, as the broker counts.
pub(crate) const DELIVERY_COUNT: &str = "x-delivery-count";
/// Counts of a broker: other from one delivery to the next.
const COUNTS: [&str; 2] = [DELIVERY_COUNT, "x-acquired-count"];
const CONTENT_TYPE: &str = "content-type";
const PERSISTENT: u8 = 2;

/// A delivery as a record.
pub(crate) fn record(delivery: &mut Delivery, key: Option<Bytes>) -> Record {
    let properties = &delivery.properties;
    let mut parcel = Parcel { headers: Vec::new(), body: Bytes::from(std::mem::take(&mut delivery.data)) };
    for (name, value) in properties.headers().iter().flat_map(|headers| headers.inner()) {
        if !COUNTS.contains(&name.as_str()) {
            parcel.headers.push((name.to_string(), text(value)));
        }
    }
    let content_type = properties.content_type().as_ref().map(ToString::to_string);
    let is_event = parcel.get("cloudEvents:id").or_else(|| parcel.get("cloudEvents_id")).is_some()
        || content_type.as_deref().is_some_and(|kind| kind.starts_with("application/cloudevents"));
    if !is_event {
        parcel.headers.extend(own_properties(properties, &delivery.routing_key));
    }
    parcel.headers.extend(content_type.map(|kind| (CONTENT_TYPE.to_owned(), kind)));
    let seconds = properties.timestamp().unwrap_or(0);
    let created = Timestamp::from_millis(i64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    let deaths: Vec<(String, String)> = parcel.headers.iter().filter(|(name, _)| is_of_death(name)).cloned().collect();
    let mut record = parcel.into_record(Style::Amqp, key, created);
    // A record that we had written says nothing of its death: the broker does.
    for (name, value) in deaths.into_iter().filter(|(name, _)| record.header(name).is_none()).collect::<Vec<_>>() {
        record.push_header(name, value);
    }
    note_given(&mut record, times_given(&delivery.properties, delivery.redelivered));
    record
}

/// What RabbitMQ says of how a message died: `x-death`, `x-first-death-queue` and their kin.
fn is_of_death(header: &str) -> bool {
    ["x-death", "x-first-death-", "x-last-death-"].iter().any(|prefix| header.starts_with(prefix))
}

/// How often a quorum queue gave the message before.
pub(crate) fn given_before(properties: &BasicProperties) -> Option<i64> {
    properties.headers().as_ref()?.inner().get(DELIVERY_COUNT).and_then(integer)
}

/// How often it was given, this time included, as far as the broker tells: a classic queue says only that this is
/// not the first time. RabbitMQ 4 counts apart those that nobody is blamed for.
fn times_given(properties: &BasicProperties, redelivered: bool) -> u32 {
    let headers = properties.headers().as_ref();
    let counts = COUNTS.iter().filter_map(|name| headers?.inner().get(*name).and_then(integer));
    let before = counts.max().unwrap_or_default().max(i64::from(redelivered));
    u32::try_from(before.saturating_add(1)).unwrap_or(1)
}

fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::LongLongInt(v) => Some(*v),
        AMQPValue::LongInt(v) => Some(i64::from(*v)),
        AMQPValue::LongUInt(v) => Some(i64::from(*v)),
        AMQPValue::ShortInt(v) => Some(i64::from(*v)),
        AMQPValue::ShortUInt(v) => Some(i64::from(*v)),
        AMQPValue::ShortShortInt(v) => Some(i64::from(*v)),
        AMQPValue::ShortShortUInt(v) => Some(i64::from(*v)),
        _ => None,
    }
}

/// What a message that is no CloudEvent says of itself.
fn own_properties(properties: &BasicProperties, routing_key: &ShortString) -> Vec<(String, String)> {
    let routing_key = Some(routing_key.clone()).filter(|key| !key.as_str().is_empty());
    [
        ("amqp-message-id", properties.message_id().clone()),
        ("amqp-correlation-id", properties.correlation_id().clone()),
        ("amqp-type", properties.kind().clone()),
        ("amqp-app-id", properties.app_id().clone()),
        ("amqp-reply-to", properties.reply_to().clone()),
        ("amqp-routing-key", routing_key),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value.to_string())))
    .collect()
}

/// A header's value as text; tables and lists as JSON, as far as JSON can say it.
fn text(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::ByteArray(bytes) => String::from_utf8_lossy(bytes.as_slice()).into_owned(),
        AMQPValue::Void => String::new(),
        other => json(other),
    }
}

fn json(value: &AMQPValue) -> String {
    match value {
        AMQPValue::Boolean(v) => v.to_string(),
        AMQPValue::ShortShortInt(v) => v.to_string(),
        AMQPValue::ShortShortUInt(v) => v.to_string(),
        AMQPValue::ShortInt(v) => v.to_string(),
        AMQPValue::ShortUInt(v) => v.to_string(),
        AMQPValue::LongInt(v) => v.to_string(),
        AMQPValue::LongUInt(v) => v.to_string(),
        AMQPValue::LongLongInt(v) => v.to_string(),
        AMQPValue::Timestamp(v) => v.to_string(),
        AMQPValue::Float(v) => v.to_string(),
        AMQPValue::Double(v) => v.to_string(),
        AMQPValue::FieldArray(all) => {
            format!("[{}]", all.as_slice().iter().map(json).collect::<Vec<_>>().join(","))
        }
        AMQPValue::FieldTable(table) => {
            let member =
                |(name, value): (&ShortString, &AMQPValue)| format!("{}:{}", quoted(name.as_str()), json(value));
            format!("{{{}}}", table.inner().iter().map(member).collect::<Vec<_>>().join(","))
        }
        AMQPValue::Void => "null".to_owned(),
        string => quoted(&text(string)),
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A parcel as a message, to be kept by the broker on its disk.
pub(crate) fn properties(parcel: &Parcel, created: Timestamp) -> BasicProperties {
    let mut headers = FieldTable::default();
    let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    for (name, value) in &parcel.headers {
        if name == CONTENT_TYPE {
            if let Ok(kind) = ShortString::try_new(value.as_str()) {
                properties = properties.with_content_type(kind);
            }
        } else if let Ok(name) = ShortString::try_new(name.as_str()) {
            headers.insert(name, AMQPValue::LongString(value.as_bytes().into()));
        }
    }
    if let Ok(seconds) = u64::try_from(created.millis() / 1000) {
        properties = properties.with_timestamp(seconds);
    }
    native(properties, parcel).with_headers(headers)
}

/// What a message had of its own that came from RabbitMQ, so that whoever knows it there knows it again.
fn native(mut properties: BasicProperties, parcel: &Parcel) -> BasicProperties {
    let text = |name: &str| parcel.get(name).and_then(|value| ShortString::try_new(value).ok());
    if let Some(id) = text("amqp-message-id") {
        properties = properties.with_message_id(id);
    }
    if let Some(id) = text("amqp-correlation-id") {
        properties = properties.with_correlation_id(id);
    }
    if let Some(kind) = text("amqp-type") {
        properties = properties.with_type(kind);
    }
    if let Some(app) = text("amqp-app-id") {
        properties = properties.with_app_id(app);
    }
    if let Some(reply_to) = text("amqp-reply-to") {
        properties = properties.with_reply_to(reply_to);
    }
    properties
}

#[cfg(test)]
mod tests {
    use lapin::types::{AMQPValue, FieldArray, FieldTable};

    use super::text;

    #[test]
    fn a_history_of_deaths_reads_as_json() {
        let mut death = FieldTable::default();
        death.insert("queue".into(), AMQPValue::LongString("orders \"eu\"".into()));
        death.insert("count".into(), AMQPValue::LongLongInt(2));
        death.insert("time".into(), AMQPValue::Timestamp(1_795_219_200));
        let deaths = AMQPValue::FieldArray(FieldArray::from(vec![AMQPValue::FieldTable(death)]));
        assert_eq!(text(&deaths), r#"[{"count":2,"queue":"orders \"eu\"","time":1795219200}]"#);
        assert_eq!(text(&AMQPValue::LongString("plain".into())), "plain");
    }
}
