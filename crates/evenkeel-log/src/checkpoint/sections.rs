//! The sections of a slot, version 2: kind (2), length (8), bytes; each kind once, in order.
//!
//! A program that does not know a section would lose what it says, so a new kind is a new version
//! and unknown kinds are refused, never skipped. Counts are not believed before the bytes are there.

use bytes::{Buf, BufMut, Bytes};
use evenkeel_model::Timestamp;

use super::{CUT_OFF, Checkpoint, PartitionAt};
use crate::calendar::Extent;
use crate::segment::Segment;
use crate::state::Place;
use crate::wal::Position;
use crate::wal::header::Unfit;
use crate::{Ends, Topic, control};

/// Where the write-ahead log and the append times go on.
const POSITION: u16 = 1;
/// All topics.
const TOPICS: u16 = 2;
/// Partitions and their segments.
const PARTITIONS: u16 = 3;
/// The state machine.
const MACHINE: u16 = 4;

/// A segment in bytes.
const SEGMENT: usize = 64;

pub(super) fn put(out: &mut Vec<u8>, checkpoint: &Checkpoint) {
    section(out, POSITION, |out| put_position(out, checkpoint));
    section(out, TOPICS, |out| put_topics(out, checkpoint.topics.as_deref().unwrap_or_default()));
    section(out, PARTITIONS, |out| put_partitions(out, &checkpoint.partitions));
    section(out, MACHINE, |out| out.put_slice(&checkpoint.machine));
}

pub(super) fn get(mut from: &[u8]) -> Result<Checkpoint, Unfit> {
    let mut position = take(&mut from, POSITION)?;
    let topics = topics(take(&mut from, TOPICS)?)?;
    let partitions = partitions(take(&mut from, PARTITIONS)?).ok_or(CUT_OFF)?;
    let machine = Bytes::copy_from_slice(take(&mut from, MACHINE)?);
    if from.has_remaining() || position.remaining() != 68 {
        return Err(Unfit::Broken("the checkpoint has sections that do not belong there"));
    }
    let generation = position.get_u64_le();
    let wal = Position {
        file: position.get_u64_le(),
        at: position.get_u64_le(),
        lsn: position.get_u64_le(),
        previous: position.get_u32_le(),
    };
    let last_at = Timestamp::from_micros(position.get_i64_le());
    let times = Extent { first: position.get_u64_le(), file: position.get_u64_le(), at: position.get_u64_le() };
    Ok(Checkpoint { generation, wal, last_at, times, topics: Some(topics), partitions, machine })
}

fn section(out: &mut Vec<u8>, kind: u16, body: impl FnOnce(&mut Vec<u8>)) {
    out.put_u16_le(kind);
    let at = out.len();
    out.put_u64_le(0);
    body(out);
    let length = (out.len() - at - 8) as u64;
    out[at..at + 8].copy_from_slice(&length.to_le_bytes());
}

/// The next section, which must be of that kind.
fn take<'a>(from: &mut &'a [u8], kind: u16) -> Result<&'a [u8], Unfit> {
    if from.remaining() < 10 {
        return Err(CUT_OFF);
    }
    if from.get_u16_le() != kind {
        return Err(Unfit::Broken("the checkpoint has sections that do not belong there"));
    }
    let length = usize::try_from(from.get_u64_le()).unwrap_or(usize::MAX);
    let (body, left) = from.split_at_checked(length).ok_or(CUT_OFF)?;
    *from = left;
    Ok(body)
}

fn put_position(out: &mut Vec<u8>, checkpoint: &Checkpoint) {
    out.put_u64_le(checkpoint.generation);
    out.put_u64_le(checkpoint.wal.file);
    out.put_u64_le(checkpoint.wal.at);
    out.put_u64_le(checkpoint.wal.lsn);
    out.put_u32_le(checkpoint.wal.previous);
    out.put_i64_le(checkpoint.last_at.micros());
    out.put_u64_le(checkpoint.times.first);
    out.put_u64_le(checkpoint.times.file);
    out.put_u64_le(checkpoint.times.at);
}

