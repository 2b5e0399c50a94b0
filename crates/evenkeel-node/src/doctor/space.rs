//! Room on the disk: bytes and file names.

use std::path::Path;

use super::Finding;
use crate::page::numbers;

const CHECK: &str = "space";
/// The write-ahead log may grow to this by default, and segments need as much again beside it.
const WANTED: u64 = 2 << 30;
/// Below this a checkpoint may not find room.
const SCARCE: u64 = 256 << 20;
const NAMES_SCARCE: u64 = 10_000;

/// What is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Free {
    /// Bytes that this user may take.
    pub(super) bytes: u64,
    /// Bytes of the file system.
    pub(super) total: u64,
    /// Files that can still be made; `None` where the file system does not count them.
    pub(super) names: Option<u64>,
}

/// What is free where `place` is.
pub(super) fn free(place: &Path) -> Option<Free> {
    let at = rustix::fs::statvfs(place).ok()?;
    let names = (at.f_files > 0).then_some(at.f_favail);
    Some(Free { bytes: at.f_bavail.saturating_mul(at.f_frsize), total: at.f_blocks.saturating_mul(at.f_frsize), names })
}

pub(super) fn check(place: &Path) -> Finding {
    match free(place) {
        Some(free) => judge(free),
        None => Finding::warning(CHECK, "it is not known how much is free", "look with `df`"),
    }
}

pub(super) fn judge(free: Free) -> Finding {
    let said = format!("{} free of {}", numbers::bytes(free.bytes), numbers::bytes(free.total));
    let fix = "make room, or set `topics.<name>.retention` so that the log lets go; a full disk refuses producers and loses nothing";
    match free {
        Free { bytes, .. } if bytes < SCARCE => Finding::bad(CHECK, said, fix),
        Free { names: Some(n), .. } if n < NAMES_SCARCE => Finding::warning(
            CHECK,
            format!("{said}, and room for {n} files only"),
            "segments are files: make room for names",
        ),
        Free { bytes, .. } if bytes < WANTED => Finding::warning(CHECK, said, fix),
        _ => Finding::good(CHECK, said),
    }
}
