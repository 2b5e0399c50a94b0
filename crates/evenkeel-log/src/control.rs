//! The control topic: every change of control state is a record of `evenkeel.control`, in the
//! group of the data that it belongs to. A record's value is a kind, a version, and the fields of
//! that version; its key is what the fact is about, so that a later fact replaces an earlier one.

mod settings;

use bytes::{Buf, BufMut, Bytes};
use evenkeel_model::{Record, Timestamp, varint};

use crate::batch::{self, Records};
use crate::state::Place;
use crate::{Topic, topic};

const CREATED: u8 = 1;
const CONFIGURED: u8 = 2;
const DELETED: u8 = 3;
const STARTED: u8 = 4;
const PRODUCERS: u8 = 5;
const EPOCH: u8 = 6;

/// What a control record takes in a group, at most, beside a topic's name.
pub(crate) const RECORD_BYTES: usize = 512;

/// One change of control state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A topic is there.
    Created { number: u32, topic: Topic },
    /// It has these settings, and so many partitions, from now on.
    Configured { number: u32, topic: Topic },
    /// It is gone, with all that it held; its number is never used again.
    Deleted { number: u32, name: String },
    /// A partition begins at this offset.
    Started { place: Place, offset: u64 },
    /// Producer ids below this one are taken.
    Producers { until: i64 },
    /// A partition has this leader epoch, from this offset on.
    Epoch { place: Place, epoch: u32, from: u64 },
}

/// The batch that states `fact`.
pub(crate) fn encode(fact: &Fact, at: Timestamp) -> Vec<u8> {
    let (key, value) = (key(fact), value(fact));
    batch::encode(&[Record { key: Some(key.into()), value: Some(value.into()), headers: Vec::new(), created: at }])
}

/// What a batch of the control topic states.
pub(crate) fn decode(batch: &Bytes) -> Result<Vec<Fact>, String> {
    let mut facts = Vec::new();
    for record in Records::of(batch).map_err(|e| e.to_string())? {
        let (offset, record) = record.map_err(|e| e.to_string())?;
        let value = record.value.ok_or_else(|| format!("control record {offset} has no value"))?;
        facts.push(fact(value).ok_or_else(|| format!("control record {offset} cannot be read"))?);
    }
    Ok(facts)
}

/// A topic in a checkpoint: the value of the record that created it would be the same.
pub(crate) fn topic_value(number: u32, topic: &Topic) -> Vec<u8> {
    let mut out = Vec::new();
    put_topic(&mut out, CREATED, number, topic);
    out
}

/// The topic and its number in such a value.
pub(crate) fn topic_of(value: Bytes) -> Option<(u32, Topic)> {
    match fact(value)? {
        Fact::Created { number, topic } => Some((number, topic)),
        _ => None,
    }
}

fn key(fact: &Fact) -> Vec<u8> {
    let about = |kind: u8, place: &Place| {
        let mut key = vec![kind];
        key.put_u32_le(place.topic);
        key.put_u32_le(place.partition);
        key
    };
    match fact {
        Fact::Created { topic, .. } | Fact::Configured { topic, .. } => topic.name.as_bytes().to_vec(),
        Fact::Deleted { name, .. } => name.as_bytes().to_vec(),
        Fact::Started { place, .. } => about(STARTED, place),
        Fact::Producers { .. } => vec![PRODUCERS],
        Fact::Epoch { place, .. } => about(EPOCH, place),
    }
}

fn value(fact: &Fact) -> Vec<u8> {
    let mut out = Vec::new();
    match fact {
        Fact::Created { number, topic } => put_topic(&mut out, CREATED, *number, topic),
        Fact::Configured { number, topic } => put_topic(&mut out, CONFIGURED, *number, topic),
        Fact::Deleted { number, name } => {
            out.put_slice(&[DELETED, 1]);
            varint::put_u64(&mut out, u64::from(*number));
            varint::put_text(&mut out, name);
        }
        Fact::Started { place, offset } => {
            out.put_slice(&[STARTED, 1]);
            put_place(&mut out, *place);
            varint::put_u64(&mut out, *offset);
        }
        Fact::Producers { until } => {
            out.put_slice(&[PRODUCERS, 1]);
            out.put_i64_le(*until);
        }
        Fact::Epoch { place, epoch, from } => {
            out.put_slice(&[EPOCH, 1]);
            put_place(&mut out, *place);
            out.put_u32_le(*epoch);
            varint::put_u64(&mut out, *from);
        }
    }
    out
}

fn fact(mut from: Bytes) -> Option<Fact> {
    if from.remaining() < 2 {
        return None;
    }
    let fact = match (from.get_u8(), from.get_u8()) {
        (CREATED, version) => {
            let (number, topic) = get_topic(&mut from, version)?;
            Fact::Created { number, topic }
        }
        (CONFIGURED, version) => {
            let (number, topic) = get_topic(&mut from, version)?;
            Fact::Configured { number, topic }
        }
        (DELETED, 1) => Fact::Deleted { number: get_u32(&mut from)?, name: varint::get_text(&mut from)? },
        (STARTED, 1) => Fact::Started { place: get_place(&mut from)?, offset: varint::get_u64(&mut from)? },
        (PRODUCERS, 1) => Fact::Producers { until: from.try_get_i64_le().ok()? },
        (EPOCH, 1) => {
            let (place, epoch) = (get_place(&mut from)?, from.try_get_u32_le().ok()?);
            Fact::Epoch { place, epoch, from: varint::get_u64(&mut from)? }
        }
        _ => return None,
    };
    Some(fact)
}

fn put_topic(out: &mut Vec<u8>, kind: u8, number: u32, topic: &Topic) {
    out.put_slice(&[kind, settings::VERSION]);
    varint::put_u64(out, u64::from(number));
    varint::put_text(out, &topic.name);
    settings::put(out, &topic.settings);
}

fn get_topic(from: &mut Bytes, version: u8) -> Option<(u32, Topic)> {
    let number = get_u32(from)?;
    let name = varint::get_text(from)?;
    let settings = settings::get(from, version)?;
    topic::check(&name, &settings).ok()?;
    Some((number, Topic { name: name.into(), partitions: settings.partitions, settings }))
}

fn put_place(out: &mut Vec<u8>, place: Place) {
    varint::put_u64(out, u64::from(place.topic));
    varint::put_u64(out, u64::from(place.partition));
}

fn get_place(from: &mut Bytes) -> Option<Place> {
    Some(Place { topic: get_u32(from)?, partition: get_u32(from)? })
}

fn get_u32(from: &mut Bytes) -> Option<u32> {
    u32::try_from(varint::get_u64(from)?).ok()
}
