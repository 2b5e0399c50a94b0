//! The control topic: topics as records of `evenkeel.control`. A record's key is the topic's
//! name; its value is a kind, a version, and the fields of that version.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use evenkeel_model::{Record, Timestamp, varint};

use crate::batch::{self, Records};
use crate::{Retention, Topic, TopicSettings, topic};

const TOPIC: u8 = 1;
const VERSION: u8 = 1;

/// The batch that creates `topic` under that number.
pub(crate) fn encode(number: u32, topic: &Topic, at: Timestamp) -> Vec<u8> {
    let value = value(number, topic);
    let key = Bytes::copy_from_slice(topic.name.as_bytes());
    batch::encode(&[Record { key: Some(key), value: Some(value.into()), headers: Vec::new(), created: at }])
}

/// The value of that record.
pub(crate) fn value(number: u32, topic: &Topic) -> Vec<u8> {
    let mut value = vec![TOPIC, VERSION];
    varint::put_u64(&mut value, u64::from(number));
    varint::put_text(&mut value, &topic.name);
    varint::put_u64(&mut value, u64::from(topic.partitions));
    put_option(&mut value, topic.settings.retention.age.map(|a| u64::try_from(a.as_micros()).unwrap_or(u64::MAX)));
    put_option(&mut value, topic.settings.retention.bytes);
    value
}

/// The topics that a batch of the control topic creates, with their numbers.
pub(crate) fn decode(batch: &Bytes) -> Result<Vec<(u32, Topic)>, String> {
    let mut topics = Vec::new();
    for record in Records::of(batch).map_err(|e| e.to_string())? {
        let (offset, record) = record.map_err(|e| e.to_string())?;
        let value = record.value.ok_or_else(|| format!("control record {offset} has no value"))?;
        topics.push(topic_of(value).ok_or_else(|| format!("control record {offset} cannot be read"))?);
    }
    Ok(topics)
}

/// The topic and its number in the value of a record.
pub(crate) fn topic_of(mut value: Bytes) -> Option<(u32, Topic)> {
    if value.remaining() < 2 || value.get_u8() != TOPIC || value.get_u8() != VERSION {
        return None;
    }
    let number = u32::try_from(varint::get_u64(&mut value)?).ok()?;
    let name = varint::get_text(&mut value)?;
    let partitions = u32::try_from(varint::get_u64(&mut value)?).ok()?;
    let age = get_option(&mut value)?.map(Duration::from_micros);
    let bytes = get_option(&mut value)?;
    let settings = TopicSettings { partitions, retention: Retention { age, bytes } };
    topic::check(&name, &settings).ok()?;
    Some((number, Topic { name: name.into(), partitions, settings }))
}

fn put_option(out: &mut Vec<u8>, value: Option<u64>) {
    out.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        varint::put_u64(out, value);
    }
}

#[expect(clippy::option_option, reason = "outside: were the bytes there; inside: is the value set")]
fn get_option(from: &mut Bytes) -> Option<Option<u64>> {
    if !from.has_remaining() {
        return None;
    }
    match from.get_u8() {
        0 => Some(None),
        1 => varint::get_u64(from).map(Some),
        _ => None,
    }
}
