//! The bytes of a breaker's state: short when it is as plain as in the first version, else full.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use evenkeel_model::Timestamp;
use evenkeel_model::varint::{get_i64, get_text, put_i64, put_text, put_u64};

use super::{get_flag, get_u32};
use crate::{BreakerMark, Forced};

pub(super) const PLAIN: u8 = 3;
/// With the steps of its open time, and an operator's word.
pub(super) const FULL: u8 = 9;

pub(super) fn put(out: &mut BytesMut, mark: &BreakerMark) {
    let full = mark.steps > 0 || mark.forced.is_some();
    out.put_u8(if full { FULL } else { PLAIN });
    put_text(out, &mark.dependency);
    put_i64(out, mark.since.micros());
    out.put_u8(u8::from(mark.open_until.is_some()));
    if let Some(until) = mark.open_until {
        put_i64(out, until.micros());
    }
    if full {
        put_u64(out, u64::from(mark.steps));
        out.put_u8(u8::from(mark.forced.is_some()));
    }
    if let Some(forced) = &mark.forced {
        out.put_u8(u8::from(forced.open));
        put_text(out, &forced.reason);
        put_i64(out, forced.at.micros());
    }
}

pub(super) fn get(from: &mut &[u8], full: bool) -> Option<BreakerMark> {
    let dependency = Arc::from(get_text(from)?);
    let since = Timestamp::from_micros(get_i64(from)?);
    let open_until = if get_flag(from)? { Some(Timestamp::from_micros(get_i64(from)?)) } else { None };
    let steps = if full { get_u32(from)? } else { 0 };
    let forced = if full && get_flag(from)? { Some(get_forced(from)?) } else { None };
    Some(BreakerMark { dependency, open_until, since, steps, forced })
}

fn get_forced(from: &mut &[u8]) -> Option<Forced> {
    let open = get_flag(from)?;
    let reason = get_text(from)?;
    Some(Forced { open, reason, at: Timestamp::from_micros(get_i64(from)?) })
}
