//! The device's limit: equal direct, synchronous writes, one after the other, over blocks of one
//! file that were written before.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Outcome;

/// The block of direct writes.
pub(crate) const BLOCK: usize = 4096;

/// How long the file is; one lap is written before anything is measured.
const FILE_BYTES: usize = 256 << 20;

/// What one write of the first lap takes.
const FIRST_LAP_BYTES: usize = 1 << 20;

/// The recycled file.
pub(crate) struct Bare {
    file: File,
    memory: Vec<u8>,
    write_bytes: usize,
    at: usize,
}

impl Bare {
    pub(crate) fn open(folder: &Path, write_bytes: usize) -> Outcome<Bare> {
        let path = folder.join("bare");
        File::create(&path)?;
        let mut bare = Bare { file: open_direct(&path)?, memory: Vec::new(), write_bytes: FIRST_LAP_BYTES, at: 0 };
        bare.memory = (0..FIRST_LAP_BYTES.max(write_bytes) + BLOCK).map(|n| (n % 251) as u8).collect();
        for _ in 0..2 * (FILE_BYTES / FIRST_LAP_BYTES) {
            bare.write()?;
        }
        bare.write_bytes = write_bytes.next_multiple_of(BLOCK);
        bare.at = 0;
        Ok(bare)
    }

    /// One write; durable when it returns.
    pub(crate) fn write(&mut self) -> Outcome<()> {
        let aligned = self.memory.as_ptr().align_offset(BLOCK);
        self.file.write_all_at(&self.memory[aligned..aligned + self.write_bytes], self.at as u64)?;
        self.at += self.write_bytes;
        if self.at + self.write_bytes > FILE_BYTES {
            self.at = 0;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> Outcome<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::DIRECT | rustix::fs::OFlags::DSYNC;
    Ok(OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(path)?)
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_: &Path) -> Outcome<File> {
    Err("the bare loop needs Linux: direct, synchronous writes".into())
}
