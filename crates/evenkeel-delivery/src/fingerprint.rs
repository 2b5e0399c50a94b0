//! Failures alike share a fingerprint.
//!
//! A message names ids, times and counts that differ from one failure to the next. They are
//! taken out before the rest is hashed, so that one cause is one group.

use evenkeel_model::FailureClass;
use sha2::{Digest, Sha256};

/// 16 hex digits of the class, the status and the message without its numbers, long hex strings
/// and UUIDs.
pub fn fingerprint(class: FailureClass, status: Option<u16>, message: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(class.name().as_bytes());
    hash.update([0]);
    hash.update(status.unwrap_or(0).to_be_bytes());
    hash.update(masked(message).as_bytes());
    let digest = hash.finalize();
    let first = digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    format!("{first:016x}")
}

/// The message with `#` for what differs.
fn masked(message: &str) -> String {
    let bytes = message.as_bytes();
    let mut out = String::with_capacity(message.len());
    let mut at = 0;
    while at < bytes.len() {
        if is_uuid(&bytes[at..]) {
            out.push('#');
            at += 36;
        } else if bytes[at].is_ascii_alphanumeric() {
            let len = bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            mask_word(&message[at..at + len], &mut out);
            at += len;
        } else {
            let len = message[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&message[at..at + len]);
            at += len;
        }
    }
    out
}

fn mask_word(word: &str, out: &mut String) {
    let hex = word.len() >= 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    if hex && word.bytes().any(|b| b.is_ascii_digit()) {
        out.push('#');
        return;
    }
    let mut in_number = false;
    for c in word.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !in_number {
            out.push('#');
        }
        in_number = c.is_ascii_digit();
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() >= 36
        && bytes[..36].iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_one_failure_to_the_next_is_taken_out() {
        for (message, rest) in [
            ("order 4711 failed after 30ms", "order # failed after #ms"),
            ("trace 4bf92f3577b34da6 lost", "trace # lost"),
            ("id 550e8400-e29b-abcd-a716-446655440000!", "id #!"),
            ("Zahlung über 12,50 € abgelehnt", "Zahlung über #,# € abgelehnt"),
            ("deadbeef is a word", "deadbeef is a word"),
        ] {
            assert_eq!(masked(message), rest);
        }
    }

    #[test]
    fn alike_failures_share_a_fingerprint_and_others_do_not() {
        let of = |class, status, message| fingerprint(class, status, message);
        let one = of(FailureClass::Failed, Some(500), "order 1");
        assert_eq!(one, of(FailureClass::Failed, Some(500), "order 22"));
        assert_ne!(one, of(FailureClass::Failed, Some(502), "order 1"));
        assert_ne!(one, of(FailureClass::Rejected, Some(500), "order 1"));
        assert_ne!(one, of(FailureClass::Failed, Some(500), "basket 1"));
        assert_eq!(one.len(), 16);
    }
}
