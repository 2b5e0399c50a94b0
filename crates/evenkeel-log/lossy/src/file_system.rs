//! The file system: what FUSE asks for, answered from a simulated disk.
//!
//! Nothing is cached in the kernel: every file is open for direct I/O and no attribute is kept, so
//! that what the simulated disk drops is gone for everybody. A write is durable when its file was
//! opened with `O_DSYNC`, or by `fsync`; a name when its folder is synced. Reads and writes are
//! cut short at random, which a program must cope with. It keeps no times and no permissions.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use evenkeel_log::Disk;
use evenkeel_log::disk::File;
use evenkeel_log::sim::SimDisk;
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

/// Linux's number for `O_DSYNC`, which `O_SYNC` contains.
const O_DSYNC: i32 = 0o10000;

/// Linux's number for `O_DIRECT`.
const O_DIRECT: i32 = if cfg!(target_arch = "aarch64") { 0o200_000 } else { 0o40_000 };

/// The file system.
pub struct Lossy {
    disk: SimDisk,
    table: Mutex<Table>,
    past_cache: Arc<AtomicU64>,
}

/// Which numbers the kernel knows paths and open files by.
struct Table {
    paths: HashMap<u64, String>,
    numbers: HashMap<String, u64>,
    files: HashMap<u64, Arc<dyn File>>,
    next: u64,
    dice: u64,
}

impl Lossy {
    /// On this disk; `seed` decides which reads and writes are cut short. Bytes that segments get past a cache, without
    /// being durable, are counted in `past_cache`.
    pub fn new(disk: SimDisk, seed: u64, past_cache: Arc<AtomicU64>) -> Lossy {
        let table = Table {
            paths: HashMap::from([(INodeNo::ROOT.0, String::new())]),
            numbers: HashMap::from([(String::new(), INodeNo::ROOT.0)]),
            files: HashMap::new(),
            next: INodeNo::ROOT.0 + 1,
            dice: seed,
        };
        Lossy { disk, table: Mutex::new(table), past_cache }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, number: INodeNo) -> io::Result<String> {
        self.table().paths.get(&number.0).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn inside(&self, folder: INodeNo, name: &OsStr) -> io::Result<String> {
        let folder = self.path(folder)?;
        let name = name.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })
    }

    /// What stands at a path; the disk says that a folder is no file.
    fn look(&self, path: &str) -> io::Result<FileAttr> {
        let number = self.table().number(path);
        if path.is_empty() {
            return Ok(attributes(number, FileType::Directory, 0));
        }
        match self.disk.open(path, false) {
            Ok(file) => Ok(attributes(number, FileType::RegularFile, file.size()?)),
            Err(e) if e.kind() == io::ErrorKind::NotFound || self.disk.is_off() => Err(e),
            Err(_) => Ok(attributes(number, FileType::Directory, 0)),
        }
    }

    fn open(&self, path: &str, create: bool) -> io::Result<FileHandle> {
        let file: Arc<dyn File> = self.disk.open(path, create)?.into();
        let mut table = self.table();
        table.next += 1;
        let handle = table.next;
        table.files.insert(handle, file);
        Ok(FileHandle(handle))
    }

    fn file(&self, handle: FileHandle) -> io::Result<Arc<dyn File>> {
        self.table().files.get(&handle.0).cloned().ok_or_else(|| io::Error::other("not open"))
    }

    /// All of it, or now and then only a part.
    fn part(&self, whole: usize) -> usize {
        let mut table = self.table();
        if whole > 512 && table.roll(16) == 0 { (1 + table.roll(whole / 512)) * 512 } else { whole }.min(whole)
    }

    fn read(&self, handle: FileHandle, at: u64, wanted: u32) -> io::Result<Vec<u8>> {
        let file = self.file(handle)?;
        let left = usize::try_from(file.size()?.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; self.part(left.min(wanted as usize))];
        file.read_at(&mut bytes, at)?;
        Ok(bytes)
    }

    fn write(&self, handle: FileHandle, at: u64, bytes: &[u8], is_durable: bool) -> io::Result<u32> {
        let file = self.file(handle)?;
        let bytes = &bytes[..self.part(bytes.len())];
        if is_durable {
            file.write_durable(bytes, at)?
        } else {
            file.write_at(bytes, at)?
        }
        Ok(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
    }

    /// Counts what goes past the cache of other file systems: long runs of segments.
    fn count(&self, number: INodeNo, flags: OpenFlags, bytes: u32) {
        let straight = flags.0 & (O_DIRECT | O_DSYNC) == O_DIRECT;
        if straight && self.path(number).is_ok_and(|path| path.ends_with(".log")) {
            self.past_cache.fetch_add(u64::from(bytes), Ordering::Relaxed);
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)?;
        let mut table = self.table();
        if let Some(number) = table.numbers.remove(from) {
            table.numbers.insert(to.to_owned(), number);
            table.paths.insert(number, to.to_owned());
        }
        Ok(())
    }
}

