//! The bytes of an event's carried state.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use evenkeel_model::varint::{get_i64, get_text, get_u64, put_i64, put_text, put_u64};
use evenkeel_model::{FailureClass, FailureInfo, Position, Shard, Timestamp};

use super::{Shards, get_byte, get_bytes, get_shard, get_u32, micros};
use crate::{Counters, Pending, PendingWhy};

pub(super) fn put(out: &mut BytesMut, pending: &Pending, shards: &Shards<'_>) {
    shards.put_index(out, &pending.at.shard);
    put_u64(out, pending.at.offset);
    out.put_u8(
        u8::from(pending.key.is_some()) | u8::from(pending.overdue) << 1 | u8::from(pending.failure.is_some()) << 2,
    );
    if let Some(key) = &pending.key {
        put_u64(out, key.len() as u64);
        out.put_slice(key);
    }
    let c = &pending.counters;
    for n in [c.attempts, c.deliveries, c.deferrals, c.crashes] {
        put_u64(out, u64::from(n));
    }
    put_u64(out, micros(c.aged));
    put_i64(out, pending.next_at.micros());
    out.put_u8(why_number(pending.why));
    if let Some(failure) = &pending.failure {
        put_failure(out, failure);
    }
}

pub(super) fn get(from: &mut &[u8], shards: &[Shard]) -> Option<Pending> {
    let shard = get_shard(from, shards)?;
    let offset = get_u64(from)?;
    let flags = get_byte(from)?;
    if flags > 7 {
        return None;
    }
    let key = if flags & 1 == 1 { Some(get_bytes(from)?) } else { None };
    let counters = Counters {
        attempts: get_u32(from)?,
        deliveries: get_u32(from)?,
        deferrals: get_u32(from)?,
        crashes: get_u32(from)?,
        aged: Duration::from_micros(get_u64(from)?),
    };
    let next_at = Timestamp::from_micros(get_i64(from)?);
    let why = why_from_number(get_byte(from)?)?;
    let failure = if flags & 4 == 4 { Some(get_failure(from)?) } else { None };
    Some(Pending { at: Position { shard, offset }, key, counters, next_at, why, overdue: flags & 2 == 2, failure })
}

fn put_failure(out: &mut BytesMut, failure: &FailureInfo) {
    put_text(out, failure.class.name());
    put_u64(out, u64::from(failure.status.unwrap_or(0)));
    put_text(out, &failure.fingerprint);
    put_text(out, &failure.message);
    put_text(out, &failure.reason);
    put_i64(out, failure.first_failed_at.micros());
    put_i64(out, failure.last_failed_at.micros());
}

fn get_failure(from: &mut &[u8]) -> Option<FailureInfo> {
    let name = get_text(from)?;
    let class = FailureClass::ALL.into_iter().find(|c| c.name() == name)?;
    let status = u16::try_from(get_u64(from)?).ok()?;
    Some(FailureInfo {
        class,
        status: (status != 0).then_some(status),
        fingerprint: get_text(from)?,
        message: get_text(from)?,
        reason: get_text(from)?,
        first_failed_at: Timestamp::from_micros(get_i64(from)?),
        last_failed_at: Timestamp::from_micros(get_i64(from)?),
    })
}

fn why_number(why: PendingWhy) -> u8 {
    match why {
        PendingWhy::Retry => 0,
        PendingWhy::Deferred => 1,
        PendingWhy::Exhausted => 2,
        PendingWhy::Undecided => 3,
    }
}

fn why_from_number(n: u8) -> Option<PendingWhy> {
    [PendingWhy::Retry, PendingWhy::Deferred, PendingWhy::Exhausted, PendingWhy::Undecided].get(usize::from(n)).copied()
}
