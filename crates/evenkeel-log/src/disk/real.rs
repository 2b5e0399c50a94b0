//! A folder of the machine.

mod straight;
#[cfg(test)]
mod tests;

use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IoSlice, Read, Seek, Write};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

#[cfg(target_os = "linux")]
use rustix::fs::OFlags;

use self::straight::Straight;
use super::{Disk, File, LockError};

/// How many parts one write takes.
const IOVECS_MAX: usize = 1024;

/// How many files are flushed at once.
const FLUSHES_AT_ONCE: usize = 4;

/// How many files the device is asked to read at once.
const READ_STREAMS: usize = 2;

/// The nice value of threads that nobody waits for: a tenth of the processor when all are busy.
#[cfg(target_os = "linux")]
const BEHIND: i32 = 10;

/// The block of direct writes.
const BLOCK: usize = 4096;

/// A data folder.
pub struct RealDisk {
    folder: PathBuf,
    straight: Arc<Straight>,
}

impl RealDisk {
    /// The folder at `path`; it is made when the log is opened.
    pub fn new(path: impl Into<PathBuf>) -> RealDisk {
        RealDisk { folder: path.into(), straight: Arc::new(Straight::new()) }
    }
}

/// Makes a folder whose own name outlives a loss of power, and those above it.
fn make_folder(folder: &Path) -> io::Result<()> {
    let sync = |folder: &Path| {
        let above = folder.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(above)?.sync_all()
    };
    let missing: Vec<&Path> = folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).collect();
    fs::create_dir_all(folder)?;
    if missing.is_empty() {
        // Whoever made it may have been killed before this; where we may not, it is not ours to do.
        let _ = sync(folder);
    }
    missing.into_iter().try_for_each(sync)
}

impl Disk for RealDisk {
    fn name(&self) -> String {
        self.folder.display().to_string()
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError> {
        make_folder(&self.folder).map_err(LockError::Io)?;
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.folder.join("lock"))
            .map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held { pid });
            }
            Err(fs::TryLockError::Error(e)) => return Err(LockError::Io(e)),
        }
        let pid = format!("{}\n", std::process::id());
        file.set_len(0).and_then(|()| file.rewind()).map_err(LockError::Io)?;
        file.write_all(pid.as_bytes()).map_err(LockError::Io)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Box<dyn File>> {
        let path = self.folder.join(path);
        let file = fs::OpenOptions::new().read(true).write(true).create(create).truncate(false).open(&path)?;
        let straight = self.straight.clone();
        Ok(Box::new(RealFile { path, file, direct: OnceLock::new(), unread: OnceLock::new(), straight }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.folder.join(folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        fs::create_dir_all(self.folder.join(folder))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(path))
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        fs::remove_dir(self.folder.join(folder))
    }

    #[cfg(target_os = "linux")]
    fn warning(&self) -> Option<crate::Warning> {
        let magic = rustix::fs::statfs(&self.folder).ok()?.f_type;
        crate::warning::of_file_system(magic.cast_unsigned())
    }

    fn free(&self) -> io::Result<Option<u64>> {
        let of = rustix::fs::statvfs(&self.folder)?;
        Ok(Some(of.f_bavail.saturating_mul(of.f_frsize)))
    }

    fn files_max(&self) -> usize {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        limit.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        fs::File::open(self.folder.join(folder))?.sync_all()
    }

    fn flush_files(&self, files: &[&dyn File]) -> io::Result<()> {
        // The kernel makes one flush of the device of several that wait at once.
        let shares: Vec<&[&dyn File]> = files.chunks(files.len().div_ceil(FLUSHES_AT_ONCE).max(1)).collect();
        let flush = |share: &[&dyn File]| share.iter().try_for_each(|file| file.flush());
        std::thread::scope(|scope| {
            let others: Vec<_> = shares.iter().skip(1).map(|share| scope.spawn(|| flush(share))).collect();
            let mine = shares.first().map_or(Ok(()), |share| flush(share));
            let broke = |_| Err(io::Error::other("a thread that flushed panicked"));
            others.into_iter().map(|other| other.join().unwrap_or_else(broke)).fold(mine, Result::and)
        })
    }

    #[cfg(target_os = "linux")]
    fn will_read(&self, paths: Vec<String>) {
        // The advice waits for room in the device's queue, so others give it than those who read. All of it
        // is a hint: nothing is lost when the system does not take it.
        for stream in 0..READ_STREAMS.min(paths.len()) {
            let paths: Vec<PathBuf> =
                paths.iter().skip(stream).step_by(READ_STREAMS).map(|path| self.folder.join(path)).collect();
            let advise = move || {
                for file in paths.iter().filter_map(|path| fs::File::open(path).ok()) {
                    let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::WillNeed);
                }
            };
            let _ = std::thread::Builder::new().name("evenkeel-ahead".into()).spawn(advise);
        }
    }

    #[cfg(target_os = "linux")]
    fn forget(&self, path: &str, at: u64, length: u64) {
        let (Ok(file), Some(length)) = (fs::File::open(self.folder.join(path)), NonZeroU64::new(length)) else {
            return;
        };
        let _ = rustix::fs::fadvise(&file, at, Some(length), rustix::fs::Advice::DontNeed);
    }

    #[cfg(target_os = "linux")]
    fn work_behind(&self) {
        // Where it may not be, all threads count alike.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), BEHIND);
    }

    fn entropy(&self) -> u64 {
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }
}

