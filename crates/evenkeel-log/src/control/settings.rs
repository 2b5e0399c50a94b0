//! A topic's settings in bytes, as control records and checkpoints hold them.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use evenkeel_model::varint;

use crate::{AtLimit, Cleanup, Retention, TopicSettings};

/// The version that is written. Version 1 ends behind `retention.bytes`.
pub(crate) const VERSION: u8 = 2;

/// Writes version [`VERSION`].
pub(crate) fn put(out: &mut Vec<u8>, settings: &TopicSettings) {
    let Retention { age, bytes, limit, at_limit } = settings.retention;
    varint::put_u64(out, u64::from(settings.partitions));
    put_option(out, age.map(micros));
    put_option(out, bytes);
    put_option(out, limit);
    out.put_u8(u8::from(at_limit == AtLimit::Expire));
    match settings.cleanup {
        Cleanup::Delete => out.put_u8(0),
        Cleanup::Compact { dirty_percent, delete_retention, min_lag } => {
            out.put_slice(&[1, dirty_percent]);
            varint::put_u64(out, micros(delete_retention));
            varint::put_u64(out, micros(min_lag));
        }
    }
}

/// Reads version 1 or 2.
pub(crate) fn get(from: &mut Bytes, version: u8) -> Option<TopicSettings> {
    let partitions = u32::try_from(varint::get_u64(from)?).ok()?;
    let age = get_option(from)?.map(Duration::from_micros);
    let bytes = get_option(from)?;
    match version {
        1 => {
            let retention = Retention { age, bytes, ..Retention::default() };
            Some(TopicSettings { partitions, retention, cleanup: Cleanup::Delete })
        }
        VERSION => {
            let limit = get_option(from)?;
            let at_limit = if get_flag(from)? { AtLimit::Expire } else { AtLimit::Refuse };
            let cleanup = if get_flag(from)? { get_compact(from)? } else { Cleanup::Delete };
            Some(TopicSettings { partitions, retention: Retention { age, bytes, limit, at_limit }, cleanup })
        }
        _ => None,
    }
}

fn get_compact(from: &mut Bytes) -> Option<Cleanup> {
    Some(Cleanup::Compact {
        dirty_percent: from.try_get_u8().ok()?,
        delete_retention: Duration::from_micros(varint::get_u64(from)?),
        min_lag: Duration::from_micros(varint::get_u64(from)?),
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn put_option(out: &mut Vec<u8>, value: Option<u64>) {
    out.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        varint::put_u64(out, value);
    }
}

#[expect(clippy::option_option, reason = "outside: were the bytes there; inside: is the value set")]
fn get_option(from: &mut Bytes) -> Option<Option<u64>> {
    if get_flag(from)? { varint::get_u64(from).map(Some) } else { Some(None) }
}

fn get_flag(from: &mut Bytes) -> Option<bool> {
    match from.try_get_u8().ok()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
