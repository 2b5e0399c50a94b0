//! W3C trace context: `traceparent` and `tracestate`, read as the recommendation (level 1 and 2) asks.
//!
//! What is ill-formed is passed over, never repaired; what is well-formed is kept to the letter,
//! in the order in which it came.

use std::fmt;

/// Members of a `tracestate`, at most.
const MEMBERS_MAX: usize = 32;
/// More than a vendor may be asked to carry (512 is the least that must be).
const STATE_BYTES_MAX: usize = 4096;

/// Where in which trace something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace; not all zeros.
    pub trace: [u8; 16],
    /// The span in it; not all zeros.
    pub span: [u8; 8],
    /// Bit 0: sampled. Bit 1: the trace's id is random.
    pub flags: u8,
}

impl TraceParent {
    /// `00-<32 hex>-<16 hex>-<2 hex>` in lower case, neither id all zeros. Versions above 00 may
    /// say more behind another `-`, and `ff` is none.
    pub fn parse(text: &str) -> Option<TraceParent> {
        let head = text.get(..55)?;
        let mut parts = head.split('-');
        let version = hex::<1>(parts.next()?)?[0];
        let (trace, span, flags) = (hex(parts.next()?)?, hex(parts.next()?)?, hex::<1>(parts.next()?)?[0]);
        let rest = &text[55..];
        let fits = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => (rest.is_empty() || rest.starts_with('-')) && text.len() <= 256 && is_plain(rest.as_bytes()),
        };
        let is_set = |id: &[u8]| id.iter().any(|byte| *byte != 0);
        let whole = parts.next().is_none() && fits && is_set(&trace) && is_set(&span);
        whole.then_some(TraceParent { trace, span, flags })
    }

    /// True when whoever began it keeps it.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |bytes: &[u8]| bytes.iter().fold(0_u128, |n, byte| n << 8 | u128::from(*byte));
        write!(f, "00-{:032x}-{:016x}-{:02x}", number(&self.trace), number(&self.span), self.flags)
    }
}

/// A `tracestate` from its headers, in their order; `None` when there is none, or it is ill-formed.
pub fn state(headers: &[&[u8]]) -> Option<String> {
    let texts: Option<Vec<&str>> = headers.iter().map(|header| str::from_utf8(header).ok()).collect();
    let joined = texts?.join(",");
    let mut members = joined.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|m| !m.is_empty());
    let (mut count, mut sound) = (0, true);
    members.by_ref().for_each(|member| {
        count += 1;
        sound &= member.split_once('=').is_some_and(|(key, value)| is_key(key) && is_value(value));
    });
    (sound && (1..=MEMBERS_MAX).contains(&count) && joined.len() <= STATE_BYTES_MAX).then_some(joined)
}

/// `vendor`, or `tenant@vendor`.
fn is_key(key: &str) -> bool {
    let legal = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    let part = |text: &str, max: usize, may_begin: fn(u8) -> bool| {
        text.len() <= max && text.bytes().next().is_some_and(may_begin) && text.bytes().all(legal)
    };
    let letter = |b: u8| b.is_ascii_lowercase();
    let letter_or_digit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    match key.split_once('@') {
        Some((tenant, vendor)) => part(tenant, 241, letter_or_digit) && part(vendor, 14, letter),
        None => part(key, 256, letter_or_digit),
    }
}

fn is_value(value: &str) -> bool {
    value.len() <= 256 && !value.is_empty() && is_plain(value.as_bytes()) && !value.contains(['=', ','])
}

fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (to, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *to = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

#[cfg(test)]
mod tests;
