//! A disk that can be read and not changed: what offline readers and a damaged log work on.

use std::io;
use std::sync::Arc;

use super::{Disk, File, LockError};

/// Hands reads on and refuses everything else.
pub(crate) struct ReadOnly(pub(crate) Arc<dyn Disk>);

struct ReadOnlyFile(Box<dyn File>);

/// A file that is not there: nothing can be read from it or written to it.
pub(crate) struct NoFile;

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the folder is only read"))
}

impl Disk for ReadOnly {
    fn warning(&self) -> Option<crate::Warning> {
        self.0.warning()
    }

    fn name(&self) -> String {
        self.0.name()
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError> {
        self.0.lock()
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Box<dyn File>> {
        if create {
            return refused();
        }
        Ok(Box::new(ReadOnlyFile(self.0.open(path, false)?)))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.0.list(folder)
    }

    fn create_folder(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        refused()
    }

    fn sync_folder(&self, _: &str) -> io::Result<()> {
        refused()
    }

    fn will_read(&self, paths: Vec<String>) {
        self.0.will_read(paths);
    }

    fn entropy(&self) -> u64 {
        self.0.entropy()
    }
}

impl File for ReadOnlyFile {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.0.read_at(into, at)
    }

    fn read_into(&self, into: &mut Vec<u8>, count: usize, at: u64) -> io::Result<()> {
        self.0.read_into(into, count, at)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        refused()
    }

    fn write_durable(&self, _: &[u8], _: u64) -> io::Result<()> {
        refused()
    }

    fn flush(&self) -> io::Result<()> {
        refused()
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn set_size(&self, _: u64) -> io::Result<()> {
        refused()
    }
}

impl File for NoFile {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        refused()
    }

    fn write_durable(&self, _: &[u8], _: u64) -> io::Result<()> {
        refused()
    }

    fn flush(&self) -> io::Result<()> {
        refused()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn set_size(&self, _: u64) -> io::Result<()> {
        refused()
    }
}
