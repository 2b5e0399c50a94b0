//! The records of the journal's topic.
//!
//! ```text
//! value: version 0x01 | kind: 0 a round, 1 a part of a snapshot | fence | next ledger number
//!        of a part: which one, of how many, all as varints | facts, in the bytes that delivery owns
//! key:   r<n> the n-th round since the snapshot, s<n> the n-th part of the snapshot
//! ```
//!
//! Read in the order of their offsets: a whole snapshot replaces what came before; rounds add to it.
//! Keys begin anew behind a snapshot, so that compaction leaves one snapshot and the rounds behind it;
//! rounds before it, of which compaction may have taken some, count for nothing.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use evenkeel_model::varint::{get_u64, put_u64};

const VERSION: u8 = 1;
/// A part of a snapshot is this large.
const PART: usize = 512 << 10;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Round(Bytes),
    Part { nth: u64, count: u64, bytes: Bytes },
}

/// As it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) fence: u64,
    pub(super) ledger_next: u64,
    pub(super) page: Page,
}

impl Page {
    pub(super) fn round_key(nth: u64) -> String {
        format!("r{nth}")
    }

    pub(super) fn part_key(nth: usize) -> String {
        format!("s{nth}")
    }

    /// The parts of a snapshot, at least one.
    pub(super) fn parts(bytes: &Bytes) -> Vec<Page> {
        let count = bytes.len().div_ceil(PART).max(1);
        let part = |nth: usize| Page::Part {
            nth: nth as u64,
            count: count as u64,
            bytes: bytes.slice(nth * PART..bytes.len().min((nth + 1) * PART)),
        };
        (0..count).map(part).collect()
    }

    pub(super) fn encode(&self, fence: u64, ledger_next: u64) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(VERSION);
        let (kind, bytes) = match self {
            Page::Round(bytes) => (0, bytes),
            Page::Part { bytes, .. } => (1, bytes),
        };
        out.put_u8(kind);
        put_u64(&mut out, fence);
        put_u64(&mut out, ledger_next);
        if let Page::Part { nth, count, .. } = self {
            put_u64(&mut out, *nth);
            put_u64(&mut out, *count);
        }
        out.put_slice(bytes);
        out.freeze()
    }

    /// `None`: it was not written by us, or it is damaged.
    pub(super) fn decode(value: &Bytes) -> Option<Read> {
        let mut from = &**value;
        if from.remaining() < 2 || from.get_u8() != VERSION {
            return None;
        }
        let kind = from.get_u8();
        let (fence, ledger_next) = (get_u64(&mut from)?, get_u64(&mut from)?);
        let numbers = match kind {
            0 => None,
            1 => Some((get_u64(&mut from)?, get_u64(&mut from)?)),
            _ => return None,
        };
        let bytes = value.slice(value.len() - from.len()..);
        let page = match numbers {
            None => Page::Round(bytes),
            Some((nth, count)) if nth < count => Page::Part { nth, count, bytes },
            Some(_) => return None,
        };
        Some(Read { fence, ledger_next, page })
    }
}

/// The parts of a snapshot, as they come.
#[derive(Default)]
pub(super) struct Parts {
    so_far: u64,
    bytes: BytesMut,
}

impl Parts {
    /// Takes the next one; with the last one it is whole.
    pub(super) fn take(&mut self, nth: u64, count: u64, bytes: &Bytes) -> Option<Bytes> {
        if nth == 0 {
            *self = Parts::default();
        }
        if nth != self.so_far {
            // What is left of an older one.
            return None;
        }
        self.so_far += 1;
        self.bytes.extend_from_slice(bytes);
        (self.so_far == count).then(|| std::mem::take(&mut self.bytes).freeze())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{PART, Page, Parts, Read};

    #[test]
    fn pages_come_back_as_they_were_and_nothing_else_is_read() {
        let parts = Page::parts(&Bytes::from(vec![7; 2 * PART + 1]));
        assert_eq!(parts.len(), 3);
        for page in parts.into_iter().chain([Page::Round(Bytes::from_static(b"facts")), Page::Round(Bytes::new())]) {
            let value = page.encode(9, 300);
            assert_eq!(Page::decode(&value), Some(Read { fence: 9, ledger_next: 300, page }));
            assert_eq!(Page::decode(&value.slice(..3)), None, "cut off");
        }
        for bad in [&b""[..], &[2, 0, 0, 0], &[1, 2, 0, 0], &[1, 1, 0, 0, 3, 3]] {
            assert_eq!(Page::decode(&Bytes::copy_from_slice(bad)), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_left_of_an_older_snapshot_is_no_part_of_the_newer() {
        let mut parts = Parts::default();
        let piece = |n: u8| Bytes::from(vec![n]);
        assert_eq!(parts.take(1, 3, &piece(9)), None, "its beginning was compacted away");
        assert_eq!(parts.take(0, 2, &piece(1)), None);
        assert_eq!(parts.take(2, 3, &piece(9)), None);
        assert_eq!(parts.take(1, 2, &piece(2)), Some(Bytes::from_static(&[1, 2])));
        assert_eq!(parts.take(0, 1, &piece(3)), Some(Bytes::from_static(&[3])));
    }
}
