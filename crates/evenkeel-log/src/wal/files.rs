//! The write-ahead files ahead of the writer and behind it: made, zeroed and flushed before they
//! are used; kept while either checkpoint slot may need them; then used again or removed.
//!
//! It knows nothing of groups. A file that is half made when the process ends is not referred to
//! by any group, and recovery takes it away.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::block::Aligned;
use super::header::{FILE_MIN, FileHeader};
use super::pace::{PIECE, Pace};
use super::{BLOCK, is_full, padded, path};
use crate::disk::{Disk, File};
use crate::options::Options;
use crate::safeguard::Safeguard;
use crate::stats::Stats;
use crate::ticket::held;

/// An open write-ahead file.
#[derive(Clone)]
pub(crate) struct WalFile {
    pub(crate) header: FileHeader,
    pub(crate) file: Arc<dyn File>,
}

impl WalFile {
    /// Where groups must end: the last block is kept for the turn to the next file.
    pub(crate) fn end(&self) -> u64 {
        self.header.size - BLOCK
    }
}

/// All write-ahead files but the one that is being written.
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
    options: Options,
    stats: Arc<Stats>,
    shelf: Mutex<Shelf>,
    /// Held by whoever makes a file, so that the shelf is never locked for long.
    making: Mutex<()>,
    pace: Pace,
}

struct Shelf {
    /// The number of the newest file.
    newest: u64,
    /// Numbers and sizes of the files that hold groups a checkpoint slot may need.
    live: BTreeMap<u64, u64>,
    /// Made ahead.
    next: Option<WalFile>,
    /// Files that nobody needs any more, by number and size: their blocks were written before, so
    /// that the next write to them changes nothing but data.
    spare: Vec<(u64, u64)>,
}

impl Shelf {
    fn bytes(&self) -> u64 {
        let next = self.next.as_ref().map_or(0, |next| next.header.size);
        self.live.values().sum::<u64>() + self.spare.iter().map(|(_, size)| size).sum::<u64>() + next
    }

    fn take_spare(&mut self, size: u64) -> Option<(u64, u64)> {
        let fits = self.spare.iter().rposition(|(_, spare)| *spare >= size)?;
        Some(self.spare.swap_remove(fits))
    }
}

impl Files {
    /// The files with these numbers and sizes are there.
    pub(crate) fn new(disk: Arc<dyn Disk>, options: Options, stats: Arc<Stats>, live: BTreeMap<u64, u64>) -> Files {
        let newest = live.keys().next_back().copied().unwrap_or(0);
        let shelf = Mutex::new(Shelf { newest, live, next: None, spare: Vec::new() });
        Files { disk, options, stats, shelf, making: Mutex::new(()), pace: Pace::new() }
    }

    /// The file to go on in, with room for a group of `bytes`; made now if it was not made ahead.
    pub(crate) fn next(&self, bytes: u64) -> io::Result<WalFile> {
        // Whoever stands here waits, however much of his file is left.
        self.pace.used(1, 1);
        let _making = held(&self.making);
        let ahead = held(&self.shelf).next.take();
        let file = match ahead {
            Some(file) if file.header.size >= FILE_MIN + bytes => file,
            Some(small) => {
                self.disk.remove(&path(small.header.number))?;
                self.make(bytes)?
            }
            None => self.make(bytes)?,
        };
        held(&self.shelf).live.insert(file.header.number, file.header.size);
        Ok(file)
    }

