//! What an event says: a hash of it, and single values of its JSON data.

use evenkeel_model::Event;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::media_type;

/// A hash over type and data, equal over processes and versions (XXH3, 64 bits: of the data, with
/// that of the type as its seed), to tell whether the same identity came with other contents. No
/// data and empty data are the same. It is no defence against someone who looks for collisions.
pub fn content_hash(event: &Event) -> u64 {
    xxh3_64_with_seed(event.data.as_deref().unwrap_or_default(), xxh3_64(event.kind.as_bytes()))
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