struct RealFile {
    path: PathBuf,
    file: fs::File,
    /// Opened at the first aligned write; `None` where the file system refuses direct writes.
    direct: OnceLock<Option<fs::File>>,
    /// The same without waiting for the medium.
    unread: OnceLock<Option<fs::File>>,
    straight: Arc<Straight>,
}

impl RealFile {
    fn direct(&self) -> Option<&fs::File> {
        self.direct.get_or_init(|| open_direct(&self.path, true)).as_ref()
    }

    fn unread(&self) -> Option<&fs::File> {
        self.unread.get_or_init(|| open_direct(&self.path, false)).as_ref()
    }
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path, durable: bool) -> Option<fs::File> {
    let flags = OFlags::DIRECT | if durable { OFlags::DSYNC } else { OFlags::empty() };
    fs::OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_: &Path, _: bool) -> Option<fs::File> {
    None
}

fn aligned(bytes: &[u8], at: u64) -> bool {
    bytes.as_ptr().align_offset(BLOCK) == 0 && bytes.len().is_multiple_of(BLOCK) && at.is_multiple_of(BLOCK as u64)
}

impl File for RealFile {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(into, at)
    }

    fn read_into(&self, into: &mut Vec<u8>, count: usize, at: u64) -> io::Result<()> {
        // Into memory that nobody has to clear before.
        into.clear();
        into.reserve_exact(count);
        while into.len() < count {
            let place = at + into.len() as u64;
            match rustix::io::pread(&self.file, rustix::buffer::spare_capacity(into), place) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        into.truncate(count);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    fn write_parts_at(&self, parts: &[&[u8]], mut at: u64) -> io::Result<()> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        if let (true, Some(direct)) = (self.straight.takes(bytes), self.unread()) {
            return self.straight.write((&self.file, direct), parts, bytes, at);
        }
        for run in parts.chunks(IOVECS_MAX) {
            let mut slices: Vec<IoSlice<'_>> = run.iter().map(|part| IoSlice::new(part)).collect();
            let mut slices = slices.as_mut_slice();
            while !slices.is_empty() {
                match rustix::io::pwritev(&self.file, slices, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        at += written as u64;
                        IoSlice::advance_slices(&mut slices, written);
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                }
            }
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn start_write_back(&self, at: u64, length: u64) -> io::Result<()> {
        // On Linux this advice begins with the range's dirty pages, as sync_file_range would, and
        // does not wait for them; they stay in the cache.
        let length = NonZeroU64::new(length);
        Ok(rustix::fs::fadvise(&self.file, at, length, rustix::fs::Advice::DontNeed)?)
    }

    fn write_unread_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        // Memory of the cache that was never used costs more than the write, on virtual machines above all.
        if let (true, Some(unread)) = (aligned(bytes, at), self.unread()) {
            match unread.write_all_at(bytes, at) {
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {}
                done => return done,
            }
        }
        self.file.write_all_at(bytes, at)?;
        self.start_write_back(at, bytes.len() as u64)
    }

    fn write_durable(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        if let (true, Some(direct)) = (aligned(bytes, at), self.direct()) {
            match direct.write_all_at(bytes, at) {
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {}
                done => return done,
            }
        }
        self.file.write_all_at(bytes, at)?;
        self.file.sync_data()
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }
}
