//! Whether direct, synchronous writes are there, and whether they take as long as a medium does.
//!
//! A disk that answers faster than any medium can has not written anything yet.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use evenkeel_log::Warning;
use evenkeel_model::Clock;
use rustix::fs::OFlags;

use super::Finding;

const BLOCK: usize = 4096;
/// Blocks of the probe's file, each written once before it counts.
const BLOCKS: u64 = 16;
/// Writes that are timed.
const WRITES: u64 = 64;
/// Slower than this, and every acknowledgement is felt.
const SLOW: Duration = Duration::from_millis(20);

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// Direct I/O is there.
    pub(super) direct: bool,
    /// A synchronous write of 4 KiB, the median.
    pub(super) median: Duration,
    /// The slowest.
    pub(super) slowest: Duration,
}

pub(super) fn check(place: &Path, clock: &dyn Clock) -> Vec<Finding> {
    match probe(place, clock) {
        Ok(probe) => judge(&probe),
        Err(e) => vec![Finding::bad(
            "flush",
            format!("nothing can be written in `{}`: {e}", place.display()),
            "make the folder writable for the user that runs the node",
        )],
    }
}

fn probe(place: &Path, clock: &dyn Clock) -> io::Result<Probe> {
    let path = place.join(format!(".evenkeel-doctor-{}", std::process::id()));
    let gone = Gone(path);
    std::fs::write(&gone.0, vec![0_u8; BLOCK * BLOCKS as usize])?;
    let (file, direct) = match opened(&gone.0, OFlags::DIRECT | OFlags::DSYNC) {
        Ok(file) if aligned(|block| file.write_all_at(block, 0)).is_ok() => (file, true),
        _ => (opened(&gone.0, OFlags::DSYNC)?, false),
    };
    aligned(|block| {
        (0..BLOCKS).try_for_each(|at| file.write_all_at(block, at * BLOCK as u64))?;
        let mut took = Vec::new();
        for write in 0..WRITES {
            let began = clock.now();
            file.write_all_at(block, write % BLOCKS * BLOCK as u64)?;
            took.push(clock.now().since(began));
        }
        took.sort_unstable();
        let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
        Ok(Probe { direct, median, slowest })
    })
}

fn opened(path: &Path, flags: OFlags) -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Direct writes want memory that begins at a multiple of the block.
fn aligned<T>(with: impl FnOnce(&[u8]) -> T) -> T {
    let memory = vec![0x5a_u8; 2 * BLOCK];
    let from = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
    with(&memory[from..from + BLOCK])
}

/// The probe's file, which goes when this does.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        // What is left of a probe is small and named for what it is.
        let _ = std::fs::remove_file(&self.0);
    }
}

pub(super) fn judge(probe: &Probe) -> Vec<Finding> {
    let us = probe.median.as_micros();
    let each = format!(
        "a synchronous write of 4 KiB takes {us} µs (slowest {} µs): about {} groups a second from one writer",
        probe.slowest.as_micros(),
        1_000_000 / us.max(1)
    );
    let flush = if let Some(lie) = Warning::of_write(probe.median) {
        Finding::bad(
            "flush",
            format!("{each}; {lie}"),
            "use a disk that keeps what it acknowledges; here a power cut can take acknowledged events",
        )
    } else if probe.median > SLOW {
        Finding::warning(
            "flush",
            format!("{each}; every acknowledgement waits that long"),
            "a disk with power-loss protection acknowledges in microseconds; concurrent publishers share a flush",
        )
    } else {
        Finding::good("flush", each)
    };
    let direct = if probe.direct {
        Finding::good("direct I/O", "O_DIRECT is there")
    } else {
        Finding::warning(
            "direct I/O",
            "the file system has no O_DIRECT: each group is written, then flushed",
            "as safe, and slower; ext4, xfs and btrfs have it",
        )
    };
    vec![flush, direct]
}
