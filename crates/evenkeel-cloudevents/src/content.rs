//! What an event says: a hash of it, and single values of its JSON data.

use evenkeel_model::Event;

use crate::media_type;

/// A hash over type and data, equal over processes and versions (FNV-1a, 64 bits), to tell
/// whether the same identity came with other contents. No data and empty data are the same.
/// It is no defence against someone who looks for collisions.
pub fn content_hash(event: &Event) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    let kind_bytes = (event.kind.len() as u64).to_le_bytes();
    let hash = fnv1a(BASIS, &kind_bytes);
    let hash = fnv1a(hash, event.kind.as_bytes());
    fnv1a(hash, event.data.as_deref().unwrap_or_default())
}

fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// The value at an RFC 6901 pointer (`/order/id`) into the event's JSON data. `None` when there
/// is no such value, or when the data is not JSON.
pub fn data_pointer(event: &Event, pointer: &str) -> Option<serde_json::Value> {
    if !event.datacontenttype.as_deref().is_none_or(media_type::is_json) {
        return None;
    }
    let mut data: serde_json::Value = serde_json::from_slice(event.data.as_deref()?).ok()?;
    data.pointer_mut(pointer).map(serde_json::Value::take)
}

#[cfg(test)]
mod tests;
