//! The bytes of a key's version: 16 for the key, a length, and the number in as few as it takes.

use bytes::{BufMut, BytesMut};

use super::{get_byte, get_mark};
use crate::{Mark, VersionMark};

pub(super) fn put(out: &mut BytesMut, mark: &VersionMark) {
    let Mark(key) = mark.key;
    out.put_slice(&key);
    let Some(version) = mark.version else { return out.put_u8(0) };
    let bytes = version.to_le_bytes();
    let length = (1..16).find(|n| grown(&bytes[..*n]) == version).unwrap_or(16);
    out.put_u8(u8::try_from(length).unwrap_or(16));
    out.put_slice(&bytes[..length]);
}

pub(super) fn get(from: &mut &[u8]) -> Option<VersionMark> {
    let key = get_mark(from)?;
    let length = usize::from(get_byte(from)?);
    if length > 16 {
        return None;
    }
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(VersionMark { key, version: (length > 0).then(|| grown(bytes)) })
}

/// The number of these bytes, the lowest first; its sign is that of the highest.
fn grown(bytes: &[u8]) -> i128 {
    let sign = if bytes.last().is_some_and(|high| *high >= 0x80) { 0xff } else { 0 };
    let mut whole = [sign; 16];
    whole[..bytes.len()].copy_from_slice(bytes);
    i128::from_le_bytes(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_comes_back_in_as_few_bytes_as_it_takes() {
        for (version, length) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (-128, 1),
            (-129, 2),
            (1_790_000_000_000_000, 7),
            (i128::MAX, 16),
            (i128::MIN, 16),
        ] {
            let mark = VersionMark { key: Mark([7; 16]), version: Some(version) };
            let mut out = BytesMut::new();
            put(&mut out, &mark);
            assert_eq!(out.len(), 17 + length, "{version}");
            let mut from = &out[..];
            assert_eq!((get(&mut from), from.len()), (Some(mark), 0));
        }
    }
}
