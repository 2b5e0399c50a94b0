//! Unsigned and zig-zag variable-length integers, bounded on the way in.

use bytes::{Buf, BufMut};

/// Writes `v` in base 128, low groups first.
pub fn put_u64(out: &mut impl BufMut, mut v: u64) {
    while v >= 0x80 {
        out.put_u8((v & 0x7f) as u8 | 0x80);
        v >>= 7;
    }
    out.put_u8((v & 0x7f) as u8);
}

/// Writes `v` zig-zag coded.
pub fn put_i64(out: &mut impl BufMut, v: i64) {
    put_u64(out, ((v << 1) ^ (v >> 63)).cast_unsigned());
}

/// Reads what [`put_u64`] wrote; `None` when the bytes end or do not fit 64 bits.
pub fn get_u64(from: &mut impl Buf) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        if !from.has_remaining() {
            return None;
        }
        let byte = from.get_u8();
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Reads what [`put_i64`] wrote.
pub fn get_i64(from: &mut impl Buf) -> Option<i64> {
    let v = get_u64(from)?;
    Some((v >> 1).cast_signed() ^ -(v & 1).cast_signed())
}

/// Writes a string behind its length.
pub fn put_text(out: &mut impl BufMut, text: &str) {
    put_u64(out, text.len() as u64);
    out.put_slice(text.as_bytes());
}

/// Reads what [`put_text`] wrote; the length is checked against what is there before it is used.
pub fn get_text(from: &mut impl Buf) -> Option<String> {
    let len = usize::try_from(get_u64(from)?).ok()?;
    if len > from.remaining() {
        return None;
    }
    let mut bytes = vec![0; len];
    from.copy_to_slice(&mut bytes);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{get_i64, get_text, get_u64, put_i64, put_text, put_u64};

    #[test]
    fn what_is_written_is_read_back() {
        for v in [0, 1, 127, 128, 300, u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_u64(&mut out, v);
            assert_eq!(get_u64(&mut out.as_slice()), Some(v));
        }
        for v in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put_i64(&mut out, v);
            assert_eq!(get_i64(&mut out.as_slice()), Some(v));
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused_before_it_is_allocated() {
        let mut out = Vec::new();
        put_u64(&mut out, u64::MAX);
        assert_eq!(get_text(&mut out.as_slice()), None);
        let mut ok = Vec::new();
        put_text(&mut ok, "ünï");
        assert_eq!(get_text(&mut ok.as_slice()).as_deref(), Some("ünï"));
    }

    #[test]
    fn an_overlong_varint_is_refused() {
        assert_eq!(get_u64(&mut [0xff_u8; 11].as_slice()), None);
    }
}
