//! The bytes of redrives: events taken up again, the job's state, letters that are closed.
//!
//! One tag, then a byte that says which of the three.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use evenkeel_model::varint::{get_i64, get_text, get_u64, put_i64, put_text, put_u64};
use evenkeel_model::{Position, Shard, Timestamp};

use super::{Shards, get_byte, get_flag, get_optional_text, get_shard, get_u32, micros, put_optional_text};
use crate::{LettersClosed, Redrive, RedrivePlan, RedriveState, Redriven, Remembered};

const REDRIVEN: u8 = 0;
const JOB: u8 = 1;
const CLOSED: u8 = 2;

pub(super) fn put_redriven(out: &mut BytesMut, redriven: &Redriven, shards: &Shards<'_>) {
    out.put_u8(REDRIVEN);
    put_position(out, &redriven.at, shards);
    put_position(out, &redriven.letter, shards);
    put_text(out, &redriven.job);
    out.put_u8(u8::from(redriven.new_key));
    put_i64(out, redriven.when.micros());
}

pub(super) fn put_job(out: &mut BytesMut, job: &Redrive, shards: &Shards<'_>) {
    out.put_u8(JOB);
    let plan = &job.plan;
    put_text(out, &plan.id);
    put_text(out, &plan.selection);
    shards.put_index(out, &plan.letters);
    put_text(out, &plan.reason);
    for n in [plan.until, plan.selected, u64::from(plan.canary), micros(plan.every), u64::from(plan.at_once)] {
        put_u64(out, n);
    }
    put_u64(out, u64::from(plan.stop_permille));
    put_u64(out, u64::from(plan.stop_min));
    out.put_u8(u8::from(plan.new_key));
    put_i64(out, plan.started_at.micros());
    let state = RedriveState::ALL.iter().position(|s| *s == job.state).unwrap_or_default();
    put_u64(out, state as u64);
    put_text(out, &job.why);
    out.put_u8(u8::from(job.after.is_some()));
    if let Some(after) = &job.after {
        put_position(out, after, shards);
    }
    out.put_u8(u8::from(job.proven));
    for n in [job.taken, job.completed, job.dead, job.otherwise, job.skipped] {
        put_u64(out, n);
    }
    out.put_u8(u8::from(job.ended_at.is_some()));
    if let Some(at) = job.ended_at {
        put_i64(out, at.micros());
    }
}

pub(super) fn put_closed(out: &mut BytesMut, closed: &LettersClosed, shards: &Shards<'_>) {
    out.put_u8(CLOSED);
    shards.put_index(out, &closed.letters);
    put_u64(out, closed.from);
    put_u64(out, closed.until);
    put_optional_text(out, closed.reason.as_deref());
}

pub(super) fn get(from: &mut &[u8], shards: &[Shard], what: &mut &'static str) -> Option<Remembered> {
    *what = "redrive";
    match get_byte(from)? {
        REDRIVEN => Some(Remembered::Redriven(Redriven {
            at: get_position(from, shards)?,
            letter: get_position(from, shards)?,
            job: Arc::from(get_text(from)?),
            new_key: get_flag(from)?,
            when: Timestamp::from_micros(get_i64(from)?),
        })),
        JOB => get_job(from, shards).map(Remembered::Redrive),
        CLOSED => Some(Remembered::LettersClosed(LettersClosed {
            letters: get_shard(from, shards)?,
            from: get_u64(from)?,
            until: get_u64(from)?,
            reason: get_optional_text(from)?,
        })),
        _ => None,
    }
}

fn get_job(from: &mut &[u8], shards: &[Shard]) -> Option<Redrive> {
    let (id, selection) = (Arc::from(get_text(from)?), Arc::from(get_text(from)?));
    let letters = get_shard(from, shards)?;
    let plan = RedrivePlan {
        id,
        selection,
        letters,
        reason: get_text(from)?,
        until: get_u64(from)?,
        selected: get_u64(from)?,
        canary: get_u32(from)?,
        every: Duration::from_micros(get_u64(from)?),
        at_once: get_u32(from)?,
        stop_permille: get_u32(from)?,
        stop_min: get_u32(from)?,
        new_key: get_flag(from)?,
        started_at: Timestamp::from_micros(get_i64(from)?),
    };
    let state = *RedriveState::ALL.get(usize::try_from(get_u64(from)?).ok()?)?;
    Some(Redrive {
        plan,
        state,
        why: get_text(from)?,
        after: if get_flag(from)? { Some(get_position(from, shards)?) } else { None },
        proven: get_flag(from)?,
        taken: get_u64(from)?,
        completed: get_u64(from)?,
        dead: get_u64(from)?,
        otherwise: get_u64(from)?,
        skipped: get_u64(from)?,
        ended_at: if get_flag(from)? { Some(Timestamp::from_micros(get_i64(from)?)) } else { None },
    })
}

fn put_position(out: &mut BytesMut, at: &Position, shards: &Shards<'_>) {
    shards.put_index(out, &at.shard);
    put_u64(out, at.offset);
}

fn get_position(from: &mut &[u8], shards: &[Shard]) -> Option<Position> {
    Some(Position { shard: get_shard(from, shards)?, offset: get_u64(from)? })
}
