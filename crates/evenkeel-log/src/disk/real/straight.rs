//! Long runs of bytes go past the file system's cache, where the device is quick.
//!
//! The cache costs a copy, and memory that is mostly new for each page; and what it holds back comes down on
//! the device in bursts, which whoever waits for the write-ahead log feels. Readers that fell behind
//! the tail are served by the device instead. A device that takes long for each write (a network's)
//! is better off with many in its queue, which is what the cache is good at: so how long writes take is
//! measured, and a slow one is tried again now and then.
//!
//! Nothing here is durable before the file is flushed, as with the cache.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use evenkeel_model::{Clock, SystemClock};

use super::BLOCK;
use crate::ticket::held;
use crate::wal::block::Aligned;

/// Less than this is better off in the cache, where it is put together with what comes next.
const LEAST: usize = 64 << 10;

/// What is written at once.
const PIECE: usize = 1 << 20;

/// Microseconds for a mebibyte from which on a device counts as slow. A quick one that is busy with the
/// write-ahead log needs a third of it.
const SLOW: u64 = 12_000;

/// How often a slow device is tried again.
const TRIED_EVERY: u32 = 64;

/// What the files of a folder share.
pub(super) struct Straight {
    clock: SystemClock,
    pace: Mutex<Pace>,
    /// Memory to put bytes together in, if nobody has it.
    stage: Mutex<Option<Aligned>>,
}

/// How quick the device is.
#[derive(Default)]
struct Pace {
    /// Microseconds for a mebibyte, smoothed.
    per_mib: u64,
    /// Runs that were not taken since the last one that was.
    passed: u32,
}

impl Pace {
    /// True when a run of so many bytes should go past the cache.
    fn takes(&mut self, bytes: usize) -> bool {
        if bytes < LEAST {
            return false;
        }
        self.passed += 1;
        let takes = self.per_mib < SLOW || self.passed >= TRIED_EVERY;
        if takes {
            self.passed = 0;
        }
        takes
    }

    /// A run took so long. One that stalls says little.
    fn took(&mut self, bytes: usize, us: u64) {
        let per_mib = (us.saturating_mul(1 << 20) / bytes.max(1) as u64).min(4 * SLOW);
        self.per_mib = (self.per_mib * 15 + per_mib) / 16;
    }
}

impl Straight {
    pub(super) fn new() -> Straight {
        Straight { clock: SystemClock::new(), pace: Mutex::default(), stage: Mutex::default() }
    }

    /// True when so many bytes should go past the cache.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        held(&self.pace).takes(bytes)
    }

    /// Writes `bytes` bytes of `parts`, one behind the other: whole blocks past the cache, by `direct`, the ends
    /// by `cached`, since they share their blocks with what other writes bring.
    pub(super) fn write(
        &self,
        (cached, direct): (&fs::File, &fs::File),
        parts: &[&[u8]],
        bytes: usize,
        at: u64,
    ) -> io::Result<()> {
        let began = self.clock.now();
        let stage = held(&self.stage).take().unwrap_or_else(Aligned::new);
        let lead = at % BLOCK as u64;
        let mut run = Run { cached, direct, stage, at: at - lead, lead: 0 };
        run.begin(usize::try_from(lead).unwrap_or(0));
        let done = parts.iter().try_for_each(|part| run.put(part)).and_then(|()| run.write());
        *held(&self.stage) = Some(run.stage);
        let took = self.clock.now().since(began);
        held(&self.pace).took(bytes, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        done
    }
}

/// A run on its way.
struct Run<'a> {
    cached: &'a fs::File,
    direct: &'a fs::File,
    stage: Aligned,
    /// Where the stage's first byte goes: at a whole block.
    at: u64,
    /// So many bytes of the stage are not ours.
    lead: usize,
}

impl Run<'_> {
    fn begin(&mut self, lead: usize) {
        self.stage.clear(PIECE);
        self.stage.put(&[0; BLOCK][..lead]);
        self.lead = lead;
    }

    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = PIECE - self.stage.bytes().len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.stage.put(now);
            if now.len() == room {
                self.write()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let bytes = self.stage.bytes();
        let first = self.lead.next_multiple_of(BLOCK).min(bytes.len());
        let last = (bytes.len() / BLOCK * BLOCK).max(first);
        let place = |from: usize| self.at + from as u64;
        if self.lead < first {
            self.cached.write_all_at(&bytes[self.lead..first], place(self.lead))?;
        }
        if first < last {
            match self.direct.write_all_at(&bytes[first..last], place(first)) {
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                    self.cached.write_all_at(&bytes[first..last], place(first))?;
                }
                done => done?,
            }
        }
        if last < bytes.len() {
            self.cached.write_all_at(&bytes[last..], place(last))?;
        }
        self.at += bytes.len() as u64;
        self.begin(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_device_is_written_to_straight_and_short_runs_are_not() {
        let mut pace = Pace::default();
        assert!(pace.takes(LEAST) && !pace.takes(LEAST - 1));
        (0..100).for_each(|_| pace.took(256 << 10, 300));
        assert!(pace.takes(LEAST));
        pace.took(256 << 10, 10_000_000);
        assert!(pace.takes(LEAST), "one stall says little");
    }

    #[test]
    fn a_slow_device_gets_the_cache_and_is_tried_again() {
        let mut pace = Pace::default();
        (0..100).for_each(|_| pace.took(256 << 10, 5_000));
        let taken = |pace: &mut Pace| (0..10 * TRIED_EVERY).filter(|_| pace.takes(LEAST)).count();
        assert_eq!(taken(&mut pace), 10);
        (0..100).for_each(|_| pace.took(256 << 10, 300));
        assert_eq!(taken(&mut pace), 10 * TRIED_EVERY as usize);
    }
}