impl Table {
    fn number(&mut self, path: &str) -> u64 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        self.next += 1;
        self.numbers.insert(path.to_owned(), self.next);
        self.paths.insert(self.next, path.to_owned());
        self.next
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.dice >> 33).unwrap_or(0) % sides.max(1)
    }
}

fn attributes(number: u64, kind: FileType, size: u64) -> FileAttr {
    let at = SystemTime::UNIX_EPOCH;
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: at,
        mtime: at,
        ctime: at,
        crtime: at,
        kind,
        perm: 0o777,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn number(e: &io::Error) -> Errno {
    match e.kind() {
        io::ErrorKind::NotFound => Errno::ENOENT,
        io::ErrorKind::StorageFull => Errno::ENOSPC,
        _ => Errno::EIO,
    }
}

fn done(result: io::Result<()>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(e) => reply.error(number(&e)),
    }
}

fn entry(result: io::Result<FileAttr>, reply: ReplyEntry) {
    match result {
        Ok(attributes) => reply.entry(&Duration::ZERO, &attributes, Generation(0)),
        Err(e) => reply.error(number(&e)),
    }
}

impl Filesystem for Lossy {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(self.inside(parent, name).and_then(|path| self.look(&path)), reply);
    }

    fn getattr(&self, _: &Request, number_of: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        let by_handle = |handle| Ok(attributes(number_of.0, FileType::RegularFile, self.file(handle)?.size()?));
        let by_path = || self.path(number_of).and_then(|path| self.look(&path));
        match handle.map_or_else(by_path, by_handle) {
            Ok(attributes) => reply.attr(&Duration::ZERO, &attributes),
            Err(e) => reply.error(number(&e)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number_of: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = |path: String| {
            if let Some(size) = size {
                self.disk.open(&path, false)?.set_size(size)?;
            }
            self.look(&path)
        };
        match self.path(number_of).and_then(set) {
            Ok(attributes) => reply.attr(&Duration::ZERO, &attributes),
            Err(e) => reply.error(number(&e)),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let make = |path: String| self.disk.create_folder(&path).and_then(|()| self.look(&path));
        entry(self.inside(parent, name).and_then(make), reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let remove = |path: String| {
            self.disk.remove(&path)?;
            self.table().numbers.remove(&path);
            Ok(())
        };
        done(self.inside(parent, name).and_then(remove), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(self.inside(parent, name).and_then(|path| self.disk.remove_folder(&path)), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let paths = self.inside(parent, name).and_then(|from| Ok((from, self.inside(new_parent, new_name)?)));
        done(paths.and_then(|(from, to)| self.rename(&from, &to)), reply);
    }

    fn open(&self, _: &Request, number_of: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.path(number_of).and_then(|path| Lossy::open(self, &path, false)) {
            Ok(handle) => reply.opened(handle, FopenFlags::FOPEN_DIRECT_IO),
            Err(e) => reply.error(number(&e)),
        }
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let create = |path: String| Ok((Lossy::open(self, &path, true)?, self.look(&path)?));
        match self.inside(parent, name).and_then(create) {
            Ok((handle, attributes)) => {
                reply.created(&Duration::ZERO, &attributes, Generation(0), handle, FopenFlags::FOPEN_DIRECT_IO);
            }
            Err(e) => reply.error(number(&e)),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        at: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match Lossy::read(self, handle, at, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(e) => reply.error(number(&e)),
        }
    }

    fn write(
        &self,
        _: &Request,
        number_of: INodeNo,
        handle: FileHandle,
        at: u64,
        bytes: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match Lossy::write(self, handle, at, bytes, flags.0 & O_DSYNC != 0) {
            Ok(written) => {
                self.count(number_of, flags, written);
                reply.written(written);
            }
            Err(e) => reply.error(number(&e)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.table().files.remove(&handle.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, handle: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.file(handle).and_then(|file| file.flush()), reply);
    }

    fn fsyncdir(&self, _: &Request, number_of: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.path(number_of).and_then(|path| self.disk.sync_folder(&path)), reply);
    }

    fn readdir(&self, _: &Request, number_of: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let folder = match self.path(number_of).and_then(|path| Ok((self.disk.list(&path)?, path))) {
            Ok(folder) => folder,
            Err(e) => return reply.error(number(&e)),
        };
        let (names, folder) = folder;
        for (place, name) in (1_u64..).zip(&names).filter(|(place, _)| *place > offset) {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let Ok(found) = self.look(&path) else { continue };
            if reply.add(found.ino, place, found.kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(1 << 24, 1 << 23, 1 << 23, 1 << 20, 1 << 20, 4096, 255, 4096);
    }
}
