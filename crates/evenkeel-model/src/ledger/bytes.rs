//! The bytes of ledger records: cheap enough to keep one for every event.
//!
//! Does: write and read version 1. Does not: carry a checksum, since the record batch around it
//! has one. Invariants: what [`encode`] writes [`decode`] reads back equal; decoding allocates no
//! more than the bytes justify (counts are checked against what is there, and text that a
//! dictionary multiplies is bounded by [`TEXT_MAX`]); it never panics.
//!
//! Layout, all integers as [`crate::varint`] has them:
//!
//! ```text
//! version 0x01 | subscription | topic | partition | sequence | at (zig-zag µs)
//! texts:  count, then each text behind its length
//! labels: count, then each as three indexes into texts: type, source, handler version
//! entries: count, then each:
//!   flags   bits 0-1 kind (0 ended, 1 attempt, 2 overdue, 3 redriven)
//!           bit 2 the offset is the one before plus 1     bit 3 the label is the one before
//!           bit 4 overdue   bit 5 creation time not believed   bit 6 emitted follows   bit 7 details follow
//!   label index (ended, unless bit 3) | offset delta, zig-zag (unless bit 2)
//!   at, zig-zag µs from the entry before; the first from the record's `at`
//!   ended:   created_to_ended_us | handler_us | emitted (bit 6) | details (bit 7)
//!   attempt: delivery | took_us | class | status+1 or 0 | fingerprint, message (texts) | next_at-at (bit 6)
//!   overdue: threshold_us
//!   redriven: letter | job (text)
//! details: outcome | attempts deliveries deferrals crashes | 0, or 1 and the failure:
//!   class | status+1 or 0 | fingerprint, message, reason (texts) | first and last failure, zig-zag from at
//! ```
//!
//! Without details an ended event has simply completed: one attempt, one delivery, no failure.
//! That costs 6 to 12 bytes as long as it ended within a second of the entry before, took less
//! than 268 s from creation, and less than 2 s at the handler, and one byte more where both its
//! label and its offset are out of line while it took longest in all three.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::decode;
pub use write::encode;

/// The version that is written.
const VERSION: u8 = 1;
/// Text that the entries of one record may copy out of its dictionary, in bytes.
const TEXT_MAX: usize = 64 << 20;

const KIND_MASK: u8 = 0b11;
const KIND_ENDED: u8 = 0;
const KIND_ATTEMPT: u8 = 1;
const KIND_OVERDUE: u8 = 2;
const KIND_REDRIVEN: u8 = 3;
const NEXT_OFFSET: u8 = 1 << 2;
const SAME_LABEL: u8 = 1 << 3;
const OVERDUE: u8 = 1 << 4;
const NOT_BELIEVED: u8 = 1 << 5;
/// `emitted` of an ended event; `next_at` of an attempt.
const MORE: u8 = 1 << 6;
const DETAILS: u8 = 1 << 7;

/// The bytes are not a ledger record, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(pub &'static str);

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not a ledger record: {}", self.0)
    }
}

impl std::error::Error for DecodeError {}
