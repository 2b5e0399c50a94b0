//! A real disk on which one kind of making durable is left out: the mutation of this proof.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use evenkeel_log::RealDisk;
use evenkeel_log::disk::{Disk, File, LockError};

/// A run from which on segments are written past the cache (`RealDisk`).
const LONG: usize = 64 << 10;

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Careless {
    /// Groups are written, not synchronously.
    Group,
    /// New write-ahead files are not flushed, nor what recovery read back.
    WalFlush,
    /// The folder of write-ahead files is not synced.
    WalFolder,
    /// Segments are not flushed.
    Segment,
    /// Segments that got a long run, which goes past the cache, are not flushed.
    LongRun,
    /// A partition's folder is not synced.
    SegmentFolder,
    /// The folder of partitions is not synced.
    TopicsFolder,
    /// Slots are written, not synchronously, and not flushed.
    Slot,
    /// The data folder itself is not synced.
    DataFolder,
    /// Nor is its own name in the folder above it.
    DataFolderName,
}

impl Careless {
    /// All of them.
    pub const ALL: [Careless; 10] = [
        Careless::Group,
        Careless::WalFlush,
        Careless::WalFolder,
        Careless::Segment,
        Careless::LongRun,
        Careless::SegmentFolder,
        Careless::TopicsFolder,
        Careless::Slot,
        Careless::DataFolder,
        Careless::DataFolderName,
    ];

    /// By the name that [`std::fmt::Debug`] gives it.
    pub fn of(name: &str) -> Option<Careless> {
        Careless::ALL.into_iter().find(|c| format!("{c:?}") == name)
    }

    fn leaves_write(self, path: &str) -> bool {
        match self {
            Careless::Group => path.starts_with("wal/"),
            Careless::Slot => path.starts_with("checkpoint"),
            _ => false,
        }
    }

    fn leaves_flush(self, path: &str) -> bool {
        match self {
            Careless::WalFlush => path.starts_with("wal/"),
            Careless::Segment => path.starts_with("topics/"),
            Careless::Slot => path.starts_with("checkpoint"),
            _ => false,
        }
    }

    fn leaves_folder(self, folder: &str) -> bool {
        match self {
            Careless::WalFolder => folder == "wal",
            Careless::SegmentFolder => folder.starts_with("topics/"),
            Careless::TopicsFolder => folder == "topics",
            Careless::DataFolder => folder.is_empty(),
            _ => false,
        }
    }
}

/// A folder of the machine, with that left out.
pub struct CarelessDisk {
    folder: String,
    disk: RealDisk,
    left_out: Option<Careless>,
}

impl CarelessDisk {
    /// The folder at `path`; with `None` nothing is left out.
    pub fn new(path: &str, left_out: Option<Careless>) -> CarelessDisk {
        CarelessDisk { folder: path.to_owned(), disk: RealDisk::new(path), left_out }
    }
}

impl Disk for CarelessDisk {
    fn name(&self) -> String {
        self.disk.name()
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError> {
        if self.left_out == Some(Careless::DataFolderName) {
            // The lock itself is not needed: there is one child at a time.
            std::fs::create_dir_all(&self.folder).map_err(LockError::Io)?;
            return Ok(Box::new(()));
        }
        self.disk.lock()
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Box<dyn File>> {
        let file = self.disk.open(path, create)?;
        let leaves_write = self.left_out.is_some_and(|c| c.leaves_write(path));
        let leaves_flush = self.left_out.is_some_and(|c| c.leaves_flush(path));
        let leaves_long = self.left_out == Some(Careless::LongRun) && path.starts_with("topics/");
        Ok(Box::new(CarelessFile { file, leaves_write, leaves_flush, leaves_long, long: AtomicBool::new(false) }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.create_folder(folder)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.remove_folder(folder)
    }

    fn free(&self) -> io::Result<Option<u64>> {
        self.disk.free()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        if self.left_out.is_some_and(|c| c.leaves_folder(folder)) { Ok(()) } else { self.disk.sync_folder(folder) }
    }

    fn entropy(&self) -> u64 {
        self.disk.entropy()
    }
}

struct CarelessFile {
    file: Box<dyn File>,
    leaves_write: bool,
    leaves_flush: bool,
    leaves_long: bool,
    /// It got a long run since it was flushed.
    long: AtomicBool,
}

impl File for CarelessFile {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_at(into, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_at(bytes, at)
    }

    fn write_parts_at(&self, parts: &[&[u8]], at: u64) -> io::Result<()> {
        if parts.iter().map(|part| part.len()).sum::<usize>() >= LONG {
            self.long.store(true, Ordering::Relaxed);
        }
        self.file.write_parts_at(parts, at)
    }

    fn start_write_back(&self, at: u64, length: u64) -> io::Result<()> {
        self.file.start_write_back(at, length)
    }

    fn write_durable(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.leaves_write { self.file.write_at(bytes, at) } else { self.file.write_durable(bytes, at) }
    }

    fn flush(&self) -> io::Result<()> {
        let long = self.long.swap(false, Ordering::Relaxed);
        if self.leaves_flush || self.leaves_long && long { Ok(()) } else { self.file.flush() }
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }
}
