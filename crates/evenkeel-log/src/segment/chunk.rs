//! Memory that segments are read into: used again by the same thread, since fresh megabytes cost
//! more than the read that fills them.
//!
//! Each thread keeps one piece, of at most [`KEPT_MAX`] bytes, when the last slice of it is gone.

use std::cell::Cell;
use std::io;

use bytes::Bytes;

/// A larger piece is given back to the system.
const KEPT_MAX: usize = 1 << 20;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

struct Chunk(Vec<u8>);

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mine = std::mem::take(&mut self.0);
        if mine.len() > KEPT_MAX {
            return;
        }
        // At the end of a thread there is no place to keep it.
        let _ = SPARE.try_with(|spare| {
            let kept = spare.take();
            spare.set(if kept.len() < mine.len() { mine } else { kept });
        });
    }
}

/// `size` bytes, as `fill` fills them: all of them, or an error.
pub(super) fn filled(size: usize, fill: impl FnOnce(&mut [u8]) -> io::Result<()>) -> io::Result<Bytes> {
    let mut memory = SPARE.try_with(Cell::take).unwrap_or_default();
    if memory.len() < size {
        memory.resize(size, 0);
    }
    let mut chunk = Chunk(memory);
    fill(&mut chunk.0[..size])?;
    Ok(Bytes::from_owner(chunk).slice(..size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(size: usize, byte: u8) -> Bytes {
        filled(size, |into| {
            into.fill(byte);
            Ok(())
        })
        .expect("it is filled")
    }

    #[test]
    fn memory_is_used_again_when_its_last_slice_is_gone_and_not_before() {
        let first = of(4096, 1);
        let kept = first.slice(100..200);
        drop(first);
        assert_eq!(of(2048, 2)[..], [2; 2048]);
        assert_eq!(kept[..], [1; 100], "a slice keeps what it holds");
        let at = kept.as_ptr();
        drop(kept);
        assert_eq!(of(200, 3)[100..].as_ptr(), at);
        assert_eq!(of(8192, 4).len(), 8192, "more than there was before");
    }

    #[test]
    fn what_could_not_be_filled_is_an_error_and_its_memory_is_kept() {
        assert!(filled(64, |_| Err(io::Error::other("no"))).is_err());
        assert_eq!(of(64, 5)[..], [5; 64]);
    }
}
