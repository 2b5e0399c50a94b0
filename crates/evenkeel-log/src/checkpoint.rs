//! Checkpoints: where the write-ahead log must be read from, and what the segments hold by then.
//!
//! Two slots are written in turn, so that the one before survives a torn write of the next. A
//! slot counts when its checksum fits; the one with the higher generation wins. A slot is a head
//! and [`sections`]; slots of version 1 are still read ([`first`]).

mod first;
mod sections;

use bytes::{Buf, BufMut, Bytes};
use evenkeel_model::Timestamp;

use crate::calendar::Extent;
use crate::safeguard::{Guards, Safeguard};
use crate::segment::Segment;
use crate::state::Place;
use crate::wal::header::{COUNT_MAX, Unfit, VERSION};
use crate::wal::{BLOCK, FIRST_GROUP, Position};
use crate::{Ends, Topic};

const MAGIC: &[u8; 8] = b"EVKSLOT\n";
const HEAD: usize = 24;
const CUT_OFF: Unfit = Unfit::Broken("the checkpoint is cut off");

/// What one slot says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Counts checkpoints, from 1.
    pub(crate) generation: u64,
    /// Where the write-ahead log goes on.
    pub(crate) wal: Position,
    /// When the last group before it was taken.
    pub(crate) last_at: Timestamp,
    /// How far the files of append times count.
    pub(crate) times: Extent,
    /// All topics with their numbers; `None` in version 1, where the control topic has them.
    pub(crate) topics: Option<Vec<(u32, Topic)>>,
    /// Every partition that has ever held a record.
    pub(crate) partitions: Vec<PartitionAt>,
    /// The state machine's snapshot; empty in version 1.
    pub(crate) machine: Bytes,
}

/// A partition at a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionAt {
    pub(crate) place: Place,
    pub(crate) ends: Ends,
    pub(crate) leader_epoch: u32,
    /// Compaction has been over everything before this offset.
    pub(crate) cleaned: u64,
    /// Its folder is named as version 1 did.
    pub(crate) plain: bool,
    /// Oldest first; the last one still grows.
    pub(crate) segments: Vec<Segment>,
}

impl PartitionAt {
    /// True when a partition may be so.
    fn is_sound(&self) -> bool {
        let Ends { start, high_watermark, .. } = self.ends;
        let epoch = i32::try_from(self.leader_epoch);
        start <= high_watermark
            && high_watermark <= COUNT_MAX
            && epoch.is_ok()
            && self.segments.iter().all(Segment::is_sound)
    }
}

/// The path of the slot for that generation.
pub(crate) fn slot_path(generation: u64) -> String {
    format!("checkpoint.{}", generation % 2)
}

impl Checkpoint {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + 256 + self.partitions.len() * 128 + self.machine.len());
        out.put_slice(MAGIC);
        out.put_u16_le(VERSION);
        out.put_u16_le(0);
        out.put_u32_le(0);
        out.put_u64_le(0);
        sections::put(&mut out, self);
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
        let Some(bytes) = bytes.get(..length).filter(|b| b.len() >= HEAD) else { return Err(CUT_OFF) };
        let crc = crc32c::crc32c(&bytes[..12]);
        let crc = crc32c::crc32c_append(crc, &[0; 4]);
        let crc = crc32c::crc32c_append(crc, &bytes[16..]);
        if guards.on(Safeguard::SlotChecksum) && crc != claimed {
            return Err(Unfit::Broken("the checkpoint does not match its checksum"));
        }
        let checkpoint = match version {
            1 => first::body(&bytes[HEAD..]).ok_or(CUT_OFF)?,
            2 => sections::get(&bytes[HEAD..])?,
            _ => return Err(Unfit::Newer(version)),
        };
        let Position { file, at, lsn, .. } = checkpoint.wal;
        let is_counted = |number: u64| (1..=COUNT_MAX).contains(&number);
        let is_place = at >= FIRST_GROUP && at.is_multiple_of(BLOCK);
        // Files of append times are gone through one by one; a log has a handful.
        let times = checkpoint.times;
        let is_handful = times.file < 1 << 32 && times.at < 1 << 40 && times.file.saturating_sub(times.first) < 1 << 16;
        if [checkpoint.generation, file, at, lsn].into_iter().all(is_counted)
            && is_place
            && is_handful
            && checkpoint.partitions.iter().all(PartitionAt::is_sound)
        {
            Ok(checkpoint)
        } else {
            Err(Unfit::Broken("the checkpoint has numbers that no log counts to"))
        }
    }
}
