//! The bytes of a section of times.

use bytes::{Buf, BufMut};
use evenkeel_model::{Timestamp, varint};

use super::Run;
use crate::safeguard::{Guards, Safeguard};
use crate::state::Place;
use crate::wal::header::VERSION;

const MAGIC: &[u8; 8] = b"EVKTIME\n";
const HEAD: usize = 36;
const PART: usize = 44;

/// The times of a partition's batches between two offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) place: Place,
    /// The checkpoint that kept it first. Where two parts speak of an offset, the later one is right: the
    /// partition was cut in between.
    pub(crate) generation: u64,
    /// One beyond the last offset that it speaks of.
    pub(crate) end: u64,
    /// In order, one at least.
    pub(crate) runs: Vec<Run>,
}

impl Part {
    /// The first offset that it speaks of.
    pub(crate) fn first(&self) -> u64 {
        self.runs.first().map_or(self.end, |run| run.offset)
    }
}

/// A section with these parts.
pub(super) fn encode(generation: u64, parts: &[Part]) -> Vec<u8> {
    let runs: usize = parts.iter().map(|part| part.runs.len()).sum();
    let mut out = Vec::with_capacity(HEAD + PART * parts.len() + 6 * runs);
    out.put_slice(MAGIC);
    out.put_u16_le(VERSION);
    out.put_u16_le(0);
    out.put_u32_le(0);
    out.put_u64_le(0);
    out.put_u64_le(generation);
    out.put_u32_le(count(parts.len()));
    parts.iter().for_each(|part| put(&mut out, part));
    let length = out.len() as u64;
    out[16..24].copy_from_slice(&length.to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    out
}

fn put(out: &mut Vec<u8>, part: &Part) {
    let mut before = part.runs.first().copied().unwrap_or(Run { offset: part.end, at: Timestamp::EPOCH });
    out.put_u32_le(part.place.topic);
    out.put_u32_le(part.place.partition);
    out.put_u64_le(part.generation);
    out.put_u64_le(before.offset);
    out.put_u64_le(part.end);
    out.put_i64_le(before.at.micros());
    out.put_u32_le(count(part.runs.len()));
    for run in part.runs.iter().skip(1) {
        varint::put_u64(out, run.offset.wrapping_sub(before.offset));
        varint::put_i64(out, run.at.micros().wrapping_sub(before.at.micros()));
        before = *run;
    }
}

/// The parts of the section at the beginning of `from`, and what stands behind it.
pub(super) fn decode(from: &[u8], guards: Guards) -> Option<(Vec<Part>, &[u8])> {
    if from.get(..8)? != MAGIC || from.len() < HEAD {
        return None;
    }
    let length = usize::try_from((&from[16..24]).get_u64_le()).ok()?;
    let (section, behind) = from.split_at_checked(length).filter(|(section, _)| section.len() >= HEAD)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&section[..12]), &[0; 4]);
    let crc = crc32c::crc32c_append(crc, &section[16..]);
    if guards.on(Safeguard::TimesChecksum) && crc != (&section[12..16]).get_u32_le() {
        return None;
    }
    let mut left = &section[32..];
    let parts = (0..left.get_u32_le()).map(|_| get(&mut left)).collect::<Option<Vec<_>>>()?;
    left.is_empty().then_some((parts, behind))
}

fn get(from: &mut &[u8]) -> Option<Part> {
    if from.remaining() < PART {
        return None;
    }
    let place = Place { topic: from.get_u32_le(), partition: from.get_u32_le() };
    let generation = from.get_u64_le();
    let mut offset = from.get_u64_le();
    let end = from.get_u64_le();
    let mut at = from.get_i64_le();
    let count = from.get_u32_le();
    let mut runs = vec![Run { offset, at: Timestamp::from_micros(at) }];
    for _ in 1..count {
        offset = offset.checked_add(varint::get_u64(from)?)?;
        at = at.checked_add(varint::get_i64(from)?)?;
        runs.push(Run { offset, at: Timestamp::from_micros(at) });
    }
    Some(Part { place, generation, end, runs })
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(first: u64, end: u64, times: &[i64]) -> Part {
        let run = |(offset, at): (u64, &i64)| Run { offset, at: Timestamp::from_micros(*at) };
        Part {
            place: Place { topic: 3, partition: 4 },
            generation: 8,
            end,
            runs: (first..).step_by(7).zip(times).map(run).collect(),
        }
    }

    #[test]
    fn a_section_comes_back_as_it_went_in_and_leaves_what_is_behind_it() {
        let parts = vec![part(0, 30, &[5, 9, 1_000_000]), part(100, 101, &[-7])];
        let mut bytes = encode(9, &parts);
        assert_eq!(bytes[..16], [&b"EVKTIME\n"[..], &[2, 0, 0, 0], &bytes[12..16]].concat());
        bytes.extend_from_slice(b"more");
        assert_eq!(decode(&bytes, Guards::default()), Some((parts, &b"more"[..])));
    }

    #[test]
    fn a_section_that_is_cut_or_changed_is_not_believed() {
        let whole = encode(9, &[part(0, 30, &[5, 9, 1_000_000])]);
        assert!((0..whole.len()).all(|length| decode(&whole[..length], Guards::default()).is_none()));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert_eq!(decode(&changed, Guards::default()), None, "byte {at}");
        }
    }
}
