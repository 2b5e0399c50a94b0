//! How much of a message is read before it is refused.

/// The limits of one decode. What lies beyond any of them is a [`crate::Problem`] that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole body.
    pub body_bytes_max: usize,
    /// Events of a batch.
    pub batch_events_max: usize,
    /// Attributes of one event, the required ones included.
    pub attributes_max: usize,
    /// Bytes of one attribute's value, decoded.
    pub attribute_bytes_max: usize,
}

impl Default for Limits {
    /// 8 MiB, 10,000 events, 128 attributes, 16 KiB an attribute.
    fn default() -> Limits {
        Limits { body_bytes_max: 8 << 20, batch_events_max: 10_000, attributes_max: 128, attribute_bytes_max: 16 << 10 }
    }
}
