//! The disk as an argument: what the log needs of a file system, and no more.
//!
//! Paths are relative to the data folder, with `/`. [`RealDisk`] is a folder of the machine,
//! [`sim::SimDisk`] one that loses power, tears writes and fills up, under a seed.

mod real;
pub(crate) mod readonly;
pub mod sim;

use std::io;

pub use real::RealDisk;

/// A folder that holds one log.
pub trait Disk: Send + Sync + 'static {
    /// How the folder is called in messages.
    fn name(&self) -> String;
    /// Takes the folder for this process until the guard is dropped.
    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError>;
    /// Opens a file for reading and writing; with `create` one that is not there is made.
    fn open(&self, path: &str, create: bool) -> io::Result<Box<dyn File>>;
    /// The names in a folder, files and folders alike; none when the folder is not there.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Makes a folder (and those above it); one that is there is left alone.
    fn create_folder(&self, folder: &str) -> io::Result<()>;
    /// Takes a file away.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Takes an empty folder away.
    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("`{folder}` cannot be removed")))
    }
    /// What is doubtful about the medium under the folder, where that is known.
    fn warning(&self) -> Option<crate::Warning> {
        None
    }
    /// How many bytes there is room for, where that can be told.
    fn free(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
    /// How many files this process may have open, where that is bounded.
    fn files_max(&self) -> usize {
        usize::MAX
    }
    /// Renames a file within its folder.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes all that was written to these files durable; as many at once as helps.
    fn flush_files(&self, files: &[&dyn File]) -> io::Result<()> {
        files.iter().try_for_each(|file| file.flush())
    }
    /// Says that these files will be read soon, so that the device may begin with all of them; nothing more
    /// is meant.
    fn will_read(&self, paths: Vec<String>) {
        let _ = paths;
    }
    /// Says that nobody is expected to read this part of a file soon, which is durable: no memory need be spent
    /// on it. Nothing more is meant.
    fn forget(&self, path: &str, at: u64, length: u64) {
        let _ = (path, at, length);
    }
    /// Has this thread, whose work nobody waits for, give way to others.
    fn work_behind(&self) {}
    /// 64 bits that nobody can guess.
    fn entropy(&self) -> u64;
}

/// An open file. Writes and reads name their place.
pub trait File: Send + Sync {
    /// Reads exactly `into.len()` bytes; `UnexpectedEof` when the file is shorter.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()>;
    /// Like [`File::read_at`], `count` bytes in place of what is in `into`.
    fn read_into(&self, into: &mut Vec<u8>, count: usize, at: u64) -> io::Result<()> {
        into.resize(count, 0);
        self.read_at(into, at)
    }
    /// Writes; durable only after [`File::flush`].
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Writes these one behind the other, as [`File::write_at`] does.
    fn write_parts_at(&self, parts: &[&[u8]], at: u64) -> io::Result<()> {
        self.write_at(&parts.concat(), at)
    }
    /// Like [`File::write_at`], for bytes that nobody is expected to read soon: they need not take the memory
    /// that others are served from.
    fn write_unread_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_at(bytes, at)
    }
    /// Has the device begin with what was written to this range, without waiting and without a
    /// promise; a flush that follows has less to do.
    fn start_write_back(&self, at: u64, length: u64) -> io::Result<()> {
        let _ = (at, length);
        Ok(())
    }
    /// Writes to the medium; durable when it returns. Fastest when memory, length and place are
    /// multiples of 4,096.
    fn write_durable(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Makes all that was written durable.
    fn flush(&self) -> io::Result<()>;
    /// How long the file is.
    fn size(&self) -> io::Result<u64>;
    /// Cuts the file, or extends it by zeros.
    fn set_size(&self, size: u64) -> io::Result<()>;
}

/// The folder could not be taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it.
    Held {
        /// Which, where that is known.
        pid: Option<u32>,
    },
    /// The disk refused.
    Io(io::Error),
}

/// True when it is the medium that cannot give back what was written there, not the process that may
/// not ask: then it is damage, as bytes with a wrong checksum are.
pub(crate) fn is_of_medium(e: &io::Error) -> bool {
    // EIO, and what file systems and drivers say for it: ENODATA, EBADMSG, EILSEQ, EUCLEAN, EREMOTEIO.
    matches!(e.raw_os_error(), Some(5 | 61 | 74 | 84 | 117 | 121))
}
