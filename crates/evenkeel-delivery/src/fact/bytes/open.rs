//! The bytes of attempts that begin: by partition, offsets delta-coded (1 or 2 bytes for each).

use bytes::{BufMut, BytesMut};
use evenkeel_model::varint::{get_i64, get_u64, put_i64, put_u64};
use evenkeel_model::{Position, Shard};

use super::{Shards, bounded, get_byte, get_shard, get_u32};
use crate::Open;

const AMONG: u8 = 0;
const ALONE: u8 = 1;
const SUSPECT: u8 = 2;
const NOBODY: u8 = 3;

pub(super) fn put(out: &mut BytesMut, open: &Open, shards: &Shards<'_>) {
    match open {
        Open::Among { shard, offsets } => {
            out.put_u8(AMONG);
            shards.put_index(out, shard);
            put_u64(out, offsets.len() as u64);
            let mut before = 0_i64;
            for offset in offsets {
                let offset = offset.cast_signed();
                put_i64(out, offset.wrapping_sub(before));
                before = offset;
            }
        }
        Open::Alone { at, crashes } => put_one(out, ALONE, at, *crashes, shards),
        Open::Suspect { at, crashes } => put_one(out, SUSPECT, at, *crashes, shards),
        Open::Nobody => out.put_u8(NOBODY),
    }
}

fn put_one(out: &mut BytesMut, tag: u8, at: &Position, crashes: u32, shards: &Shards<'_>) {
    out.put_u8(tag);
    shards.put_index(out, &at.shard);
    put_u64(out, at.offset);
    put_u64(out, u64::from(crashes));
}

pub(super) fn get(from: &mut &[u8], shards: &[Shard]) -> Option<Open> {
    match get_byte(from)? {
        AMONG => {
            let shard = get_shard(from, shards)?;
            let count = bounded(get_u64(from)?, from, 1)?;
            let mut offsets = Vec::with_capacity(count);
            let mut offset = 0_i64;
            for _ in 0..count {
                offset = offset.wrapping_add(get_i64(from)?);
                offsets.push(offset.cast_unsigned());
            }
            Some(Open::Among { shard, offsets })
        }
        ALONE => get_one(from, shards).map(|(at, crashes)| Open::Alone { at, crashes }),
        SUSPECT => get_one(from, shards).map(|(at, crashes)| Open::Suspect { at, crashes }),
        NOBODY => Some(Open::Nobody),
        _ => None,
    }
}

fn get_one(from: &mut &[u8], shards: &[Shard]) -> Option<(Position, u32)> {
    let shard = get_shard(from, shards)?;
    let offset = get_u64(from)?;
    Some((Position { shard, offset }, get_u32(from)?))
}
