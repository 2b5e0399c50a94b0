//! Checkpoints: where the write-ahead log must be read from, and what the segments hold by then.
//!
//! Two slots are written in turn, so that the one before survives a torn write of the next. A
//! slot counts when its checksum fits; the one with the higher generation wins.

use bytes::{Buf, BufMut};
use evenkeel_model::Timestamp;

use crate::Ends;
use crate::safeguard::{Guards, Safeguard};
use crate::segment::Segment;
use crate::state::Place;
use crate::wal::Position;
use crate::wal::header::{Unfit, VERSION};

const MAGIC: &[u8; 8] = b"EVKSLOT\n";
const HEAD: usize = 24;

/// What one slot says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Counts checkpoints, from 1.
    pub(crate) generation: u64,
    /// Where the write-ahead log goes on.
    pub(crate) wal: Position,
    /// When the last group before it was taken.
    pub(crate) last_at: Timestamp,
    /// Every partition that has ever held a record.
    pub(crate) partitions: Vec<PartitionAt>,
}

/// A partition at a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionAt {
    pub(crate) place: Place,
    pub(crate) ends: Ends,
    /// Oldest first; the last one still grows.
    pub(crate) segments: Vec<Segment>,
}

/// The path of the slot for that generation.
pub(crate) fn slot_path(generation: u64) -> String {
    format!("checkpoint.{}", generation % 2)
}

impl Checkpoint {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + 64 + self.partitions.len() * 96);
        out.put_slice(MAGIC);
        out.put_u16_le(VERSION);
        out.put_u16_le(0);
        out.put_u32_le(0);
        out.put_u64_le(0);
        out.put_u64_le(self.generation);
        out.put_u64_le(self.wal.file);
        out.put_u64_le(self.wal.at);
        out.put_u64_le(self.wal.lsn);
        out.put_u32_le(self.wal.previous);
        out.put_i64_le(self.last_at.micros());
        out.put_u32_le(u32::try_from(self.partitions.len()).unwrap_or(u32::MAX));
        for partition in &self.partitions {
            out.put_u32_le(partition.place.topic);
            out.put_u32_le(partition.place.partition);
            out.put_u64_le(partition.ends.start);
            out.put_u64_le(partition.ends.high_watermark);
            out.put_u32_le(u32::try_from(partition.segments.len()).unwrap_or(u32::MAX));
            partition.segments.iter().for_each(|segment| put_segment(&mut out, segment));
        }
        let length = out.len() as u64;
        out[16..24].copy_from_slice(&length.to_le_bytes());
        let crc = crc32c::crc32c(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8], guards: Guards) -> Result<Checkpoint, Unfit> {
        let Some(head) = bytes.get(..HEAD) else { return Err(Unfit::Broken("it is cut off")) };
        if &head[..8] != MAGIC {
            return Err(Unfit::Broken("no checkpoint"));
        }
        let mut from = &head[8..];
        let version = from.get_u16_le();
        from.advance(2);
        let claimed = from.get_u32_le();
        let length = usize::try_from(from.get_u64_le()).unwrap_or(usize::MAX);
        let Some(bytes) = bytes.get(..length).filter(|b| b.len() >= HEAD) else {
            return Err(Unfit::Broken("the checkpoint is cut off"));
        };
        let crc = crc32c::crc32c(&bytes[..12]);
        let crc = crc32c::crc32c_append(crc, &[0; 4]);
        let crc = crc32c::crc32c_append(crc, &bytes[16..]);
        if guards.on(Safeguard::SlotChecksum) && crc != claimed {
            return Err(Unfit::Broken("the checkpoint does not match its checksum"));
        }
        if version > VERSION {
            return Err(Unfit::Newer(version));
        }
        body(&bytes[HEAD..]).ok_or(Unfit::Broken("the checkpoint is cut off"))
    }
}

fn body(mut from: &[u8]) -> Option<Checkpoint> {
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
        let ends = Ends { start: from.get_u64_le(), high_watermark: from.get_u64_le() };
        let segments = (0..from.get_u32_le()).map(|_| get_segment(&mut from)).collect::<Option<Vec<_>>>()?;
        partitions.push(PartitionAt { place, ends, segments });
    }
    Some(Checkpoint { generation, wal, last_at, partitions })
}

fn put_segment(out: &mut Vec<u8>, segment: &Segment) {
    out.put_u64_le(segment.base);
    out.put_u64_le(segment.end);
    out.put_u64_le(segment.log_bytes);
    out.put_u64_le(segment.index_bytes);
    out.put_u64_le(segment.indexed);
    out.put_i64_le(segment.first_at.micros());
    out.put_i64_le(segment.last_at.micros());
}

fn get_segment(from: &mut &[u8]) -> Option<Segment> {
    if from.remaining() < 56 {
        return None;
    }
    Some(Segment {
        base: from.get_u64_le(),
        end: from.get_u64_le(),
        log_bytes: from.get_u64_le(),
        index_bytes: from.get_u64_le(),
        indexed: from.get_u64_le(),
        first_at: Timestamp::from_micros(from.get_i64_le()),
        last_at: Timestamp::from_micros(from.get_i64_le()),
    })
}
