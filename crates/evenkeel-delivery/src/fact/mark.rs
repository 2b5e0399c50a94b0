//! The identity of an event's effect in one subscription.
//!
//! Derived, never stored beside the event: equal over attempts, restarts, nodes, renames of the
//! subscription (its uid stays) and redrives.

use sha2::{Digest, Sha256};

/// The identity of an event's effect in one subscription: SHA-256, cut to 128 bits, of the
/// length-prefixed subscription uid, source and id. Shown as 32 hex digits it is the
/// `Idempotency-Key`; as 16 bytes it is the inbox mark.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(pub [u8; 16]);

impl Mark {
    /// The mark of the event `(source, id)` in the subscription `uid`. Each part goes in behind
    /// its length in bytes (8 bytes, big-endian), so that no two triples share their bytes.
    pub fn of(uid: &str, source: &str, id: &str) -> Mark {
        let mut hash = Sha256::new();
        for part in [uid, source, id] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest[..16]);
        Mark(mark)
    }

    /// A key in its topic.
    pub fn of_key(topic: &str, key: &[u8]) -> Mark {
        let mut hash = Sha256::new();
        for part in [topic.as_bytes(), key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest[..16]);
        Mark(mark)
    }

    /// 32 hex digits.
    pub fn to_hex(self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::Mark;

    /// `printf '\0\0\0\0\0\0\0\x01u\0\0\0\0\0\0\0\x02/s\0\0\0\0\0\0\0\x01i' | sha256sum`, cut.
    #[test]
    fn a_mark_never_changes_between_versions() {
        assert_eq!(Mark::of("u", "/s", "i").to_hex(), "e075bed826f88a16ddaeb1d85722dd48");
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        assert_ne!(Mark::of("u", "ab", "c"), Mark::of("u", "a", "bc"));
        assert_ne!(Mark::of("ua", "b", "c"), Mark::of("u", "ab", "c"));
    }
}
