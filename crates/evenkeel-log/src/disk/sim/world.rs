//! The simulated disk's state: cache, medium, names, and what is on its way between them.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::inode::Inode;
use super::name::{Name, NameChange, parent};
use super::random::Random;

/// A failure to order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write fails with an I/O error; all of it may be in the cache.
    Write,
    /// A write, synchronous or not, ends in the middle with an I/O error.
    ShortWrite,
    /// A flush fails with an I/O error, and what it was to flush is lost.
    Flush,
    /// A synchronous write fails with an I/O error.
    DurableWrite,
    /// A read fails with an I/O error.
    Read,
    /// A read ends in the middle with an I/O error; the rest of the memory is as it was.
    ShortRead,
    /// A folder's names cannot be synced.
    SyncFolder,
}

pub(super) struct World {
    pub(super) random: Random,
    pub(super) fail_in: Option<u64>,
    pub(super) off: bool,
    pub(super) boot: u64,
    pub(super) locked: bool,
    pub(super) capacity: Option<u64>,
    pub(super) writable: bool,
    pub(super) faults: Vec<(Fault, u64)>,
    /// How many files a process may have open, and how many it has.
    pub(super) files_max: Option<usize>,
    pub(super) forgotten: Vec<(String, std::ops::Range<u64>)>,
    pub(super) files: usize,
    pub(super) flushes: u64,
    pub(super) changes: u64,
    inodes: Vec<Inode>,
    names: BTreeMap<String, Name>,
    names_kept: BTreeMap<String, Name>,
    names_pending: Vec<NameChange>,
}

/// Input/output error; too many open files.
const EIO: i32 = 5;
const EMFILE: i32 = 24;