/// Each topic as the value of its control record.
fn put_topics(out: &mut Vec<u8>, topics: &[(u32, Topic)]) {
    out.put_u32_le(count(topics.len()));
    for (number, topic) in topics {
        let value = control::topic_value(*number, topic);
        out.put_u32_le(count(value.len()));
        out.put_slice(&value);
    }
}

fn topics(mut from: &[u8]) -> Result<Vec<(u32, Topic)>, Unfit> {
    let mut topics = Vec::new();
    let mut left = if from.remaining() < 4 { return Err(CUT_OFF) } else { from.get_u32_le() };
    while left > 0 {
        let length = if from.remaining() < 4 { return Err(CUT_OFF) } else { from.get_u32_le() as usize };
        let (value, behind) = from.split_at_checked(length).ok_or(CUT_OFF)?;
        let topic = control::topic_of(Bytes::copy_from_slice(value));
        topics.push(topic.ok_or(Unfit::Broken("the checkpoint has a topic that cannot be read"))?);
        from = behind;
        left -= 1;
    }
    Ok(topics)
}

fn put_partitions(out: &mut Vec<u8>, partitions: &[PartitionAt]) {
    out.put_u32_le(count(partitions.len()));
    for partition in partitions {
        out.put_u32_le(partition.place.topic);
        out.put_u32_le(partition.place.partition);
        out.put_u64_le(partition.ends.start);
        out.put_u64_le(partition.ends.high_watermark);
        out.put_u32_le(partition.leader_epoch);
        out.put_u64_le(partition.cleaned);
        out.put_u32_le(u32::from(partition.plain));
        out.put_u32_le(count(partition.segments.len()));
        partition.segments.iter().for_each(|segment| put_segment(out, segment));
    }
}

fn partitions(mut from: &[u8]) -> Option<Vec<PartitionAt>> {
    let mut partitions = Vec::new();
    let count = if from.remaining() < 4 { return None } else { from.get_u32_le() };
    for _ in 0..count {
        if from.remaining() < 44 {
            return None;
        }
        let place = Place { topic: from.get_u32_le(), partition: from.get_u32_le() };
        let ends = Ends { start: from.get_u64_le(), high_watermark: from.get_u64_le(), last_stable: 0 };
        let leader_epoch = from.get_u32_le();
        let cleaned = from.get_u64_le();
        let plain = match from.get_u32_le() {
            0 => false,
            1 => true,
            _ => return None,
        };
        let segments = (0..from.get_u32_le()).map(|_| segment(&mut from)).collect::<Option<Vec<_>>>()?;
        partitions.push(PartitionAt { place, ends, leader_epoch, cleaned, plain, segments });
    }
    (!from.has_remaining()).then_some(partitions)
}

fn put_segment(out: &mut Vec<u8>, segment: &Segment) {
    out.put_u64_le(segment.base);
    out.put_u64_le(segment.revision);
    out.put_u64_le(segment.end);
    out.put_u64_le(segment.log_bytes);
    out.put_u64_le(segment.index_bytes);
    out.put_u64_le(segment.indexed);
    out.put_i64_le(segment.first_at.micros());
    out.put_i64_le(segment.last_at.micros());
}

fn segment(from: &mut &[u8]) -> Option<Segment> {
    if from.remaining() < SEGMENT {
        return None;
    }
    Some(Segment {
        base: from.get_u64_le(),
        revision: from.get_u64_le(),
        end: from.get_u64_le(),
        log_bytes: from.get_u64_le(),
        index_bytes: from.get_u64_le(),
        indexed: from.get_u64_le(),
        first_at: Timestamp::from_micros(from.get_i64_le()),
        last_at: Timestamp::from_micros(from.get_i64_le()),
    })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
