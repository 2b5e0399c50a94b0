//! The bytes around a journal record: a seal on each ledger record of the same set, then the
//! facts in the bytes that delivery owns.
//!
//! ```text
//! version 0x01 | seals: count, then each: topic | partition | sequence | hash (8 bytes, little-endian)
//! facts: the rest
//! ```
//!
//! A seal tells a ledger record that was changed, lost or repeated from the one that was written.
//! It guards against faults, not against forgery: FNV-1a is no cryptographic hash.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use evenkeel_model::Shard;
use evenkeel_model::varint::{get_text, get_u64, put_text, put_u64};

const VERSION: u8 = 1;

/// Names a ledger record of the same set, and its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// The partition that was read.
    pub(crate) shard: Shard,
    /// The ledger record's number.
    pub(crate) sequence: u64,
    /// The hash of its bytes.
    pub(crate) hash: u64,
}

/// A journal record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) seals: Vec<Seal>,
    pub(crate) facts: Bytes,
}

impl Envelope {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(16 + self.seals.len() * 32 + self.facts.len());
        out.put_u8(VERSION);
        put_u64(&mut out, self.seals.len() as u64);
        for seal in &self.seals {
            put_text(&mut out, &seal.shard.topic);
            put_u64(&mut out, u64::from(seal.shard.partition));
            put_u64(&mut out, seal.sequence);
            out.put_u64_le(seal.hash);
        }
        out.put_slice(&self.facts);
        out.freeze()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Envelope> {
        let mut from = bytes;
        let (version, mut from) = from.has_remaining().then(|| (from.get_u8(), from))?;
        let count = usize::try_from(get_u64(&mut from)?).ok()?;
        if version != VERSION || count > from.len() / 11 {
            return None;
        }
        let mut seals: Vec<Seal> = Vec::with_capacity(count);
        for _ in 0..count {
            let name = get_text(&mut from)?;
            // A round is almost always about one topic: share its name.
            let topic = match seals.last() {
                Some(before) if *before.shard.topic == *name => before.shard.topic.clone(),
                _ => Arc::from(name),
            };
            let partition = u32::try_from(get_u64(&mut from)?).ok()?;
            let sequence = get_u64(&mut from)?;
            let (hash, rest) = from.split_first_chunk::<8>()?;
            from = rest;
            seals.push(Seal { shard: Shard { topic, partition }, sequence, hash: u64::from_le_bytes(*hash) });
        }
        Some(Envelope { seals, facts: Bytes::copy_from_slice(from) })
    }
}

/// FNV-1a, 64 bits.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use evenkeel_model::Shard;

    use super::{Envelope, Seal, hash};

    #[test]
    fn what_is_written_is_read_back_and_no_prefix_of_it_is() {
        let seal = |partition, sequence| Seal { shard: Shard::new("orders", partition), sequence, hash: !sequence };
        let envelope = Envelope { seals: vec![seal(0, 0), seal(7, 300)], facts: Bytes::from_static(b"facts") };
        let bytes = envelope.encode();
        assert_eq!(Envelope::decode(&bytes), Some(envelope));
        for cut in 0..bytes.len() - 5 {
            assert_eq!(Envelope::decode(&bytes[..cut]), None, "{cut}");
        }
        let mut newer = bytes.to_vec();
        newer[0] = 2;
        assert_eq!(Envelope::decode(&newer), None);
    }

    #[test]
    fn hostile_bytes_are_refused_or_read_and_never_panic() {
        let envelope = Envelope {
            seals: vec![Seal { shard: Shard::new("orders", 1), sequence: 9, hash: 1 }],
            facts: Bytes::from_static(b"x"),
        };
        let bytes = envelope.encode();
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut hostile = bytes.to_vec();
                hostile[at] = value;
                let read = Envelope::decode(&hostile);
                assert!(read.is_none_or(|e| e.seals.len() <= hostile.len() / 11));
            }
        }
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
