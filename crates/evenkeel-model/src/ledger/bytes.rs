//! The bytes of ledger records.

use bytes::Bytes;

use super::LedgerRecord;

/// The bytes are not a ledger record, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(pub &'static str);

/// The bytes of a record.
pub fn encode(record: &LedgerRecord) -> Bytes {
    let _ = record;
    Bytes::new()
}

/// The record of these bytes.
pub fn decode(bytes: &[u8]) -> Result<LedgerRecord, DecodeError> {
    let _ = bytes;
    Err(DecodeError("being built"))
}
