//! A simulated disk: it loses what was not flushed, tears and reorders sectors, forgets names
//! that were not synced, fills up, and fails on request, all under a seed.
//!
//! What it models: a cache above a medium. Writes, new names and sizes reach the cache at once
//! and the medium when they are flushed or synced; when the power fails, any subset of the
//! sectors and names that were still on their way may have arrived. A killed process leaves the
//! cache as it is. A flush that fails loses what it was to flush (as Linux does). What it does not
//! model: a disk that lies about a flush, and time.

mod file;
mod inode;
mod name;
mod random;
mod world;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

pub use world::Fault;
use world::World;

use super::{Disk, File, LockError};
use crate::ticket::held;
use file::SimFile;

/// A disk in memory; clones share it. The one that a log was opened with belongs to that log's
/// process: when the power goes or the process is killed, it is dead until the next log is opened.
pub struct SimDisk {
    world: Arc<Mutex<World>>,
    /// The boot in which a process took the folder through this handle; 0 before that.
    boot: AtomicU64,
}

impl Clone for SimDisk {
    fn clone(&self) -> SimDisk {
        SimDisk { world: self.world.clone(), boot: AtomicU64::new(0) }
    }
}

impl SimDisk {
    /// An empty disk; `seed` decides what survives a loss of power.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk { world: Arc::new(Mutex::new(World::new(seed))), boot: AtomicU64::new(0) }
    }

    /// Power fails, or the process dies, in the middle of the `n`th change from now (0 is the
    /// next): everything fails from there until [`SimDisk::cut_power`] or [`SimDisk::kill`].
    pub fn fail_in(&self, n: u64) {
        held(&self.world).fail_in = Some(n);
    }

    /// True when the failure that [`SimDisk::fail_in`] asked for has come.
    pub fn is_off(&self) -> bool {
        held(&self.world).off
    }

    /// The power goes, and comes back: open files are dead, the lock is free, and of what was on
    /// its way to the medium some arrived.
    pub fn cut_power(&self) {
        held(&self.world).cut_power();
    }

    /// The process dies; the machine runs on: open files are dead, the lock is free, nothing that
    /// was written is lost.
    pub fn kill(&self) {
        held(&self.world).restart();
    }

    /// How many bytes of files it can hold; `None` is no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        held(&self.world).capacity = bytes;
    }

    /// The bytes of all files.
    pub fn used(&self) -> u64 {
        held(&self.world).used()
    }

    /// How many files a process may have open; `None` is no limit.
    pub fn set_files_max(&self, files: Option<usize>) {
        held(&self.world).files_max = files;
    }

    /// Makes the next operation of that kind fail, once, after `skip` others of it went well.
    pub fn inject(&self, fault: Fault, skip: u64) {
        held(&self.world).faults.push((fault, skip));
    }

    /// With `false`, nothing may be created or written, as in a folder of somebody else.
    pub fn set_writable(&self, writable: bool) {
        held(&self.world).writable = writable;
    }

    /// How often something was made durable.
    pub fn flushes(&self) -> u64 {
        held(&self.world).flushes
    }

    /// What nobody is expected to read soon, as it was said.
    pub fn forgotten(&self) -> Vec<(String, std::ops::Range<u64>)> {
        held(&self.world).forgotten.clone()
    }

    /// How many changes were asked for.
    pub fn changes(&self) -> u64 {
        held(&self.world).changes
    }

    /// All files, by path.
    pub fn paths(&self) -> Vec<String> {
        held(&self.world).paths()
    }

    /// A file's bytes as a process would read them.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        held(&self.world).bytes(path)
    }

    /// Changes a file's bytes behind everybody's back, on the medium.
    pub fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        held(&self.world).tamper(path, change);
    }

    /// From now on the medium cannot give back these bytes of a file, until they are written again.
    pub fn spoil(&self, path: &str, bytes: std::ops::Range<usize>) {
        held(&self.world).spoil(path, bytes);
    }

    /// Takes a file away behind everybody's back, on the medium.
    pub fn lose(&self, path: &str) {
        held(&self.world).lose(path);
    }
}

impl SimDisk {
    /// The disk, for the process that has this handle.
    fn alive(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = held(&self.world);
        let boot = self.boot.load(Ordering::Relaxed);
        if boot == 0 || boot == world.boot { Ok(world) } else { Err(io::Error::other("the process is dead")) }
    }
}

impl Disk for SimDisk {
    fn name(&self) -> String {
        "simulated".to_owned()
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError> {
        let mut world = held(&self.world);
        if world.locked {
            return Err(LockError::Held { pid: None });
        }
        if !world.writable {
            return Err(LockError::Io(io::ErrorKind::PermissionDenied.into()));
        }
        world.locked = true;
        self.boot.store(world.boot, Ordering::Relaxed);
        Ok(Box::new(Lock { disk: self.clone(), boot: world.boot }))
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Box<dyn File>> {
        let mut world = self.alive()?;
        let inode = world.open(path, create)?;
        world.files += 1;
        Ok(Box::new(SimFile { disk: self.clone(), inode, boot: world.boot }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.alive()?.list(folder)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.alive()?.create_folder(folder)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.alive()?.remove(path)
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.alive()?.remove_folder(folder)
    }

    fn free(&self) -> io::Result<Option<u64>> {
        let world = self.alive()?;
        Ok(world.capacity.map(|capacity| capacity.saturating_sub(world.used())))
    }

    fn files_max(&self) -> usize {
        held(&self.world).files_max.unwrap_or(usize::MAX)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.alive()?.rename(from, to)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.alive()?.sync_folder(folder)
    }

    fn forget(&self, path: &str, at: u64, length: u64) {
        held(&self.world).forgotten.push((path.to_owned(), at..at + length));
    }

    fn entropy(&self) -> u64 {
        held(&self.world).random.next()
    }
}

struct Lock {
    disk: SimDisk,
    boot: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut world = held(&self.disk.world);
        if world.boot == self.boot {
            world.locked = false;
        }
    }
}