    /// Makes the next file ahead of time, if it is not there. The writer goes on meanwhile.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        let _making = held(&self.making);
        if !self.is_prepared() {
            let file = self.make(0)?;
            held(&self.shelf).next = Some(file);
        }
        Ok(())
    }

    /// So much of the newest file is used.
    pub(crate) fn used(&self, at: u64, size: u64) {
        self.pace.used(at, size);
    }

    /// Who makes a file takes no more time than it needs.
    pub(crate) fn hurry(&self) {
        self.pace.hurry();
    }

    /// True when the next file is there.
    pub(crate) fn is_prepared(&self) -> bool {
        held(&self.shelf).next.is_some()
    }

    /// The bytes of all files that hold groups.
    pub(crate) fn live_bytes(&self) -> u64 {
        held(&self.shelf).live.values().sum()
    }

    /// Files before `file` are not needed by any slot any more. Those of full size are kept to be
    /// used again, within the limit for all.
    pub(crate) fn release(&self, file: u64) -> io::Result<()> {
        let gone = {
            let mut shelf = held(&self.shelf);
            let kept = shelf.live.split_off(&file);
            let unneeded = std::mem::replace(&mut shelf.live, kept);
            let mut bytes = shelf.bytes();
            let mut gone = Vec::new();
            for (number, size) in unneeded {
                bytes += size;
                if size == self.options.wal_file_bytes && bytes <= self.options.wal_bytes_max {
                    shelf.spare.push((number, size));
                } else {
                    bytes -= size;
                    gone.push(number);
                }
            }
            gone
        };
        gone.into_iter().try_for_each(|number| match self.disk.remove(&path(number)) {
            // Lost before a repair.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        })
    }

    /// Makes a file under the next number: of the usual size, or as small as the first one where there is
    /// no room for that. The caller holds `making`.
    fn make(&self, bytes: u64) -> io::Result<WalFile> {
        let usual = self.size(&held(&self.shelf), bytes);
        let least = padded(self.options.wal_first_file_bytes.max(FILE_MIN + bytes));
        match self.make_of(usual) {
            Err(e) if is_full(&e) && least < usual => self.make_of(least),
            made => made,
        }
    }

    fn make_of(&self, size: u64) -> io::Result<WalFile> {
        let (number, spare) = {
            let mut shelf = held(&self.shelf);
            (shelf.newest + 1, shelf.take_spare(size))
        };
        let name = path(number);
        let made = match spare {
            Some((old, size)) => self.disk.rename(&path(old), &name).and_then(|()| self.open_spare(number, size)),
            None => self.create(number, size),
        };
        if made.is_err() {
            // Half a file is worth nothing and takes room; if it cannot go now, recovery takes it.
            let _ = self.disk.remove(&name);
        }
        let made = made?;
        held(&self.shelf).newest = number;
        Ok(made)
    }

    /// The first is small; each later one is four times the one before, up to the full size.
    fn size(&self, shelf: &Shelf, bytes: u64) -> u64 {
        let usual = match shelf.live.values().next_back() {
            Some(last) => last.saturating_mul(4).min(self.options.wal_file_bytes),
            None => self.options.wal_first_file_bytes,
        };
        padded(usual.max(FILE_MIN + bytes))
    }

    fn create(&self, number: u64, size: u64) -> io::Result<WalFile> {
        let file: Arc<dyn File> = self.disk.open(&path(number), true)?.into();
        let mut zeros = Aligned::new();
        zeros.put(&vec![0; usize::try_from(size).unwrap_or(PIECE).min(PIECE)]);
        let mut at = 0;
        while at < size {
            let part = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
            file.write_unread_at(&zeros.bytes()[..part], at)?;
            at += part as u64;
            self.pace.pause(at, size);
        }
        self.finish(file, number, size)
    }

    fn open_spare(&self, number: u64, size: u64) -> io::Result<WalFile> {
        let file: Arc<dyn File> = self.disk.open(&path(number), false)?.into();
        self.finish(file, number, size)
    }

    fn finish(&self, file: Arc<dyn File>, number: u64, size: u64) -> io::Result<WalFile> {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.disk.entropy().to_le_bytes());
        nonce[8..].copy_from_slice(&self.disk.entropy().to_le_bytes());
        let header = FileHeader { number, size, nonce };
        file.write_at(&header.encode(), 0)?;
        let guards = self.options.guards();
        if guards.on(Safeguard::WalFileFlush) {
            file.flush()?;
            self.stats.flushed();
        }
        if guards.on(Safeguard::WalFolderSync) {
            self.disk.sync_folder("wal")?;
            self.stats.flushed();
        }
        Ok(WalFile { header, file })
    }
}

#[cfg(test)]
mod tests;