fn failed(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

/// A place in a file, as far as files reach here.
fn place(at: u64) -> io::Result<usize> {
    usize::try_from(at).ok().filter(|at| *at <= 1 << 30).ok_or_else(|| io::ErrorKind::FileTooLarge.into())
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        World {
            random: Random(seed ^ 0x9e37_79b9_7f4a_7c15),
            fail_in: None,
            off: false,
            boot: 1,
            locked: false,
            capacity: None,
            writable: true,
            faults: Vec::new(),
            files_max: None,
            forgotten: Vec::new(),
            files: 0,
            flushes: 0,
            changes: 0,
            inodes: Vec::new(),
            names: BTreeMap::new(),
            names_kept: BTreeMap::new(),
            names_pending: Vec::new(),
        }
    }

    pub(super) fn restart(&mut self) {
        self.boot += 1;
        self.off = false;
        self.locked = false;
        self.files = 0;
        self.fail_in = None;
        self.faults.clear();
    }

    pub(super) fn cut_power(&mut self) {
        self.restart();
        let mood = self.random.below(4);
        for change in std::mem::take(&mut self.names_pending) {
            if self.random.survives(mood) {
                change.apply(&mut self.names_kept);
            }
        }
        let kept = self.names_kept.clone();
        let has_folder = |path: &str| {
            let folder = parent(path);
            folder.is_empty() || kept.get(folder) == Some(&Name::Folder)
        };
        self.names_kept.retain(|path, _| has_folder(path));
        self.names.clone_from(&self.names_kept);
        let mood = self.random.below(4);
        for inode in &mut self.inodes {
            inode.lose_power(&mut self.random, mood);
        }
    }

    /// Counts a change; true when the power fails in the middle of it.
    fn change(&mut self) -> io::Result<bool> {
        if self.off {
            return Err(failed("the power is off"));
        }
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.changes += 1;
        match &mut self.fail_in {
            Some(0) => {
                self.off = true;
                Ok(true)
            }
            Some(left) => {
                *left -= 1;
                Ok(false)
            }
            None => Ok(false),
        }
    }

    fn fault(&mut self, kind: Fault) -> bool {
        let Some(index) = self.faults.iter().position(|(k, _)| *k == kind) else { return false };
        if self.faults[index].1 == 0 {
            self.faults.remove(index);
            return true;
        }
        self.faults[index].1 -= 1;
        false
    }

    fn alive(&self, boot: u64) -> io::Result<()> {
        if self.off || boot != self.boot { Err(failed("the power is off")) } else { Ok(()) }
    }

    fn name_change(&mut self, change: NameChange) -> io::Result<()> {
        let dies = self.change()?;
        if !dies || self.random.below(2) == 0 {
            change.clone().apply(&mut self.names);
            self.names_pending.push(change);
        }
        if dies { Err(failed("the power is off")) } else { Ok(()) }
    }

    pub(super) fn open(&mut self, path: &str, create: bool) -> io::Result<usize> {
        if self.off {
            return Err(failed("the power is off"));
        }
        if self.files_max.is_some_and(|max| self.files >= max) {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        match self.names.get(path) {
            Some(Name::File(inode)) => return Ok(*inode),
            Some(Name::Folder) => return Err(failed("is a folder")),
            None if !create => return Err(io::ErrorKind::NotFound.into()),
            None => {}
        }
        let folder = parent(path);
        if !folder.is_empty() && self.names.get(folder) != Some(&Name::Folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.inodes.push(Inode::default());
        let inode = self.inodes.len() - 1;
        self.name_change(NameChange::Add(path.to_owned(), Name::File(inode)))?;
        Ok(inode)
    }

    pub(super) fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        if self.off {
            return Err(failed("the power is off"));
        }
        let inside = |path: &&String| parent(path) == folder;
        Ok(self.names.keys().filter(inside).filter_map(|p| p.rsplit('/').next()).map(str::to_owned).collect())
    }

    pub(super) fn create_folder(&mut self, folder: &str) -> io::Result<()> {
        let mut upto = 0;
        while upto < folder.len() {
            upto = folder[upto + 1..].find('/').map_or(folder.len(), |i| upto + 1 + i);
            let path = &folder[..upto];
            if !self.names.contains_key(path) {
                self.name_change(NameChange::Add(path.to_owned(), Name::Folder))?;
            }
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        if !self.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.name_change(NameChange::Remove(path.to_owned()))
    }

    pub(super) fn remove_folder(&mut self, folder: &str) -> io::Result<()> {
        if self.names.keys().any(|path| parent(path) == folder) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.remove(folder)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let name = *self.names.get(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        self.name_change(NameChange::Rename(from.to_owned(), to.to_owned(), name))
    }

    pub(super) fn sync_folder(&mut self, folder: &str) -> io::Result<()> {
        let dies = self.change()?;
        if dies {
            return Err(failed("the power is off"));
        }
        if self.fault(Fault::SyncFolder) {
            return Err(failed("input/output error"));
        }
        self.flushes += 1;
        for change in std::mem::take(&mut self.names_pending) {
            if change.folder() == folder {
                change.apply(&mut self.names_kept);
            } else {
                self.names_pending.push(change);
            }
        }
        Ok(())
    }

    pub(super) fn read(&mut self, boot: u64, inode: usize, into: &mut [u8], at: u64) -> io::Result<()> {
        self.alive(boot)?;
        if self.fault(Fault::Read) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let part = self.fault(Fault::ShortRead).then(|| self.random.part(into.len()));
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let cache = &self.inodes[inode].cache;
        let Some(bytes) = at.checked_add(into.len()).and_then(|end| cache.get(at..end)) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if self.inodes[inode].is_spoiled(&(at..at + into.len())) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        if let Some(part) = part {
            into[..part].copy_from_slice(&bytes[..part]);
            return Err(failed("input/output error"));
        }
        into.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write(&mut self, boot: u64, inode: usize, bytes: &[u8], at: u64) -> io::Result<()> {
        self.alive(boot)?;
        let dies = self.change()?;
        self.put(inode, bytes, at, dies)?;
        if dies {
            return Err(failed("the power is off"));
        }
        if self.fault(Fault::Write) { Err(failed("input/output error")) } else { Ok(()) }
    }

    pub(super) fn write_durable(&mut self, boot: u64, inode: usize, bytes: &[u8], at: u64) -> io::Result<()> {
        self.alive(boot)?;
        let dies = self.change()?;
        self.put(inode, bytes, at, dies)?;
        if dies {
            return Err(failed("the power is off"));
        }
        if self.fault(Fault::DurableWrite) {
            return Err(failed("input/output error"));
        }
        self.flushes += 1;
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        self.inodes[inode].keep(at..at + bytes.len());
        Ok(())
    }

    /// Into the cache; a dying process may have got only part of it there, and a full disk takes
    /// what fits.
    fn put(&mut self, inode: usize, bytes: &[u8], at: u64, dies: bool) -> io::Result<()> {
        let at = place(at)?;
        let short = self.fault(Fault::ShortWrite);
        let torn = short || (dies && self.random.below(2) == 0);
        let part = if torn { self.random.part(bytes.len()) } else { bytes.len() };
        let grows = (at + part).saturating_sub(self.inodes[inode].cache.len());
        let room = self.capacity.filter(|_| grows > 0).map(|max| max.saturating_sub(self.used()));
        let missing = room.map_or(0, |room| grows.saturating_sub(usize::try_from(room).unwrap_or(usize::MAX)));
        self.inodes[inode].write(&bytes[..part.saturating_sub(missing)], at);
        match () {
            () if missing > 0 => Err(io::ErrorKind::StorageFull.into()),
            () if short => Err(failed("input/output error")),
            () => Ok(()),
        }
    }

    pub(super) fn flush(&mut self, boot: u64, inode: usize) -> io::Result<()> {
        self.alive(boot)?;
        if self.change()? {
            return Err(failed("the power is off"));
        }
        if self.fault(Fault::Flush) {
            self.inodes[inode].pending.clear();
            return Err(failed("input/output error"));
        }
        self.flushes += 1;
        let file = &mut self.inodes[inode];
        for range in std::mem::take(&mut file.pending) {
            file.keep(range);
        }
        file.keep_size();
        Ok(())
    }

    pub(super) fn size(&self, boot: u64, inode: usize) -> io::Result<u64> {
        self.alive(boot)?;
        Ok(self.inodes[inode].cache.len() as u64)
    }

    pub(super) fn set_size(&mut self, boot: u64, inode: usize, size: u64) -> io::Result<()> {
        self.alive(boot)?;
        if self.change()? {
            return Err(failed("the power is off"));
        }
        let size = place(size)?;
        self.inodes[inode].set_size(size);
        Ok(())
    }

    pub(super) fn used(&self) -> u64 {
        let size = |name: &Name| match name {
            Name::File(inode) => self.inodes[*inode].cache.len() as u64,
            Name::Folder => 0,
        };
        self.names.values().map(size).sum()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.names.iter().filter(|(_, n)| matches!(n, Name::File(_))).map(|(p, _)| p.clone()).collect()
    }

    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        match self.names.get(path)? {
            Name::File(inode) => Some(self.inodes[*inode].cache.clone()),
            Name::Folder => None,
        }
    }

    pub(super) fn tamper(&mut self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(Name::File(inode)) = self.names.get(path) {
            let file = &mut self.inodes[*inode];
            change(&mut file.cache);
            file.medium.clone_from(&file.cache);
            file.pending.clear();
        }
    }

    pub(super) fn spoil(&mut self, path: &str, bytes: Range<usize>) {
        if let Some(Name::File(inode)) = self.names.get(path) {
            self.inodes[*inode].spoiled.push(bytes);
        }
    }

    /// Takes a file away behind everybody's back, on the medium.
    pub(super) fn lose(&mut self, path: &str) {
        self.names.remove(path);
        self.names_kept.remove(path);
        self.names_pending.retain(|change| !change.is_of(path));
    }
}
