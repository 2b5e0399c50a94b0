//! Version 1 of a slot: one run of numbers, without topics, revisions or the state machine.

use bytes::{Buf, Bytes};
use evenkeel_model::Timestamp;

use super::{Checkpoint, PartitionAt};
use crate::Ends;
use crate::calendar::Extent;
use crate::segment::Segment;
use crate::state::Place;
use crate::wal::Position;

pub(super) fn body(mut from: &[u8]) -> Option<Checkpoint> {
    if from.remaining() < 48 {
        return None;
    }
    let generation = from.get_u64_le();
    let wal = Position {
        file: from.get_u64_le(),
        at: from.get_u64_le(),
        lsn: from.get_u64_le(),
        previous: from.get_u32_le(),
    };
    let last_at = Timestamp::from_micros(from.get_i64_le());
    let count = from.get_u32_le();
    let mut partitions = Vec::new();
    for _ in 0..count {
        if from.remaining() < 28 {
            return None;
        }
        let place = Place { topic: from.get_u32_le(), partition: from.get_u32_le() };
        let ends = Ends { start: from.get_u64_le(), high_watermark: from.get_u64_le(), last_stable: 0 };
        let segments = (0..from.get_u32_le()).map(|_| segment(&mut from)).collect::<Option<Vec<_>>>()?;
        partitions.push(PartitionAt { place, ends, leader_epoch: 0, cleaned: 0, plain: true, segments });
    }
    Some(Checkpoint {
        generation,
        wal,
        last_at,
        times: Extent::default(),
        topics: None,
        partitions,
        machine: Bytes::new(),
    })
}

fn segment(from: &mut &[u8]) -> Option<Segment> {
    if from.remaining() < 56 {
        return None;
    }
    Some(Segment {
        base: from.get_u64_le(),
        revision: 0,
        end: from.get_u64_le(),
        log_bytes: from.get_u64_le(),
        index_bytes: from.get_u64_le(),
        indexed: from.get_u64_le(),
        first_at: Timestamp::from_micros(from.get_i64_le()),
        last_at: Timestamp::from_micros(from.get_i64_le()),
    })
}
