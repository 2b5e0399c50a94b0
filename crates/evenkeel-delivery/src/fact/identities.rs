//! The identities that a round's outcomes leave in the inbox, as bytes of their own, for a journal whose
//! inbox is not part of it.
//!
//! ```text
//! version 0x01 | time: microseconds since 1970, 8 bytes | offset: 8 bytes, both little-endian
//! then of each outcome: 16 bytes of identity | time and offset, as differences to those before (varints)
//! ```
//!
//! Invariant: whatever the bytes are, reading ends, and takes no more memory than they have.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use evenkeel_model::varint::{get_i64, put_i64};
use evenkeel_model::{Position, Shard, Timestamp};

use crate::{Fact, Mark, Remembered};

const VERSION: u8 = 1;

/// The identities of these outcomes; `None`: none of them is remembered.
pub fn encode_identities(facts: &[Fact]) -> Option<Bytes> {
    let mut out = BytesMut::new();
    let mut before: Option<(i64, i64)> = None;
    for fact in facts {
        let Fact::Ended { mark: Some(mark), entry, .. } = fact else { continue };
        let now = (entry.at.micros(), i64::try_from(entry.offset).unwrap_or(i64::MAX));
        let last = *before.get_or_insert_with(|| {
            out.put_u8(VERSION);
            out.put_i64_le(now.0);
            out.put_i64_le(now.1);
            now
        });
        out.put_slice(&mark.0);
        put_i64(&mut out, now.0 - last.0);
        put_i64(&mut out, now.1 - last.1);
        before = Some(now);
    }
    before.map(|_| out.freeze())
}

/// Gives each to `take`, in the order in which they ended; false when the bytes are not what [`encode_identities`] wrote.
pub fn decode_identities(bytes: &Bytes, shard: &Shard, mut take: impl FnMut(Remembered)) -> bool {
    let mut from = &**bytes;
    if from.remaining() < 17 || from.get_u8() != VERSION {
        return false;
    }
    let (mut time, mut offset) = (from.get_i64_le(), from.get_i64_le());
    while from.has_remaining() {
        let Some((mark, rest)) = from.split_first_chunk::<16>() else { return false };
        from = rest;
        let (Some(later), Some(on)) = (get_i64(&mut from), get_i64(&mut from)) else { return false };
        (time, offset) = (time.saturating_add(later), offset.saturating_add(on));
        let at = Position { shard: shard.clone(), offset: u64::try_from(offset).unwrap_or(0) };
        take(Remembered::Done { at, mark: Some(Mark(*mark)), when: Timestamp::from_micros(time) });
    }
    true
}

#[cfg(test)]
mod tests {
    use evenkeel_model::ledger::Ended;
    use evenkeel_model::{Outcome, Position, Shard, Timestamp};

    use super::{decode_identities, encode_identities};
    use crate::{Fact, Mark, Remembered};

    fn ended(offset: u64, at: i64, mark: Option<u8>) -> Fact {
        let entry = Ended {
            created_to_ended_us: 1,
            handler_us: 1,
            ..Ended::at_once(offset, Outcome::Completed, "k", "s", Timestamp::from_micros(at))
        };
        Fact::Ended { shard: Shard::new("orders", 3), mark: mark.map(|m| Mark([m; 16])), entry }
    }

    #[test]
    fn identities_come_back_with_their_times_and_places() {
        let shard = Shard::new("orders", 3);
        let facts =
            [ended(7, 1_795_219_200_000_000, Some(1)), ended(9, 0, None), ended(5, 1_795_219_200_000_009, Some(2))];
        let bytes = encode_identities(&facts).unwrap();
        let mut found = Vec::new();
        assert!(decode_identities(&bytes, &shard, |done| found.push(done)));
        let done = |offset, mark, at| Remembered::Done {
            at: Position { shard: shard.clone(), offset },
            mark: Some(Mark([mark; 16])),
            when: Timestamp::from_micros(at),
        };
        assert_eq!(found, [done(7, 1, 1_795_219_200_000_000), done(5, 2, 1_795_219_200_000_009)]);
        assert_eq!(encode_identities(&facts[1..2]), None);
        assert!(!decode_identities(&bytes.slice(..bytes.len() - 1), &shard, |_| {}), "cut off");
    }
}
